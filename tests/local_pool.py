"""A stand-in for a pool of workers that makes its runs in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from realtime_conformance.batch import Batch
from realtime_conformance.runner import Bench


class LocalPool:
    """Answers as a pool of one worker would, without another process."""

    def __init__(self, bench: Bench) -> None:
        self._batch = Batch(bench)

    def make(self, batches: Sequence[Sequence[tuple[int, ...]]]) -> Iterator[tuple[int, Any]]:
        """Make batches of runs."""
        for batch in batches:
            yield 0, self._batch.make(batch)

    def tails(self, points: Sequence[tuple[int, ...]], budget: int) -> Iterator[tuple[int, Any]]:
        """Explore the tails of interruption points."""
        for point in points:
            yield 0, self._batch.tails(point, budget)
