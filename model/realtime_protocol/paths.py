"""The paths of a graph: how many there are, each by its rank, and the fewest that cover it.

A path is written as the positions of its edges in the lists of `graph.successors`, so anyone can
replay it with nothing else.

Laws:
- Paths are ordered by the positions, and a path that stops comes before those that go on. This is
  how Python orders tuples, so `sorted` gives the order of the enumeration.
- The rank of a path is its place in that order. Counting, ranking and drawing list no paths: they
  add up `ways`, so they are exact at any size.
- What does not lie on a path cannot be covered: it is neither needed nor counted.
- A cover is as small as a cover can be. Its lower bound is proven apart from its size (see
  `cover`), and what it covers is counted by walking its paths.
- The same graph gives the same paths in the same order, and so does the same seed.
- No function recurses: the length of a path is no limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count as from_zero
from itertools import islice

import attrs

from realtime_protocol.graph import Graph
from realtime_protocol.state import State

Path = tuple[int, ...]
"""For each edge from the initial state on, its position in the list of its state's successors."""


class NotAPath(ValueError):
    """Positions that the graph does not have, with the place and what would have been."""


# -- all of them ------------------------------------------------------------------------------


def ways(graph: Graph) -> dict[State, int]:
    """How many walks lead from each state to an accepting one, later states first.

    Raises:
        CyclicGraph: the numbers are not finite.
    """
    return graph.ways()


def count(graph: Graph) -> int:
    """Exact number of paths.

    Raises:
        CyclicGraph: the number is not finite.
    """
    return ways(graph)[graph.machine.initial]


def enumerate_paths(graph: Graph) -> Iterator[Path]:
    """Every path in order, each made when it is asked for.

    Raises:
        CyclicGraph: at once, not at the first path.
    """
    return _listed(graph, ways(graph))


def _listed(graph: Graph, known: Mapping[State, int]) -> Iterator[Path]:
    path: list[int] = []
    state = graph.machine.initial
    if graph.accepting(state):
        yield ()
    open_edges = [_edges_on_paths(graph, known, state)]
    while open_edges:
        edge = next(open_edges[-1], None)
        if edge is None:
            open_edges.pop()
            del path[-1:]
            continue
        position, state = edge
        path.append(position)
        if graph.accepting(state):
            yield tuple(path)
        open_edges.append(_edges_on_paths(graph, known, state))


def _edges_on_paths(
    graph: Graph, known: Mapping[State, int], state: State
) -> Iterator[tuple[int, State]]:
    for position, (_, _, target) in enumerate(graph.successors[state]):
        if known[target]:
            yield position, target


def replay(graph: Graph, path: Sequence[int]) -> list[State]:
    """The states along `path`, the initial one first: one more than there are positions.

    The walk may end in any state: a part of a path can be replayed too.

    Raises:
        NotAPath: a state has no successor at the position given.
    """
    states = [graph.machine.initial]
    for place, position in enumerate(path):
        outgoing = graph.successors[states[-1]]
        if not 0 <= position < len(outgoing):
            raise NotAPath(
                f"position {position} at place {place} of the path; expected one of the "
                f"{len(outgoing)} successors of {states[-1]}"
            )
        states.append(outgoing[position][2])
    return states


# -- by rank ----------------------------------------------------------------------------------


def path_at(graph: Graph, rank: int, known: Mapping[State, int] | None = None) -> Path:
    """The path at `rank` in the enumeration, counted from 0.

    `known` is what `ways(graph)` returned, for callers that ask often.

    Raises:
        ValueError: there are not so many paths.
        CyclicGraph: paths have no ranks.
    """
    known = ways(graph) if known is None else known
    state = graph.machine.initial
    if not 0 <= rank < known[state]:
        raise ValueError(
            f"rank {rank}; expected at least 0 and less than {known[state]}, the paths"
        )
    path: list[int] = []
    while True:
        if graph.accepting(state):
            if rank == 0:
                return tuple(path)
            rank -= 1
        for position, (_, _, target) in enumerate(graph.successors[state]):
            if rank < known[target]:
                path.append(position)
                state = target
                break
            rank -= known[target]


def rank_of(graph: Graph, path: Sequence[int], known: Mapping[State, int] | None = None) -> int:
    """The place of `path` in the enumeration, counted from 0; `path_at` is the way back.

    `known` is what `ways(graph)` returned, for callers that ask often.

    Raises:
        NotAPath: a position does not exist, or the last state is not accepting.
        CyclicGraph: paths have no ranks.
    """
    known = ways(graph) if known is None else known
    states = replay(graph, path)
    if not graph.accepting(states[-1]):
        raise NotAPath(f"ends after {len(path)} edges in {states[-1]}; expected an accepting state")
    rank = 0
    for state, position in zip(states, path, strict=False):  # the last state has no position
        earlier = graph.successors[state][:position]
        rank += int(graph.accepting(state)) + sum(known[target] for _, _, target in earlier)
    return rank


def sample(graph: Graph, n: int, seed: int) -> list[Path]:
    """`n` paths drawn one after the other, each path as likely as any other each time.

    The same on every machine and under every release of Python.

    Raises:
        ValueError: `n` is negative, or the graph has no path to draw.
        CyclicGraph: paths have no probabilities.
    """
    known = ways(graph)
    paths = known[graph.machine.initial]
    if n < 0 or (n and not paths):
        raise ValueError(f"cannot draw {n} from {paths} paths")
    return [path_at(graph, _below(paths, f"{seed} {number}"), known) for number in range(n)]


def _below(limit: int, seed: str) -> int:
    """A number from 0 to less than `limit`, each as likely: a hash, as the model has no chance."""
    bits = limit.bit_length()
    for attempt in from_zero():
        digest = hashlib.shake_256(f"{seed} {attempt}".encode()).digest(bits // 8 + 1)
        # a remainder would favour small numbers; half of the attempts or more are below the limit
        drawn = int.from_bytes(digest, "big") % (1 << bits)
        if drawn < limit:
            break
    return drawn


# -- covers -----------------------------------------------------------------------------------


@attrs.frozen
class Cover:
    """Paths that together take every element of one kind.

    `paths` are in the order of the enumeration.
    `lower_bound` is a number of paths that no cover can do without.
    `total` counts the elements that lie on some path, `covered` those on one of these.
    """

    what: str
    paths: tuple[Path, ...] = attrs.field(repr=False)
    lower_bound: int
    covered: int
    total: int

    @property
    def size(self) -> int:
        """Number of paths."""
        return len(self.paths)

    def __str__(self) -> str:
        return (
            f"{self.covered} of {self.total} {self.what} "
            f"in {self.size} paths (at least {self.lower_bound} needed)"
        )


def cover(graph: Graph, what: str) -> Cover:
    """The fewest paths that take every element of a kind; the kinds are `KINDS`.

    `nodes` are states, `edges` are steps, `edge-pairs` are two steps in a row, `points` are a state
    with the rule of an interruption that it enables.

    Every element asks that some paths go through a place: one for a node, an edge or a point.
    Pairs ask it of edges: an edge has as many pairs with the edges before it as there are those,
    and a path takes one of them, so at least so many paths go through it; the same with the edges
    after it. Conversely paths that give every edge the larger of the two numbers can be joined at
    each state so that every pair is taken (`_dealt`), so edge pairs need no graph of their own.

    Fewest paths are a smallest flow with these numbers as least flows: where more must leave a
    place than must enter it paths begin, where less they end, and a largest flow from ends to
    beginnings joins as many as possible. What is left goes on, or comes from the initial state, by
    a shortest way.

    Why there is no smaller one: let a line divide the graph so that no edge leads back over it. A
    path crosses it at most once, so there are at least as many paths as the places across the line
    ask for. That sum is the lower bound, for the line behind which the ends that were joined to
    nothing can get no further. By the theorem on largest flows and smallest cuts it equals the
    size, yet it is added up from what the places ask for and not from the paths.

    Raises:
        ValueError: no such kind.
        CyclicGraph: covers are defined on acyclic graphs.
    """
    if what not in _KINDS:
        raise ValueError(f"cannot cover {what!r}; expected one of {', '.join(_KINDS)}")
    useful = _useful(graph)
    demand = _KINDS[what](graph, useful)
    network = _Network(useful, demand.groups)
    network.join()
    lower_bound = network.across()
    network.complete()
    paths = _walks(useful, network.flow)
    return Cover(
        what=what,
        paths=tuple(paths),
        lower_bound=lower_bound,
        covered=len(_met(useful, demand, paths)),
        total=len(_all(useful, demand)),
    )


STOP = -1
"""The position of stopping, where the ends of paths are treated like edges."""


@attrs.frozen
class _Useful:
    """The part of a graph that lies on paths, with its states numbered, earlier ones first.

    `states[0]` is the initial state.
    `exits[n]` maps positions to the numbers of the targets; in an accepting state the last one is
    `STOP`, which leads to `end`.
    """

    states: list[State]
    exits: list[dict[int, int]]

    @property
    def end(self) -> int:
        """Number of the place behind all states, where paths have stopped."""
        return len(self.states)

    @property
    def width(self) -> int:
        """More than there are exits anywhere, so that a state and an exit make one number."""
        return 2 + max((max(leaving) for leaving in self.exits), default=0)

    def edges(self) -> Iterator[tuple[int, int, int]]:
        """State, position and target of every edge."""
        for number, leaving in enumerate(self.exits):
            for position, target in leaving.items():
                if position != STOP:
                    yield number, position, target


def _useful(graph: Graph) -> _Useful:
    known = ways(graph)
    reached = {graph.machine.initial}
    numbers: dict[State, int] = {}
    for state in reversed(known):
        if state in reached and known[state]:
            numbers[state] = len(numbers)
            reached.update(target for _, _, target in graph.successors[state])
    exits = []
    for state in numbers:
        leaving = {
            position: numbers[target]
            for position, (_, _, target) in enumerate(graph.successors[state])
            if known[target]
        }
        if graph.accepting(state):
            leaving[STOP] = len(numbers)
        exits.append(leaving)
    return _Useful(list(numbers), exits)


# -- what a cover must take -------------------------------------------------------------------

Group = tuple[int, list[int]]
"""How many paths must leave a state through any of some exits, and the positions of these."""


@attrs.frozen
class _Demand:
    """What the elements of one kind ask for.

    `groups` has the exits of each state, each in one group.
    `element` is the element that a path takes with a step, None if there is none; it gets the step
    before and the step, each as state * width + position + 1, or 0 before the first one.
    """

    groups: list[list[Group]]
    element: Callable[[int, int], int | None]


def _nodes(_graph: Graph, useful: _Useful) -> _Demand:
    width = useful.width
    groups = [[(1, list(leaving))] for leaving in useful.exits]
    return _Demand(groups, lambda _, step: step // width)


def _edges(_graph: Graph, useful: _Useful) -> _Demand:
    width = useful.width
    groups = [[(int(at != STOP), [at]) for at in leaving] for leaving in useful.exits]
    return _Demand(groups, lambda _, step: step if step % width else None)


def _edge_pairs(_graph: Graph, useful: _Useful) -> _Demand:
    width = useful.width
    entering = [0] * (useful.end + 1)
    leaving = [0] * (useful.end + 1)
    for number, _, target in useful.edges():
        entering[target] += 1
        leaving[number] += 1
    groups: list[list[Group]] = [[] for _ in useful.exits]
    for number, exits in enumerate(useful.exits):
        for at, target in exits.items():
            # an edge in no pair asks for nothing
            least = 0 if at == STOP else max(entering[number], leaving[target])
            groups[number].append((least, [at]))

    def element(before: int, step: int) -> int | None:
        return before * width + step % width if before and step % width else None

    return _Demand(groups, element)


def _points(graph: Graph, useful: _Useful) -> _Demand:
    wanted = set(graph.interruption_points())
    width = useful.width
    groups: list[list[Group]] = [[] for _ in useful.exits]
    points: dict[int, int] = {}
    for number, (state, leaving) in enumerate(zip(useful.states, useful.exits, strict=True)):
        rules: dict[int, list[int]] = {}
        for at in leaving:
            rule = STOP if at == STOP else graph.successors[state][at][0]
            rules.setdefault(rule, []).append(at)
        for rule, exits in rules.items():
            asked = (state, rule) in wanted
            groups[number].append((int(asked), exits))
            if asked:
                # one rule with several arguments is one point, named by its first edge
                points.update((number * width + at + 1, number * width + exits[0]) for at in exits)
    return _Demand(groups, lambda _, step: points.get(step))


_KINDS: dict[str, Callable[[Graph, _Useful], _Demand]] = {
    "nodes": _nodes,
    "edges": _edges,
    "edge-pairs": _edge_pairs,
    "points": _points,
}

KINDS = tuple(_KINDS)
"""What `cover` can cover."""


def _all(useful: _Useful, demand: _Demand) -> set[int]:
    """Every element that lies on a path."""
    width = useful.width
    entering: list[list[int]] = [[] for _ in range(useful.end + 1)]
    for number, position, target in useful.edges():
        entering[target].append(number * width + position + 1)
    found = {
        demand.element(before, number * width + position + 1)
        for number, leaving in enumerate(useful.exits)
        for before in entering[number] or [0]
        for position in leaving
    }
    return {element for element in found if element is not None}


def _met(useful: _Useful, demand: _Demand, paths: Sequence[Path]) -> set[int]:
    """The elements that lie on one of `paths`."""
    width = useful.width
    found = set()
    for path in paths:
        number = before = 0
        for position in (*path, STOP):
            step = number * width + position + 1
            found.add(demand.element(before, step))
            number, before = useful.exits[number][position], step
    return {element for element in found if element is not None}


# -- the smallest flow ------------------------------------------------------------------------


FAR = 1 << 62
"""The distance to what cannot be reached."""


class _Network:
    """A flow over the useful part of a graph, at first with exactly what the demand asks for.

    Places are the states and the end, by their numbers, and then one gate for each group of more
    than one exit: all of the group's paths go through it.
    `spare` is how many paths end at a place because less must leave than enter, `short` how many
    begin there. `extra` is the flow in an arc above its least; it has no limit.
    A move goes along an arc (its number), or against it (the complement), which takes extra back.
    """

    def __init__(self, useful: _Useful, groups: list[list[Group]]) -> None:
        self._tails: list[int] = []
        self._heads: list[int] = []
        self._least: list[int] = []
        self._exits: list[dict[int, int]] = []
        self._order: list[int] = []
        places = useful.end + 1
        for number, leaving in enumerate(useful.exits):
            self._order.append(number)
            arcs = {}
            for least, positions in groups[number]:
                tail = number
                if len(positions) > 1:
                    tail, places = places, places + 1
                    self._order.append(tail)
                    self._arc(number, tail, least)
                    least = 0
                for position in positions:
                    arcs[position] = self._arc(tail, leaving[position], least)
            self._exits.append(arcs)
        self._order.append(useful.end)
        self._extra = [0] * len(self._heads)
        self._out: list[list[int]] = [[] for _ in range(places)]
        self._into: list[list[int]] = [[] for _ in range(places)]
        balance = [0] * places
        for arc, (tail, head) in enumerate(zip(self._tails, self._heads, strict=True)):
            self._out[tail].append(arc)
            self._into[head].append(arc)
            balance[tail] -= self._least[arc]
            balance[head] += self._least[arc]
        self._spare = [max(0, value) for value in balance]
        self._short = [max(0, -value) for value in balance]

    def _arc(self, tail: int, head: int, least: int) -> int:
        self._tails.append(tail)
        self._heads.append(head)
        self._least.append(least)
        return len(self._heads) - 1

    def join(self) -> None:
        """Join as many ends to beginnings as possible, the nearest first (Dinic's algorithm)."""
        moves = [
            [*out, *(~arc for arc in into)] for out, into in zip(self._out, self._into, strict=True)
        ]
        while True:
            distance = self._distances()
            starts = [
                place for place in self._order if self._spare[place] and distance[place] < FAR
            ]
            if not starts:
                return
            tried = [0] * len(moves)
            for start in starts:
                while self._spare[start]:
                    way = self._way(start, distance, moves, tried)
                    if not way:
                        break
                    self._push(start, way)

    def across(self) -> int:
        """What is asked for across the line, once all is joined.

        Behind the line are the places from which no beginning can be reached. No arc leads back
        over it: an arc can always take more, so a place that leads to one before it is before it.
        """
        distance = self._distances()
        return sum(
            least
            for tail, head, least in zip(self._tails, self._heads, self._least, strict=True)
            if distance[tail] < FAR and distance[head] == FAR
        )

    def complete(self) -> None:
        """Let the ends that are left go on to stop, and the beginnings come from the first state.

        Each takes a shortest way.
        """
        onward = _shortest(reversed(self._order), self._out, self._heads)
        for place in self._order[:-1]:
            arc = onward[place]
            self._extra[arc] += self._spare[place]
            self._spare[self._heads[arc]] += self._spare[place]
        back = _shortest(self._order, self._into, self._tails)
        for place in reversed(self._order[1:]):
            arc = back[place]
            self._extra[arc] += self._short[place]
            self._short[self._tails[arc]] += self._short[place]

    def flow(self, number: int, position: int) -> int:
        """How many paths take an exit of a state."""
        arc = self._exits[number][position]
        return self._least[arc] + self._extra[arc]

    def _distances(self) -> list[int]:
        """The fewest moves from each place to a beginning; `FAR` where none can be reached."""
        distance = [0 if short else FAR for short in self._short]
        waiting = [place for place in self._order if self._short[place]]
        for place in waiting:
            before = [self._tails[arc] for arc in self._into[place]]
            before += [self._heads[arc] for arc in self._out[place] if self._extra[arc]]
            for other in before:
                if distance[other] == FAR:
                    distance[other] = distance[place] + 1
                    waiting.append(other)
        return distance

    def _way(
        self, start: int, distance: list[int], moves: list[list[int]], tried: list[int]
    ) -> list[int]:
        """Moves from `start` to a beginning, each nearer to it; empty if there are none left.

        `tried` counts for each place the moves that are of no more use until distances change.
        """
        way: list[int] = []
        place = start
        while not self._short[place]:
            if tried[place] == len(moves[place]):
                if not way:
                    break
                place = self._from(way.pop())
                tried[place] += 1
                continue
            move = moves[place][tried[place]]
            other = self._to(move)
            if distance[other] == distance[place] - 1 and (move >= 0 or self._extra[~move]):
                way.append(move)
                place = other
            else:
                tried[place] += 1
        return way

    def _push(self, start: int, way: list[int]) -> None:
        """Join as many ends at `start` to the beginning at the end of `way` as it has room for."""
        last = self._to(way[-1])
        room = [self._extra[~move] for move in way if move < 0]
        amount = min(self._spare[start], self._short[last], *room)
        self._spare[start] -= amount
        self._short[last] -= amount
        for move in way:
            if move >= 0:
                self._extra[move] += amount
            else:
                self._extra[~move] -= amount

    def _from(self, move: int) -> int:
        return self._tails[move] if move >= 0 else self._heads[~move]

    def _to(self, move: int) -> int:
        return self._heads[move] if move >= 0 else self._tails[~move]


def _shortest(order: Iterable[int], arcs: list[list[int]], toward: list[int]) -> list[int]:
    """The arc of each place on a shortest way to the first of `order`, which has none."""
    hops = [0] * len(arcs)
    chosen = [0] * len(arcs)
    for place in order:
        if arcs[place]:
            chosen[place] = min(arcs[place], key=lambda arc: hops[toward[arc]])
            hops[place] = hops[toward[chosen[place]]] + 1
    return chosen


def _walks(useful: _Useful, flow: Callable[[int, int], int]) -> list[Path]:
    """The flow taken apart into paths, in order."""
    arrived: list[list[list[list[int]]]] = [[] for _ in range(useful.end + 1)]
    for number, leaving in enumerate(useful.exits):
        wanted = [flow(number, position) for position in leaving]
        if number == 0:
            arrived[0] = [[[] for _ in range(sum(wanted))]]
        dealt = _dealt(arrived[number], wanted)
        arrived[number] = []
        for (position, target), paths in zip(leaving.items(), dealt, strict=True):
            if position != STOP:
                for path in paths:
                    path.append(position)
            arrived[target].append(paths)
    return sorted(tuple(path) for paths in arrived[useful.end] for path in paths)


def _dealt(groups: list[list[list[int]]], wanted: list[int]) -> list[list[list[int]]]:
    """The paths that arrived, grouped by the edge they came by, dealt out to the exits.

    First each edge gives one path to each exit, so that every pair is taken if the flow allows it;
    stopping is the last exit, and comes after all edges. Then the rest follow in order.
    """
    dealt: list[list[list[int]]] = [[] for _ in wanted]
    for group in groups:
        for place, number in enumerate(wanted):
            if group and len(dealt[place]) < number:
                dealt[place].append(group.pop())
    rest = (path for group in groups for path in group)
    for paths, number in zip(dealt, wanted, strict=True):
        paths.extend(islice(rest, number - len(paths)))
    return dealt
