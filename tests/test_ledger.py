"""The ledger: closure and reach are counted from what runs did, and gaps are not explained away."""

from __future__ import annotations

import pytest

from realtime_conformance.ledger import Ledger
from realtime_protocol.bounds import audio_reply
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine


@pytest.fixture
def ledger():
    """A ledger of a small graph that nothing was entered into."""
    scope = audio_reply(TRANSCRIPTS=1, AUDIO=1, INTERRUPTIONS=0, TICKS=0, DISTURBANCES=0)
    return Ledger(enumerate_graph(Machine(scope.bounds)))


def walk(ledger):
    """Enter every step of every node, as a client that does everything would."""
    for state, outgoing in ledger.graph.successors.items():
        environment = ledger.graph.machine.environment(state)
        options = tuple((number, False) for number in environment)
        for taken in range(len(options)):
            ledger.offer(state, options, taken)
        if not options:
            ledger.offer(state, (), None)
        for number, argument, target in outgoing:
            ledger.edges.add((state, number, argument, target))


def test_everything_visited_is_everything(ledger):
    """A full ledger is closed, reaches all and leaves nothing to explain."""
    walk(ledger)
    summary = ledger.summary()
    assert summary["closure"]["covered"] == summary["closure"]["total"] > 0
    for part in ("nodes", "edges"):
        assert summary["reach"][part]["covered"] == summary["reach"][part]["total"] > 0
    assert summary["unvisited"]["total"] == 0
    assert ledger.not_closed() == []


def test_a_step_that_was_offered_and_not_taken_opens_the_closure(ledger):
    """The node and the rule are named."""
    walk(ledger)
    machine = ledger.graph.machine
    created = machine.numbers("server.session.created")[0]
    state = next(s for s in ledger.offered if (created, False) in ledger.offered[s])
    ledger.taken[state].discard((created, False))
    assert ledger.not_closed() == [(state, "server.session.created")]
    closure = ledger.summary()["closure"]
    assert closure["covered"] == closure["total"] - 1


def test_an_environment_step_that_was_skipped_is_unexplained(ledger):
    """A node behind a step that could have been taken has no excuse."""
    walk(ledger)
    machine = ledger.graph.machine
    asked = machine.numbers("app.generate_reply")[0]
    ledger.edges = {edge for edge in ledger.edges if edge[1] != asked and not after(ledger, edge)}
    unvisited = ledger.summary()["unvisited"]
    assert unvisited["unexplained"] > 0


def after(ledger, edge):
    """Whether an edge lies behind the app's request."""
    machine = ledger.graph.machine
    return any(state[machine.at["turns"]] for state in (edge[0], edge[3]))


def test_a_message_that_the_client_did_not_send_is_an_explanation(ledger):
    """Nodes behind an act of the client that it did not do are explained."""
    walk(ledger)
    machine = ledger.graph.machine
    captured = machine.at["captured[0]"]
    for edge in list(ledger.edges):
        if edge[0][captured] or edge[3][captured]:
            ledger.edges.discard(edge)
    unvisited = ledger.summary()["unvisited"]
    assert unvisited["unexplained"] == 0
    assert unvisited["the client did not act so"] > 0
    assert unvisited["total"] == sum(v for k, v in unvisited.items() if k != "total")


def test_steps_outside_the_graph_are_counted_apart(ledger):
    """What a wasteful client visits beyond the graph does not count as reach."""
    walk(ledger)
    before = ledger.summary()
    initial = ledger.graph.machine.initial
    stranger = (9, *initial[1:])
    ledger.edges.add((initial, 0, 0, stranger))
    summary = ledger.summary()
    assert summary["outside"]["nodes"] == 1
    assert summary["reach"]["nodes"] == before["reach"]["nodes"]
