"""A stand-in for a pool of workers that makes its runs in this process."""

from __future__ import annotations

import gc
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

    def make(self, requests: Sequence[Any], talk: Any = None) -> Iterator[tuple[int, Any]]:
        """Make what the requests ask for; a strategy that converses needs a worker."""
        for request in requests:
            yield 0, self._answer(request)

    def _answer(self, request: Any) -> Any:
        batch = self._batch
        if "tails" in request:
            return batch.tails(request["tails"], request["budget"], request["most"])
        if "ticks" in request:
            return batch.ticks(request["ticks"], request["turns"])
        if "walks" in request:
            return batch.walks(request["walks"], request["hidden"], request["undisturbed"])
        return batch.make(request["runs"])

    def trail(self, choices: tuple[int, ...]) -> Any:
        """Make one run by its choices, as shrinking sees it."""
        return trail(self._bench.run(choices))

    def follow(self, wanted: Sequence[tuple[int, bool, int]]) -> Any:
        """Make one run that takes the wanted steps where they are offered."""
        return trail(self._bench.follow([Wanted(*step) for step in wanted]))

    def show(self, choices: tuple[int, ...]) -> Any:
        """Make one run and render it."""
        return render(self._bench.run(choices))


class KeepingPool(LocalPool):
    """A pool in this process that keeps the choices of its runs."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.runs: list[tuple[int, ...]] = []

    def make(self, requests: Sequence[Any], talk: Any = None) -> Iterator[tuple[int, Any]]:
        """Make what is asked for, and keep it."""
        for number, reply in super().make(requests, talk):
            self.runs += [tuple(result["choices"]) for result in reply["results"]]
            # what is kept is none of the garbage that the next run is charged with
            gc.freeze()
            yield number, reply
