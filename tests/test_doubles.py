"""Every check can fail, and none of them fails a client that is correct.

Laws:
- Runs are made in this process, so a double need not be known to a worker.
- In the audio-reply scope small bounds are enough to break every check; the full ones are slow.
- In the other scopes a correct client is explored as far as `ENOUGH` runs go.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from typing import Any

import pytest

from doubles.faults import FAULTS, Fault
from doubles.reference import VARIANTS, EagerClient, ReferenceClient, TrustingClient
from local_pool import LocalPool
from realtime_conformance.checks import CHECKS
from realtime_conformance.checks.interface import Check
from realtime_conformance.explorer import Explorer, Progress
from realtime_conformance.ledger import Ledger
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.stops import Budget
from realtime_conformance.strategies.cover import Cover
from realtime_protocol.bounds import NOTHING_BUT_AUDIO, QUICK, SCOPES, Scope, audio_reply, rebounded
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine, Step
from realtime_protocol.state import State

pytestmark = pytest.mark.usefixtures("heap_set_aside")

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 2, "STEP": 1}
"""Bounds that hold every rule of the scope: two playout steps still tell what was heard."""

FULL = QUICK.scopes["audio-reply"]

ENOUGH = 2_500
"""Runs that end the exploration of most scopes, and of the largest go round every interruption."""

FAST_SCOPES = ("text-reply", "tool-update", "updates")
FAST_FAULTS = (
    "answers-twice",
    "expects-speech",
    "retries-at-once",
    "forgets-context",
    "deletes-running",
    "reconnects-after-close",
    "stays-paused",
    "truncates-lost",
)
"""Of the faults outside of the audio-reply scope these are found within a few runs."""


class Enough(Exception):
    """What was looked for has been found."""


MUTED = audio_reply(**SMALL, SPEAKER=0)
"""The small scope for an agent without audio output."""


def small(fault: Fault | None = None) -> Scope:
    """The small scope, with the bounds that a fault needs beyond it."""
    return audio_reply(**{**SMALL, **(fault.bounds if fault else {})})


ELSEWHERE = sorted(
    {check.id for check in CHECKS}
    - {fault.check for fault in FAULTS.values() if fault.scope == FULL.name}
)
"""Checks of what the audio-reply scope does not hold."""

CHANGEABLE = frozenset(NOTHING_BUT_AUDIO)


def scope_of(fault: Fault) -> Scope:
    """The scope in which a fault shows."""
    return (
        small(fault) if fault.scope == FULL.name else rebounded(SCOPES[fault.scope], fault.bounds)
    )


@functools.cache
def bench_of(name: str, changes: tuple[tuple[str, int], ...]) -> Bench:
    """The bench of a scope, which is dear to make; its client is whoever is driven next."""
    return Bench(rebounded(SCOPES[name], dict(changes)), ReferenceClient)


def bench_for(scope: Scope, client: type[ReferenceClient]) -> Bench:
    """A bench of a scope for a client."""
    changes = {k: v for k, v in scope.bounds.items() if k in CHANGEABLE}
    bench = bench_of(scope.name, tuple(sorted(changes.items())))
    bench.make_client = client
    return bench


def is_found(explorer: Explorer, fault: Fault) -> bool:
    """Whether the check of a fault was broken with the verdict that is expected."""
    wanted = (fault.check, fault.verdict)
    return any((found.check, found.verdict) == wanted for found in explorer.found.values())


def unlisted(scope: Scope, limit: int = 0) -> Explorer:
    """An explorer of which nothing is asked about the graph, so its nodes are not enumerated."""
    machine = Machine(scope.bounds)
    return Explorer(Ledger(Graph(machine, {})), Cover(machine), Budget(limit))


def find(fault: Fault, limit: int = 0) -> Explorer:
    """Explore until the fault is found, or to the end."""
    scope = scope_of(fault)
    explorer = unlisted(scope, limit)
    mixed = mix(explorer)

    def look(made: int, left: int) -> None:
        if is_found(explorer, fault):
            raise Enough
        mixed(made, left)

    with contextlib.suppress(Enough):
        explore(explorer, bench_for(scope, fault.client), look)
    return explorer


def mix(explorer: Explorer) -> Progress:
    """Let early and late interruptions take turns, which shows more within a few runs."""

    def look(made: int, left: int) -> None:
        assert isinstance(explorer.strategy, Cover)
        explorer.strategy.points.sort(key=lambda point: (len(point) % 6, point))
        keep(made, left)

    return look


def keep(made: int, left: int) -> None:
    """Take what is known so far out of the way of the collector, which comes after each run."""
    gc.freeze()


def explore(explorer: Explorer, bench: Bench, look: Progress) -> None:
    """Explore in this process."""
    explorer.explore(LocalPool(bench), look)  # type: ignore[arg-type]


def findings(outcome: Outcome) -> list[str]:
    """What the checks say of one run."""
    return [f.text for check in CHECKS for f in check.judge(outcome.history).findings]


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
    """Every check of the scope had something to judge, and the client did all that changes a state.

    A check is of the scope if a fault breaks it there.
    """
    machine = explorer.ledger.graph.machine
    assert silent(explorer) == []
    assert explorer.ledger.explanations()["unexplained"] == 0
    taken = {machine.rules[number].event for _, number, _, _ in explorer.ledger.edges}
    changing = {
        machine.rules[number].event
        for outgoing in explorer.ledger.graph.successors.values()
        for number, _, _ in outgoing
        if machine.rules[number].is_client
    }
    assert changing - taken == set()


def silent(explorer: Explorer) -> list[str]:
    """The checks that had nothing to judge though the scope holds what they speak of."""
    bounds = explorer.ledger.graph.machine.bounds
    spoken_of = (check.id for check in CHECKS if check.speaks_of(bounds))
    return [check for check in spoken_of if not explorer.premises[check]]


def forbidden(explorer: Explorer) -> set[str]:
    """The rules by which the client did what the protocol forbids, rejected or not."""
    machine = explorer.ledger.graph.machine
    return {
        machine.rules[number].id
        for state, number, argument, _ in explorer.ledger.edges
        if machine.rules[number].is_client and not machine.permitted(state, Step(number, argument))
    }


def assert_blameless(scope: Scope, client: type[ReferenceClient]) -> Explorer:
    """Explore `scope` as far as `ENOUGH` runs go; nothing may be found, or left open at the end."""
    explorer = unlisted(scope, ENOUGH)
    explore(explorer, bench_for(scope, client), mix(explorer))
    assert [found.text for found in explorer.found.values()] == []
    assert explorer.left or explorer.ledger.not_closed() == []
    return explorer


def is_fast(fault: Fault) -> bool:
    """Whether a fault is found soon; one that takes a second turn has so much more to look at."""
    return fault.name in FAST_FAULTS or (fault.scope == FULL.name and "TURNS" not in fault.bounds)


def named(fault: Fault) -> Any:
    """The name of a fault, slow if it is."""
    return pytest.param(fault.name, marks=[] if is_fast(fault) else [pytest.mark.slow])


def explored(name: str) -> Any:
    """The name of a scope; all but a few are slow, as there is so much in them."""
    marks = [] if name in FAST_SCOPES else [pytest.mark.slow]
    return pytest.param(name, marks=marks)


def in_the_middle(bench: Bench) -> tuple[int, ...]:
    """Choices that interrupt the happy path once something of the reply was played, or written."""
    machine = bench.machine
    rule = "user.barges_in" if machine.bounds["VAD"] else "app.interrupt"
    outcome = bench.run()
    for position, offer in enumerate(outcome.offers):
        ids = [machine.rules[option.rule].id for option in offer.options]
        if was_said(machine, offer.state) and rule in ids:
            return (*outcome.choices[:position], ids.index(rule))
    raise AssertionError("expected the happy path to say something, it does not")


def was_said(machine: Machine, state: State) -> bool:
    """Whether something of the first message was heard, or read."""
    return machine.value(state, "played[0]" if machine.bounds["SPEAKER"] else "text[0]") > 0


def test_no_check_fails_the_reference_client() -> None:
    """Under small bounds nothing is found, every check speaks, and every client rule is taken."""
    assert_covered(assert_correct(small(), ReferenceClient))


@pytest.mark.slow  # they differ from the reference in one act each
@pytest.mark.parametrize("client", [EagerClient, TrustingClient])
def test_no_check_fails_a_variant(client: type[ReferenceClient]) -> None:
    """A correct client need not be this very one."""
    assert_covered(assert_correct(small(), client))


@pytest.mark.parametrize("name", SCOPES)
def test_the_happy_path_of_every_scope_is_blameless(name: str) -> None:
    """The reference client can be driven through every scope, and so can what varies it there."""
    clients = [ReferenceClient, *(client for client, scope in VARIANTS.values() if scope == name)]
    for client in clients:
        outcome = bench_for(SCOPES[name], client).run()
        assert findings(outcome) == []
        assert outcome.history.fresh_done


@pytest.mark.parametrize("name", [explored(name) for name in SCOPES])
def test_no_check_fails_the_reference_client_in_any_scope(name: str) -> None:
    """Nothing is found, nothing is done that the protocol forbids, and every check speaks."""
    explorer = assert_blameless(SCOPES[name], ReferenceClient)
    assert forbidden(explorer) == set()
    assert silent(explorer) == []


@pytest.mark.slow  # a whole scope for each of them
@pytest.mark.parametrize("name", VARIANTS)
def test_no_check_fails_a_variant_where_it_differs(name: str) -> None:
    """What a client may do in more than one way, it may do in each of them."""
    client, scope = VARIANTS[name]
    assert_blameless(SCOPES[scope], client)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_every_other_check_speaks_of_the_reference_client(name: str) -> None:
    """In the scope in which a fault breaks it, a check has something to say of a correct client."""
    fault = next(fault for fault in FAULTS.values() if fault.check == name)
    scope = scope_of(fault)
    explorer = unlisted(scope, ENOUGH)

    def look(made: int, left: int) -> None:
        if explorer.premises.get(name):
            raise Enough
        keep(made, left)

    with pytest.raises(Enough):
        explore(explorer, bench_for(scope, ReferenceClient), look)


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


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_shows_without_a_disturbance(name: str) -> None:
    """The plain happy path is no test of a client."""
    fault = FAULTS[name]
    assert findings(bench_for(scope_of(fault), fault.client).run()) == []


@pytest.mark.parametrize("name", FAULTS)
def test_one_interruption_shows_little(name: str) -> None:
    """A barge-in in the middle of what is said shows the plain faults, and no other."""
    fault = FAULTS[name]
    bench = bench_for(scope_of(fault), fault.client)
    assert bool(findings(bench.run(in_the_middle(bench)))) == fault.plain


def test_most_faults_take_more_than_one_interruption() -> None:
    """Enough of the faults that are found are races, which nobody would come across by chance."""
    assert sum(not fault.plain for fault in FAULTS.values()) >= 20


@pytest.mark.parametrize("check", CHECKS, ids=[check.id for check in CHECKS])
def test_every_check_has_a_scope(check: Check) -> None:
    """What it speaks of is told by bounds that exist, and is in some scope that is disturbed."""
    assert set(check.subject) <= set(NOTHING_BUT_AUDIO)
    disturbed = [scope.bounds for scope in SCOPES.values() if scope.bounds["DISTURBANCES"]]
    assert any(map(check.speaks_of, disturbed))
    assert check.speaks_of(dict.fromkeys(NOTHING_BUT_AUDIO, 0)) == (not check.subject)


def test_every_check_is_broken_by_a_fault() -> None:
    """A check that nothing breaks proves nothing."""
    assert {check.id for check in CHECKS} == {fault.check for fault in FAULTS.values()}
