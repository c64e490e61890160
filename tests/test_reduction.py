"""The reduction keeps one path of each class and nothing else, by comparison with all paths.

Independence is compared with what steps do in every state; classes of paths are made by swapping
neighbours until nothing new is found, without sleep sets. The scopes are small enough for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, islice, pairwise

import pytest

from realtime_protocol.bounds import SCOPES, rebounded
from realtime_protocol.graph import CyclicGraph, Graph, enumerate_graph
from realtime_protocol.machine import Machine, Step
from realtime_protocol.paths import Path, enumerate_paths, replay
from realtime_protocol.reduction import (
    Commuting,
    commuting,
    count_reduced,
    independent,
    reduced_paths,
    sleep_after,
    visible,
)
from realtime_protocol.rule import Actor, Rule
from realtime_protocol.rules import RULES
from realtime_protocol.state import Field, State

CALM = {"TICKS": 0, "INTERRUPTIONS": 0}
MUTE = {"AUDIO_OUT": 0, "SPEAKER": 0, "TEXT_OUT": 1, "TEXTS": 1}

LISTED: Mapping[str, Mapping[str, int]] = {
    "text-reply": {"TEXTS": 1, "TICKS": 0, "HANDLES": 0},
    "aside": {**CALM, "RESPONSES": 1, "VAD": 0},
    "reconnection": {
        **MUTE,
        "UPDATES": 1,
        "VAD": 0,
        "USERS": 1,
        "TRACK_USERS": 0,
        "ROTATIONS": 0,
        "FATALS": 0,
        "TROUBLES": 0,
        "REFUSALS": 0,
    },
}
"""Scopes whose paths can all be listed: a few thousand each at most."""

WALKED: Mapping[str, Mapping[str, int]] = {
    **LISTED,
    "vad-asks": {"TICKS": 0, "TURNS": 1, "RESPONSES": 1, "USERS": 2},
    "race": {**CALM, "DISTURBANCES": 1},
    "updates": {**CALM, "VAD": 0, "DUPLICATES": 1},
    "manual-turn": {**CALM, "CANCELS": 0},
    "tool-round": {"AUDIO_OUT": 0, "SPEAKER": 0, "VAD": 0, "TICKS": 0},
    "hand-over": {**CALM, "VAD": 0, "RESPONSES": 1},
}
"""Scopes whose states can all be looked at."""

listed = pytest.mark.parametrize("name", LISTED)
walked = pytest.mark.parametrize("name", WALKED)


@cache
def graph(name: str) -> Graph:
    """The graph of a small scope."""
    return enumerate_graph(Machine(rebounded(SCOPES[name], WALKED[name]).bounds))


@cache
def all_paths(name: str) -> tuple[Path, ...]:
    """Every path of a small scope."""
    return tuple(enumerate_paths(graph(name)))


@cache
def kept_paths(name: str) -> tuple[Path, ...]:
    """The paths that the reduction keeps."""
    return tuple(reduced_paths(graph(name)))


def steps(graph: Graph, path: Path) -> list[Step]:
    """What is done along a path."""
    states = replay(graph, path)
    edges = [graph.successors[state][at] for state, at in zip(states, path, strict=False)]
    return [Step(number, argument) for number, argument, _ in edges]


def seen(graph: Graph, path: Path) -> tuple[Step, ...]:
    """What the client sees of a path, and does."""
    return tuple(step for step in steps(graph, path) if visible(graph.machine.rules[step.rule]))


def position(graph: Graph, state: State, step: Step) -> int | None:
    """Where a step stands among the successors of a state; None if it is not enabled."""
    outgoing = [Step(number, argument) for number, argument, _ in graph.successors[state]]
    return outgoing.index(step) if step in outgoing else None


def swaps(graph: Graph, relation: Commuting, path: Path) -> Iterator[Path]:
    """The paths that differ in the order of two neighbours that are independent."""
    states, done = replay(graph, path), steps(graph, path)
    for at, (one, other) in enumerate(pairwise(done)):
        first = position(graph, states[at], other)
        if other.rule not in relation[one.rule] or first is None:
            continue
        between = graph.successors[states[at]][first][2]
        second = position(graph, between, one)
        assert second is not None
        assert graph.successors[between][second][2] == states[at + 2]
        yield (*path[:at], first, second, *path[at + 2 :])


@cache
def classes(name: str) -> list[set[Path]]:
    """The paths of a small scope in classes of those that swapping turns into one another."""
    known = graph(name)
    relation = commuting(known.machine)
    left = dict.fromkeys(all_paths(name))
    found = []
    while left:
        one, waiting = set[Path](), [next(iter(left))]
        while waiting:
            path = waiting.pop()
            if path in left:
                del left[path]
                one.add(path)
                waiting += swaps(known, relation, path)
        found.append(one)
    return found


# -- independence -----------------------------------------------------------------------------


@walked
def test_independent_steps_commute_in_every_state(name: str) -> None:
    """Where both are enabled, neither disables the other and both orders lead to one state."""
    known = graph(name)
    relation = commuting(known.machine)
    pairs = 0
    for state, outgoing in known.successors.items():
        for (a, x, after_a), (b, y, after_b) in combinations(outgoing, 2):
            if b not in relation[a]:
                continue
            pairs += 1
            then_b = position(known, after_a, Step(b, y))
            then_a = position(known, after_b, Step(a, x))
            assert then_a is not None, known.machine.show(state)
            assert then_b is not None, known.machine.show(state)
            assert known.successors[after_a][then_b][2] == known.successors[after_b][then_a][2]
    assert pairs > 0


@pytest.mark.parametrize("name", ["aside", "hand-over"])
def test_the_table_is_the_relation(name: str) -> None:
    """Both say the same; it is symmetric, and nothing is independent of itself."""
    machine = graph(name).machine
    table = commuting(machine)
    numbers = range(len(machine.rules))
    for a in numbers:
        assert a not in table[a]
        assert all(a in table[b] for b in table[a])
        # each with every seventh, so that all pairs of residues come up
        for b in numbers[a % 7 :: 7]:
            assert independent(machine, a, b) == (b in table[a])


def test_only_a_server_without_an_event_is_not_seen() -> None:
    """Everybody's steps are visible but those."""
    unseen = {rule.id for rule in RULES if not visible(rule)}
    assert "server.reads.response.create" in unseen
    assert all(clause.startswith("server.") for clause in unseen)


def relation_of(name: str, one: str, other: str) -> set[bool]:
    """Whether steps of two clauses are independent, in all their slots."""
    machine = graph(name).machine
    found = {
        independent(machine, a, b) for a in machine.numbers(one) for b in machine.numbers(other)
    }
    assert found, f"{one} or {other} is off in {name}"
    return found


def test_what_is_seen_never_commutes() -> None:
    """Also where the steps have nothing to do with each other: the client could tell."""
    assert relation_of("hand-over", "speaker.play", "server.session.updated") == {False}
    assert relation_of("tool-round", "app.tool.returns", "client.session.update") == {False}


def test_the_ends_of_the_inbox_are_told_apart() -> None:
    """Reading commutes with sending, but not with reading, emptying or counting."""
    reads = "server.reads.response.cancel"
    assert relation_of("reconnection", reads, "client.session.update") == {True}
    assert relation_of("reconnection", reads, "server.session.updated") == {False}
    assert relation_of("reconnection", reads, "network.drops") == {False}
    assert relation_of("reconnection", reads, "app.generate_reply") == {False}


def queue_machine() -> Machine:
    """Rules that share nothing but the inbox."""

    def rule(clause: str, actor: Actor, event: str = "", **parts: object) -> Rule:
        about = {"why": "A test.", "source": "this test", "confidence": "inferred"}
        return Rule(id=clause, actor=actor, event=event, **{**about, **parts})  # type: ignore[arg-type]

    return Machine(
        {"ONE": 1},
        (
            rule("sends", "client", "x", sends=True),
            rule("presses", "client", "y", sends=True, when="pressed == 0", then={"pressed": "1"}),
            rule("reads", "server", reads="x"),
            rule("drops", "network", "drop", clears=True),
            rule("counts", "server", when="len(inbox) > 0", then={"counted": "1 - counted"}),
            rule("idles", "server", then={"idle": "1 - idle"}),
            rule("hurries", "server", "z", reads="y", urgent=True),
        ),
        tuple(Field(name, "a test", limit="ONE") for name in ("pressed", "counted", "idle")),
    )


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("reads", "sends", True),
        ("reads", "drops", False),
        ("reads", "counts", False),
        ("reads", "hurries", False),
        ("counts", "sends", False),
        ("counts", "drops", False),
        # what hurries may come to the head, or be the first to come
        ("idles", "reads", False),
        ("idles", "presses", False),
        ("idles", "counts", True),
        ("sends", "drops", False),
    ],
)
def test_what_shares_only_the_inbox(one: str, other: str, expected: bool) -> None:
    """Taking and appending commute; counting and emptying do not, nor what waits for the urgent."""
    machine = queue_machine()
    (a,), (b,) = machine.numbers(one), machine.numbers(other)
    assert independent(machine, a, b) == expected == (b in commuting(machine)[a])


def test_what_is_held_back_depends_on_what_holds_it() -> None:
    """A step that no server step overtakes is not swapped with one, though they share no field."""
    machine = graph("vad-asks").machine
    (cancels,) = machine.numbers("server.reads.response.cancel")
    adds = machine.numbers("server.conversation.item.added.user")
    assert not machine.resolved[cancels].writes & machine.resolved[adds[0]].reads
    assert relation_of(
        "vad-asks", "server.reads.response.cancel", "server.conversation.item.added.user"
    ) == {False}


# -- paths ------------------------------------------------------------------------------------


@listed
def test_each_path_is_equivalent_to_exactly_one_that_is_kept(name: str) -> None:
    """Every class of paths has one representative; some class has more than one path."""
    found = classes(name)
    kept = set(kept_paths(name))
    assert len(kept) == len(kept_paths(name)) == len(found)
    assert {len(one & kept) for one in found} == {1}
    assert max(len(one) for one in found) > 1


@listed
def test_nothing_is_lost_to_the_client(name: str) -> None:
    """The same final states, and the same sequences of what is visible."""
    known = graph(name)
    for view in (seen, lambda g, path: replay(g, path)[-1]):
        kept = {view(known, path) for path in kept_paths(name)}
        assert kept == {view(known, path) for path in all_paths(name)}
    assert len(kept_paths(name)) < len(all_paths(name))


@listed
def test_paths_are_kept_in_order(name: str) -> None:
    """Of each class the first is kept, and they come in the order of the graph."""
    kept = kept_paths(name)
    assert list(kept) == sorted(kept)
    assert list(kept) == sorted(map(min, classes(name)))


@listed
def test_the_count_is_that_of_the_list(name: str) -> None:
    """Counted without listing them."""
    assert count_reduced(graph(name)) == len(kept_paths(name))


@walked
def test_the_count_is_no_larger_than_all(name: str) -> None:
    """Also where paths are too many to be listed, less remain."""
    assert 0 < count_reduced(graph(name)) < graph(name).paths()


def test_paths_are_made_when_asked_for() -> None:
    """The first ones come at once where there are hundreds of thousands."""
    known = graph("tool-round")
    assert known.paths() > 100_000
    first = list(islice(reduced_paths(known), 3))
    assert len(set(first)) == 3
    assert all(known.accepting(replay(known, path)[-1]) for path in first)


def test_a_cycle_raises_at_once() -> None:
    """There would be no end to the paths; nothing is walked first."""
    known = graph("aside")
    state = known.machine.initial
    loop = [*known.successors[state], (0, 0, state)]
    cyclic = Graph(known.machine, {**known.successors, state: loop})
    with pytest.raises(CyclicGraph):
        reduced_paths(cyclic)
    with pytest.raises(CyclicGraph):
        count_reduced(cyclic)


# -- a search that keeps no states --------------------------------------------------------------


def reaction(graph: Graph, state: State) -> tuple[State, tuple[Step, ...]]:
    """What a client does that takes the first steps it can, three at most, until it is at rest."""
    done: list[Step] = []
    while len(done) < 3:
        edge = next(
            (edge for edge in graph.successors[state] if graph.machine.rules[edge[0]].is_client),
            None,
        )
        if edge is None:
            break
        done.append(Step(*edge[:2]))
        state = edge[2]
    return state, tuple(done)


def searched(graph: Graph, relation: Commuting) -> Counter[tuple[Step, ...]]:
    """What the client saw and did in each run of a stateless search, and how many runs saw it."""
    found: Counter[tuple[Step, ...]] = Counter()
    rules = graph.machine.rules
    waiting: list[tuple[State, tuple[Step, ...], frozenset[int]]] = [
        (graph.machine.initial, (), frozenset())
    ]
    while waiting:
        state, history, sleep = waiting.pop()
        if graph.accepting(state):
            found[history] += 1
        choices = [n for n, _, _ in graph.successors[state] if not rules[n].is_client]
        for number, _, target in graph.successors[state]:
            if number not in choices or number in sleep:
                continue
            after = sleep_after(relation, sleep, number, choices)
            if not visible(rules[number]):
                waiting.append((target, history, after))
                continue
            rest, done = reaction(graph, target)
            for step in done:
                after = sleep_after(relation, after, step.rule)
            waiting.append((rest, (*history, Step(number), *done), after))
    return found


@listed
def test_a_stateless_search_shows_the_client_the_same(name: str) -> None:
    """With sleep sets there are fewer runs, or as many, and no other."""
    known = graph(name)
    nothing: Commuting = (frozenset(),) * len(known.machine.rules)
    everything, reduced = searched(known, nothing), searched(known, commuting(known.machine))
    assert set(reduced) == set(everything)
    assert sum(reduced.values()) <= sum(everything.values())
    # where the client asks for the replies, what the server reads of that is not seen
    assert name != "aside" or sum(reduced.values()) < sum(everything.values())


def test_a_relation_that_is_too_large_loses_something() -> None:
    """If everything were independent, only one order of anything would be shown."""
    known = graph("text-reply")
    rules = range(len(known.machine.rules))
    too_large = tuple(frozenset(rules) - {number} for number in rules)
    nothing: Commuting = (frozenset(),) * len(rules)
    assert set(searched(known, too_large)) < set(searched(known, nothing))


def test_what_was_tried_before_sleeps_until_something_touches_it() -> None:
    """Choices ahead of the one taken fall asleep if they are independent of it, and wake after."""
    relation: Commuting = (frozenset({1, 2}), frozenset({0}), frozenset({0}), frozenset())
    assert sleep_after(relation, frozenset(), 1, [0, 1, 2]) == {0}
    assert sleep_after(relation, frozenset(), 0, [0, 1, 2]) == frozenset()
    assert sleep_after(relation, frozenset({0}), 2) == {0}
    assert sleep_after(relation, frozenset({0}), 3) == frozenset()


def test_a_reaction_of_the_client_wakes_what_it_touches() -> None:
    """A client that closes its socket takes away what the server could have read."""
    machine = graph("hand-over").machine
    relation = commuting(machine)
    (reads,) = machine.numbers("server.reads.response.create")
    (close,) = machine.numbers("client.close")
    (play,) = machine.numbers("speaker.play")
    assert sleep_after(relation, frozenset({reads}), play) == {reads}
    assert sleep_after(relation, frozenset({reads}), close) == frozenset()


def test_a_choice_that_sleeps_or_is_none_raises() -> None:
    """The message has the step and what there was."""
    relation: Commuting = (frozenset({1}), frozenset({0}))
    with pytest.raises(ValueError, match=r"step 0 is asleep: .*\[0\]"):
        sleep_after(relation, frozenset({0}), 0, [0, 1])
    with pytest.raises(ValueError, match=r"step 2 is none of the choices \[0, 1\]"):
        sleep_after(relation, frozenset(), 2, [0, 1])
