"""What a run acts on: the client, its line, its speaker and the functions of its app.

Laws:
- An act does one thing to the client, and nothing of it has run when the act returns; time and
  rest are for whoever conducts the run.
- What the client does is noted in the order in which it does it; nothing is judged here.
- The line, the speaker and the functions are simulated; the client is the real one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from realtime_conformance.clients.interface import Client, Http, Seams, ToolFailed, call_of
from realtime_conformance.setting import Setting
from realtime_conformance.sound import Heard, recognised
from realtime_conformance.speaker import Speaker

SPEECH_SECONDS = 0.2
"""Sound that the microphone picks up before VAD announces speech, or before a manual commit."""

UNAVAILABLE = 503
"""The HTTP status of a handshake that is refused."""

EXPIRED = 1001
"""What the server closes with (facts 7.4, 8 #24)."""

OUTPUT = "It is sunny."
"""What the app's function gives back."""

TROUBLE = "no such city"
"""What the app's function ends with where it fails."""


class Socket(Protocol):
    """The server's end of one connection."""

    def deliver(self, text: str) -> None:
        """Put one text frame on its way to the client."""

    def hang_up(self, code: int) -> None:
        """Close the connection behind what is on its way."""

    @property
    def closed(self) -> bool:
        """Whether either side has closed it."""

    def drop(self) -> None:
        """Break the connection; what is on its way is lost."""


class Gate(Protocol):
    """Where handshakes wait until they are let in or turned away."""

    def __bool__(self) -> bool:
        """Whether one waits."""

    def admit(self) -> None:
        """Let the oldest succeed."""

    def refuse(self, status: int) -> None:
        """Answer the oldest with an HTTP status that is no success."""


class Line(Protocol):
    """What the client connects to; the socket is None until it does."""

    url: str

    @property
    def gate(self) -> Gate:
        """Where its handshakes wait."""

    @property
    def http(self) -> Http:
        """What the client opens its connections with."""

    @property
    def socket(self) -> Socket | None:
        """The server's end of the newest connection."""


class Doing(NamedTuple):
    """One thing that the client did: an act, and what it is about.

    That is a wire message, a function call, or a delta of a message that is handed to the speaker.
    """

    act: str
    message: Any = None
    call: str = ""
    delta: tuple[int, int] | None = None
    """Item and number."""


class Stage:
    """The client of one run, and everything that it touches.

    `samples` is the length of an audio delta: so many handed to the speaker are one `capture`.
    `raised` is told of what a call of agent code lets through.
    """

    def __init__(self, samples: int, raised: Callable[[Exception], None]) -> None:
        self._delta = samples
        self._captured = (-1, 0, 0)
        """Item and number of the delta that is handed over, and how much of it was."""
        self._raised = raised
        self._calls: dict[str, asyncio.Future[str]] = {}
        self._starting: asyncio.Task[None]
        self._closing: asyncio.Task[None] | None = None
        self._doings: list[Doing] = []
        self.beta = False
        """Whether the client speaks the names before GA."""
        self.count = 0
        """How much the client did so far."""
        self.speaker = Speaker(self._speaker_act)
        self.line: Line
        self.client: Client

    # the client and its end

    def enter(self, line: Line, setting: Setting, make_client: Callable[[Seams], Client]) -> None:
        """Make the client; not before, so that it sees the running loop and its own context."""
        self.line = line
        self.client = make_client(
            Seams(line.http, self.speaker, line.url, setting, self._carry_out)
        )

    def start(self) -> None:
        """Let the client start; its handshake is under way once it comes to rest."""
        self._starting = asyncio.get_running_loop().create_task(self.client.start())

    def failure(self) -> str:
        """What became of a start that did not connect."""
        if not self._starting.done():
            return "no call"
        error = self._starting.exception()
        return "no call" if error is None else f"{type(error).__name__}: {error}"

    def close(self) -> asyncio.Task[None]:
        """Let the client close the session, once; the task ends when it is closed."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self.client.close())
        return self._closing

    def ask(self, question: Callable[[Client], dict[str, Any]]) -> dict[str, Any]:
        """What the client says of itself; nothing where it fails to, which is evidence."""
        try:
            return question(self.client)
        except Exception as error:
            self._raised(error)
            return {}

    # acts

    def hear(self) -> None:
        """The user speaks."""
        self._attempt(lambda: self.client.hear(SPEECH_SECONDS))

    def deliver(self, text: str) -> None:
        """Put a server event on the line."""
        self._socket().deliver(text)

    def app(self, act: str) -> None:
        """Agent code makes the call that carries out an act."""
        self._attempt(self.close if act == "close" else getattr(self.client, call_of(act)))

    def tool(self, act: str, call: str) -> None:
        """A function of the app ends, or does not."""
        running = self._calls[call]
        if running.done():
            return  # the client has given it up
        if act == "tool_returns":
            running.set_result(OUTPUT)
        elif act == "tool_raises":
            running.set_exception(ToolFailed(TROUBLE))

    def network(self, act: str) -> None:
        """A handshake succeeds or fails, or a connection ends."""
        if act == "open":
            self.line.gate.admit()
        elif act == "refuse":
            self.line.gate.refuse(UNAVAILABLE)
        elif act == "drop":
            self._socket().drop()
        else:
            self._socket().hang_up(EXPIRED)

    def _socket(self) -> Socket:
        socket = self.line.socket
        if socket is None:
            raise RuntimeError("expected the client to be connected, it has no socket")
        return socket

    def _attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            self._raised(error)

    # what the client does

    def taken(self) -> list[Doing]:
        """What the client did since the last time this was called."""
        doings, self._doings = self._doings, []
        return doings

    def _note(self, doing: Doing) -> None:
        self.count += 1
        self._doings.append(doing)

    def knocked(self) -> None:
        """The client has begun a handshake."""
        self._note(Doing("connect"))

    def hung_up(self) -> None:
        """The client has closed its connection."""
        self._note(Doing("close"))

    def accepted(self, headers: Any) -> None:
        """A handshake of the client has succeeded."""
        self.beta = "realtime=v1" in headers.get("OpenAI-Beta", "")

    def received(self, text: str) -> None:
        """The server's end has got a message."""
        message = json.loads(text)
        self._note(Doing(str(message.get("type", "")), message))

    def _speaker_act(self, act: str, pcm: bytes) -> None:
        if act != "capture":
            self._captured = (-1, 0, 0)
            self._note(Doing(act))
        for heard in recognised(pcm):
            self._capture(heard)

    def _capture(self, heard: Heard) -> None:
        """Note each delta that was handed over whole."""
        item, number, had = self._captured
        delta = (heard.item, heard.number)
        samples = heard.samples + (had if delta == (item, number) else 0)
        while samples >= self._delta:
            samples -= self._delta
            self._note(Doing("capture", delta=delta))
        self._captured = (*delta, samples)

    async def _carry_out(self, call_id: str) -> str:
        """What the app's function does until the scenario ends it."""
        self._calls[call_id] = asyncio.get_running_loop().create_future()
        self._note(Doing("call", call=call_id))
        return await self._calls[call_id]
