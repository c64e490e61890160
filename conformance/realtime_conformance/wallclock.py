"""Real time: an event loop with the shape of the virtual one, on sockets and the wall clock.

Laws:
- Who conducts a run asks for the same things as in virtual time: rest, turns, deadlines, time.
- The client is at rest once nothing was ready for `QUIET_SECONDS`: no callback, no timer, no
  socket, no job in an executor. Timers in the future do not count.
- Time goes by itself. `advance_to` sleeps, and what falls due meanwhile happens when it is due.
- A timer or a task belongs to who set it, asyncio's own code aside: those of the line and of the
  harness are none of the client's.
- What a client does at short delays happens while it is waited for, without a step of the clock.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from types import FrameType
from typing import Any, TypeVar

from realtime_conformance.clock import NeverAtRest

T = TypeVar("T")

QUIET_SECONDS = 0.010
"""Real seconds with nothing ready after which a client is at rest; both ends of a loopback socket
are served by one loop, so nothing is on its way by then."""

SETTLE_SECONDS = 5.0
"""Real seconds after which rest is waited for no longer: a client whose loop was never idle hangs,
and one that only sleeps for short is taken to be at rest."""

WAITERS = ("asyncio", "async_timeout")
"""Code that sets timers and tasks for whoever calls it."""

OTHERS = ("aiohttp", "aiohappyeyeballs", "realtime_conformance.transport", __name__)
"""Code whose timers and tasks are not the client's: the line and the harness."""

TURN = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]
"""What runs everything that is ready; whoever called it has set nothing."""


class TooSlow(TimeoutError):
    """A run in real time took longer than it may."""


class _QuietSelector(selectors.DefaultSelector):
    """Waits for sockets; tells the loop how long nothing was ready."""

    loop: RealLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the base class, but back as soon as the client is at rest."""
        loop = self.loop
        if not loop.settling:
            return super().select(timeout)
        if timeout is not None and timeout <= 0:
            loop.was_busy()
            return super().select(0)
        quiet = loop.until_quiet()
        came = super().select(quiet if timeout is None else min(timeout, quiet))
        # a process that is held up may have slept through it: nobody looked meanwhile
        came = came or super().select(0)
        if came or loop.until_quiet() > 0:
            loop.was_idle()
        else:
            loop.at_rest()
        return came


class RealLoop(asyncio.SelectorEventLoop):
    """An event loop in real time; drive it from a coroutine that runs on it."""

    def __init__(self) -> None:
        self._resting: asyncio.Future[None] | None = None
        self._began = 0.0
        self._quiet_since = 0.0
        self._settling_since = 0.0
        self._idle = False
        self._looked = 0.0
        self._jobs = 0
        self._set = 0
        self._deadlines: list[tuple[float, int, asyncio.TimerHandle, str]] = []
        self._others: set[asyncio.Task[Any]] = set()
        selector = _QuietSelector()
        selector.loop = self
        super().__init__(selector)
        self._began = super().time()
        self.set_task_factory(self._tasked)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return super().time() - self._began

    # who set what

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the base class; a timer of the client is a deadline."""
        handle = super().call_at(when, callback, *args, context=context)
        if not self._is_of_others(sys._getframe(1)):
            self._set += 1
            # its name alone: whoever keeps a callback keeps alive what it belongs to
            name = getattr(callback, "__qualname__", type(callback).__qualname__)
            heapq.heappush(self._deadlines, (when, self._set, handle, name))
        return handle

    def _tasked(
        self, loop: asyncio.AbstractEventLoop, part: Any, **options: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(part, loop=loop, **options)
        if self._is_of_others(sys._getframe(1)):
            self._others.add(task)
            task.add_done_callback(self._others.discard)
        return task

    def _is_of_others(self, frame: FrameType | None) -> bool:
        """Whether the innermost code that is not asyncio's own is that of line or harness."""
        while frame is not None and _within(frame, WAITERS):
            if frame.f_code is TURN:
                # a task may consist of asyncio's code alone; then it is asked for its owner
                return asyncio.current_task(self) in self._others
            frame = frame.f_back
        return frame is not None and _within(frame, OTHERS)

    def tasks(self) -> set[asyncio.Task[Any]]:
        """Tasks that are not done, but for those of the line."""
        return asyncio.all_tasks(self) - self._others

    def next_deadline(self) -> float | None:
        """When the client's next timer is due, in seconds of the loop; None if it has none.

        One that fell due since the client was last at rest still counts.
        """
        while self._deadlines:
            when, _, handle, _ = self._deadlines[0]
            if not handle.cancelled() and when > self._looked:
                return when
            heapq.heappop(self._deadlines)
        return None

    def waiting(self) -> list[str]:
        """Names of what the client's timers are to call, the next one first."""
        return [
            name
            for when, _, handle, name in sorted(self._deadlines, key=lambda one: one[:2])
            if not handle.cancelled() and when > self._looked
        ]

    # rest and time

    async def settle(self) -> None:
        """Run until nothing was ready for `QUIET_SECONDS`.

        Raises:
            NeverAtRest: the loop was not idle once in `SETTLE_SECONDS`.
        """
        self._settling_since = self._quiet_since = self.time()
        self._idle = False
        self._resting = self.create_future()
        await self._resting
        self._looked = self.time()

    @property
    def turns(self) -> int:
        """Nothing: turns of a loop with sockets are not the same twice."""
        return 0

    async def turn(self, count: int) -> None:
        """Run so many turns of the loop, those that the line takes included."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and come to rest."""
        await self.advance_to(self.time() + seconds)

    async def advance_to(self, when: float) -> None:
        """Sleep until `when`, and come to rest."""
        await asyncio.sleep(when - self.time())
        await self.settle()

    @property
    def settling(self) -> bool:
        """Whether rest is waited for."""
        return self._resting is not None

    def until_quiet(self) -> float:
        """Seconds that are left until the client counts as at rest, if nothing comes."""
        return max(self._quiet_since + QUIET_SECONDS - self.time(), 0.0)

    def was_busy(self) -> None:
        """Called when something is ready at once."""
        self._quiet_since = self.time()
        if self._quiet_since > self._settling_since + SETTLE_SECONDS:
            self._give_up()

    def was_idle(self) -> None:
        """Called when a timer or a socket came after a while of nothing."""
        self._idle = True
        self.was_busy()

    def at_rest(self) -> None:
        """Called when nothing was ready for long enough; wakes whoever waits for that."""
        if self._jobs:
            self.was_idle()
            return
        resting, self._resting = self._resting, None
        if resting is not None and not resting.done():
            resting.set_result(None)

    def _give_up(self) -> None:
        resting, self._resting = self._resting, None
        if resting is None or resting.done():
            return
        if self._idle:
            resting.set_result(None)
        else:
            why = f"not at rest after {SETTLE_SECONDS:g} s of real time"
            resting.set_exception(NeverAtRest(why))

    async def end(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Cancel tasks, and wait a while for their end."""
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SETTLE_SECONDS)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As the base class, and the client is not at rest until the job has ended."""
        self._jobs += 1
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._job_ended)
        return future

    def _job_ended(self, job: asyncio.Future[Any]) -> None:  # noqa: ARG002
        self._jobs -= 1


def _within(frame: FrameType, packages: tuple[str, ...]) -> bool:
    module = frame.f_globals.get("__name__", "")
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def run_real(main: Callable[[RealLoop], Coroutine[Any, Any, T]], limit: float) -> T:
    """Run `main(loop)` on a new loop in real time, for `limit` seconds at most.

    Raises:
        TooSlow: it did not end by then.
    """
    loop = RealLoop()
    try:
        return loop.run_until_complete(_bounded(main(loop), limit))
    finally:
        _finish(loop)


async def _bounded(main: Coroutine[Any, Any, T], limit: float) -> T:
    running = asyncio.ensure_future(main)
    done, _ = await asyncio.wait([running], timeout=limit)
    if not done:
        running.cancel()
        await asyncio.wait([running])
        raise TooSlow(f"expected the run to end within {limit:g} s of real time, got no end")
    return running.result()


def _finish(loop: RealLoop) -> None:
    """End every task and close the loop."""
    loop.run_until_complete(loop.end(asyncio.all_tasks(loop)))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
