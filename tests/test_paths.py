"""Paths: listed against a plain search, ranked back and forth, drawn evenly, covered by the fewest.

Most graphs here are made by hand or from a seed, so that they say nothing about the rules.
That a cover is the smallest is shown in two ways that have nothing in common with the flow behind
`cover`: trying every set of paths, and Dilworth's theorem on the order of the elements.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice, pairwise
from typing import cast

import attrs
import networkx as nx
import pytest

from realtime_protocol import paths
from realtime_protocol.bounds import audio_reply
from realtime_protocol.graph import CyclicGraph, Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.paths import KINDS, Cover, NotAPath, Path, cover
from realtime_protocol.state import State

PLAIN, INTERRUPTS, OTHER = 0, 1, 2
"""Indexes of the rules of every machine double."""


@attrs.frozen
class RuleDouble:
    """As much of a rule as a graph looks at."""

    disturbs: str


@attrs.frozen
class MachineDouble:
    """As much of a machine as a graph looks at: where to begin, and where the reply goes on."""

    initial: State
    accepting: frozenset[State]
    rules: tuple[RuleDouble, ...] = (RuleDouble(""), RuleDouble("interruption"), RuleDouble(""))

    def progress(self, state: State) -> list[int]:
        """Something to do, unless `state` is one of the accepting ones."""
        return [] if state in self.accepting else [PLAIN]


Edges = Mapping[int, Sequence[int | tuple[int, int]]]
"""For each state, the targets of its edges, or pairs of rule and target."""


def by_hand(edges: Edges, accepting: Iterable[int]) -> Graph:
    """A graph of states 0, 1, ... with 0 the initial one; arguments are positions."""
    successors: dict[State, list[tuple[int, int, State]]] = {}
    targets = {edge if isinstance(edge, int) else edge[1] for to in edges.values() for edge in to}
    for number in sorted({0, *edges, *targets, *accepting}):
        outgoing: list[tuple[int, int, State]] = []
        for argument, edge in enumerate(edges.get(number, ())):
            rule, target = edge if isinstance(edge, tuple) else (PLAIN, edge)
            outgoing.append((rule, argument, (target, ())))
        successors[number, ()] = outgoing
    double = MachineDouble((0, ()), frozenset((number, ()) for number in accepting))
    return Graph(cast(Machine, double), successors)


def drawn(seed: int, nodes: int, edges: int) -> Graph:
    """An acyclic graph from a seed: with dead ends, unreachable states and parallel edges."""
    chance = random.Random(seed)
    outgoing: dict[int, list[int | tuple[int, int]]] = {number: [] for number in range(nodes)}
    for _ in range(edges):
        # short strides make long paths
        tail = chance.randrange(nodes - 1)
        head = min(nodes - 1, tail + chance.randint(1, 4))
        outgoing[tail].append((chance.choice([PLAIN, INTERRUPTS, OTHER]), head))
    accepting = [number for number in range(nodes) if chance.random() < 0.3]
    return by_hand(outgoing, accepting)


def links(number: int, first: int = 0) -> dict[int, list[int]]:
    """A chain of diamonds from state `first`: every link can be gone by two ways."""
    edges: dict[int, list[int]] = {}
    for top in range(first, first + 3 * number, 3):
        edges |= {top: [top + 1, top + 2], top + 1: [top + 3], top + 2: [top + 3]}
    return edges


def diamonds(number: int) -> Graph:
    """A graph of 2 ** number paths."""
    return by_hand(links(number), [3 * number])


SEEDS = range(60)
SMALL = [drawn(seed, nodes=7, edges=11) for seed in SEEDS]
LARGER = [drawn(seed, nodes=40, edges=90) for seed in range(8)]
# in these the flow must be taken back along an edge that cannot give all that is asked for
LARGER += [drawn(seed, nodes=30, edges=120) for seed in (19, 28, 29)]
LARGER += [drawn(8, nodes=40, edges=140)]

HAND = by_hand({0: [1, (INTERRUPTS, 2)], 1: [2, 3], 2: [3], 4: [3]}, [2, 3])
"""0 to 1 or 2, 1 to 2 or 3, 2 to 3; stops at 2 and 3. 4 is not reachable."""

EVERY_KIND = pytest.mark.parametrize("what", KINDS)


@cache
def real() -> Graph:
    """A graph of the rules themselves."""
    one = ("TRANSCRIPTS", "AUDIO", "DELTA", "STEP", "UPDATES", "CANCELS", "TRUNCATES", "DELETES")
    return enumerate_graph(Machine(audio_reply(**dict.fromkeys(one, 1)).bounds))


def searched(graph: Graph, state: State | None = None) -> Iterator[Path]:
    """Every path from `state`, found by plain depth-first search."""
    state = graph.machine.initial if state is None else state
    if graph.accepting(state):
        yield ()
    for position, (_, _, target) in enumerate(graph.successors[state]):
        for tail in searched(graph, target):
            yield (position, *tail)


Element = object
"""A state, a state and a position or a rule, or two of these."""


def elements(graph: Graph, path: Path, what: str) -> set[Element]:
    """What a path takes, by its definition."""
    states = paths.replay(graph, path)
    edges = list(zip(states, path, strict=False))
    if what == "nodes":
        return set[Element](states)
    if what == "edges":
        return set[Element](edges)
    if what == "edge-pairs":
        return set[Element](pairwise(edges))
    rules = [(state, graph.successors[state][position][0]) for state, position in edges]
    return set[Element](rules) & set[Element](graph.interruption_points())


def all_elements(graph: Graph, what: str) -> set[Element]:
    """What all paths of a small graph take."""
    return {found for path in searched(graph) for found in elements(graph, path, what)}


# -- listing and counting ---------------------------------------------------------------------


def test_paths_in_order() -> None:
    """By position, and a path that stops comes before those that go on."""
    expected = [(0, 0), (0, 0, 0), (0, 1), (1,), (1, 0)]
    assert list(paths.enumerate_paths(HAND)) == expected
    assert paths.count(HAND) == 5


@pytest.mark.parametrize("seed", SEEDS)
def test_paths_are_those_of_a_plain_search(seed: int) -> None:
    """Any graph lists the paths that a search finds, in its order, and counts as many."""
    graph = SMALL[seed]
    found = list(searched(graph))
    assert list(paths.enumerate_paths(graph)) == found == sorted(found)
    assert paths.count(graph) == len(found) == graph.paths()


def test_the_small_graphs_are_worth_comparing() -> None:
    """Among them are graphs with many paths, with none, with dead ends and with parallel edges."""
    counts = [paths.count(graph) for graph in SMALL]
    assert max(counts) > 20
    assert 0 in counts
    busy = [graph for graph in SMALL if paths.count(graph) > 2]
    assert any(len(all_elements(graph, "edges")) < graph.edges for graph in busy)
    outgoing = [edges for graph in busy for edges in graph.successors.values()]
    assert any(len({target for _, _, target in edges}) < len(edges) for edges in outgoing)


@pytest.mark.parametrize("seed", SEEDS)
def test_ways_are_the_paths_from_each_state(seed: int) -> None:
    """The numbers are those of a search from every state, and later states come first."""
    graph = SMALL[seed]
    known = paths.ways(graph)
    assert known == {state: len(list(searched(graph, state))) for state in graph.successors}
    assert list(known) == graph.topological()[::-1]


def test_a_graph_without_a_step_has_the_empty_path() -> None:
    """Where the initial state accepts, stopping at once is a path; where it does not, none is."""
    assert list(paths.enumerate_paths(by_hand({}, [0]))) == [()]
    assert list(paths.enumerate_paths(by_hand({}, []))) == []
    assert (paths.count(by_hand({}, [0])), paths.count(by_hand({}, []))) == (1, 0)


def test_more_paths_than_can_be_listed() -> None:
    """Counts and ranks are exact where no list would end, and listing starts all the same."""
    graph = diamonds(200)
    assert paths.count(graph) == 2**200
    first = (0, 0) * 200
    second = (*first[:-2], 1, 0)
    assert list(islice(paths.enumerate_paths(graph), 2)) == [first, second]
    last = (1, 0) * 200
    assert paths.rank_of(graph, last) == 2**200 - 1
    assert paths.path_at(graph, 2**200 - 1) == last
    middle = paths.path_at(graph, 2**199 + 1)
    assert middle == (1, 0, *second[2:])


def test_a_dead_region_delays_nothing() -> None:
    """Listing does not search where no path can end, however many walks there are."""
    graph = by_hand({0: [2, 1], **links(200, first=2)}, [1])
    assert list(paths.enumerate_paths(graph)) == [(1,)]


def test_long_paths() -> None:
    """The length of a path is no limit: nothing here recurses."""
    length = 5_000
    graph = by_hand({number: [number + 1] for number in range(length)}, [length])
    whole = (0,) * length
    assert list(paths.enumerate_paths(graph)) == [whole]
    assert paths.path_at(graph, 0) == whole
    assert [cover(graph, what).paths for what in KINDS] == [(whole,), (whole,), (whole,), ()]


# -- replaying and ranking --------------------------------------------------------------------


def test_replay_gives_the_states() -> None:
    """The states along a path or a part of one, the initial state first."""
    assert paths.replay(HAND, ()) == [(0, ())]
    assert paths.replay(HAND, [0, 0, 0]) == [(0, ()), (1, ()), (2, ()), (3, ())]
    assert paths.replay(HAND, (1,)) == [(0, ()), (2, ())]


@pytest.mark.parametrize(("path", "place"), [((2,), 0), ((0, -1), 1), ((1, 0, 0), 2)])
def test_replay_refuses_what_is_not_there(path: Path, place: int) -> None:
    """A position without a successor raises, with the position, the place and what there is."""
    with pytest.raises(NotAPath, match=f"^position {path[place]} at place {place} .* of the [012]"):
        paths.replay(HAND, path)
    with pytest.raises(NotAPath, match=f"^position {path[place]} at place {place} "):
        paths.rank_of(HAND, path)


@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_are_places_in_the_enumeration(seed: int) -> None:
    """`path_at` and `rank_of` are inverse, and both agree with the list."""
    graph = SMALL[seed]
    for rank, path in enumerate(paths.enumerate_paths(graph)):
        assert paths.path_at(graph, rank) == path
        assert paths.rank_of(graph, path) == rank


@pytest.mark.parametrize("rank", [-1, 5, 10**30])
def test_ranks_beyond_the_paths(rank: int) -> None:
    """A rank that no path has raises, with the rank and the number of paths."""
    with pytest.raises(ValueError, match=f"^rank {rank}; .* less than 5"):
        paths.path_at(HAND, rank)


def test_a_walk_that_does_not_accept_has_no_rank() -> None:
    """A part of a path is no path, and the error says where it ends."""
    with pytest.raises(NotAPath, match=r"^ends after 1 edges in \(1, \(\)\); expected an accept"):
        paths.rank_of(HAND, (0,))


class Uncounted(Graph):
    """A graph that must not be counted again."""

    def ways(self) -> dict[State, int]:
        """Never to be asked."""
        raise AssertionError("counted again")


def test_what_is_known_is_not_counted_again() -> None:
    """With `known`, ranks need no pass over the graph."""
    known = paths.ways(HAND)
    graph = Uncounted(HAND.machine, HAND.successors)
    assert paths.path_at(graph, 2, known) == (0, 1)
    assert paths.rank_of(graph, (0, 1), known) == 2
    with pytest.raises(AssertionError):
        paths.path_at(graph, 2)


# -- drawing ----------------------------------------------------------------------------------


def test_every_path_is_as_likely() -> None:
    """Paths, not steps, are drawn evenly: a chi-square of 4 degrees stays below its 0.1 % mark."""
    draws = 5_000
    seen = Counter(paths.sample(HAND, draws, seed=1))
    expected = draws / 5
    assert set(seen) == set(searched(HAND))
    assert sum((number - expected) ** 2 / expected for number in seen.values()) < 18.5


def test_large_ranks_are_drawn_evenly() -> None:
    """From 2 ** 200 paths, each link is gone by each way in about half of the draws."""
    draws = paths.sample(diamonds(200), 400, seed=1)
    for link in range(200):
        assert 140 < sum(path[2 * link] for path in draws) < 260


def test_a_sample_is_pinned() -> None:
    """The same draws on every machine: whoever records a seed can rely on it."""
    assert paths.sample(HAND, 5, seed=1) == [(0, 0), (0, 0, 0), (1,), (1, 0), (0, 0)]


def test_a_seed_is_a_sample() -> None:
    """The same seed draws the same paths, another seed others, and more begins with fewer."""
    graph = diamonds(200)
    drawn = paths.sample(graph, 5, seed=7)
    assert drawn == paths.sample(graph, 5, seed=7)
    assert drawn != paths.sample(graph, 5, seed=8)
    assert paths.sample(graph, 3, seed=7) == drawn[:3]
    assert len(set(drawn)) == 5
    assert paths.sample(graph, 0, seed=7) == []


@pytest.mark.parametrize(
    ("graph", "n", "message"),
    [(HAND, -1, "cannot draw -1 from 5 paths"), (by_hand({}, []), 1, "cannot draw 1 from 0 paths")],
)
def test_what_cannot_be_drawn(graph: Graph, n: int, message: str) -> None:
    """Fewer than no path, or one where there is none, raises with both numbers."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        paths.sample(graph, n, seed=1)


# -- covering ---------------------------------------------------------------------------------


def coverable(taken: Sequence[set[Element]], wanted: set[Element], limit: int) -> bool:
    """Whether at most `limit` of the sets take all that is wanted, by trying."""
    if not wanted:
        return True
    if limit == 0:
        return False
    ways = {element: [found for found in taken if element in found] for element in wanted}
    rarest = min(ways.values(), key=len)
    return any(coverable(taken, wanted - found, limit - 1) for found in rarest)


def check(graph: Graph, made: Cover, expected: set[Element]) -> None:
    """A cover is honest: it takes all that is expected, and says so, with paths that exist."""
    taken = {found for path in made.paths for found in elements(graph, path, made.what)}
    assert taken >= expected
    assert made.covered == made.total == len(expected)
    assert all(graph.accepting(paths.replay(graph, path)[-1]) for path in made.paths)
    assert list(made.paths) == sorted(set(made.paths))
    assert made.size == len(made.paths)


@EVERY_KIND
@pytest.mark.parametrize("seed", SEEDS)
def test_covers_are_the_smallest(seed: int, what: str) -> None:
    """A cover takes all that lies on paths, and no set with one path less does."""
    graph = SMALL[seed]
    made = cover(graph, what)
    wanted = all_elements(graph, what)
    check(graph, made, wanted)
    assert made.lower_bound == made.size
    taken = [elements(graph, path, what) for path in searched(graph)]
    assert made.size == 0 or not coverable(taken, wanted, made.size - 1)


Place = object
"""What elements are ordered by: states, or edges where the elements are pairs of these."""


def onward(graph: Graph) -> dict[State, set[State]]:
    """For each state on a path, itself and all states on paths that it leads to."""
    found: dict[State, set[State]] = {}
    for state in reversed(graph.topological()):
        further = [found[to] for _, _, to in graph.successors[state] if to in found]
        if further or graph.accepting(state):
            found[state] = {state}.union(*further)
    live = found.get(graph.machine.initial, set())
    return {state: further for state, further in found.items() if state in live}


def places(graph: Graph, what: str) -> dict[Element, tuple[Place, set[Place]]]:
    """For each element on paths, the place where it begins and the places that can come after."""
    after = onward(graph)
    live = [
        (state, position, rule, target)
        for state in after
        for position, (rule, _, target) in enumerate(graph.successors[state])
        if target in after
    ]
    found: dict[Element, tuple[Place, set[Place]]] = {}
    if what == "nodes":
        found = {state: (state, set[Place](more) - {state}) for state, more in after.items()}
    if what == "edges":
        found = {(state, at): (state, {*after[target]}) for state, at, _, target in live}
    if what == "edge-pairs":
        for state, at, _, middle in live:
            for tail, after_at, _, target in live:
                if tail == middle:
                    edge = (tail, after_at)
                    later = {(begin, n) for begin, n, _, _ in live if begin in after[target]}
                    found[(state, at), edge] = ((state, at), {edge, *later})
    if what == "points":
        for state, _, rule, target in live:
            if rule == INTERRUPTS:
                found.setdefault((state, rule), (state, set()))[1].update(after[target])
    return found


def largest_antichain(graph: Graph, what: str) -> int:
    """How many elements there can be of which no path takes two.

    By Dilworth's theorem they are as many as the fewest paths, and what is left of the elements
    after a largest matching of earlier to later ones.
    """
    order = places(graph, what)
    later: nx.Graph[tuple[str, Element]] = nx.Graph()
    tops = [("before", element) for element in order]
    later.add_nodes_from(tops)
    for element, (_, further) in order.items():
        later.add_edges_from(
            (("before", element), ("after", other))
            for other, (begin, _) in order.items()
            if begin in further
        )
    return len(order) - len(nx.bipartite.hopcroft_karp_matching(later, tops)) // 2


@EVERY_KIND
@pytest.mark.parametrize("number", range(len(LARGER)))
def test_covers_of_larger_graphs_are_the_smallest(number: int, what: str) -> None:
    """Too many paths to try: size and bound are the size of a largest antichain."""
    graph = LARGER[number]
    made = cover(graph, what)
    check(graph, made, set(places(graph, what)))
    assert made.size == made.lower_bound == largest_antichain(graph, what)


def test_the_larger_graphs_are_worth_comparing() -> None:
    """Some of them have thousands of paths, and covers of every kind that need several."""
    counts = [paths.count(graph) for graph in LARGER]
    assert max(counts) > 5_000
    for what in KINDS:
        assert max(cover(graph, what).size for graph in LARGER) >= 5


def test_sizes_of_covers() -> None:
    """By hand: three ways in and three out need 3 paths for nodes and edges, 9 for pairs."""
    graph = by_hand({0: [1, 2, 3], 1: [4], 2: [4], 3: [4], 4: [5, 6, 7]}, [5, 6, 7])
    sizes = {what: cover(graph, what).size for what in KINDS}
    assert sizes == {"nodes": 3, "edges": 3, "edge-pairs": 9, "points": 0}
    assert cover(graph, "edge-pairs").total == 3 + 9


def test_a_path_takes_a_shortest_way_once_it_has_what_it_is_for() -> None:
    """Before and after the interruption that it covers, no state more than is needed."""
    edges: Edges = {0: [1, 2], 1: [2], 2: [(INTERRUPTS, 3)], 3: [4, 5], 4: [5, 5]}
    assert cover(by_hand(edges, [5]), "points").paths == ((1, 0, 1),)
    assert cover(by_hand(edges, [3, 5]), "points").paths == ((1, 0),)


def test_a_fault_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage and bound do not follow from the paths: with a path too few both tell."""
    whole = cover(LARGER[0], "edges")
    walks = paths._walks
    monkeypatch.setattr(paths, "_walks", lambda useful, flow: walks(useful, flow)[1:])
    cut = cover(LARGER[0], "edges")
    assert cut.paths == whole.paths[1:]
    assert cut.lower_bound == whole.lower_bound > cut.size
    assert cut.covered < cut.total == whole.total


def test_stopping_is_not_covered_for_its_own_sake() -> None:
    """A path goes on through accepting states; only where nothing follows must one stop."""
    graph = by_hand({0: [1], 1: [2]}, [0, 1, 2])
    assert [cover(graph, what).paths for what in KINDS[:3]] == [((0, 0),)] * 3


def test_stopping_takes_no_pair_away() -> None:
    """Of the paths into an accepting state, as many stop as are left when all pairs are taken."""
    graph = by_hand({0: [1, 1, 1], 1: [2, 2]}, [1, 2])
    made = cover(graph, "edge-pairs")
    assert made.paths == tuple((first, second) for first in range(3) for second in range(2))


def test_one_point_has_several_edges() -> None:
    """An interruption with several arguments is one point, taken by any of its edges."""
    edges = [(INTERRUPTS, 1), (PLAIN, 2), (INTERRUPTS, 3), (OTHER, 1), (INTERRUPTS, 2)]
    graph = by_hand({0: edges, 2: [(INTERRUPTS, 3)]}, [1, 3])
    points = cover(graph, "points")
    assert (points.size, points.covered, points.total) == (1, 2, 2)
    check(graph, points, {((0, ()), INTERRUPTS), ((2, ()), INTERRUPTS)})
    # a dead end behind one argument leaves the point to the others
    dead = by_hand({0: [(INTERRUPTS, 1), (INTERRUPTS, 2)]}, [2])
    assert cover(dead, "points").paths == ((1,),)


def test_what_lies_on_no_path_is_not_counted() -> None:
    """Dead ends and unreachable states are not coverable; the rest is covered as without them."""
    graph = by_hand({0: [4, 1, 3], 1: [4, 3], 4: [5], 6: [(INTERRUPTS, 3), 1]}, [3])
    assert {what: cover(graph, what).total for what in KINDS} == {
        "nodes": 3,
        "edges": 3,
        "edge-pairs": 1,
        "points": 0,
    }
    assert cover(graph, "edges").paths == ((1, 1), (2,))


@EVERY_KIND
def test_a_graph_without_paths_needs_none(what: str) -> None:
    """Nothing is coverable and nothing is raised."""
    assert cover(by_hand({0: [1]}, []), what) == Cover(what, (), 0, 0, 0)


def test_the_empty_path_covers_a_node() -> None:
    """Where the initial state is all there is, one path of no edges takes it."""
    graph = by_hand({}, [0])
    assert cover(graph, "nodes") == Cover("nodes", ((),), 1, 1, 1)
    assert cover(graph, "edges") == Cover("edges", (), 0, 0, 0)


@EVERY_KIND
def test_a_cover_of_many_diamonds_is_small(what: str) -> None:
    """2 ** 200 paths, and two of them take every state and edge, four every pair."""
    expected = {"nodes": 2, "edges": 2, "edge-pairs": 4, "points": 0}
    assert cover(diamonds(200), what).size == expected[what]


@EVERY_KIND
def test_covers_are_the_same_again(what: str) -> None:
    """A second cover of a graph made again is equal, path for path."""
    again = drawn(seed=3, nodes=40, edges=90)
    assert again is not LARGER[3]
    assert cover(again, what).paths == cover(LARGER[3], what).paths


def test_a_cover_says_what_it_is() -> None:
    """The size is printed with the bound beside it, and the paths are not."""
    made = cover(HAND, "edges")
    assert str(made) == "5 of 5 edges in 3 paths (at least 3 needed)"
    assert repr(made) == "Cover(what='edges', lower_bound=3, covered=5, total=5)"


# -- the rules themselves ---------------------------------------------------------------------


@EVERY_KIND
def test_covers_of_the_rules(what: str) -> None:
    """In a graph of the rules everything lies on a path, and the smallest cover takes it all."""
    graph = real()
    made = cover(graph, what)
    sizes = {
        "nodes": graph.nodes,
        "edges": graph.edges,
        "edge-pairs": sum(
            len(graph.successors[target])
            for outgoing in graph.successors.values()
            for _, _, target in outgoing
        ),
        "points": len(set(graph.interruption_points())),
    }
    assert 0 < made.size == made.lower_bound
    assert made.covered == made.total == sizes[what]
    taken = {found for path in made.paths for found in elements(graph, path, what)}
    assert len(taken) == sizes[what]


def test_ranks_in_the_rules() -> None:
    """Paths drawn from the rules are found again by their rank."""
    graph = real()
    known = paths.ways(graph)
    assert known[graph.machine.initial] == graph.paths() > 10**6
    for path in paths.sample(graph, 20, seed=1):
        assert paths.path_at(graph, paths.rank_of(graph, path, known), known) == path


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["", "everything", "edge"])
def test_an_unknown_kind(what: str) -> None:
    """What cannot be covered raises, with the value and what can."""
    with pytest.raises(ValueError, match=f"^cannot cover '{what}'; expected one of nodes, edges, "):
        cover(HAND, what)


CYCLIC = by_hand({0: [1], 1: [0, 2]}, [2])

ASKED: dict[str, Callable[[Graph], object]] = {
    "ways": paths.ways,
    "count": paths.count,
    "enumerate_paths": paths.enumerate_paths,
    "path_at": lambda graph: paths.path_at(graph, 0),
    "rank_of": lambda graph: paths.rank_of(graph, (0, 1)),
    "sample": lambda graph: paths.sample(graph, 1, seed=1),
    **{what: lambda graph, what=what: cover(graph, what) for what in KINDS},  # type: ignore[misc]
}


@pytest.mark.parametrize("name", ASKED)
def test_a_cycle_raises(name: str) -> None:
    """Nothing here is defined on a cyclic graph, and listing raises before the first path."""
    with pytest.raises(CyclicGraph, match="3 states lie on or behind a cycle"):
        ASKED[name](CYCLIC)


def test_a_walk_on_a_cycle_can_be_replayed() -> None:
    """Replaying counts nothing, so it works on any graph."""
    assert len(paths.replay(CYCLIC, (0, 0, 0, 1))) == 5
