"""Every law of virtual time, and how it compares with a real event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_conformance.clock import (
    EPOCH,
    TURN_LIMIT,
    Deadlock,
    ForeignThread,
    NameLookup,
    NeverAtRest,
    VirtualLoop,
    VirtualTime,
    run_virtual,
)

T = TypeVar("T")

CLOCKS = (time.time, time.monotonic, time.perf_counter)
"""The clocks of the standard library as they are outside of virtual time."""

NAP = 0.05
"""Real seconds that an executor job takes; a loop that does not wait for it is ahead by then."""


class StopError(Exception):
    """Raised on purpose."""


def clocks() -> tuple[object, ...]:
    """The clocks of the standard library as they are now."""
    return (time.time, time.monotonic, time.perf_counter)


# -- time and rest ----------------------------------------------------------------------------


def test_time_stands_still_until_it_is_moved() -> None:
    """However much happens at an instant, and however long it takes, time is the same."""

    async def main(loop: VirtualLoop) -> list[float]:
        seen = [loop.time()]
        for _ in range(100):
            await asyncio.sleep(0)
        real_nap()
        await loop.settle()
        seen.append(loop.time())
        await loop.advance(1.5)
        seen.append(loop.time())
        return seen

    assert run_virtual(main) == [0.0, 0.0, 1.5]


def real_nap() -> None:
    """Let real time pass."""
    threading.Event().wait(NAP)


def test_settle_returns_when_nothing_is_ready() -> None:
    """Whatever can run at this instant has run, through tasks, callbacks, futures and queues."""

    async def main(loop: VirtualLoop) -> list[str]:
        done: list[str] = []
        queue: asyncio.Queue[str] = asyncio.Queue()
        gate = asyncio.Event()

        async def chain(depth: int) -> None:
            if depth:
                await asyncio.create_task(chain(depth - 1))
            else:
                queue.put_nowait("last")

        async def reader() -> None:
            done.append(await queue.get())
            gate.set()

        async def waiter() -> None:
            await gate.wait()
            loop.call_soon(loop.call_soon, done.append, "called")

        tasks = [asyncio.create_task(part) for part in (waiter(), reader(), chain(50))]
        assert done == []
        await loop.settle()
        assert all(task.done() for task in tasks)
        return done

    assert run_virtual(main) == ["last", "called"]


def test_timers_in_the_future_do_not_keep_from_rest() -> None:
    """Settling fires nothing that is due later, even a moment later."""

    async def main(loop: VirtualLoop) -> tuple[list[str], float]:
        fired: list[str] = []
        loop.call_later(0.001, fired.append, "soon")
        sleeper = asyncio.create_task(asyncio.sleep(1))
        await loop.settle()
        await loop.settle()
        assert not sleeper.done()
        return fired, loop.time()

    assert run_virtual(main) == ([], 0.0)


def test_timers_that_are_due_keep_from_rest() -> None:
    """A timer for now or for the past is ready to run, and so is what it sets off."""

    async def main(loop: VirtualLoop) -> list[str]:
        fired: list[str] = []
        await loop.advance(5)
        loop.call_at(5, fired.append, "now")
        loop.call_at(4, fired.append, "past")
        loop.call_later(0, loop.call_soon, fired.append, "then")
        await loop.settle()
        return fired

    assert sorted(run_virtual(main)) == ["now", "past", "then"]


def test_a_chain_of_timers_for_now_is_run_to_its_end() -> None:
    """Timers for now that set timers for now all fire before the client is at rest."""

    async def main(loop: VirtualLoop) -> list[int]:
        fired: list[int] = []

        def link(number: int) -> None:
            fired.append(number)
            if number < 5:
                loop.call_later(0, link, number + 1)

        link(0)
        await loop.settle()
        return fired

    assert run_virtual(main) == [0, 1, 2, 3, 4, 5]


def test_a_loop_that_never_rests_raises() -> None:
    """A client that keeps the loop busy at one instant is told, after the limit of turns."""
    turns: list[None] = []

    async def main(loop: VirtualLoop) -> None:
        async def spin() -> None:
            while True:
                turns.append(None)
                await asyncio.sleep(0)

        task = asyncio.create_task(spin())
        await loop.settle()
        task.cancel()

    with pytest.raises(NeverAtRest, match=str(TURN_LIMIT)):
        run_virtual(main)
    assert TURN_LIMIT - 5 < len(turns) < TURN_LIMIT + 5
    assert clocks() == CLOCKS


def test_whoever_waits_for_rest_is_told_that_there_is_none() -> None:
    """NeverAtRest is raised by `settle`, as it says, so that a run can end with a verdict."""

    async def main(loop: VirtualLoop) -> str:
        async def spin() -> None:
            while True:
                await asyncio.sleep(0)

        task = asyncio.create_task(spin())
        try:
            await loop.settle()
        except NeverAtRest:
            return "told"
        finally:
            task.cancel()
        return "at rest"

    assert run_virtual(main) == "told"


def test_a_busy_but_finite_client_comes_to_rest() -> None:
    """The limit is on turns since the last rest, not in all."""

    async def main(loop: VirtualLoop) -> int:
        turns = 0
        for _ in range(3):
            for _ in range(TURN_LIMIT // 2):
                await asyncio.sleep(0)
                turns += 1
            await loop.settle()
        return turns

    assert run_virtual(main) == 3 * (TURN_LIMIT // 2)


@pytest.mark.parametrize("seconds", [0, 1])
def test_waiting_for_what_cannot_come_raises(seconds: int) -> None:
    """With nothing ready and nobody to move time, waiting raises instead of hanging."""

    async def main(loop: VirtualLoop) -> None:
        await (asyncio.sleep(seconds) if seconds else loop.create_future())

    with pytest.raises(Deadlock):
        run_virtual(main)
    assert clocks() == CLOCKS


# -- deadlines --------------------------------------------------------------------------------


def test_equal_deadlines_fire_in_the_order_they_were_set() -> None:
    """Hundreds of timers for the same instant, set through every call, keep their order."""

    async def main(loop: VirtualLoop) -> list[int]:
        fired: list[int] = []

        async def sleeper(number: int) -> None:
            await asyncio.sleep(2.0)
            fired.append(number)

        for number in range(0, 300, 3):
            loop.call_at(2.0, fired.append, number)
            loop.call_later(2.0, fired.append, number + 1)
            loop.call_at(1.0 + 1.0, fired.append, number + 2)
        await loop.advance(2)
        firsts = [asyncio.create_task(sleeper(number)) for number in range(300, 350)]
        await loop.settle()
        await loop.advance(2)
        assert all(task.done() for task in firsts)
        return fired

    assert run_virtual(main) == list(range(350))


def test_deadlines_set_at_different_times_for_the_same_instant_keep_their_order() -> None:
    """Whoever set it earlier is served earlier, though the delays differ."""

    async def main(loop: VirtualLoop) -> list[str]:
        fired: list[str] = []
        loop.call_later(4, fired.append, "first")
        await loop.advance(1)
        loop.call_later(3, fired.append, "second")
        await loop.advance(2)
        loop.call_later(1, fired.append, "third")
        await loop.advance(1)
        return fired

    assert run_virtual(main) == ["first", "second", "third"]


def test_advance_rests_at_each_deadline() -> None:
    """Each timer, and all that it sets off, happens at its own instant, before the next one."""

    async def main(loop: VirtualLoop) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def ticker(name: str, gap: float, times: int) -> None:
            for _ in range(times):
                await asyncio.sleep(gap)
                await asyncio.sleep(0)
                await asyncio.create_task(note(name))

        async def note(name: str) -> None:
            seen.append((name, loop.time()))

        tasks = [asyncio.create_task(ticker(*each)) for each in (("a", 1.0, 4), ("b", 1.5, 2))]
        await loop.settle()
        await loop.advance(3.5)
        assert loop.time() == 3.5
        for task in tasks:
            task.cancel()
        return seen

    assert run_virtual(main) == [("a", 1.0), ("b", 1.5), ("a", 2.0), ("b", 3.0), ("a", 3.0)]


def test_advance_ends_at_rest_at_its_end() -> None:
    """A timer at the very end has fired, one just behind it has not, and what is ready has run."""

    async def main(loop: VirtualLoop) -> list[str]:
        seen: list[str] = []
        loop.call_at(1.0, loop.call_soon, seen.append, "at the end")
        loop.call_at(1.001, seen.append, "behind")
        await loop.advance_to(1.0)
        loop.call_soon(seen.append, "ready")
        await loop.advance(0.0005)
        return seen

    assert run_virtual(main) == ["at the end", "ready"]


def test_time_never_moves_back() -> None:
    """Advancing to a moment that is past changes nothing."""

    async def main(loop: VirtualLoop) -> float:
        await loop.advance(2)
        await loop.advance_to(1)
        await loop.advance(0)
        return loop.time()

    assert run_virtual(main) == 2.0


def test_next_deadline() -> None:
    """The nearest timer counts; none if there is none, or if all were cancelled or have fired."""

    async def main(loop: VirtualLoop) -> list[float | None]:
        seen = [loop.next_deadline()]
        late, soon = loop.call_at(3, int), loop.call_at(2, int)
        seen.append(loop.next_deadline())
        soon.cancel()
        seen.append(loop.next_deadline())
        loop.call_at(1, int)
        seen.append(loop.next_deadline())
        await loop.advance_to(1)
        seen.append(loop.next_deadline())
        late.cancel()
        seen.append(loop.next_deadline())
        loop.call_soon(int)
        seen.append(loop.next_deadline())
        return seen

    assert run_virtual(main) == [None, 2, 3, 1, 3, None, None]


def test_a_cancelled_deadline_is_not_stopped_at() -> None:
    """A timeout that was not needed leaves nothing behind: advance passes over it."""

    async def main(loop: VirtualLoop) -> tuple[float | None, list[float]]:
        moments: list[float] = []
        gate = asyncio.Event()
        waiting = asyncio.create_task(asyncio.wait_for(gate.wait(), 10))
        await loop.settle()
        assert loop.next_deadline() == 10
        gate.set()
        await loop.settle()
        assert waiting.result() is True
        after = loop.next_deadline()
        settle = loop.settle

        async def noted() -> None:
            moments.append(loop.time())
            await settle()

        loop.settle = noted  # type: ignore[method-assign]
        await loop.advance(20)
        return after, moments

    assert run_virtual(main) == (None, [20.0])


def test_a_deadline_that_has_fired_is_none() -> None:
    """When equal deadlines have fired, nothing is due any more."""

    async def main(loop: VirtualLoop) -> tuple[list[int], float | None]:
        fired: list[int] = []
        for number in range(3):
            loop.call_at(1.0, fired.append, number)
        await loop.advance_to(1.0)
        return fired, loop.next_deadline()

    assert run_virtual(main) == ([0, 1, 2], None)


def test_a_timeout_falls_due_at_its_time() -> None:
    """`wait_for` and `timeout` of asyncio end exactly when they say."""

    async def main(loop: VirtualLoop) -> tuple[float, float]:
        async def late() -> float:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 2.5)
            return loop.time()

        task = asyncio.create_task(late())
        await loop.settle()
        await loop.advance(2.25)
        assert not task.done()
        await loop.advance(0.5)
        return task.result(), loop.time()

    assert run_virtual(main) == (2.5, 2.75)


# -- threads and the outside world ------------------------------------------------------------


def test_an_executor_job_holds_the_clock() -> None:
    """The client is not at rest while a job runs, and no timer fires meanwhile."""

    async def main(loop: VirtualLoop) -> list[str]:
        seen: list[str] = []

        async def work() -> None:
            await loop.run_in_executor(None, real_nap)
            seen.append("job")
            await asyncio.to_thread(real_nap)
            seen.append("thread")

        task = asyncio.create_task(work())
        loop.call_later(0.001, seen.append, "timer")
        await loop.settle()
        assert task.done()
        assert loop.time() == 0.0
        await loop.advance(1)
        return seen

    assert run_virtual(main) == ["job", "thread", "timer"]


def test_a_job_that_fails_lets_go_of_the_clock() -> None:
    """A job that raises has ended: its error comes back, and time can move."""

    async def main(loop: VirtualLoop) -> float:
        def fail() -> None:
            raise StopError

        with pytest.raises(StopError):
            await loop.run_in_executor(None, fail)
        await loop.advance(1)
        assert loop.jobs == 0
        return loop.time()

    assert run_virtual(main) == 1.0


def test_a_job_that_cannot_start_does_not_hold_the_clock() -> None:
    """If the executor takes no job, the clock is free; or the next rest would never come."""

    async def main(loop: VirtualLoop) -> int:
        executor = ThreadPoolExecutor()
        executor.shutdown()
        with pytest.raises(RuntimeError):
            loop.run_in_executor(executor, int)
        return loop.jobs

    assert run_virtual(main) == 0


def test_a_job_that_nobody_waits_for_still_holds_the_clock() -> None:
    """Cancelling the future does not end the job: the client is at rest when the job has ended."""

    async def main(loop: VirtualLoop) -> list[str]:
        seen: list[str] = []

        def work() -> None:
            real_nap()
            seen.append("ended")

        future = loop.run_in_executor(None, work)
        loop.call_soon(future.cancel)
        await loop.settle()
        at_rest = list(seen)
        while not seen:
            real_nap()
        return at_rest

    assert run_virtual(main) == ["ended"]


HASTE = """
import asyncio, logging, sys, threading
from realtime_conformance.clock import run_virtual

sys.setswitchinterval(1e-6)
errors = []
handler = logging.Handler()
handler.emit = lambda record: errors.append(record.getMessage())
logging.getLogger().addHandler(handler)

async def short(loop):
    for _ in range(2_000):
        await loop.run_in_executor(None, int)
    await loop.settle()
    assert loop.jobs == 0

async def abandoned(loop):
    ended = []
    def work():
        threading.Event().wait(0.0005)
        ended.append(1)
    loop.call_soon(loop.run_in_executor(None, work).cancel)
    await loop.settle()
    before = list(ended)
    threading.Event().wait(0.001)
    assert before == ended

run_virtual(short)
for _ in range(200):
    run_virtual(abandoned)
print(errors)
"""


def test_no_job_is_lost_in_a_race() -> None:
    """Jobs that end at once, and jobs that nobody waits for, are counted whatever thread is first.

    In a process of its own that changes threads all the time: a lost result would never come.
    """
    path = os.pathsep.join(sys.path)
    said = subprocess.run(
        [sys.executable, "-c", HASTE],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=8,
        check=True,
    )
    assert said.stdout.strip() == "[]"


def in_a_thread(act: Callable[[], object]) -> BaseException | None:
    """What `act` raises in a thread of its own; None if nothing."""
    raised: list[BaseException | None] = [None]

    def body() -> None:
        try:
            act()
        except BaseException as error:
            raised[0] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return raised[0]


def test_a_foreign_thread_is_refused() -> None:
    """A thread that is no job cannot call into the loop; the loop's own thread can."""

    async def main(loop: VirtualLoop) -> tuple[BaseException | None, list[str]]:
        seen: list[str] = []
        error = in_a_thread(partial(loop.call_soon_threadsafe, seen.append, "foreign"))
        loop.call_soon_threadsafe(seen.append, "own")
        await loop.settle()
        return error, seen

    error, seen = run_virtual(main)
    assert isinstance(error, ForeignThread)
    assert seen == ["own"]


def test_a_coroutine_from_a_foreign_thread_is_refused() -> None:
    """The public way of asyncio into a loop from outside is refused too."""

    async def nothing() -> None:
        pass

    async def main(loop: VirtualLoop) -> BaseException | None:
        part = nothing()
        error = in_a_thread(lambda: asyncio.run_coroutine_threadsafe(part, loop))
        part.close()
        return error

    assert isinstance(run_virtual(main), ForeignThread)


@pytest.mark.parametrize("host", ["realtime.invalid", "localhost", "127.0.0.1"])
def test_a_name_look_up_is_refused(host: str) -> None:
    """Looking up a host raises and says which; also on the way to opening a connection."""

    async def main(loop: VirtualLoop) -> None:
        with pytest.raises(NameLookup, match=host):
            await loop.getaddrinfo(host, 443)
        if host == "realtime.invalid":
            await asyncio.open_connection(host, 443)

    if host == "realtime.invalid":
        with pytest.raises(NameLookup, match=r"'realtime\.invalid':443"):
            run_virtual(main)
    else:
        run_virtual(main)


# -- the standard clocks ----------------------------------------------------------------------


def test_wall_clocks_agree_with_the_loop() -> None:
    """All clocks of the standard library stand still and move with the loop."""

    async def main(loop: VirtualLoop) -> list[tuple[float, ...]]:
        seen = []
        for _ in range(2):
            seen.append((loop.time(), time.time() - EPOCH, time.monotonic(), time.perf_counter()))
            await loop.advance(7.5)
        return seen

    assert run_virtual(main) == [(0.0,) * 4, (7.5,) * 4]
    assert clocks() == CLOCKS


def test_wall_clocks_are_restored_after_an_exception() -> None:
    """Whatever ends the run, the real clocks are back, and the next run begins at zero."""

    async def fails(loop: VirtualLoop) -> None:
        await loop.advance(5)
        raise StopError

    async def ends(_: VirtualLoop) -> float:
        return time.monotonic()

    with pytest.raises(StopError):
        run_virtual(fails)
    assert clocks() == CLOCKS
    assert run_virtual(ends) == 0.0
    assert clocks() == CLOCKS


# -- the end of a run -------------------------------------------------------------------------


def test_what_is_left_is_ended() -> None:
    """Tasks that still run are cancelled and may take their time over it, in virtual time."""
    ended: list[tuple[str, float]] = []
    loops: list[VirtualLoop] = []

    async def lingering(loop: VirtualLoop) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(30)
            ended.append(("lingering", loop.time()))

    async def main(loop: VirtualLoop) -> None:
        loops.append(loop)
        loop.task = asyncio.create_task(lingering(loop))  # type: ignore[attr-defined]
        await loop.settle()

    began = time.monotonic()
    run_virtual(main)
    assert ended == [("lingering", 30.0)]
    assert time.monotonic() - began < 5
    assert loops[0].is_closed()


def test_a_task_that_will_not_end_raises() -> None:
    """A task that ignores its cancellation and waits for nothing raises instead of hanging."""

    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async def main(loop: VirtualLoop) -> None:
        loop.task = asyncio.create_task(stubborn())  # type: ignore[attr-defined]
        await loop.settle()

    with pytest.raises(Deadlock, match="stubborn"):
        run_virtual(main)
    assert clocks() == CLOCKS


def test_a_run_can_be_made_bit_by_bit() -> None:
    """Between two bits nothing moves and the real clocks are back; the tasks go on in the next."""
    virtual = VirtualTime()
    ticks: list[float] = []

    async def ticker() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(time.monotonic())

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(ticker())
        await virtual.loop.settle()
        return task

    task = virtual.run(begin())
    real_nap()
    assert (clocks(), ticks) == (CLOCKS, [])
    virtual.run(virtual.loop.advance(2.5))
    assert (clocks(), ticks, virtual.loop.time()) == (CLOCKS, [1.0, 2.0], 2.5)
    virtual.finish()
    assert clocks() == CLOCKS
    assert task.cancelled()
    assert virtual.loop.is_closed()


# -- the same program twice, and on other loops -----------------------------------------------

Plan = list[tuple[int, int, int]]
"""One worker each: how long it sleeps the first and second time, and how often it yields."""


def program(plan: Plan, unit: float) -> Callable[[], Coroutine[Any, Any, list[tuple[int, int]]]]:
    """Workers that sleep, yield and wait for each other; gives the order of what they did."""

    async def main() -> list[tuple[int, int]]:
        log: list[tuple[int, int]] = []
        turn = asyncio.Condition()

        async def worker(number: int, first: int, second: int, yields: int) -> None:
            await asyncio.sleep(first * unit)
            log.append((number, 0))
            for _ in range(yields):
                await asyncio.sleep(0)
            async with turn:
                log.append((number, 1))
                turn.notify_all()
            await asyncio.sleep(second * unit)
            log.append((number, 2))

        await asyncio.gather(*(worker(number, *each) for number, each in enumerate(plan)))
        return log

    return main


def virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a program that knows nothing of virtual time."""

    async def driven(loop: VirtualLoop) -> T:
        task = asyncio.create_task(main())
        await loop.settle()
        while not task.done():
            due = loop.next_deadline()
            assert due is not None
            await loop.advance_to(due)
        return task.result()

    return run_virtual(driven)


PLANS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=50)
@given(PLANS)
def test_the_same_program_runs_the_same_way(plan: Plan) -> None:
    """What happens depends on the program alone, and on the order of its deadlines."""
    once = virtually(program(plan, 0.25))
    assert virtually(program(plan, 0.25)) == once
    assert virtually(program(plan, 3600.0)) == once


def test_plain_asyncio_agrees() -> None:
    """On a real loop the same program, with no two deadlines near each other, does the same."""
    plan = [(3, 4, 1), (1, 9, 2), (5, 0, 0), (0, 2, 3), (8, 3, 1)]
    assert virtually(program(plan, 0.02)) == asyncio.run(program(plan, 0.02)())


@settings(deadline=None, max_examples=30)
@given(PLANS)
def test_looptime_agrees(plan: Plan) -> None:
    """An independent implementation of virtual time runs a program in the same order.

    Deadlines are all different: equal ones fire in any order there.
    """
    looptime = pytest.importorskip("looptime")
    apart = [(40 * a + 2 * n, 200 + 40 * b + 7 * n, c) for n, (a, b, c) in enumerate(plan)]
    loop = looptime.new_event_loop()
    try:
        expected = loop.run_until_complete(program(apart, 0.25)())
    finally:
        loop.close()
    assert virtually(program(apart, 0.25)) == expected
