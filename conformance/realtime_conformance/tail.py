"""Explores what follows one interruption point.

Laws:
- Every step at every node of the tail is taken by at least one run, as far as `most` runs go: a run
  that has a choice takes a step that no run of this tail has taken at that node, so few are enough.
- Then ways through the tail are gone that differ only in their order, until a budget is spent.
- No way is gone twice, and the same client gives the same runs in the same order.
- A run that a worker was lost to is not begun again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from realtime_conformance.blackbox import Recorder, Unrecorded
from realtime_conformance.runner import Bench, Option, Outcome
from realtime_protocol.state import State

Choices = tuple[int, ...]


class Tail:
    """The runs that begin with the choices of one interruption point."""

    def __init__(
        self,
        bench: Bench,
        point: Choices,
        budget: int,
        most: int,
        lost: Collection[Choices],
        recorder: Recorder | Unrecorded,
    ) -> None:
        self._bench = bench
        self._point = point
        self._budget = budget
        self._most = most
        self._lost = lost
        self._recorder = recorder
        self._taken: set[tuple[State, Option]] = set()
        self._frontier: deque[tuple[Choices, State, Option]] = deque()
        self._others: deque[Choices] = deque()

    @property
    def left(self) -> int:
        """Ways that are known and were not gone."""
        return len(self._frontier) + len(self._others)

    def explore(self) -> Iterator[Outcome]:
        """Make the runs of this tail."""
        begin = None if self._point in self._lost else self._point
        made = 0
        while begin is not None:
            self._recorder.begin(begin)
            outcome = self._bench.run(begin, self._prefer)
            self._note(outcome, len(begin))
            made += 1
            yield outcome
            begin = self._next(made)

    def _prefer(self, state: State, options: tuple[Option, ...], calm: list[int]) -> int:
        choice = next((n for n in calm if (state, options[n]) not in self._taken), calm[0])
        self._recorder.take(choice)
        return choice

    def _note(self, outcome: Outcome, given: int) -> None:
        path = outcome.choices
        for position, offer in enumerate(outcome.offers):
            if offer.taken is None:
                continue
            self._taken.add((offer.state, offer.options[offer.taken]))
            if position >= given:
                self._frontier += [
                    ((*path[:position], other), offer.state, option)
                    for other, option in enumerate(offer.options)
                    if other != offer.taken and (*path[:position], other) not in self._lost
                ]

    def _next(self, made: int) -> Choices | None:
        """Choices that lead to a step not yet taken; else, while there is budget, any others."""
        if self._most and made >= self._most:
            return None
        while self._frontier:
            choices, state, option = self._frontier.popleft()
            if (state, option) not in self._taken:
                return choices
            self._others.append(choices)
        return self._others.popleft() if self._others and made < self._budget else None
