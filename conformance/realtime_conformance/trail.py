"""One run as a sequence of steps, boiled down to plain data: what shrinking compares.

Laws:
- A step is a rule, and whether the next one comes right behind it or after so many ticks; a choice
  is where it stood among the options of its node, which shifts when a step before it is left out.
- Steps behind `needed` are those that a run takes by itself, so they need not be said.
"""

from __future__ import annotations

from typing import Any

from realtime_conformance.checks import CHECKS
from realtime_conformance.history import History
from realtime_conformance.runner import Offer, Option, Outcome, calm_among
from realtime_protocol.machine import Machine

Json = dict[str, Any]


def trail(outcome: Outcome) -> Json:
    """Choices, steps and findings of one run; plain data.

    `steps` are rule, burst and ticks, of which the first `needed` have to be said. `disturbances`
    counts those that disturb. Each finding is its fingerprint, its verdict, and the number of steps
    up to it.
    """
    machine = outcome.history.machine
    taken = [offer for offer in outcome.offers if offer.taken is not None]
    said = [number for number, offer in enumerate(taken, 1) if _said(machine, offer)]
    return {
        "choices": list(outcome.choices),
        "steps": [[*_option(offer), offer.ticks] for offer in taken],
        "needed": max(said, default=0),
        "disturbances": sum(bool(machine.rules[_option(offer).rule].disturbs) for offer in taken),
        "findings": [
            [check.fingerprint(found), found.verdict, _steps_until(outcome.history, found.position)]
            for check in CHECKS
            for found in check.judge(outcome.history).findings
        ],
    }


def _option(offer: Offer) -> Option:
    """What was taken at a node."""
    assert offer.taken is not None
    return offer.options[offer.taken]


def _said(machine: Machine, offer: Offer) -> bool:
    """Whether a run would not take a step by itself."""
    return bool(offer.ticks) or calm_among(machine, offer.options)[:1] != [offer.taken]


def _steps_until(history: History, position: int) -> int:
    """How many steps were chosen up to an entry, its own included."""
    return sum(
        entry.phase == "main" and entry.rule is not None and not entry.rule.is_client
        for entry in history.entries[: position + 1]
    )
