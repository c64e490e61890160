"""Every check can fail, and none of them fails a client that is correct.

Laws:
- Runs are made in this process, so a double need not be known to a worker.
- Small bounds are enough to break every check; the full ones are slow.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from doubles.faulty import FAULTS, UNSEEN, Fault
from doubles.reference import VARIANTS, ReferenceClient
from local_pool import LocalPool
from realtime_conformance.checks import CHECKS
from realtime_conformance.explorer import Explorer, Progress
from realtime_conformance.ledger import Ledger
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.strategies.cover import Cover
from realtime_protocol.bounds import QUICK, Scope, audio_reply
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 2, "STEP": 1}
"""Bounds that hold every rule of the scope: two playout steps still tell what was heard."""

FULL = QUICK.scopes["audio-reply"]


class Enough(Exception):
    """What was looked for has been found."""


MUTED = audio_reply(**SMALL, SPEAKER=0)
"""The small scope for an agent without audio output."""


def small(fault: Fault | None = None) -> Scope:
    """The small scope, with the bounds that a fault needs beyond it."""
    return audio_reply(**{**SMALL, **(fault.bounds if fault else {})})


def is_found(explorer: Explorer, fault: Fault) -> bool:
    """Whether the check of a fault was broken with the verdict that is expected."""
    wanted = (fault.check, fault.verdict)
    return any((found.check, found.verdict) == wanted for found in explorer.found.values())


def find(fault: Fault) -> Explorer:
    """Explore until the fault is found, or to the end."""
    scope = small(fault)
    # nothing is asked of the graph, so its nodes are not enumerated
    machine = Machine(scope.bounds)
    strategy = Cover(machine)
    explorer = Explorer(Ledger(Graph(machine, {})), strategy)

    def look(made: int, left: int) -> None:
        if is_found(explorer, fault):
            raise Enough
        # early and late interruptions take turns, which finds a fault sooner
        strategy.points.sort(key=lambda point: (len(point) % 6, point))
        keep(made, left)

    with contextlib.suppress(Enough):
        explore(explorer, Bench(scope, fault.client), look)
    return explorer


def keep(made: int, left: int) -> None:
    """Take what is known so far out of the way of the collector, which comes after each run."""
    gc.freeze()


def explore(explorer: Explorer, bench: Bench, look: Progress) -> None:
    """Explore in this process."""
    explorer.explore(LocalPool(bench), look)  # type: ignore[arg-type]


def findings(outcome: Outcome) -> list[str]:
    """What the checks say of one run."""
    return [f.text for check in CHECKS for f in check.judge(outcome.history).findings]


@pytest.fixture(autouse=True)
def _garbage_is_collected_by_the_runs() -> Iterator[None]:
    """Keep the collector to the ends of runs, and what was there before out of its way."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def assert_correct(scope: Scope, client: type[ReferenceClient], bursts: int = 0) -> Explorer:
    """Explore `scope` to its end; nothing may be found, and nothing left open."""
    machine = Machine(scope.bounds)
    explorer = Explorer(Ledger(enumerate_graph(machine)), Cover(machine))
    explore(explorer, Bench(scope, client, bursts), keep)
    assert [found.text for found in explorer.found.values()] == []
    assert explorer.left == 0
    assert explorer.ledger.not_closed() == []
    return explorer


def assert_covered(explorer: Explorer) -> None:
    """Every check had something to judge, and the client did everything that changes a state."""
    machine = explorer.ledger.graph.machine
    assert [check.id for check in CHECKS if not explorer.premises[check.id]] == []
    assert explorer.ledger.explanations()["unexplained"] == 0
    taken = {machine.rules[number].event for _, number, _, _ in explorer.ledger.edges}
    changing = {
        resolved.rule.event
        for resolved in machine.resolved
        if resolved.rule.is_client and not resolved.stays
    }
    assert changing - taken == set()


def named(fault: Fault) -> Any:
    """The name of a fault; one that takes a second turn is slow, as there is so much more of it."""
    return pytest.param(fault.name, marks=[pytest.mark.slow] if "TURNS" in fault.bounds else [])


def test_no_check_fails_the_reference_client() -> None:
    """Under small bounds nothing is found, every check speaks, and every client rule is taken."""
    assert_covered(assert_correct(small(), ReferenceClient))


@pytest.mark.slow  # they differ from the reference in one act each
@pytest.mark.parametrize("name", VARIANTS)
def test_no_check_fails_a_variant(name: str) -> None:
    """A correct client need not be this very one."""
    assert_covered(assert_correct(small(), VARIANTS[name]))


def test_no_check_fails_the_reference_client_without_a_speaker() -> None:
    """Nothing is heard then, so nothing is truncated."""
    explorer = assert_correct(MUTED, ReferenceClient)
    assert not explorer.premises["truncate-positive"]


def test_a_correct_client_appends_audio() -> None:
    """The one client rule that changes no state, so it is no edge of any graph."""
    history = Bench(small(), ReferenceClient).run().history
    rules = {entry.rule.id for entry in history.entries if entry.rule is not None}
    assert "client.input_audio_buffer.append" in rules


@pytest.mark.slow  # the graph alone takes seconds, and every interruption has its tail
def test_no_check_fails_the_reference_client_under_full_bounds() -> None:
    """As under small bounds, with all that the quick profile promises."""
    assert_covered(assert_correct(FULL, ReferenceClient))


@pytest.mark.slow  # half as many runs again
def test_no_check_fails_the_reference_client_in_a_burst() -> None:
    """An event that comes right behind another is no excuse for a check either."""
    assert_correct(small(), ReferenceClient, bursts=1)


@pytest.mark.parametrize("name", [named(fault) for fault in FAULTS.values()])
def test_a_fault_breaks_its_check(name: str) -> None:
    """Exploration finds the fault, with the verdict that it deserves."""
    explorer = find(FAULTS[name])
    assert is_found(explorer, FAULTS[name]), sorted(
        (found.check, found.verdict) for found in explorer.found.values()
    )


@pytest.mark.slow  # nothing is found, so each exploration goes to its end
@pytest.mark.parametrize("name", UNSEEN)
@pytest.mark.xfail(strict=True, reason="no check sees this yet")
def test_a_fault_that_no_check_sees(name: str) -> None:
    """Known holes; a fault that is seen moves to the others."""
    explorer = find(UNSEEN[name])
    assert explorer.found


@pytest.mark.parametrize("name", [*FAULTS, *UNSEEN])
def test_no_fault_shows_without_an_interruption(name: str) -> None:
    """The plain happy path is no test of a client."""
    fault = {**FAULTS, **UNSEEN}[name]
    assert findings(Bench(small(fault), fault.client).run()) == []


def test_every_check_is_broken_by_a_fault() -> None:
    """A check that nothing breaks proves nothing."""
    assert {check.id for check in CHECKS} == {fault.check for fault in FAULTS.values()}
