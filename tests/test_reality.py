"""Runs over a real socket in real time: judged as in virtual time, and told apart if they differ.

Laws:
- What is real is bounded: a run lasts as long as its playout and the rest that is waited for.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

from doubles.faulty import BusyWaits, NeverCloses, RaisesFromInterrupt, TruncatesUnheard
from doubles.reference import ReferenceClient
from realtime_conformance import clock, wallclock
from realtime_conformance.checks import CHECKS
from realtime_conformance.clients.interface import Client
from realtime_conformance.clients.livekit_agent import LivekitAgent
from realtime_conformance.clock import EPOCH, NeverAtRest
from realtime_conformance.confirm import (
    NothingToConfirm,
    Violation,
    compared,
    judged,
    lines,
    violations_of,
)
from realtime_conformance.reality import RealBench, repeated, steps_of
from realtime_conformance.runner import Bench
from realtime_conformance.transport.websocket import LoopbackServer
from realtime_conformance.wallclock import QUIET_SECONDS, RealLoop, TooSlow, run_real
from realtime_protocol.bounds import QUICK, audio_reply

SCOPE = audio_reply(TRANSCRIPTS=1, AUDIO=1, DELTA=2, STEP=1)


@pytest.fixture(autouse=True)
def _garbage_is_collected_by_the_runs() -> Iterator[None]:
    """Keep the collector to the ends of runs, and what was there before out of its way."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def ways(bench: Bench, rule: str) -> Iterator[tuple[int, ...]]:
    """Choices that take `rule` at each node of the happy path that offers it, in their order."""
    offers = bench.run().offers
    for number, offer in enumerate(offers):
        rules = [bench.machine.rules[option.rule].id for option in offer.options]
        if rule in rules:
            yield (*(o.taken or 0 for o in offers[:number]), rules.index(rule))


def made(client: Any, rule: str = "", scope: Any = SCOPE, most: float = 20.0) -> Any:
    """In both times, the first run that takes one rule and breaks something; or the happy path.

    Where none breaks anything it is the last.
    """
    bench, choices = Bench(scope, client), tuple[int, ...]()
    for choices in ways(bench, rule):
        if any(check.judge(bench.run(choices).history).findings for check in CHECKS):
            break
    return repeated(scope, client, 0, choices, most)


class Dated(ReferenceClient):
    """Has a fault that only the epoch of virtual time shows."""

    def interrupt(self) -> None:
        """Fail in the year in which virtual time begins."""
        if time.time() < EPOCH + 3600:
            raise RuntimeError("too early")
        super().interrupt()


class Hasty(ReferenceClient):
    """Has a timer that is due before anybody could wait for it."""

    def on_response_output_audio_done(self, event: Any) -> None:
        """Mark the end of a segment a little later."""
        late = QUIET_SECONDS / 5
        asyncio.get_running_loop().call_later(late, super().on_response_output_audio_done, event)


class Offended(ReferenceClient):
    """Says nothing in real time."""

    def send(self, event: str, **body: Any) -> None:
        """Keep it, but in virtual time."""
        if time.time() < EPOCH + 3600:
            super().send(event, **body)


# -- the same ---------------------------------------------------------------------------------


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("client", "rule"),
    [
        (ReferenceClient, ""),
        (ReferenceClient, "user.barges_in"),
        (TruncatesUnheard, "user.barges_in"),
        (RaisesFromInterrupt, "app.interrupt"),
        (NeverCloses, "app.interrupt"),
        (Hasty, ""),
    ],
)
def test_the_same_in_real_time(client: type[Client], rule: str) -> None:
    """The same steps are taken, the same messages are sent, and the same is broken."""
    told = made(client, rule)
    assert told["verdicts"]["real"] == told["verdicts"]["virtual"]
    assert compared(told["verdicts"]) == ["in real time: the same as in virtual time"]
    assert bool(told["verdicts"]["real"]) == (client not in (ReferenceClient, Hasty))
    sent = {
        time: [
            step["label"]
            for step in told[time]["steps"]
            if step["who"] == "client" and step["to"] == "server"
        ]
        for time in ("virtual", "real")
    }
    assert sent["real"] == sent["virtual"]
    assert len(sent["real"]) > 1


@pytest.mark.realtime
@pytest.mark.parametrize("scope", ["reconnection", "tool-round", "updates"])
def test_other_scopes(scope: str) -> None:
    """Handshakes, functions and context updates go over a real socket as well."""
    told = made(ReferenceClient, scope=QUICK.scopes[scope])
    assert told["why"] == ""
    assert told["verdicts"] == {"virtual": {}, "real": {}}


@pytest.mark.realtime
def test_time_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run lasts as long as its playout at least, and its client has a real socket."""
    opened: list[str] = []
    enter = LoopbackServer.__aenter__

    async def entered(server: LoopbackServer) -> LoopbackServer:
        await enter(server)
        opened.append(server.url)
        return server

    monkeypatch.setattr(LoopbackServer, "__aenter__", entered)
    outcome = Bench(SCOPE, ReferenceClient).run()
    began = time.monotonic()
    real = RealBench(SCOPE, ReferenceClient).repeat(outcome)
    assert time.monotonic() - began > outcome.history.entries[-1].time
    assert real.history.entries[-1].time > outcome.history.entries[-1].time > 0.3
    assert opened[0].startswith("ws://127.0.0.1:")
    assert steps_of(real) == steps_of(outcome)


# -- different --------------------------------------------------------------------------------


@pytest.mark.realtime
def test_a_fault_of_virtual_time_alone_is_told() -> None:
    """What only the virtual clock brings about is missing in real time, and so it is said."""
    told = made(Dated, "app.interrupt")
    fingerprint = "no-swallowed-exception / RuntimeError: too early / app.interrupt"
    assert fingerprint in told["verdicts"]["virtual"]
    assert fingerprint not in told["verdicts"]["real"]
    confirmed = judged(Violation(fingerprint, "", "id"), told)
    assert confirmed.result == "different"
    assert f"violation: {fingerprint}" in confirmed.lacks
    assert f"  only in virtual time: violation: {fingerprint}" in compared(told["verdicts"])


@pytest.mark.realtime
def test_a_run_that_takes_another_way_is_told() -> None:
    """A client that does not come where a step is possible differs, with the step."""
    told = made(Offended)
    assert told["real"] is None
    assert "to be possible as step" in told["why"]
    told["verdicts"]["virtual"] = {"it": "violation"}
    assert judged(Violation("it", "", "id"), told).result == "different"


@pytest.mark.realtime
def test_a_run_is_bounded() -> None:
    """What takes longer than it may is not made, and one that turns out to is given up."""
    told = made(ReferenceClient, most=0.1)
    assert told["why"] == "the run needs 0.4 s of real time, and may take 0.1"
    needed = told["needed"]
    slow = made(ReferenceClient, most=needed)
    assert "expected the run to end within" in slow["why"]
    assert told["late"]
    assert slow["late"]
    told["verdicts"]["virtual"] = {"it": "violation"}
    assert judged(Violation("it", "", "id"), told).result == "not replayable"


def test_what_virtual_time_does_not_show_is_not_confirmed() -> None:
    """A violation that is gone, or a run that was lost, is neither the same nor different."""
    told = {"verdicts": {"virtual": {"it": "advisory"}, "real": {"it": "advisory"}}, "needed": 1.0}
    gone = judged(Violation("it", "", "id"), told)
    lost = judged(Violation("it", "", "id"), {"lost": "a worker died"})
    assert gone.result == lost.result == "not replayable"
    assert "any more" in gone.why
    assert lines([gone, lost])[-1] == "2 violations: 0 same, 0 different, 2 not replayable"
    assert lines([gone])[2].strip() == "realtime-conformance replay id --real-time"


def test_a_change_of_verdict_is_a_difference() -> None:
    """An advisory where a violation was is not the same."""
    verdicts = {"virtual": {"it": "violation"}, "real": {"it": "advisory"}}
    confirmed = judged(
        Violation("it", "", "id"), {"verdicts": verdicts, "real": {}, "needed": 0.0, "why": ""}
    )
    assert confirmed.result == "different"
    assert confirmed.besides == ("advisory: it",)


def test_the_run_that_ends_first_is_taken() -> None:
    """Of all runs with one fingerprint the shortest in time; advisories are left alone."""
    findings = [
        {
            "verdict": verdict,
            "fingerprint": name,
            "text": "",
            "scenario": run,
            "steps": [{"at": at}],
        }
        for verdict, name, run, at in [
            ("violation", "b", "slow", 5000),
            ("violation", "b", "fast", 10),
            ("advisory", "c", "kind", 0),
            ("violation", "a", "other", 7),
        ]
    ]
    found = violations_of({"checks": [{"findings": findings}]})
    assert [(one.fingerprint, one.scenario) for one in found] == [("a", "other"), ("b", "fast")]
    with pytest.raises(NothingToConfirm, match="got none"):
        violations_of({"checks": []})


# -- the loop ---------------------------------------------------------------------------------


def on_loop(part: Any, limit: float = 5.0) -> Any:
    """What a coroutine gives on a loop in real time."""
    return run_real(part, limit)


@pytest.mark.realtime
def test_rest_is_quiet_and_not_the_end_of_timers() -> None:
    """What is ready runs before rest, what a job gives is waited for, and a far timer is not."""
    done: list[str] = []

    async def main(loop: RealLoop) -> float:
        loop.call_later(60.0, done.append, "late")
        loop.call_soon(loop.call_soon, done.append, "soon")
        job = loop.run_in_executor(None, time.sleep, 3 * QUIET_SECONDS)
        await loop.settle()
        assert job.done()
        return loop.time()

    assert 60.0 > on_loop(main) >= 3 * QUIET_SECONDS
    assert done == ["soon"]


@pytest.mark.realtime
def test_a_deadline_is_one_of_the_client() -> None:
    """Its own timer counts until it is cancelled; those of harness and line do not."""

    async def main(loop: RealLoop) -> None:
        assert loop.next_deadline() is None
        handle = loop.call_later(60.0, print)
        asyncio.get_running_loop().create_task(asyncio.sleep(30.0), name="sleeps")
        await loop.settle()
        assert loop.next_deadline() == pytest.approx(30.0, abs=1.0)
        assert loop.waiting()[-1] == "print"
        assert len(loop.waiting()) == 2
        assert [task.get_name() for task in loop.tasks() - {asyncio.current_task()}] == ["sleeps"]
        handle.cancel()
        assert len(loop.waiting()) == 1
        async with LoopbackServer(lambda _: None, lambda _: None) as server:
            socket = await server.http.ws_connect(server.url, heartbeat=20.0)
            await loop.settle()
            assert len(loop.waiting()) == 1
            assert len(loop.tasks() - {asyncio.current_task()}) == 1
            await socket.close()

    on_loop(main)


@pytest.mark.realtime
def test_time_passes_to_a_deadline() -> None:
    """Sleeping until a deadline lets it happen, and it counts no more."""
    done: list[float] = []

    async def main(loop: RealLoop) -> None:
        loop.call_later(0.05, lambda: done.append(loop.time()))
        due = loop.next_deadline()
        assert due is not None
        await loop.advance_to(due)
        assert loop.next_deadline() is None
        assert loop.waiting() == []
        await loop.turn(3)
        assert loop.turns == 0

    on_loop(main)
    assert done[0] >= 0.05


@pytest.mark.realtime
def test_a_loop_that_is_never_idle_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spinning is told from sleeping for short, which is rest after a while."""
    monkeypatch.setattr(wallclock, "SETTLE_SECONDS", 0.1)

    async def napping() -> None:
        while True:
            await asyncio.sleep(QUIET_SECONDS / 3)

    async def spinning() -> None:
        while True:
            await asyncio.sleep(0)

    async def main(loop: RealLoop, busy: Any) -> None:
        task = loop.create_task(busy())
        await loop.settle()
        task.cancel()

    on_loop(lambda loop: main(loop, napping))
    with pytest.raises(NeverAtRest, match=r"0\.1 s of real time"):
        on_loop(lambda loop: main(loop, spinning))


@pytest.mark.realtime
def test_a_client_that_spins_hangs_in_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same violation, by the wall clock as by turns."""
    monkeypatch.setattr(wallclock, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(clock, "TURN_LIMIT", 500)
    told = made(BusyWaits, "user.barges_in")
    assert told["verdicts"]["real"] == told["verdicts"]["virtual"]
    assert any(name.startswith("comes-to-rest") for name in told["verdicts"]["real"])


@pytest.mark.realtime
def test_what_does_not_end_is_given_up() -> None:
    """After the limit it is cancelled, and the loop is closed."""
    loops: list[RealLoop] = []

    async def main(loop: RealLoop) -> None:
        loops.append(loop)
        await loop.create_future()

    with pytest.raises(TooSlow, match=r"0\.05 s"):
        on_loop(main, 0.05)
    assert loops[0].is_closed()


# -- the published client ---------------------------------------------------------------------


@pytest.mark.slow  # seconds each, since time is real
@pytest.mark.realtime
@pytest.mark.parametrize(
    ("scope", "rule"),
    [
        ("audio-reply", ""),
        ("audio-reply", "app.interrupt"),
        ("reconnection", "network.drops"),
        ("tool-round", "user.barges_in"),
    ],
)
def test_the_agent_in_real_time(scope: str, rule: str) -> None:
    """The published agent breaks the same things over a real socket, or nothing."""
    told = made(LivekitAgent, rule, QUICK.scopes[scope], most=60.0)
    assert told["why"] == ""
    assert told["verdicts"]["real"] == told["verdicts"]["virtual"]
