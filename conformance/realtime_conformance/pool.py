"""A pool of workers: hands out runs, collects replies in order, notices who dies or hangs.

Laws:
- Replies come in the order of the requests, whoever made them, so the number of workers changes
  nothing but the time.
- A worker that dies or says nothing for too long is replaced. The run that it was making is
  reported with the reply, and the rest of the request is done all the same.
- Work and replies are plain data.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import attrs

from realtime_conformance.blackbox import Begun, Box

Json = dict[str, Any]
Choices = tuple[int, ...]
WantedStep = tuple[int, bool, int]
"""The number of a rule, whether the next event comes right behind it, and after how many ticks."""

LAST_WORDS_SECONDS = 5.0
"""How long the end of a worker's standard error is waited for."""

SILENCE_SECONDS = 300.0
"""Real seconds after which a worker that says nothing counts as hanging."""

MOST_LOST = 8
"""Workers that are replaced in one pool; where more are lost, something else is wrong."""


@attrs.frozen
class Patience:
    """How long a worker may say nothing, in real seconds, and how many may be lost in a pool."""

    seconds: float = attrs.field(factory=lambda: SILENCE_SECONDS)
    losses: int = attrs.field(factory=lambda: MOST_LOST)


NOBODY = -1
"""The number of the worker where none is left to answer."""

NOTHING: Json = {"states": [], "edges": [], "pairs": [], "results": [], "premises": {}, "left": 0}
"""The reply to a request of which nothing is left."""


class WorkerLost(Exception):
    """A worker died or hung: what it was doing, and what it said last."""

    def __init__(self, text: str, how: str = "", begun: Begun | None = None) -> None:
        super().__init__(text)
        self.how = how
        """How it ended, and its last words."""
        self.begun = begun
        """The run that it was making, if it had begun one."""


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


Ask = Callable[[Json], Json]
"""Sends a request to one worker and gives back its reply."""

Talk = Callable[[Json, Ask], Json]
"""Does what a request wants with one worker, in one question or in several."""


def asked(request: Json, ask: Ask) -> Json:
    """Put the request to the worker as it is."""
    return ask(request)


def without(request: Json, begun: Begun | None) -> Json | None:
    """What is left of a request without a run that a worker was lost to; None for nothing."""
    if begun is None:
        return None
    given = list(begun.given)
    if "runs" in request:
        kept = [run for run in request["runs"] if list(run) != given]
        return {**request, "runs": kept} if 0 < len(kept) < len(request["runs"]) else None
    if "walks" in request:
        kept = [run for run in request["walks"] if list(run[0]) != given]
        return {**request, "walks": kept} if 0 < len(kept) < len(request["walks"]) else None
    if ("tails" in request or "ticks" in request) and given not in request.get("lost", ()):
        return {**request, "lost": [*request.get("lost", ()), given]}
    return None


class _Watchdog:
    """Ends a process that says nothing for too long.

    One thread for all questions: to start one for each would take longer than most answers do.
    """

    def __init__(self, kill: Callable[[], None], seconds: float) -> None:
        self.seconds = seconds
        self.bit = False
        """Whether it has ended the process."""
        self._kill = kill
        self._until: float | None = None
        self._ended = threading.Event()
        self._looks = min(seconds / 10, 1.0)
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def watching(self, sleeps: float) -> Iterator[None]:
        """Watch for as long as an answer is waited for, which may take `sleeps` seconds more."""
        self._until = time.monotonic() + self.seconds + sleeps
        try:
            yield
        finally:
            self._until = None

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._looks):
            until = self._until
            if until is not None and time.monotonic() > until:
                self.bit = True
                self._kill()
                return


class _Process:
    """One worker process."""

    def __init__(self, interpreter: Interpreter, setup: Setup, number: int, silence: float) -> None:
        self.number = number
        self._errors: list[str] = []
        self._box = Box()
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
        self._watchdog = _Watchdog(self._process.kill, silence)
        try:
            self.hello = self.drive(setup)
        except BaseException:
            self.end()
            raise

    def drive(self, setup: Setup) -> Json:
        """Drive what the setup says from now on; what the worker says of itself.

        Raises:
            WorkerLost: the process died or is silent.
            WorkerRefused: it says that this cannot be driven.
        """
        self._send({"setup": attrs.asdict(setup), "box": self._box.path})
        return self._receive("its setup")

    def ask(self, request: Json, sleeps: float = 0.0) -> Json:
        """Send a request and wait for the reply, over which the worker may sleep `sleeps` seconds.

        Raises:
            WorkerLost: the process died or is silent.
            WorkerRefused: it says that the request cannot be done.
        """
        self._send(request)
        return self._receive(json.dumps(request)[:200], sleeps)

    def end(self) -> None:
        """Stop the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.kill()
        self._process.wait()
        self._watchdog.end()
        self._box.remove()

    def _send(self, request: Json) -> None:
        assert self._process.stdin is not None
        # a dead process, or one that is being ended, is noticed when its reply is missing
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def _receive(self, doing: str, sleeps: float = 0.0) -> Json:
        assert self._process.stdout is not None
        try:
            with self._watchdog.watching(sleeps):
                line = self._process.stdout.readline()
        except ValueError:  # the stream was closed: the pool is being ended
            line = ""
        if not line:
            raise self._obituary(doing)
        reply: Json = json.loads(line)
        if "refused" in reply:
            raise WorkerRefused(reply["refused"])
        return reply

    def _obituary(self, doing: str) -> WorkerLost:
        code = self._process.wait()
        # its last words may still be on their way; a child of its own can hold the stream open
        self._listener.join(LAST_WORDS_SECONDS)
        how = (
            f"said nothing for {self._watchdog.seconds:.0f} s"
            if self._watchdog.bit
            else f"ended with code {code}"
        )
        last = self._errors[-1] if self._errors else "nothing on standard error"
        text = f"a worker {how} while doing {doing}: {last}"
        return WorkerLost(text, f"{how}: {last}", self._box.read())

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._errors = [*self._errors[-20:], line.strip()]


class Pool:
    """Workers that all drive the same client in the same scope, one scope after another."""

    def __init__(
        self,
        setup: Setup,
        jobs: int,
        interpreter: Interpreter | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._interpreter = interpreter or Interpreter()
        self._patience = patience or Patience()
        self._setup = setup
        self._threads = ThreadPoolExecutor(jobs)
        self._idle: queue.Queue[_Process] = queue.Queue()
        self._workers: list[_Process] = []
        self._numbers = itertools.count()
        self._losses = 0
        self._ending = False
        self.jobs = jobs
        self.hello: Json = {}
        """What a worker says of itself: Python and package versions."""

    def __enter__(self) -> Pool:
        """Start the workers.

        Raises:
            WorkerLost, WorkerRefused: one of them does not come up.
        """
        try:
            starting = [self._threads.submit(self._start) for _ in range(self.jobs)]
            for future in starting:
                self.hello = future.result().hello
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the workers."""
        self._end()

    def drive(self, setup: Setup) -> None:
        """Let all workers drive something else from now on: a client is imported but once.

        Waits for those that are still at work. What was lost so far is forgiven.

        Raises:
            WorkerLost, WorkerRefused: one of them does not come up.
        """
        self._setup, self._losses = setup, 0
        workers = [self._idle.get() for _ in range(self.jobs)]
        try:
            *_, self.hello = self._threads.map(lambda worker: worker.drive(setup), workers)
        finally:
            for worker in workers:
                self._idle.put(worker)

    def make(self, requests: Iterable[Json], talk: Talk = asked) -> Iterator[tuple[int, Json]]:
        """Do what each request wants; yields a worker's number and its reply in the given order.

        A reply has a list `lost`: the runs that a worker was lost to, each with its choices and how
        the worker ended. The rest of the request is done by another.

        Raises:
            WorkerLost: too many were lost, or one in whose place no other comes up.
            WorkerRefused: a worker says that the request cannot be done.
        """
        futures = [self._threads.submit(self._made, request, talk) for request in requests]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def show(self, choices: Choices) -> Json:
        """Make one run and return its timeline and its trace.

        Raises:
            WorkerLost: the worker died or hung over it; another is there in its place.
        """
        return self.ask({"show": choices})

    def real(self, choices: Choices, most: float) -> Json:
        """Make one run, and again in real time, for `most` seconds at most; see `repeated`."""
        return self.ask({"real": choices, "most": most}, sleeps=most)

    def trail(self, choices: Choices) -> Json:
        """Make one run and return the steps that it took; see `trail`."""
        return self.ask({"trail": choices})

    def follow(self, wanted: Sequence[WantedStep]) -> Json:
        """Make one run that takes the wanted steps where they are offered; as `trail`."""
        return self.ask({"follow": wanted})

    def outline(self, choices: Choices, check: str = "") -> Json:
        """Make one run and return what a reproduction of its violation needs; see `outline`."""
        return self.ask({"outline": choices, "check": check})

    def ask(self, request: Json, sleeps: float = 0.0) -> Json:
        """Put one request to any worker, which may sleep for `sleeps` seconds over it.

        Raises:
            WorkerLost: the worker died or hung over it; another is there in its place.
            WorkerRefused: it says that the request cannot be done.
        """
        with self.worker() as worker:
            return worker.ask(request, sleeps)

    @contextlib.contextmanager
    def worker(self) -> Iterator[_Process]:
        """A worker of one's own, for as long as one asks; one that is lost is replaced."""
        worker = self._idle.get()
        kept = True
        try:
            yield worker
        except WorkerLost:
            kept = False
            self._replace(worker)
            raise
        finally:
            if kept:
                self._idle.put(worker)

    def _made(self, request: Json, talk: Talk) -> tuple[int, Json]:
        lost: list[Json] = []
        left: Json | None = request
        while left is not None:
            try:
                with self.worker() as worker:
                    return worker.number, {**talk(left, worker.ask), "lost": lost}
            except WorkerLost as error:
                if self._ending or self._losses > self._patience.losses:
                    raise
                choices = list(error.begun.choices) if error.begun else None
                lost.append({"choices": choices, "how": error.how})
                left = without(left, error.begun)
        return NOBODY, {**NOTHING, "lost": lost}

    def _start(self) -> _Process:
        worker = _Process(
            self._interpreter, self._setup, next(self._numbers), self._patience.seconds
        )
        self._workers.append(worker)
        if self._ending:
            worker.end()
        self._idle.put(worker)
        return worker

    def _replace(self, worker: _Process) -> None:
        worker.end()
        self._losses += 1
        if not self._ending and self._losses <= self._patience.losses:
            self._start()

    def _end(self) -> None:
        self._ending = True
        for worker in list(self._workers):
            worker.end()
            self._idle.put(worker)  # for those who wait for one: they are told that it is gone
        self._threads.shutdown(wait=True, cancel_futures=True)


class Workers:
    """A pool that is started when it is first needed, and goes from scope to scope."""

    def __init__(self, jobs: int = 1, interpreter: Interpreter | None = None) -> None:
        self._jobs = jobs
        self._interpreter = interpreter
        self._started = contextlib.ExitStack()
        self._pool: Pool | None = None

    def __enter__(self) -> Workers:
        """Nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the workers, if there are any."""
        self._started.close()

    def drive(self, setup: Setup) -> Pool:
        """The pool, all of whose workers drive what the setup says.

        Raises:
            WorkerLost, WorkerRefused: one of them does not come up.
        """
        if self._pool is None:
            pool = Pool(setup, self._jobs, self._interpreter)
            self._pool = self._started.enter_context(pool)
        else:
            self._pool.drive(setup)
        return self._pool
