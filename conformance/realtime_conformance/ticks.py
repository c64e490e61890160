"""Disturbs the client in every turn of its loop behind one step, before it is at rest.

Laws:
- How many turns there are was seen when the step was taken undisturbed.
- In each turn each disturbance that can come there is tried, in the order of the rules.
- A run that a worker was lost to is not begun again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from realtime_conformance.blackbox import Recorder, Unrecorded
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.scenario import TICK

Choices = tuple[int, ...]


def disturbed(
    bench: Bench,
    choices: Choices,
    turns: int,
    lost: Collection[Choices],
    recorder: Recorder | Unrecorded,
) -> Iterator[Outcome]:
    """One run for each turn behind the last of `choices`, and each disturbance in it."""
    for ticks in range(1, turns):
        begin = (*choices[:-1], choices[-1] + TICK * ticks)
        offered, nth = 1, 0
        while nth < offered:
            # a worker that is lost leaves the whole run, so that only this one is left out
            if (*begin, nth) not in lost:
                recorder.begin((*begin, nth))
                outcome = bench.disturb(begin, nth)
                offered = _offered(outcome, len(choices))
                if nth < offered:
                    yield outcome
            nth += 1


def _offered(outcome: Outcome, position: int) -> int:
    """How many disturbances could come in the turn; none where the client is at rest already."""
    if position >= len(outcome.offers) or outcome.offers[position].settled:
        return 0
    return len(outcome.offers[position].options)
