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

    def make(self, requests: Sequence[Any], talk: Any = None) -> Iterator[tuple[int, Any]]:
        """Make what the requests ask for; a strategy that converses needs a worker."""
        for request in requests:
            yield 0, self._answer(request)

    def _answer(self, request: Any) -> Any:
        batch = self._batch
        if "tails" in request:
            return batch.tails(request["tails"], request["budget"])
        if "walks" in request:
            return batch.walks(request["walks"], request["hidden"], request["undisturbed"])
        return batch.make(request["runs"])
