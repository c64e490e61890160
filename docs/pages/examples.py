"""A run that breaks each check, made when the manual is built.

Laws:
- What is shown is a real run of a client with a planted fault; the clients are those with which the
  tests prove that each check can fail.
- The run of a violation is shrunk until no step can be left out; that of an advisory is the first.
- An exploration ends at the first finding of the check, so the examples take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from realtime_conformance.checks import CHECKS
from realtime_conformance.explorer import Explorer
from realtime_conformance.ledger import Ledger
from realtime_conformance.pool import Setup, Workers
from realtime_conformance.scenario import scope_of
from realtime_conformance.shrink import shrink
from realtime_conformance.stops import Budget, Sight, Stop
from realtime_conformance.strategies.cover import Cover
from realtime_protocol.graph import Graph
from realtime_protocol.machine import Machine

BRIEF = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 2, "STEP": 1}
"""Bounds that keep an example in the audio-reply scope short."""

ENOUGH = 3_000
"""Runs after which an example is given up."""

Fault = Any
"""A planted fault as the tests list it: `client`, `check`, `verdict`, `scope`, `bounds`, `why`."""


@attrs.frozen
class Example:
    """A run that a check finds something in: in which scope, what the client does, and how it went.

    `verdict` is `violation` or `advisory`.
    """

    scope: str
    why: str
    verdict: str
    timeline: str


def examples(faults: Iterable[Fault]) -> Mapping[str, Example]:
    """An example for each check that one of the faults breaks, by the id of the check.

    Raises:
        LookupError: a fault was not found within `ENOUGH` runs.
    """
    # a violation says more than an advisory, which is all that some checks give
    ranked = sorted(faults, key=lambda fault: fault.verdict != "violation")
    chosen = {check.id: [f for f in ranked if f.check == check.id] for check in CHECKS}
    with Workers() as workers:
        return {check: _example(given[0], workers) for check, given in chosen.items() if given}


def _example(fault: Fault, workers: Workers) -> Example:
    changes = {**(BRIEF if fault.scope == "audio-reply" else {}), **fault.bounds}
    client = f"{fault.client.__module__}:{fault.client.__qualname__}"
    setup = Setup(client=client, profile="quick", scope=fault.scope, changes=changes)
    machine = Machine(scope_of("quick", fault.scope, changes).bounds)
    wanted = (fault.check, fault.verdict)

    def broken(sight: Sight) -> bool:
        return any((f.check, f.verdict) == wanted for f in sight.found.values())

    explorer = Explorer(
        # nothing is asked about what was covered, so the graph is not enumerated
        Ledger(Graph(machine, {})),
        # a tail of one run is looked at at once, a whole one when all of it is made
        Cover(machine, tail_most=1),
        Budget(ENOUGH),
        [Stop("broken", "the check is broken", broken)],
    )
    pool = workers.drive(setup)
    explorer.explore(pool)
    found = [f for f in explorer.found.values() if (f.check, f.verdict) == wanted]
    if not found:
        raise LookupError(f"expected {client} to break {fault.check} in {ENOUGH} runs")
    first = min(found, key=lambda one: one.rank)
    choices = first.choices
    if fault.verdict == "violation":
        choices = shrink(pool, choices, first.fingerprint).choices
    shown = pool.show(choices)
    return Example(fault.scope, fault.why, fault.verdict, shown["timeline"])
