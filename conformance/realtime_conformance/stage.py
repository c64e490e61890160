"""What a run acts on: the client, and everything that it touches.

Laws:
- An act does to the client what its rule says, and nothing of it has run when the act returns,
  unless time moves.
- What the client does is noted in the order in which it does it; nothing is judged here.
- The line, the speaker and the functions of the app are simulated; the client is the real one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from realtime_conformance.clients.interface import (
    Client,
    MissingSeam,
    Seams,
    ToolFailed,
    call_of,
    needs,
)
from realtime_conformance.clock import VirtualLoop
from realtime_conformance.evidence import Witness
from realtime_conformance.setting import SESSION_SECONDS, setting_of
from realtime_conformance.speaker import SAMPLE_RATE, Speaker
from realtime_conformance.transport.memory import Gate, MemorySession
from realtime_protocol.bounds import UNIT_MS
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule

SPEECH_SECONDS = 0.2
"""Sound that the microphone picks up before VAD announces speech, or before a manual commit."""

SAMPLES_PER_UNIT = SAMPLE_RATE * UNIT_MS // 1000
"""Samples in one unit of playout."""

UNAVAILABLE = 503
"""The HTTP status of a handshake that is refused."""

EXPIRED = 1001
"""What the server closes with (facts 7.4, 8 #24)."""

OUTPUT = "It is sunny."
"""What the app's function gives back."""


class NoConnection(Exception):
    """The client did not open its connection when it was started."""


class Doing(NamedTuple):
    """One thing that the client did: an act, the wire message of it, and the call that it names."""

    act: str
    message: Any = None
    call: str = ""


class Stage:
    """The client of one run, its line, its speaker and the functions of its app."""

    def __init__(
        self,
        machine: Machine,
        loop: VirtualLoop,
        witness: Witness,
        make_client: Callable[[Seams], Client],
    ) -> None:
        self.machine = machine
        """The machine of the phase: it knows how long a playout step is."""
        self._loop = loop
        self._witness = witness
        self._make_client = make_client
        self._delta = machine.bounds["DELTA"] * SAMPLES_PER_UNIT
        self._samples = 0
        self._calls: dict[str, asyncio.Future[str]] = {}
        self._opened = 0.0
        self._closing: asyncio.Task[None] | None = None
        self.beta = False
        """Whether the client speaks the names before GA."""
        self.doings: list[Doing] = []
        """What the client did since this was last taken."""
        self.speaker = Speaker(self._speaker_act)
        self.gate = Gate(self._knocked)
        self.http = MemorySession(self._accepted, self._received, self._hung_up, self.gate)

    # the client and its end

    async def begin(self) -> None:
        """Make the client and start it; it comes to rest with its handshake under way.

        Not made before, so that it sees the running loop and its own context.

        Raises:
            NoConnection: it has not begun to connect.
            MissingSeam: it lacks a call that the scope needs.
        """
        seams = Seams(
            self.http,
            self.speaker,
            setting=setting_of(self.machine.bounds),
            carry_out=self._carry_out,
        )
        self.client = self._make_client(seams)
        acts = (rule.event for rule in self.machine.rules if rule.actor == "app")
        missing = needs(self.client, (act for act in acts if not act.startswith("tool_")))
        if missing:
            kind = type(self.client).__name__
            raise MissingSeam(f"expected {kind} to have {', '.join(missing)} for this scope")
        self._starting = self._loop.create_task(self.client.start())
        await self._loop.settle()
        if not self.gate:
            raise NoConnection(
                f"expected the client to open a WebSocket when it starts, got {self._failure()}"
            )
        # the model takes the first socket for asked for
        self.doings.clear()

    def _failure(self) -> str:
        if not self._starting.done():
            return "no call"
        error = self._starting.exception()
        return "no call" if error is None else f"{type(error).__name__}: {error}"

    def close(self) -> asyncio.Task[None]:
        """Begin to close the session, once; the task ends when it is closed."""
        if self._closing is None:
            self._closing = self._loop.create_task(self.client.close())
        return self._closing

    # acts

    async def act(self, rule: Rule, call: str) -> None:
        """Do what a step of anyone but server and client does; `call` is the call it is about."""
        if rule.actor == "app":
            self._of_app(rule.event, call)
        elif rule.actor == "speaker":
            await self._playout(rule.event)
        elif rule.actor == "clock":
            await self._wait(rule.event)
        else:
            self._network(rule)

    def hear(self) -> None:
        """The user speaks."""
        self.attempt(lambda: self.client.hear(SPEECH_SECONDS))

    def deliver(self, text: str) -> None:
        """Put a server event on the line."""
        assert self.http.socket is not None
        self.http.socket.deliver(text)

    def attempt(self, act: Callable[[], object]) -> None:
        """Make a call of agent code; what it raises is evidence."""
        try:
            act()
        except Exception as error:
            self._witness.add("raised", f"{type(error).__name__}: {error}")

    def _of_app(self, act: str, call: str) -> None:
        if act == "close":
            self.attempt(self.close)
        elif act == "tool_returns":
            self._calls[call].set_result(OUTPUT)
        elif act == "tool_raises":
            self._calls[call].set_exception(ToolFailed("no such city"))
        elif act != "tool_hangs":
            self.attempt(getattr(self.client, call_of(act)))

    async def _playout(self, act: str) -> None:
        if act == "play":
            step = self.machine.bounds["STEP"]
            self.speaker.play(step * SAMPLES_PER_UNIT)
            await self._loop.advance(step * UNIT_MS / 1000)
        elif act != "stick":
            self.speaker.report()

    async def _wait(self, act: str) -> None:
        if act == "rotate":
            await self._loop.advance_to(self._opened + SESSION_SECONDS)
            return
        due = self._loop.next_deadline()
        assert due is not None
        await self._loop.advance_to(due)

    def _network(self, rule: Rule) -> None:
        socket = self.http.socket
        if rule.event == "open":
            self.gate.admit()
        elif rule.event == "refuse":
            self.gate.refuse(UNAVAILABLE)
        elif rule.event == "drop":
            assert socket is not None
            socket.drop()
        else:
            assert socket is not None
            socket.hang_up(EXPIRED)

    # what the client does

    def taken(self) -> list[Doing]:
        """What the client did since the last time this was asked."""
        doings, self.doings = self.doings, []
        return doings

    def _knocked(self) -> None:
        self.doings.append(Doing("connect"))

    def _hung_up(self) -> None:
        self.doings.append(Doing("close"))

    def _accepted(self, headers: Any) -> None:
        self.beta = "realtime=v1" in headers.get("OpenAI-Beta", "")
        self._opened = self._loop.time()

    def _received(self, text: str) -> None:
        message = json.loads(text)
        self.doings.append(Doing(str(message.get("type", "")), message))

    def _speaker_act(self, act: str, samples: int) -> None:
        if act != "capture":
            self._samples = 0
            self.doings.append(Doing(act))
            return
        self._samples += samples
        while self._samples >= self._delta:
            self._samples -= self._delta
            self.doings.append(Doing(act))

    async def _carry_out(self, call_id: str) -> str:
        """What the app's function does until the scenario ends it."""
        self._calls[call_id] = self._loop.create_future()
        self.doings.append(Doing("call", call=call_id))
        return await self._calls[call_id]
