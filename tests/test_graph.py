"""The graph of a machine: pinned counts, paths against a plain listing, and what holds everywhere.

The counts are pinned because every number that the project reports rests on them: a change of the
rules that moves one of them is meant, or it is a mistake.
"""

from __future__ import annotations

import collections
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import attrs
import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_protocol.bounds import (
    FULL,
    PROFILES,
    QUICK,
    SCOPES,
    STANDARD,
    Scope,
    audio_reply,
    below,
    rebounded,
    scope,
)
from realtime_protocol.graph import CyclicGraph, Graph, GraphTooLarge, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.rules import MACHINES, RULES
from realtime_protocol.state import Field, Message, State

Counts = tuple[int, int, int, int, int]
"""Nodes, edges, interruption points, accepting states, paths."""

# What the rules give now. After an edit of the rules that is meant, run
#   pytest tests/test_graph.py -k counts -m "slow or not slow"
# and take over the table that the last failure shows.
PINNED: dict[str, Counts] = {
    "aside": (6_247, 15_052, 457, 104, 33_166_294_705),
    "audio-reply": (19_859, 54_317, 352, 565, 179_985_464_150),
    "hand-over": (42_630, 114_695, 190, 2_133, 613_445_848_939_099),
    "idle-timeout": (11_993, 25_061, 224, 472, 240_598_435),
    "manual-turn": (4_262, 11_495, 160, 238, 134_901_796_735),
    "mcp-tools": (342, 620, 0, 20, 597_730),
    "message-and-call": (1_325, 1_990, 132, 135, 332_365),
    "muted-reply": (2_279, 4_537, 44, 139, 5_505_380),
    "pause": (15_057, 42_707, 206, 507, 85_625_455_225),
    "race": (11_425, 24_102, 3_127, 1_037, 168_283_110),
    "reconnection": (61_781, 158_313, 409, 1_307, 107_711_986_881),
    "text-reply": (375, 533, 47, 46, 20_585),
    "tool-round": (14_102, 33_737, 358, 668, 8_349_019_975),
    "tool-update": (2_291, 4_564, 0, 105, 59_438_195),
    "transcription": (1_143, 3_248, 87, 55, 3_410_450),
    "two-items": (123_237, 383_866, 660, 1_489, 160_646_537_657_075),
    "two-parts": (448, 645, 40, 55, 26_665),
    "updates": (6_758, 16_194, 140, 236, 1_098_647_750),
    "vad-asks": (6_203, 8_456, 156, 528, 17_947_965),
    "vad-keeps-on": (7_740, 15_097, 2_024, 756, 138_133_160),
    "vad-turn": (10_496, 22_720, 253, 418, 203_109_475),
}

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1}
CALM = {"INTERRUPTIONS": 0, "TICKS": 0, "DISTURBANCES": 0}
TEXT = {
    **TINY, "AUDIO_OUT": 0, "TEXT_OUT": 1, "TEXTS": 1, "SPEAKER": 0, "TRUNCATES": 0, "DELETES": 0,
    "CANCELS": 1, "TICKS": 0,
}  # fmt: skip

SMALL: dict[str, Scope] = {
    "one reply": audio_reply(**TINY, CANCELS=1, TRUNCATES=1, DELETES=1),
    "two replies": audio_reply(**TINY, SPEAKER=0, TRUNCATES=0, DELETES=0, TURNS=2, TICKS=0,
                               CANCELS=1),
    "asked for": scope("asked for", "", **TEXT, TURNS=2, RESPONSES=2, USERS=2, TRACK_USERS=1,
                       CREATE_RESPONSE=0),
    "undisturbed": audio_reply(**TINY, **CALM),
    "played": audio_reply(**{**TINY, **CALM, "AUDIO": 2, "DELTA": 3, "STEP": 2}),
    "two texts": scope("two texts", "", **TEXT, OUTPUTS=2, FAILURES=1, RATE_LIMITS=1),
    "a call": scope("a call", "", **{**TEXT, "VAD": 0}, RESPONSES=2, CALL_OUT=1, ARGUMENTS=1),
    "spoken": scope("spoken", "", **TEXT, TURNS=2, USERS=2, TRACK_USERS=1, REFUSED=1),
    "heard": scope("heard", "", **{**TEXT, "INTERRUPTIONS": 0}, TURNS=2, USERS=2, TRACK_USERS=1,
                   TRANSCRIPTION=1, ASR=1),
    "by hand": scope("by hand", "", **{**TEXT, "VAD": 0}, TRACK_BUFFER=1, COMMITS=1, CLEARS=1,
                     CLEARINGS=1, TRACK_USERS=1),
    "a drop": scope("a drop", "", **TEXT, SOCKETS=2, DROPS=1, TRACK_USERS=1),
}  # fmt: skip
"""A few hundred to some thousand nodes each."""

QUIET = ("undisturbed", "played", "heard")
"""Those that nothing interrupts."""

EVERY_SMALL_SCOPE = pytest.mark.parametrize("name", SMALL)


@cache
def graph_of(name: str) -> Graph:
    """The graph of one of the small scopes above."""
    return enumerate_graph(Machine(SMALL[name].bounds), limit=60_000)


@cache
def graph_of_scope(name: str) -> Graph:
    """The graph of one of the scopes that several tests look at; none of the larger ones."""
    return enumerate_graph(Machine(SCOPES[name].bounds), limit=40_000)


# -- counts -----------------------------------------------------------------------------------

LARGE = 40_000
"""Scopes with more nodes than this are counted by the slow tests."""

MEASURED: dict[str, Counts] = {}


def counted(graph: Graph) -> Counts:
    """What is pinned of a graph."""
    accepting = sum(map(graph.accepting, graph.successors))
    points = len(graph.interruption_points())
    return graph.nodes, graph.edges, points, accepting, graph.paths()


def table(rows: dict[str, Counts]) -> str:
    """The table as it stands above, sorted."""
    lines = (f'    "{name}": ({", ".join(f"{n:_}" for n in rows[name])}),' for name in sorted(rows))
    return "\n".join(["PINNED: dict[str, Counts] = {", *lines, "}"])


def marks(name: str) -> list[Any]:
    """Large scopes are slow: several seconds and some hundred megabytes."""
    return [pytest.mark.slow] if PINNED.get(name, (0,))[0] > LARGE else []


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in sorted(SCOPES)])
def test_counts_are_pinned(name: str) -> None:
    """Nodes, edges, interruption points, accepting states and paths of each scope are these.

    That paths can be counted shows that there is no cycle.
    """
    again = name in {*ABOUT, *AT_REST, "tool-round"}
    graph = graph_of_scope(name) if again else enumerate_graph(Machine(SCOPES[name].bounds))
    MEASURED[name] = counted(graph)
    if MEASURED[name] != PINNED.get(name):
        pytest.fail(f"counts of {name} moved; by now the table is\n{table({**PINNED, **MEASURED})}")


def test_every_scope_is_counted() -> None:
    """The table has a row for each scope, and no other; a row that moved would be shown."""
    assert sorted(PINNED) == sorted(SCOPES)
    assert '"updates": (1_000, 2, 3, 4, 5),' in table({"updates": (1_000, 2, 3, 4, 5)})


def test_quick_is_not_too_small() -> None:
    """The quick profile has at least 1,500 nodes, by the counts that are pinned above."""
    assert sum(nodes for nodes, *_ in PINNED.values() if nodes <= LARGE) >= 1_500
    assert QUICK.scopes == SCOPES


def test_standard_is_not_too_small() -> None:
    """The standard profile has at least 50,000 nodes, which its smaller scopes have already."""
    assert sum(nodes for nodes, *_ in PINNED.values() if nodes <= LARGE) >= 50_000
    assert STANDARD.scopes == SCOPES


@pytest.mark.slow  # a million nodes
def test_full_is_not_too_small() -> None:
    """The full profile has at least 1,000,000 nodes."""
    found = 0
    for each in sorted(FULL.scopes.values(), key=lambda each: -PINNED[each.name][0]):
        found += enumerate_graph(Machine(each.bounds)).nodes
        if found >= 1_000_000:
            break
    assert found >= 1_000_000


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_audio_reply_is_not_too_small(profile: Any) -> None:
    """Its bounds are what the name of the profile promises, and smaller ones are told apart."""
    reply = profile.scopes["audio-reply"]
    assert reply.bounds["TRANSCRIPTS"] >= 2
    assert reply.bounds["AUDIO"] >= 2
    assert -(-reply.bounds["LENGTH"] // reply.bounds["STEP"]) >= 3
    assert below(profile, reply) == []
    assert below(profile, rebounded(reply, {"AUDIO": 1, "TICKS": 0})) == ["AUDIO=1", "TICKS=0"]
    assert set(profile.scopes) == set(SCOPES)


@EVERY_SMALL_SCOPE
def test_interruption_points_are_the_edges_of_interruptions(name: str) -> None:
    """Each point is an edge whose rule interrupts, once, and calm bounds have none."""
    graph = graph_of(name)
    rules = graph.machine.rules
    interrupts = {n for n, rule in enumerate(rules) if rule.disturbs == "interruption"}
    points = graph.interruption_points()
    assert len(points) == len(set(points))
    found = {rules[number].id for _, number in points}
    assert found == {rules[number].id for number in interrupts}
    assert bool(found) == (name not in QUIET)
    for state, number in points:
        assert number in [edge[0] for edge in graph.successors[state]]
        assert number in graph.machine.environment(state)
    enabled = sum(
        number in interrupts
        for state in graph.successors
        for number in graph.machine.environment(state)
    )
    assert enabled == len(points)


@EVERY_SMALL_SCOPE
def test_accepting_states_are_those_without_progress(name: str) -> None:
    """A state accepts where no edge of the environment but disturbances leads on."""
    graph = graph_of(name)
    rules = graph.machine.rules
    goes_on = {n for n, rule in enumerate(rules) if not rule.is_client and not rule.disturbs}
    accepting = 0
    for state, outgoing in graph.successors.items():
        stays = any(n in goes_on for n in graph.machine.environment(state))
        assert graph.accepting(state) == (not stays)
        assert not graph.accepting(state) or not any(n in goes_on for n, _, _ in outgoing)
        accepting += graph.accepting(state)
    assert 0 < accepting < graph.nodes / 2


# -- paths ------------------------------------------------------------------------------------


def listed_paths(graph: Graph, state: State) -> Iterator[tuple[int, ...]]:
    """Every path from `state`, one by one, as the rules taken."""
    if graph.accepting(state):
        yield ()
    for number, argument, target in graph.successors[state]:
        for tail in listed_paths(graph, target):
            yield (number, argument, *tail)


def test_paths_are_counted_as_they_are_listed() -> None:
    """On a tiny scope the count equals the length of the list, in which no path is twice."""
    graph = graph_of("undisturbed")
    paths = list(listed_paths(graph, graph.machine.initial))
    assert len(paths) == len(set(paths)) == graph.paths() > 1_000


def toy(rules: Sequence[tuple[str, str, str, str]], tops: Sequence[int]) -> Machine:
    """A machine of counters `a`, `b`, ... from 0 to `tops`; rules are actor, disturbs, when, then.

    `then` is one assignment, as `a = a + 1`.
    """
    fields = [Field("abcdef"[n], "", limit=str(top)) for n, top in enumerate(tops)]
    made = []
    for number, (actor, disturbs, when, then) in enumerate(rules):
        target, _, value = then.partition(" = ")
        made.append(
            Rule(
                id=f"r{number}",
                actor=actor,  # type: ignore[arg-type]
                event="",
                why="",
                source="",
                confidence="inferred",
                when=when,
                then={target: value},
                disturbs=disturbs,  # type: ignore[arg-type]
            )
        )
    return Machine({}, made, fields)


UP = [("server", "", "a < 2", "a = a + 1"), ("user", "", "b < 2", "b = b + 1")]


def test_a_machine_in_which_nothing_changes_has_one_state() -> None:
    """Rules that never do anything leave the initial state alone."""
    graph = enumerate_graph(toy([("server", "", "a > 0", "a = 1")], (1,)))
    assert (graph.nodes, graph.edges, graph.paths()) == (1, 0, 1)


def test_counts_of_a_grid() -> None:
    """Two counters to 2 make a grid: 9 nodes, 12 edges, and 4 over 2 paths to its far corner."""
    graph = enumerate_graph(toy(UP, (2, 2)))
    assert (graph.nodes, graph.edges, graph.paths()) == (9, 12, 6)
    assert [state for state in graph.successors if graph.accepting(state)] == [(2, 2, ())]


def test_a_path_may_end_where_only_a_disturbance_is_left() -> None:
    """A disturbance keeps no state from accepting: the path may end before it or go on after it."""
    rules = [("server", "", "a < 2", "a = a + 1"), ("user", "interruption", "b == 0", "b = 1")]
    graph = enumerate_graph(toy(rules, (2, 1)))
    # along a to 2 and ended; or with the disturbance before the first, the second, or the end
    assert (graph.nodes, graph.edges, graph.paths()) == (6, 7, 4)
    assert graph.interruption_points() == [((n, 0, ()), 1) for n in range(3)]


def test_a_path_may_end_where_only_the_client_is_left() -> None:
    """What the client may do is its own business: a state accepts without it."""
    rules = [("server", "", "a < 1", "a = a + 1"), ("client", "", "b == 0", "b = 1")]
    graph = enumerate_graph(toy(rules, (1, 1)))
    # along a and ended; b first; b last
    assert (graph.nodes, graph.edges, graph.paths()) == (4, 4, 3)


def test_two_rules_between_the_same_states_are_two_paths() -> None:
    """Edges are steps, not pairs of states."""
    graph = enumerate_graph(toy([UP[0], UP[0]], (2,)))
    assert (graph.nodes, graph.edges, graph.paths()) == (3, 4, 4)


def test_a_step_that_changes_nothing_is_no_edge() -> None:
    """Steps to themselves are left out, so they make no cycle."""
    stays = ("server", "", "a == 1", "a = a")
    graph = enumerate_graph(toy([UP[0], stays], (2,)))
    assert (graph.nodes, graph.edges) == (3, 2)
    assert graph.topological() == [(0, ()), (1, ()), (2, ())]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["server", "user", "client"]),
            st.sampled_from(["", "interruption"]),
            st.sampled_from(["a < 2", "b < 2", "a < 2 and b < 2", "a == b and a < 2", "a > b"]),
            st.sampled_from(["a = min(a + 1, 2)", "b = min(b + 1, 2)", "a = 2", "b = 2"]),
        ),
        max_size=4,
    )
)
def test_any_small_graph_is_counted_as_it_is_listed(
    rules: list[tuple[str, str, str, str]],
) -> None:
    """Whatever the rules, paths are counted as listed, and networkx gets the same graph."""
    graph = enumerate_graph(toy([*rules, UP[0]], (2, 2)))
    assert graph.paths() == len(list(listed_paths(graph, graph.machine.initial)))
    plain = graph.to_networkx()
    assert (plain.number_of_nodes(), plain.number_of_edges()) == (graph.nodes, graph.edges)
    assert sorted(graph.topological()) == sorted(graph.successors)


# -- order and size ---------------------------------------------------------------------------


@EVERY_SMALL_SCOPE
def test_the_order_is_topological(name: str) -> None:
    """Every state comes once, and before all that it leads to."""
    graph = graph_of(name)
    place = {state: number for number, state in enumerate(graph.topological())}
    assert place.keys() == graph.successors.keys()
    for state, outgoing in graph.successors.items():
        assert all(place[state] < place[target] for _, _, target in outgoing)


@EVERY_SMALL_SCOPE
def test_networkx_gets_the_same_graph(name: str) -> None:
    """The graph for networkx has the same nodes and edges, is acyclic, and has one beginning."""
    graph = graph_of(name)
    plain = graph.to_networkx()
    assert plain.number_of_nodes() == graph.nodes
    assert plain.number_of_edges() == graph.edges
    assert nx.is_directed_acyclic_graph(plain)
    assert [node for node, degree in plain.in_degree() if degree == 0] == [graph.machine.initial]
    for state, outgoing in list(graph.successors.items())[::20]:
        rules = graph.machine.rules
        keys = {
            (target, f"{rules[number].id}({argument})", rules[number].actor)
            for number, argument, target in outgoing
        }
        edges = plain.edges(state, keys=True, data=True)
        assert {(target, key, data["actor"]) for _, target, key, data in edges} == keys


CYCLES = {
    "two": [("server", "", "a < 1", "a = 1"), ("user", "", "a > 0", "a = 0")],
    "behind": [
        ("server", "", "a < 2", "a = a + 1"),
        ("user", "", "a == 2", "a = 1"),
        ("user", "", "a == 2 and b == 0", "b = 1"),
    ],
}


@pytest.mark.parametrize(("name", "states"), [("two", 2), ("behind", 4)])
def test_a_cycle_is_found(name: str, states: int) -> None:
    """A graph with a cycle has no order and no number of paths, and says how much is affected."""
    graph = enumerate_graph(toy(CYCLES[name], (2, 1)))
    assert not nx.is_directed_acyclic_graph(graph.to_networkx())
    for ask in (graph.topological, graph.paths):
        with pytest.raises(CyclicGraph, match=f"^{states} states lie on or behind a cycle"):
            ask()


def test_a_cycle_planted_among_the_rules_is_found() -> None:
    """A rule that takes a counter back makes the real graph cyclic, and that is noticed."""
    bounds = SMALL["undisturbed"].bounds
    delta = next(rule for rule in RULES if rule.id == "server.response.output_audio.delta")
    back = attrs.evolve(
        delta,
        id="server.takes.back",
        when="response[0] == active and output[m] == streaming and audio[m] > captured[m]",
        then={"audio[m]": "audio[m] - 1"},
    )
    graph = enumerate_graph(Machine(bounds, (*RULES, back)))
    with pytest.raises(CyclicGraph):
        graph.topological()
    with pytest.raises(CyclicGraph):
        graph.paths()


def test_the_limit_is_a_limit() -> None:
    """A graph of exactly the limit is made; one node more raises, with the limit and the bounds."""
    machine, nodes = graph_of("undisturbed").machine, graph_of("undisturbed").nodes
    assert enumerate_graph(machine, limit=nodes).nodes == nodes
    with pytest.raises(GraphTooLarge, match=f"more than {nodes - 1} nodes") as raised:
        enumerate_graph(machine, limit=nodes - 1)
    assert "'TURNS': 1" in str(raised.value)


def test_the_limit_stops_an_endless_graph() -> None:
    """A counter without an end raises instead of filling the memory."""
    with pytest.raises(GraphTooLarge):
        enumerate_graph(toy([("server", "", "True", "a = a + 1")], (1,)), limit=1_000)


# -- what holds everywhere --------------------------------------------------------------------


@EVERY_SMALL_SCOPE
def test_every_state_can_come_to_an_end(name: str) -> None:
    """From every node an accepting one can be reached: nothing is stuck."""
    graph = graph_of(name)
    fine: set[State] = set()
    for state in reversed(graph.topological()):
        further = (target in fine for _, _, target in graph.successors[state])
        if graph.accepting(state) or any(further):
            fine.add(state)
    assert [graph.machine.show(state) for state in graph.successors if state not in fine] == []


class View:
    """A state by the names of its fields; members of enumerations are spelled out."""

    def __init__(self, machine: Machine, state: State) -> None:
        self._machine, self._state = machine, state
        self.bounds = machine.bounds
        inbox = state[-1]
        assert isinstance(inbox, tuple)
        self.inbox: tuple[Message, ...] = inbox
        self.items = range(machine.bounds["OUTS"])
        self.responses = range(machine.bounds["RESPONSES"])

    def number(self, name: str, slot: int | None = None) -> int:
        """The number in a field."""
        return self._machine.value(self._state, name if slot is None else f"{name}[{slot}]")

    def word(self, name: str, slot: int | None = None) -> str:
        """The member of an enumeration."""
        return self._machine.member(name, self.number(name, slot))

    def of(self, item: int) -> int:
        """The response that an output item belongs to."""
        return item // self.bounds["OUTPUTS"]

    def unread(self, event: str) -> int:
        """How many such messages wait in the inbox."""
        return sum(message[0] == event for message in self.inbox)


Law = Callable[[View], bool]

ALWAYS: dict[str, Law] = {
    "only delivered audio is handed over": lambda v: all(
        v.number("captured", m) <= v.number("audio", m) for m in v.items
    ),
    "only audio that was handed over is played": lambda v: all(
        v.number("played", m) <= v.bounds["DELTA"] * v.number("captured", m) for m in v.items
    ),
    "a segment has audio": lambda v: all(
        (v.word("segment", m) == "none") == (v.number("captured", m) == 0) for m in v.items
    ),
    "a segment that is over was cut, or played to its end": lambda v: all(
        v.word("segment", m) != "finished"
        or v.number("cut", v.of(m)) == 1
        or v.number("played", m) == v.bounds["DELTA"] * v.number("captured", m)
        for m in v.items
    ),
    "one segment is open at a time": lambda v: (
        sum(v.word("segment", m) == "open" for m in v.items) < 2
    ),
    "deltas of a message need a part": lambda v: all(
        v.word("output", m) not in ("nothing", "opened", "listed")
        or v.number("transcript", m) + v.number("audio", m) == 0
        for m in v.items
    ),
    "a message that is closed whole has all of its deltas": lambda v: all(
        v.number("whole", m) == 0
        or v.word("kind", m) != "audio"
        or (v.number("transcript", m), v.number("audio", m))
        == (v.bounds["TRANSCRIPTS"], v.bounds["AUDIO"])
        for m in v.items
    ),
    "an item is one of some kind once it was opened": lambda v: all(
        (v.word("kind", m) == "none") == (v.word("output", m) == "nothing") for m in v.items
    ),
    "items are opened in the order of their index": lambda v: all(
        (v.word("output", m) != "nothing")
        == (m % v.bounds["OUTPUTS"] < v.number("opened", v.of(m)))
        for m in v.items
    ),
    "responses are begun in the order of their slots": lambda v: all(
        (v.word("response", r) != "unused") == (r < v.number("begun")) for r in v.responses
    ),
    "a response that is done has closed its items": lambda v: all(
        v.word("response", r) != "done"
        or v.word("ending", r) == "running"
        or all(v.word("output", m) in ("nothing", "closed") for m in v.items if v.of(m) == r)
        for r in v.responses
    ),
    "one that is done ended somehow": lambda v: all(
        v.word("response", r) != "done" or v.word("ending", r) != "running" for r in v.responses
    ),
    "a response that was cut was interrupted": lambda v: all(
        v.word("ending", r) != "turn_detected" or v.number("interruptions") > 0 for r in v.responses
    ),
    "a response that was cancelled was disturbed": lambda v: all(
        v.word("ending", r) != "client_cancelled"
        or v.number("interruptions") + v.number("ticks") + v.number("changes") > 0
        for r in v.responses
    ),
    "a cut needs a disturbance": lambda v: (
        all(v.number("cut", r) == 0 for r in v.responses)
        or sum(v.number(name) for name in ("interruptions", "faults", "changes", "ticks")) > 0
    ),
    "disturbances keep to their budget": lambda v: (
        sum(v.number(name) for name in ("interruptions", "ticks", "changes", "faults"))
        <= v.bounds["DISTURBANCES"]
    ),
    "the inbox holds the updates without an answer": lambda v: (
        v.unread("session.update") == v.number("updates")
    ),
    "the inbox holds the requests that were not taken up": lambda v: (
        v.unread("response.create") == v.number("requested") - v.number("pending")
    ),
    "the inbox holds the commits without an answer": lambda v: (
        v.unread("input_audio_buffer.commit") == v.number("commits")
    ),
    "the inbox holds the creations that were sent": lambda v: (
        v.unread("conversation.item.create")
        == sum(v.number("sent", m) > 0 for m in range(v.bounds["ITEMS"]))
    ),
    "the inbox holds no more cancels than count": lambda v: (
        v.unread("response.cancel")
        <= sum(v.number("cancelling", r) for r in range(v.bounds["RESPONSES"]))
    ),
    "the inbox holds no more cuts than were sent": lambda v: all(
        sum(message[:2] == (event, m) for message in v.inbox) <= v.number(sent, m)
        for event, sent in (
            ("conversation.item.truncate", "truncates"),
            ("conversation.item.delete", "deletes"),
        )
        for m in range(v.bounds["ITEMS"])
    ),
    "a cut names a length that exists": lambda v: all(
        message[2] <= v.bounds["AUDIO"] + 1
        for message in v.inbox
        if message[0] == "conversation.item.truncate"
    ),
    "nothing waits where there is no socket": lambda v: (
        v.word("connection") not in ("connecting", "closed") or v.inbox == ()
    ),
    "nothing is active where there is no session": lambda v: (
        v.word("connection") in ("ready", "expiring")
        or all(v.word("response", r) != "active" for r in v.responses)
    ),
    "a turn waits for the app only where there is a session": lambda v: (
        v.word("connection") in ("ready", "expiring") or v.number("unanswered") == 0
    ),
    "a reply is taken back only by an interruption": lambda v: (
        v.word("asked") != "withdrawn" or v.number("interruptions") + v.number("changes") > 0
    ),
    "an item that is being added is there": lambda v: all(
        v.number("entry", m) == 0 or v.word("item", m) == "present"
        for m in range(v.bounds["ITEMS"])
        if v.bounds["TRACK_USERS"] == 1 or m >= v.bounds["MADE"]
    ),
    "speech that is heard is of a turn": lambda v: (
        v.word("speech") == "silent" or v.word("turn") == "open"
    ),
    "a transcription ends once": lambda v: all(
        v.number("heard", u) == 0 or v.number("asr", u) == 0 for u in range(v.bounds["USERS"])
    ),
    "a function runs for a call that is whole": lambda v: all(
        v.word("tool", m) not in ("running", "returned", "raised")
        or (v.word("kind", m) == "call" and v.number("whole", m) == 1)
        for m in v.items
    ),
}
"""What every state of a correct run keeps."""


def broken(machine: Machine, states: Sequence[State]) -> dict[str, object]:
    """The laws that some state breaks, each with the first such state."""
    found: dict[str, object] = {}
    for state in states:
        view = View(machine, state)
        for law, holds in ALWAYS.items():
            if law not in found and not holds(view):
                found[law] = machine.show(state)
    return found


@EVERY_SMALL_SCOPE
def test_always(name: str) -> None:
    """Every law holds in every node (in the larger ones: in a sample of two thousand)."""
    graph = graph_of(name)
    assert broken(graph.machine, list(graph.successors)[:: max(1, graph.nodes // 2_000)]) == {}


def test_every_law_can_be_broken() -> None:
    """Some state that the fields allow breaks each law, so keeping it says something."""
    bounds = audio_reply(
        **TINY, RESPONSES=2, USERS=2, TRACK_USERS=1, OUTPUTS=2, TEXT_OUT=1, CALL_OUT=1, ARGUMENTS=1,
        TEXTS=1, TRANSCRIPTION=1, ASR=1, CREATES=1, CONTEXTS=1, VAD=1, TRACK_BUFFER=1, COMMITS=1,
        SOCKETS=2, DROPS=1, EXPIRIES=1, FAILURES=1, REFUSED=1, MISSING=1, CREATE_RESPONSE=0,
    ).bounds  # fmt: skip
    machine, chance = Machine(bounds), random.Random(1)
    sends = [rule.event for rule in RULES if rule.sends]
    tops = [field.top(bounds) for field in machine.fields]
    unbroken = set(ALWAYS)
    for _ in range(1_000):
        values = [chance.randint(0, top) for top in tops]
        inbox = tuple(
            (chance.choice(sends), chance.randrange(2), chance.randint(0, 4))
            for _ in range(chance.randint(0, 3))
        )
        unbroken -= set(broken(machine, [(*values, inbox)]))
    assert unbroken == set()


# -- at rest ----------------------------------------------------------------------------------


def unfinished(view: View) -> list[str]:
    """What the server owes a client that is connected and waits."""
    owed = [f"{message[0]} is not read" for message in view.inbox]
    owed += [name for name in ("pending", "commits", "aside", "nudged") if view.number(name)]
    owed += [f"turn {view.word('turn')}"] * (view.word("turn") not in ("none", "open"))
    owed += [f"response {r}" for r in view.responses if view.word("response", r) == "active"]
    return owed


def owed_at_rest(graph: Graph) -> dict[str, int]:
    """What is owed where nobody but the client or a disturbance goes on, and how often."""
    found = collections.Counter[str]()
    for state in graph.successors:
        view = View(graph.machine, state)
        if graph.accepting(state) and view.word("connection") == "ready":
            found.update(unfinished(view))
    return dict(found)


@EVERY_SMALL_SCOPE
def test_nothing_is_owed_at_rest(name: str) -> None:
    """Where the path may end, every message is read, and what it asked for is done."""
    assert owed_at_rest(graph_of(name)) == {}


def test_a_debt_is_found() -> None:
    """With a rule that never answers, something is owed in the end."""
    rules = [
        attrs.evolve(rule, when="False") if rule.id == "server.response.done" else rule
        for rule in RULES
    ]
    found = owed_at_rest(enumerate_graph(Machine(SMALL["undisturbed"].bounds, rules)))
    assert set(found) == {"response 0"}


AT_REST = ("text-reply", "vad-keeps-on", "vad-asks", "manual-turn", "race")
"""Scopes where requests, turns and commits meet."""


@pytest.mark.parametrize("name", AT_REST)
def test_nothing_is_owed_at_rest_in_a_scope(name: str) -> None:
    """The same where much meets."""
    assert owed_at_rest(graph_of_scope(name)) == {}


# -- what fires -------------------------------------------------------------------------------


def fired(graph: Graph) -> set[str]:
    """The rules that some edge takes."""
    rules = graph.machine.rules
    return {rules[number].id for outgoing in graph.successors.values() for number, _, _ in outgoing}


CROSSINGS = {
    "one reply": {"server.rejects.response.cancel"},
    "two replies": {"server.rejects.response.cancel", "server.rejects.response.create"},
    "two texts": {"server.rejects.response.cancel"},
    "a call": {"server.rejects.response.cancel"},
    "spoken": {
        "server.rejects.response.cancel", "server.rejects.response.create",
        "server.rejects.response.create.refused",
    },
    "asked for": {"server.rejects.response.cancel"},
    "heard": set(),
    "by hand": {"server.rejects.response.cancel"},
    "a drop": {"server.rejects.response.cancel"},
    "undisturbed": set(),
    "played": set(),
}  # fmt: skip
"""What a client that does nothing wrong is told off for: a message that crossed another."""


@EVERY_SMALL_SCOPE
def test_a_lawful_client_is_rejected_only_by_a_crossing(name: str) -> None:
    """No client that knows what was delivered is told off, but for what it could not know."""
    graph = graph_of(name)
    rules = {rule.id: rule for rule in RULES}
    assert {rule for rule in fired(graph) if rules[rule].error and rules[rule].reads} == CROSSINGS[
        name
    ]


def test_a_lawful_client_is_sometimes_answered_in_every_other_way() -> None:
    """In one reply everything that is live happens on the way of a lawful client, but this."""
    graph = graph_of("one reply")
    live = {rule.id for rule in graph.machine.rules if not rule.error}
    assert live - fired(graph) == {
        "client.input_audio_buffer.append",
        "client.input_audio_buffer.clear",
        "server.input_audio_buffer.cleared",
        "client.response.cancel.one",
        "server.reads.response.cancel.one",
        "server.conversation.item.done.created",
        "server.response.content_part.added.next",
    }


ABOUT = {
    "muted-reply": ["user.barges_in", "server.response.output_audio.delta"],
    "text-reply": ["server.gives.up.failed", "server.gives.up.incomplete",
                   "server.rate_limits.updated", "app.interrupt.handle"],
    "vad-keeps-on": ["user.barges_in", "server.response.created.turn", "server.rejects.turn"],
    "vad-asks": ["user.takes_turn", "client.response.create", "app.generate_reply.again"],
    "manual-turn": ["user.speaks", "client.input_audio_buffer.commit",
                    "server.input_audio_buffer.cleared", "app.clear_user_turn"],
    "idle-timeout": ["server.input_audio_buffer.timeout_triggered",
                     "server.conversation.item.added.system"],
    "race": ["server.rejects.response.create", "server.rejects.turn",
             "server.rejects.response.cancel.one"],
    "aside": ["server.response.created.aside", "client.response.create.aside"],
    "updates": ["client.conversation.item.create", "server.conversation.item.deleted",
                "server.rejects.conversation.item.create.ahead", "app.update_tools",
                "client.conversation.item.retrieve"],
}  # fmt: skip
"""What some scopes are about: rules that have to fire there."""

UNREACHED = {
    "updates": {"server.rejects.conversation.item.create.ahead"},
}
"""Of those, the rules that do not: the one disturbance is used up before they could."""


@pytest.mark.parametrize("name", ABOUT)
def test_a_scope_has_what_it_is_about(name: str) -> None:
    """The rules that a scope was made for fire in it; those that do not are named."""
    graph = graph_of_scope(name)
    assert set(ABOUT[name]) - fired(graph) == UNREACHED.get(name, set())


ROOM = {rule.id: room.__name__.rpartition(".")[2] for room in MACHINES for rule in room.RULES}
"""The machine that each rule belongs to."""


def meetings(graph: Graph) -> set[frozenset[str]]:
    """Pairs of machines that both take a step on one path."""
    rooms = [ROOM[rule.id] for rule in graph.machine.rules]
    behind: dict[State, frozenset[str]] = {}
    pairs: set[tuple[str, frozenset[str]]] = set()
    for state in reversed(graph.topological()):
        later: set[str] = set()
        for number, _, target in graph.successors[state]:
            pairs.add((rooms[number], behind[target]))
            later |= behind[target] | {rooms[number]}
        behind[state] = frozenset(later)
    return {frozenset({one, other}) for one, others in pairs for other in others if one != other}


NEVER_ON_ONE_PATH: set[frozenset[str]] = {
    *(frozenset({"sideband", room}) for room in set(ROOM.values()) - {"sideband"}),
    frozenset({"mcp", "playout"}),
}
"""Machines that meet in no scope: no scope is of the dialect that has the sideband, and the one
with calls of MCP tools has messages of text, since those of audio would make it too large."""


def test_every_pair_of_machines_steps_on_one_path() -> None:
    """Each two machines both move in one run of some scope: these two have all pairs.

    The second is undisturbed, for speed; with disturbances it has the same runs and more.
    """
    missing = {frozenset(pair) for pair in itertools.combinations(set(ROOM.values()), 2)}
    missing -= NEVER_ON_ONE_PATH
    missing -= meetings(graph_of_scope("tool-round"))
    calm = rebounded(SCOPES["mcp-tools"], CALM)
    assert missing - meetings(enumerate_graph(Machine(calm.bounds))) == set()


# -- responses --------------------------------------------------------------------------------

RESPONSE_EVENTS = frozenset(
    rule.id
    for rule in RULES
    if (rule.actor == "server" and not rule.reads)
    and (
        (rule.event.startswith("response.") and rule.event != "response.created")
        or rule.id.endswith(".reply")
    )
)


@EVERY_SMALL_SCOPE
def test_no_event_of_a_response_but_while_it_is_active(name: str) -> None:
    """Before `response.created` and after `response.done` nothing of a response is sent.

    None is created while another is active, but one outside of the default conversation.
    """
    graph = graph_of(name)
    machine, bounds = graph.machine, graph.machine.bounds
    active = machine.code("response[0]", "active")
    kinds = set()
    for state, outgoing in graph.successors.items():
        before = [machine.value(state, f"response[{r}]") for r in range(bounds["RESPONSES"])]
        for number, _, target in outgoing:
            rule = machine.rules[number]
            after = [machine.value(target, f"response[{r}]") for r in range(bounds["RESPONSES"])]
            own = rule.at.get("r", rule.at.get("m", 0) // bounds["OUTPUTS"])
            if rule.event == "response.created":
                assert active not in before, machine.show(state)
                assert after[own] == active
            elif rule.event == "response.done":
                assert (before[own], after[own]) == (active, machine.code("response[0]", "done"))
            elif rule.id in RESPONSE_EVENTS:
                assert (before[own], after[own]) == (active, active), rule.label
            elif not rule.clears:
                assert before == after, rule.label
            kinds.add(rule.id)
    assert kinds & RESPONSE_EVENTS >= {"server.response.done", "server.response.output_item.done"}


@EVERY_SMALL_SCOPE
def test_progress_counters_never_fall(name: str) -> None:
    """Deltas, playout and the state of an item only grow, and `segment` with them."""
    graph = graph_of(name)
    growing = ("begun", "output", "transcript", "audio", "captured", "played", "segment", "opened")
    places = [n for field, n in graph.machine.at.items() if field.partition("[")[0] in growing]
    assert places
    for state, outgoing in graph.successors.items():
        for number, _, target in outgoing:
            rule = graph.machine.rules[number]
            assert all(state[at] <= target[at] for at in places), rule.label  # type: ignore[operator]
