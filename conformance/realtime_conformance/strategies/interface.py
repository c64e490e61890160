"""What a strategy is: it says which runs to make next, and learns from those that were made.

Laws:
- A strategy asks for runs in waves. A wave depends on nothing but what was noted before, in the
  order of the requests, so results do not depend on who makes the runs.
- A request is plain data, and so is what a strategy knows: a search that was stopped goes on from
  there and makes the same runs.
- `make` is called from several threads at once, so it reads what the strategy knows and changes
  nothing.
- The preemption bound is the bench's: a burst is an option like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import attrs

from realtime_conformance.plain import Numbers
from realtime_conformance.pool import Ask, Choices
from realtime_protocol.state import State

Json = dict[str, Any]
Option = tuple[int, bool]
Sleep = frozenset[int]

WAVE = 768
"""Runs in one wave."""
BATCH = 24
"""Most runs in one request."""
SPREAD = 16
"""Requests that a wave is spread over if it has as many runs: none who makes them is to idle."""


@attrs.frozen
class Visit:
    """One node of a run at which something was chosen, or where the run ended."""

    state: State
    options: tuple[Option, ...]
    taken: int | None
    settled: bool
    sleep: Sleep | None = frozenset()
    """What slept there; None where all that follows is gone elsewhere."""
    turns: int = 0
    """Turns of the client's loop from what was taken there until it was at rest."""


@attrs.frozen
class Made:
    """One run: its choices, how many of them it was given, and its nodes from the last of those."""

    given: int
    choices: Choices
    visits: tuple[Visit, ...]

    @property
    def start(self) -> int:
        """The position of the first of the visits."""
        return max(self.given - 1, 0)

    def free(self) -> list[tuple[Choices, Visit]]:
        """The nodes after the given choices, each with the choices that lead to it."""
        ahead = self.given - self.start
        return [
            (self.choices[:position], visit)
            for position, visit in enumerate(self.visits[ahead:], self.given)
        ]

    def steps(self) -> Iterator[tuple[tuple[State, Option] | None, Choices, Visit]]:
        """The same, and the step before each, or None where there is none."""
        ahead = self.given - self.start
        before = [None, *self.visits][ahead : ahead + 1] + list(self.visits[ahead:])
        for (here, visit), last in zip(self.free(), before, strict=False):
            yield _taken(last), here, visit


def _taken(visit: Visit | None) -> tuple[State, Option] | None:
    if visit is None or visit.taken is None:
        return None
    return visit.state, visit.options[visit.taken]


class Strategy(Protocol):
    """Which runs to make."""

    name: str
    about: str
    promises: bool
    """Whether a search that came to its end has taken every step at every node it saw."""

    @property
    def tails_left(self) -> int:
        """Ways through the tails of interruption points that are known and were not gone."""

    @property
    def left(self) -> int:
        """How many runs and interruption points are known and were not asked for."""

    def wave(self, room: int) -> list[Json]:
        """The next requests, for about `room` runs, 0 for no limit; empty if none is left."""

    def make(self, request: Json, ask: Ask) -> Json:
        """Do what a request wants with one worker; the reply is that of a batch."""

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:
        """Learn from the runs of a request."""

    def saved(self, number: Numbers) -> Json:
        """What the strategy knows, as plain data in which states are numbers."""

    def restore(self, data: Json, states: Sequence[State]) -> None:
        """Know what was saved."""


def batches(runs: Sequence[Any], kind: str, **more: Any) -> list[Json]:
    """Requests for runs, a batch each."""
    size = min(BATCH, max(1, len(runs) // SPREAD))
    starts = range(0, len(runs), size)
    return [{kind: list(runs[start : start + size]), **more} for start in starts]


def size(request: Json) -> int:
    """How many runs and interruption points a request is for."""
    listed = [request[kind] for kind in ("runs", "walks") if kind in request]
    return len(listed[0]) if listed else 1
