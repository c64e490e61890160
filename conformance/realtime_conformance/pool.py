"""A pool of workers: hands out runs, collects replies in order, notices who dies or hangs.

Laws:
- Replies come in the order of the requests, whoever made them, so the number of workers changes
  nothing but the time.
- A worker that dies or says nothing for too long is reported with the runs it was making.
- Work and replies are plain data.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import attrs

Json = dict[str, Any]
Choices = tuple[int, ...]
WantedStep = tuple[int, bool, int]
"""The number of a rule, whether the next event comes right behind it, and after how many ticks."""

LAST_WORDS_SECONDS = 5.0
"""How long the end of a worker's standard error is waited for."""

SILENCE_SECONDS = 300.0
"""Real seconds after which a worker that says nothing counts as hanging."""


class WorkerLost(Exception):
    """A worker died or hung: what it was doing, and what it said last."""


class WorkerRefused(Exception):
    """A worker says that what was asked for cannot be done; one clear line."""


@attrs.frozen(kw_only=True)
class Setup:
    """What every worker of a pool drives."""

    client: str
    profile: str
    scope: str
    changes: dict[str, int] = attrs.field(factory=dict)
    bursts: int = 0


@attrs.frozen(kw_only=True)
class Interpreter:
    """Where a worker runs: an interpreter, and what is put on its import path."""

    python: str = sys.executable
    path: tuple[str, ...] = ()
    isolated: bool = False
    """Whether the import path of this process is kept from the worker."""

    def environment(self) -> dict[str, str]:
        """Environment variables of a worker."""
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        inherited = () if self.isolated else tuple(entry for entry in sys.path if entry)
        path = (*self.path, *inherited)
        return {**kept, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(path)}


class _Process:
    """One worker process."""

    def __init__(self, interpreter: Interpreter, setup: Setup) -> None:
        self._errors: list[str] = []
        self._process = subprocess.Popen(
            [interpreter.python, "-m", "realtime_conformance.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=interpreter.environment(),
            text=True,
            encoding="utf-8",
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._send(attrs.asdict(setup))
        self.hello = self._receive("its setup")

    def ask(self, request: Json) -> Json:
        """Send a request and wait for the reply.

        Raises:
            WorkerLost: the process died or is silent.
            WorkerRefused: it says that the request cannot be done.
        """
        self._send(request)
        return self._receive(json.dumps(request)[:200])

    def end(self) -> None:
        """Stop the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.kill()
        self._process.wait()

    def _send(self, request: Json) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a dead process is noticed when its reply is missing
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def _receive(self, doing: str) -> Json:
        assert self._process.stdout is not None
        watchdog = threading.Timer(SILENCE_SECONDS, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        except ValueError:  # the stream was closed: the pool is being ended
            line = ""
        finally:
            hung = not watchdog.is_alive()
            watchdog.cancel()
        if not line:
            raise WorkerLost(self._obituary(doing, hung))
        reply: Json = json.loads(line)
        if "refused" in reply:
            raise WorkerRefused(reply["refused"])
        return reply

    def _obituary(self, doing: str, hung: bool) -> str:
        code = self._process.wait()
        # its last words may still be on their way; a child of its own can hold the stream open
        self._listener.join(LAST_WORDS_SECONDS)
        how = f"said nothing for {SILENCE_SECONDS:.0f} s" if hung else f"ended with code {code}"
        last = self._errors[-1] if self._errors else "nothing on standard error"
        return f"a worker {how} while doing {doing}: {last}"

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._errors = [*self._errors[-20:], line.strip()]


class Pool:
    """Workers that all drive the same client in the same scope."""

    def __init__(self, setup: Setup, jobs: int, interpreter: Interpreter | None = None) -> None:
        self._interpreter = interpreter or Interpreter()
        self._setup = setup
        self._threads = ThreadPoolExecutor(jobs)
        self._idle: queue.Queue[int] = queue.Queue()
        self._workers: list[_Process] = []
        self.jobs = jobs

    def __enter__(self) -> Pool:
        """Start the workers.

        Raises:
            WorkerLost, WorkerRefused: one of them does not come up.
        """
        try:
            starting = [
                self._threads.submit(_Process, self._interpreter, self._setup)
                for _ in range(self.jobs)
            ]
            for future in starting:
                self._workers.append(future.result())
        except BaseException:
            self._end()
            raise
        for number in range(len(self._workers)):
            self._idle.put(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the workers."""
        self._end()

    @property
    def hello(self) -> Json:
        """What a worker says of itself: Python and package versions."""
        return self._workers[0].hello

    def make(self, batches: Sequence[Sequence[Choices]]) -> Iterator[tuple[int, Json]]:
        """Make batches of runs; yields the worker's number and its reply in the given order."""
        return self._ask_all([{"runs": batch} for batch in batches])

    def tails(self, points: Sequence[Choices], budget: int) -> Iterator[tuple[int, Json]]:
        """Explore the tails of interruption points; as `make`, one reply for each point."""
        return self._ask_all([{"tails": point, "budget": budget} for point in points])

    def _ask_all(self, requests: Sequence[Json]) -> Iterator[tuple[int, Json]]:
        futures = [self._threads.submit(self._ask, request) for request in requests]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def show(self, choices: Choices) -> Json:
        """Make one run and return its timeline and its trace."""
        return self._ask({"show": choices})[1]

    def trail(self, choices: Choices) -> Json:
        """Make one run and return the steps that it took; see `trail`."""
        return self._ask({"trail": choices})[1]

    def follow(self, wanted: Sequence[WantedStep]) -> Json:
        """Make one run that takes the wanted steps where they are offered; as `trail`."""
        return self._ask({"follow": wanted})[1]

    def outline(self, choices: Choices, check: str = "") -> Json:
        """Make one run and return what a reproduction of its violation needs; see `outline`."""
        return self._ask({"outline": choices, "check": check})[1]

    def begin(self) -> Json:
        """Begin a run that is chosen step by step, on the first worker; returns its node."""
        return self._workers[0].ask({"live": "begin"})

    def take(self, choice: int) -> Json:
        """Take a step of that run; returns the node it leads to and the findings so far."""
        return self._workers[0].ask({"live": "take", "choice": choice})

    def finish(self) -> Json:
        """End that run; returns the findings."""
        return self._workers[0].ask({"live": "finish"})

    def _ask(self, request: Json) -> tuple[int, Json]:
        number = self._idle.get()
        try:
            return number, self._workers[number].ask(request)
        finally:
            self._idle.put(number)

    def _end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._threads.shutdown(wait=True, cancel_futures=True)
