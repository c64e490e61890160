"""The graph of a machine: pinned counts, paths against a plain listing, and what holds everywhere.

The counts are pinned because every number that the project reports rests on them: a change of the
rules that moves one of them is meant, or it is a mistake.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import attrs
import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_protocol.bounds import QUICK, Scope, audio_reply
from realtime_protocol.graph import CyclicGraph, Graph, GraphTooLarge, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.rules import RULES
from realtime_protocol.state import Field, State

PINNED = {
    # scope: nodes, edges, interruption points, paths
    "quick audio-reply": (150_816, 420_975, 1_760, 9_493_319_866_240),
    "quick muted-reply": (13_986, 28_000, 220, 87_022_208),
    "small": (11_170, 28_442, 200, 448_867_164),
    "two turns": (16_076, 45_634, 508, 62_303_493_262_179),
    "undisturbed": (116, 190, 0, 5_943),
}
"""What the rules give now. Run this file with -k pinned to see what they give after an edit."""

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1}
CALM = {"INTERRUPTIONS": 0, "TICKS": 0, "DISTURBANCES": 0}
NO_CUTS = {"CANCELS": 1, "TRUNCATES": 0, "DELETES": 0}

SCOPES: dict[str, Scope] = {
    **{f"quick {name}": scope for name, scope in QUICK.scopes.items()},
    "small": audio_reply(**TINY, CANCELS=1, TRUNCATES=1, DELETES=1),
    "two turns": audio_reply(**TINY, **NO_CUTS, TURNS=2),
    "undisturbed": audio_reply(**TINY, **CALM),
}

EVERY_SCOPE = pytest.mark.parametrize("scope", SCOPES)
SMALL_SCOPES = pytest.mark.parametrize(
    "scope", [name for name in SCOPES if not name.startswith("quick")]
)


@cache
def graph_of(scope: str) -> Graph:
    """The graph of one of the scopes above."""
    return enumerate_graph(Machine(SCOPES[scope].bounds))


# -- counts -----------------------------------------------------------------------------------


@EVERY_SCOPE
def test_counts_are_pinned(scope: str) -> None:
    """Nodes, edges, interruption points and paths of each scope are exactly these."""
    graph = graph_of(scope)
    counted = (graph.nodes, graph.edges, len(graph.interruption_points()), graph.paths())
    assert counted == PINNED[scope]


def test_quick_is_not_too_small() -> None:
    """The quick profile keeps its promise of at least 1,500 nodes and of its bounds."""
    assert sum(graph_of(f"quick {name}").nodes for name in QUICK.scopes) >= 1_500
    for scope in QUICK.scopes.values():
        assert scope.bounds["TRANSCRIPTS"] >= 2
        assert scope.bounds["AUDIO"] >= 2
        assert -(-scope.bounds["LENGTH"] // scope.bounds["STEP"]) >= 3


@SMALL_SCOPES
def test_interruption_points_are_the_edges_of_interruptions(scope: str) -> None:
    """Each point is an edge whose rule interrupts, once, and calm bounds have none."""
    graph = graph_of(scope)
    interrupts = {n for n, rule in enumerate(RULES) if rule.disturbs == "interruption"}
    points = graph.interruption_points()
    assert len(points) == len(set(points))
    assert {number for _, number in points} == (interrupts if scope != "undisturbed" else set())
    for state, number in points:
        assert number in [edge[0] for edge in graph.successors[state]]
        assert number in graph.machine.environment(state)
    enabled = sum(
        number in interrupts
        for state in graph.successors
        for number in graph.machine.environment(state)
    )
    assert enabled == len(points)


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


@settings(deadline=None, max_examples=60)
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
    graph = enumerate_graph(toy(rules, (2, 2)))
    assert graph.paths() == len(list(listed_paths(graph, graph.machine.initial)))
    plain = graph.to_networkx()
    assert (plain.number_of_nodes(), plain.number_of_edges()) == (graph.nodes, graph.edges)
    assert sorted(graph.topological()) == sorted(graph.successors)


# -- order and size ---------------------------------------------------------------------------


@SMALL_SCOPES
def test_the_order_is_topological(scope: str) -> None:
    """Every state comes once, and before all that it leads to."""
    graph = graph_of(scope)
    place = {state: number for number, state in enumerate(graph.topological())}
    assert place.keys() == graph.successors.keys()
    for state, outgoing in graph.successors.items():
        assert all(place[state] < place[target] for _, _, target in outgoing)


@SMALL_SCOPES
def test_networkx_gets_the_same_graph(scope: str) -> None:
    """The graph for networkx has the same nodes and edges, is acyclic, and has one beginning."""
    graph = graph_of(scope)
    plain = graph.to_networkx()
    assert plain.number_of_nodes() == graph.nodes
    assert plain.number_of_edges() == graph.edges
    assert nx.is_directed_acyclic_graph(plain)
    assert [node for node, degree in plain.in_degree() if degree == 0] == [graph.machine.initial]
    for state, outgoing in list(graph.successors.items())[::20]:
        keys = {
            (target, f"{RULES[number].id}({argument})", RULES[number].actor)
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
    bounds = SCOPES["undisturbed"].bounds
    name = "server.response.output_audio.delta"
    back = attrs.evolve(
        RULES[Machine(bounds).index[name]],
        id="server.takes.back",
        when="response == active and output == streaming and audio > captured",
        then={"audio": "audio - 1"},
    )
    graph = enumerate_graph(Machine(bounds, (*RULES, back)))
    with pytest.raises(CyclicGraph):
        graph.topological()


def test_the_limit_is_a_limit() -> None:
    """A graph of exactly the limit is made; one node more raises, with the limit and the bounds."""
    machine = Machine(SCOPES["undisturbed"].bounds)
    nodes = PINNED["undisturbed"][0]
    assert enumerate_graph(machine, limit=nodes).nodes == nodes
    with pytest.raises(GraphTooLarge, match=f"more than {nodes - 1} nodes") as raised:
        enumerate_graph(machine, limit=nodes - 1)
    assert str(machine.bounds) in str(raised.value)


def test_the_limit_stops_an_endless_graph() -> None:
    """A counter without an end raises instead of filling the memory."""
    with pytest.raises(GraphTooLarge):
        enumerate_graph(toy([("server", "", "True", "a = a + 1")], (1,)), limit=1_000)


# -- what holds everywhere --------------------------------------------------------------------


@EVERY_SCOPE
def test_every_state_can_come_to_an_end(scope: str) -> None:
    """From every node an accepting one can be reached: nothing is stuck."""
    graph = graph_of(scope)
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
        self.inbox: tuple[tuple[str, int], ...] = state[-1]  # type: ignore[assignment]

    def __getattr__(self, name: str) -> int:
        """The number in a field."""
        return self._state[self._machine.at[name]]  # type: ignore[return-value]

    def word(self, name: str) -> str:
        """The member of an enumeration."""
        position = self._machine.at[name]
        return self._machine.fields[position].values[self._state[position]]  # type: ignore[index]

    def unread(self, event: str) -> int:
        """How many such messages wait in the inbox."""
        return sum(message == event for message, _ in self.inbox)


Law = Callable[[View], bool]

ALWAYS: dict[str, Law] = {
    "only delivered audio is handed over": lambda v: v.captured <= v.audio,
    "only audio that was handed over is played": lambda v: (
        v.played <= v.bounds["DELTA"] * v.captured
    ),
    "a segment has audio": lambda v: (v.word("segment") == "none") == (v.captured == 0),
    "a drained or cut segment is over": lambda v: (
        v.word("segment") != "finished" or v.cut == 1 or v.played == v.bounds["DELTA"] * v.captured
    ),
    "deltas need a part": lambda v: (
        v.word("output") not in ("nothing", "opened", "listed") or v.transcript + v.audio == 0
    ),
    "a completed message is whole": lambda v: (
        v.word("ending") != "completed"
        or (v.transcript, v.audio) == (v.bounds["TRANSCRIPTS"], v.bounds["AUDIO"])
    ),
    "the item is there once it was opened": lambda v: (
        (v.word("item") == "absent") == (v.word("output") == "nothing")
    ),
    "an ended response was closed": lambda v: (
        v.word("response") == "active"
        or v.word("output") == "closed"
        or (v.word("output") == "nothing" and v.word("ending") != "completed")
    ),
    "a cut response was interrupted": lambda v: (
        v.word("ending") != "turn_detected" or v.interruptions > 0
    ),
    "a cancelled response was cancelled": lambda v: (
        v.word("ending") != "client_cancelled" or v.interruptions + v.ticks > 0
    ),
    "a cut needs an interruption": lambda v: v.cut == 0 or v.interruptions > 0,
    "disturbances keep to their budget": lambda v: (
        v.interruptions + v.ticks <= v.bounds["DISTURBANCES"]
    ),
    "the inbox holds the updates without an answer": lambda v: (
        v.unread("session.update") == v.updates - v.configured
    ),
    "the inbox holds the request that was not taken up": lambda v: (
        v.unread("response.create") == v.requested - (v.word("response") == "pending")
    ),
    "the inbox holds no more cancels than count": lambda v: (
        v.unread("response.cancel") <= v.cancelling <= v.cancels
    ),
    "the inbox holds no more cuts than were sent": lambda v: (
        v.unread("conversation.item.truncate") <= v.truncates
        and v.unread("conversation.item.delete") <= v.deletes
    ),
    "a cut names a length that exists": lambda v: all(
        argument <= v.bounds["AUDIO"] + 1 for _, argument in v.inbox
    ),
    "nobody answers before the session is up": lambda v: (
        v.word("connection") == "ready" or (v.turns == 0 and v.configured == 0)
    ),
    "speech that is heard is a turn or an interruption": lambda v: (
        v.word("speech") == "silent" or v.word("turn") == "open" or v.interruptions > 0
    ),
}
"""What every state of a correct run keeps."""


@pytest.mark.parametrize(
    ("scope", "every"), [("small", 1), ("undisturbed", 1), ("quick audio-reply", 11)]
)
def test_always(scope: str, every: int) -> None:
    """Every law holds in every node (in the largest graph: in every eleventh)."""
    graph = graph_of(scope)
    broken: dict[str, object] = {}
    for state in list(graph.successors)[::every]:
        view = View(graph.machine, state)
        broken.update(
            (law, graph.machine.show(state))
            for law, holds in ALWAYS.items()
            if law not in broken and not holds(view)
        )
    assert broken == {}


def test_every_law_can_be_broken() -> None:
    """Some state that the fields allow breaks each law, so keeping it says something."""
    machine, chance = graph_of("small").machine, random.Random(1)
    words = [rule.event for rule in RULES if rule.sends]
    unbroken = set(ALWAYS)
    for _ in range(2_000):
        values = [chance.randint(0, field.top(machine.bounds)) for field in machine.fields]
        inbox = tuple(
            (chance.choice(words), chance.randint(0, 4)) for _ in range(chance.randint(0, 3))
        )
        view = View(machine, (*values, inbox))
        unbroken -= {law for law in unbroken if not ALWAYS[law](view)}
    assert unbroken == set()


RESPONSE_EVENTS = frozenset(
    rule.id
    for rule in RULES
    if (rule.actor == "server" and not rule.reads)
    and (
        (rule.event.startswith("response.") and rule.event != "response.created")
        or rule.id.endswith(".reply")
    )
)


@SMALL_SCOPES
def test_no_event_of_a_response_but_while_it_is_active(scope: str) -> None:
    """After `response.done` and before `response.created` nothing of a response is sent.

    There is at most one response: none is created while another is active.
    """
    graph = graph_of(scope)
    at = graph.machine.at["response"]
    none, active = 0, 2
    kinds = set()
    for state, outgoing in graph.successors.items():
        for number, _, target in outgoing:
            rule = RULES[number]
            if rule.event == "response.created":
                assert (state[at], target[at]) != (active, active), graph.machine.show(state)
                assert target[at] == active
            elif rule.event == "response.done":
                assert (state[at], target[at]) == (active, none), graph.machine.show(state)
            elif rule.id in RESPONSE_EVENTS:
                assert (state[at], target[at]) == (active, active), graph.machine.show(state)
            else:
                assert (state[at] == active) == (target[at] == active), rule.id
            kinds.add(rule.id)
    assert kinds >= RESPONSE_EVENTS - {"response.created"}


@SMALL_SCOPES
def test_progress_counters_never_fall_within_a_response(scope: str) -> None:
    """Deltas, playout and the state of the message only grow until the next response begins."""
    graph = graph_of(scope)
    growing = ("output", "transcript", "audio", "captured", "played", "segment", "item")
    places = [graph.machine.at[name] for name in growing]
    for state, outgoing in graph.successors.items():
        for number, _, target in outgoing:
            if RULES[number].event != "response.created":
                assert all(state[at] <= target[at] for at in places), RULES[number].id  # type: ignore[operator]


def test_a_lawful_client_is_rejected_only_by_a_crossing() -> None:
    """In one reply no client that knows what was delivered is told off, but for a late cancel."""
    graph = graph_of("small")
    fired = {number for outgoing in graph.successors.values() for number, _, _ in outgoing}
    assert {RULES[n].id for n in fired if RULES[n].error} == {"server.rejects.response.cancel"}


def test_a_lawful_client_is_sometimes_answered_in_every_other_way() -> None:
    """Everything but errors and pure audio input happens on the way of a lawful client."""
    graph = graph_of("small")
    fired = {number for outgoing in graph.successors.values() for number, _, _ in outgoing}
    silent = {rule.id for n, rule in enumerate(RULES) if n not in fired and not rule.error}
    assert silent == {"client.input_audio_buffer.append"}
