"""One run as a sequence of steps, boiled down to plain data: what shrinking compares.

Laws:
- A step is a rule and whether the next event comes right behind it; a choice is where it stood
  among the options of its node, which shifts when a step before it is left out.
- Steps behind `needed` are those that a run takes by itself, so they need not be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realtime_conformance.checks import CHECKS
from realtime_conformance.history import History
from realtime_conformance.runner import Option, Outcome, calm_among
from realtime_protocol.machine import Machine

Json = dict[str, Any]


def trail(outcome: Outcome) -> Json:
    """Choices, steps and findings of one run; plain data.

    `steps` are pairs of rule and burst, of which the first `needed` have to be said. `disturbances`
    counts those that disturb. Each finding is its fingerprint, its verdict, and the number of steps
    up to it.
    """
    machine = outcome.history.machine
    taken = [(offer.options, offer.taken) for offer in outcome.offers if offer.taken is not None]
    steps = [options[choice] for options, choice in taken]
    said = [n for n, (options, choice) in enumerate(taken, 1) if _said(machine, options, choice)]
    return {
        "choices": list(outcome.choices),
        "steps": [list(step) for step in steps],
        "needed": max(said, default=0),
        "disturbances": sum(bool(machine.rules[step.rule].disturbs) for step in steps),
        "findings": [
            [check.fingerprint(found), found.verdict, _steps_until(outcome.history, found.position)]
            for check in CHECKS
            for found in check.judge(outcome.history).findings
        ],
    }


def _said(machine: Machine, options: Sequence[Option], choice: int) -> bool:
    """Whether a run would not take a choice by itself."""
    return calm_among(machine, options)[:1] != [choice]


def _steps_until(history: History, position: int) -> int:
    """How many steps were chosen up to an entry, its own included."""
    return sum(
        entry.phase == "main" and entry.rule is not None and not entry.rule.is_client
        for entry in history.entries[: position + 1]
    )
