"""Virtual time: an event loop whose clock stands still until it is told to move.

Laws:
- Time moves only by `advance`; everything else happens at one instant.
- `settle` returns when nothing is ready to run: the client is at rest. Timers in the future do
  not count.
- Equal deadlines fire in the order they were set.
- A job in an executor holds the clock: the client is not at rest while one runs.
- A call from a foreign thread outside such a job is an error, and so is a name look-up.
- A client that never comes to rest raises `NeverAtRest` after a number of turns of the loop.
- Wall clocks of the standard library agree with the loop while it runs, for whoever imports them
  or keeps them after this module was imported.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

EPOCH = 1_700_000_000.0
"""What `time.time()` says at virtual time 0, in seconds."""

RESOLUTION = 1e-9
"""Deadlines so many seconds apart fall due together; far more than equal ones are moved apart."""

TURN_LIMIT = 20_000
"""Turns of the loop without coming to rest after which a client counts as hanging."""


class NeverAtRest(Exception):
    """The client kept the loop busy at one instant for too many turns."""


class ForeignThread(RuntimeError):
    """A thread that is no executor job called into a loop in virtual time."""


class NameLookup(RuntimeError):
    """The client looked up a host name, which virtual time does not have."""


class Deadlock(RuntimeError):
    """Nothing is ready, nobody waits for that, and time cannot move."""


class Loop(Protocol):
    """What the conductor of a run asks of time, virtual or real; times in seconds of the loop."""

    def time(self) -> float:
        """Seconds since the loop was made."""

    def next_deadline(self) -> float | None:
        """When the client's next timer is due; None if it has none."""

    def waiting(self) -> list[str]:
        """Names of what the client's timers are to call, the next one first."""

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Tasks that are not done, but for those of the line."""

    async def settle(self) -> None:
        """Let the client come to rest."""

    async def turn(self, count: int) -> None:
        """Run so many turns of the loop, and no further."""

    @property
    def turns(self) -> int:
        """Turns of the loop that the newest `settle` took."""

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and the client come to rest."""

    async def advance_to(self, when: float) -> None:
        """Let time pass until `when`, and the client come to rest."""

    def set_exception_handler(
        self, handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None
    ) -> None:
        """Have `handler` told of what nobody else is told of."""


class _IdleSelector(selectors.DefaultSelector):
    """Asks no socket; tells the loop when nothing is ready."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return at once while something is ready; else hand over to the loop."""
        if timeout is not None and timeout <= RESOLUTION:
            self.loop.count_turn()
            # a job's result arrives through the loop's own pipe, so it must be looked at
            return super().select(0) if self.loop.jobs else []
        if self.loop.jobs:
            return super().select(None)
        self.loop.at_rest()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; drive it from a coroutine that runs on it."""

    def __init__(self) -> None:
        self.jobs = 0
        self._pool: ThreadPoolExecutor | None = None
        self._now = 0.0
        self._turns = 0
        self._thread = threading.get_ident()
        self._resting: asyncio.Future[None] | None = None
        self._deadlines: list[tuple[float, int, asyncio.TimerHandle, str]] = []
        self._last_at: dict[float, float] = {}
        self._set = 0
        selector = _IdleSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the base class, but equal deadlines keep the order they were set in."""
        # the base class keeps a heap ordered by deadline alone, which is not stable
        last = self._last_at.get(when)
        exact = when if last is None else math.nextafter(last, math.inf)
        self._last_at[when] = exact
        handle = super().call_at(exact, callback, *args, context=context)
        self._set += 1
        # its name alone: whoever keeps a callback keeps alive what it belongs to
        name = getattr(callback, "__qualname__", type(callback).__qualname__)
        heapq.heappush(self._deadlines, (exact, self._set, handle, name))
        return handle

    def next_deadline(self) -> float | None:
        """When the next timer is due, in seconds of the loop; None if there is none."""
        while self._deadlines:
            when, _, handle, _ = self._deadlines[0]
            if not handle.cancelled() and when > self._now + RESOLUTION:
                return when
            heapq.heappop(self._deadlines)
        return None

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Tasks that are not done."""
        return asyncio.all_tasks(self)

    def waiting(self) -> list[str]:
        """Names of what the timers that are not due yet are to call, the next one first."""
        return [
            name
            for when, _, handle, name in sorted(self._deadlines, key=lambda one: one[:2])
            if not handle.cancelled() and when > self._now + RESOLUTION
        ]

    async def settle(self) -> None:
        """Run until nothing is ready.

        Raises:
            NeverAtRest: the loop stays busy.
        """
        self._turns = 0
        self._resting = self.create_future()
        await self._resting

    @property
    def turns(self) -> int:
        """Turns of the loop that the newest `settle` took."""
        return self._turns

    async def turn(self, count: int) -> None:
        """Run so many turns of the loop, and no further: the client may not be at rest."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move time by `seconds`, coming to rest at every deadline on the way and at the end."""
        await self.advance_to(self._now + seconds)

    async def advance_to(self, when: float) -> None:
        """Move time to `when`, coming to rest at every deadline on the way and at the end."""
        while (due := self.next_deadline()) is not None and due <= when:
            self._now = due
            await self.settle()
        if self._now < when:
            self._now = when
            await self.settle()

    def count_turn(self) -> None:
        """Called once a turn while the loop is busy."""
        self._turns += 1
        if self._turns > TURN_LIMIT:
            self._turns = 0
            self._give_up(NeverAtRest(f"not at rest after {TURN_LIMIT} turns at one instant"))

    def _give_up(self, error: NeverAtRest) -> None:
        """Tell whoever waits for rest that it will not come; end the loop if nobody does."""
        resting, self._resting = self._resting, None
        if resting is None or resting.done():
            raise error
        resting.set_exception(error)

    def at_rest(self) -> None:
        """Called when nothing is ready: wakes whoever waits for that."""
        resting, self._resting = self._resting, None
        if resting is None or resting.done():
            raise Deadlock("nothing is ready and nobody waits for rest")
        resting.set_result(None)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As the base class, and the clock stands still until the job has ended."""
        gate = threading.Event()

        def job() -> T:
            gate.wait()
            return func(*args)

        self.jobs += 1
        try:
            running = (executor or self._threads()).submit(job)
        except BaseException:
            self.jobs -= 1
            raise
        future = asyncio.wrap_future(running, loop=self)
        # called after the result is handed over, also where nobody waits for it any more; the
        # gate keeps the job from ending before this is in place
        running.add_done_callback(lambda _: self.call_soon_threadsafe(self._job_ended))
        gate.set()
        return future

    def _job_ended(self) -> None:
        self.jobs -= 1

    def _threads(self) -> Executor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor()
        return self._pool

    def close(self) -> None:
        """As the base class; jobs that go on are left to their threads."""
        super().close()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As the base class, but only for executor jobs and the loop's own thread."""
        if threading.get_ident() != self._thread and not self.jobs:
            raise ForeignThread("a foreign thread called into a loop in virtual time")
        return super().call_soon_threadsafe(callback, *args, context=context)

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Refuse: a look-up leaves the process and takes real time."""
        raise NameLookup(f"look-up of {host!r}:{port!r} in virtual time")


class _Clock:
    """A clock of the standard library that agrees with the virtual loop that runs, if one does.

    It takes the place of the real one for good: a client may keep the function itself, as a default
    of a field for instance, and what it kept has to follow as well. An object, so that it is no
    method of a class that keeps it.
    """

    loop: VirtualLoop | None = None
    """The virtual loop that runs."""

    def __init__(self, name: str, epoch: float) -> None:
        self._real: Callable[[], float] = getattr(time, name)
        self._epoch = epoch

    def __call__(self) -> float:
        """Seconds."""
        loop = _Clock.loop
        return self._real() if loop is None else self._epoch + loop.time()


for _name, _epoch in (("time", EPOCH), ("monotonic", 0.0), ("perf_counter", 0.0)):
    setattr(time, _name, _Clock(_name, _epoch))


@contextmanager
def _clocks_of(loop: VirtualLoop) -> Iterator[None]:
    before, _Clock.loop = _Clock.loop, loop
    try:
        yield
    finally:
        _Clock.loop = before


class VirtualTime:
    """A virtual loop that is run bit by bit; the standard clocks agree with it while it runs."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()

    def run(self, part: Coroutine[Any, Any, T]) -> T:
        """Run one coroutine to its end; other tasks go on as far as it lets them."""
        with _clocks_of(self.loop):
            return self.loop.run_until_complete(part)

    def finish(self) -> None:
        """End every task and close the loop."""
        with _clocks_of(self.loop):
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(_ended(self.loop, tasks))
            self.loop.close()


def run_virtual(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main(loop)` on a new virtual loop from beginning to end."""
    virtual = VirtualTime()
    try:
        return virtual.run(main(virtual.loop))
    finally:
        virtual.finish()


async def _ended(loop: VirtualLoop, tasks: set[asyncio.Task[Any]]) -> None:
    await loop.settle()
    while pending := [task for task in tasks if not task.done()]:
        due = loop.next_deadline()
        if due is None:
            raise Deadlock(f"{len(pending)} tasks ignore cancellation, first {pending[0]!r}")
        await loop.advance_to(due)
