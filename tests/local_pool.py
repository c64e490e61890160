"""A stand-in for a pool of workers that makes its runs in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from realtime_conformance.batch import Batch
from realtime_conformance.runner import Bench, Wanted
from realtime_conformance.timeline import render
from realtime_conformance.trail import trail


class LocalPool:
    """Answers as a pool of one worker would, without another process."""

    def __init__(self, bench: Bench) -> None:
        self._batch = Batch(bench)
        self._bench = bench

    def make(self, batches: Sequence[Sequence[tuple[int, ...]]]) -> Iterator[tuple[int, Any]]:
        """Make batches of runs."""
        for batch in batches:
            yield 0, self._batch.make(batch)

    def tails(self, points: Sequence[tuple[int, ...]], budget: int) -> Iterator[tuple[int, Any]]:
        """Explore the tails of interruption points."""
        for point in points:
            yield 0, self._batch.tails(point, budget)

    def trail(self, choices: tuple[int, ...]) -> Any:
        """Make one run by its choices, as shrinking sees it."""
        return trail(self._bench.run(choices))

    def follow(self, wanted: Sequence[tuple[int, bool, int]]) -> Any:
        """Make one run that takes the wanted steps where they are offered."""
        return trail(self._bench.follow([Wanted(*step) for step in wanted]))

    def show(self, choices: tuple[int, ...]) -> Any:
        """Make one run and render it."""
        return render(self._bench.run(choices))
