"""The floor of a run: its acts replayed from a list, with no model, no explorer and no checks.

Laws:
- A replay does to the client what the recorded run did, in that order, and comes to rest as often;
  it decides nothing and judges nothing.
- Nothing here imports the machine, the reference server or a check, so what a replay costs is what
  the client costs, with its clock, its speaker and its line.
- The same acts go over a line in memory in virtual time, or over a real socket in real time.
- A replay ends with `gc.collect()`, as a run does, so that the two can be compared.

A client that is not deterministic sends something else in its replay: compare `Replayed.sent`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import attrs

from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clock import VirtualLoop, run_virtual
from realtime_conformance.speaker import SAMPLE_RATE, Speaker
from realtime_conformance.transport.memory import MemorySession
from realtime_conformance.transport.websocket import LoopbackServer
from realtime_protocol.bounds import UNIT_MS, Scope, one_more_turn

if TYPE_CHECKING:
    from realtime_conformance.history import Entry, History

SPEECH_SECONDS = 0.1
"""Sound that the microphone picks up before VAD announces speech; as in a run."""

CLOSING_SECONDS = 60.0
"""Virtual seconds after which the closing of a session counts as hanging; as in a run."""

QUIET_SECONDS = 0.010
"""Real seconds without a word on the line or to the speaker after which a client is at rest."""

QUIET_LOOKS = 5
"""Looks at the line in that time: a process that is held up for long has looked only once."""

REAL_LIMIT_SECONDS = 30.0
"""Real seconds after which a replay in real time is given up."""

Kind = Literal[
    "start",
    "deliver",
    "rest",
    "hear",
    "generate_reply",
    "interrupt",
    "play",
    "report",
    "deadline",
    "close",
]


class NotReplayable(ValueError):
    """A run whose acts are not all in its history."""


class Diverged(RuntimeError):
    """The client of a replay did not do what it did in the recorded run."""


class TooSlow(TimeoutError):
    """A replay in real time took longer than it may."""


class Echo(NamedTuple):
    """A name that the client made up, and that a server event repeats.

    The client makes up another one in each replay; it stands at `path` of its message number
    `message`, from 0.
    """

    name: str
    message: int
    path: tuple[str, ...]


class Act(NamedTuple):
    """One act of the environment.

    `at` is when it was done, in seconds of the recorded run. `seconds` is how much sound is heard
    or played. `text` is the wire event, and `echoes` what is to be replaced in it. An act that does
    not rest is followed by the next one at once. A `muted` client is started without audio output.
    """

    kind: Kind
    at: float
    text: str = ""
    seconds: float = 0.0
    rests: bool = True
    echoes: tuple[Echo, ...] = ()
    muted: bool = False


@attrs.frozen
class Replayed:
    """What a client did in a replay."""

    sent: tuple[str, ...]
    """Its messages in order, as they were on the wire."""
    seconds: float
    """How long it took in the time of the replay, virtual or real."""

    @property
    def types(self) -> list[str]:
        """The types of the messages, in order."""
        return [json.loads(text)["type"] for text in self.sent]


def sent_types(history: History) -> list[str]:
    """The types of the messages that the client sent in the recorded run, in order."""
    return [entry.act for entry in history.entries if _is_message(entry)]


def acts_of(history: History) -> tuple[Act, ...]:
    """The acts of the environment in a finished run, the closing of the session included.

    Raises:
        NotReplayable: the run hung, or its fresh turn did not end; such waits leave no entry.
    """
    if history.hang:
        raise NotReplayable(f"expected a run that came to its end, got: {history.hang}")
    if not history.stopped and not history.fresh_done:
        raise NotReplayable("expected a run whose fresh turn ended, got one that waited in vain")
    steps = _playout_steps(history.machine.bounds)
    names: dict[str, Echo] = {}
    acts: list[Act] = []
    messages = 0
    for entry in history.entries:
        if _is_message(entry):
            for path, name in _made_up(entry.message):
                names.setdefault(name, Echo(name, messages, path))
            messages += 1
        elif entry.rule is not None and not entry.rule.is_client:
            acts += _acts(entry, steps[entry.phase], names)
    if not history.machine.bounds["SPEAKER"]:
        acts = [act._replace(muted=act.kind == "start") for act in acts]
    # the newest playout step may be the last entry, and it takes as long as it plays
    ends = [act.at + (act.seconds if act.kind == "play" else 0.0) for act in acts]
    return (*acts, Act("close", max(ends, default=0.0)))


def _is_message(entry: Entry) -> bool:
    """Whether the client put a message on the wire, one that no rule explains included."""
    by_client = entry.rule is None or entry.rule.is_client
    return by_client and entry.message is not None


def _playout_steps(bounds: Mapping[str, int]) -> dict[str, float]:
    """Seconds of one playout step in each phase of a run."""
    fresh = one_more_turn(Scope(name="", about="", bounds=bounds))
    units = {"main": bounds["STEP"], "fresh": fresh["STEP"]}
    return {phase: steps * UNIT_MS / 1000 for phase, steps in units.items()}


def _made_up(message: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Names in a message that its client chose, each with its path."""
    paths: list[tuple[str, ...]] = [("event_id",), ("item", "id")]
    response = message.get("response")
    if isinstance(response, dict):
        paths += [("response", "metadata", key) for key in response.get("metadata") or ()]
    for path in paths:
        name = _at(message, path)
        if isinstance(name, str):
            yield path, name


def _at(message: Any, path: Sequence[str]) -> Any:
    for key in path:
        message = message.get(key) if isinstance(message, dict) else None
    return message


def _acts(entry: Entry, step: float, names: Mapping[str, Echo]) -> Iterator[Act]:
    """What the environment did in one step: one act, or the sound of speech and what VAD says."""
    assert entry.rule is not None
    actor, at = entry.rule.actor, entry.time
    if actor == "user":
        yield Act("hear", at, seconds=SPEECH_SECONDS)
    if actor in ("server", "user"):
        yield _delivery(entry, names)
    elif actor == "app":
        yield Act("interrupt" if entry.rule.event == "interrupt" else "generate_reply", at)
    elif entry.rule.event == "play":
        yield Act("play", at, seconds=step)
    else:
        kinds: dict[str, Kind] = {"network": "start", "speaker": "report", "clock": "deadline"}
        yield Act(kinds[actor], at)


def _delivery(entry: Entry, names: Mapping[str, Echo]) -> Act:
    text = entry.message
    if text is None:
        return Act("rest", entry.time)
    echoes = tuple(echo for name, echo in names.items() if json.dumps(name) in text)
    return Act("deliver", entry.time, text, rests=not entry.burst, echoes=echoes)


class _Socket(Protocol):
    """The server's end of a connection."""

    def deliver(self, text: str) -> None: ...


class _Line(Protocol):
    """What the client connects to; the socket is None until it does."""

    @property
    def socket(self) -> _Socket | None: ...


class _Stage:
    """The client of one replay, and everything that it touches."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self.muted = any(act.muted for act in acts)
        self.sent: list[str] = []
        self.doings = 0
        """Acts of the client so far, on the wire and towards the speaker."""
        self.speaker = Speaker(self._speaker_act)
        self._tasks: list[asyncio.Task[None]] = []
        self._line: _Line
        self._client: Client

    def enter(self, line: _Line, client: Client) -> None:
        """Take the client that was made for this stage, and its line."""
        self._line, self._client = line, client

    def received(self, text: str) -> None:
        """The server's end receives a message."""
        self.doings += 1
        self.sent.append(text)

    @property
    def connected(self) -> bool:
        """Whether the client has opened its connection."""
        return self._line.socket is not None

    def do(self, act: Act) -> None:
        """Do one act to the client; nothing of it has run when this returns."""
        if act.kind == "deliver":
            self._deliver(act)
        elif act.kind == "play":
            self.speaker.play(round(act.seconds * SAMPLE_RATE))
        elif act.kind == "report":
            self.speaker.report()
        elif act.kind == "start":
            self._begin(self._client.start())
        elif act.kind in ("hear", "generate_reply", "interrupt"):
            self._call(act)

    def closing(self) -> asyncio.Task[None]:
        """Begin to close the session."""
        return self._begin(self._client.close())

    def _begin(self, part: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(part)
        self._tasks.append(task)
        return task

    def _call(self, act: Act) -> None:
        # a call that raises is a finding of the run; here it is only what it costs
        with suppress(Exception):
            if act.kind == "hear":
                self._client.hear(act.seconds)
            elif act.kind == "interrupt":
                self._client.interrupt()
            else:
                self._client.generate_reply()

    def _deliver(self, act: Act) -> None:
        text = act.text
        for echo in act.echoes:
            text = text.replace(json.dumps(echo.name), json.dumps(self._name(echo)))
        socket = self._line.socket
        if socket is None:
            raise Diverged("expected the client to have opened its connection, got none")
        socket.deliver(text)

    def _name(self, echo: Echo) -> str:
        if echo.message >= len(self.sent):
            raise Diverged(f"expected message {echo.message} of the client, got {len(self.sent)}")
        name = _at(json.loads(self.sent[echo.message]), echo.path)
        if not isinstance(name, str):
            path = ".".join(echo.path)
            raise Diverged(f"expected {path} in message {echo.message}, got {name!r}")
        return name

    def _speaker_act(self, act: str, samples: int) -> None:  # noqa: ARG002
        self.doings += 1


@contextmanager
def _unheard() -> Iterator[None]:
    """Let what the client logs go nowhere: a run listens, and nobody would write it out."""
    nowhere = logging.NullHandler()
    logging.getLogger().addHandler(nowhere)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(nowhere)


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Take what the event loop reports; a run charges it to the client."""


def replay(acts: Sequence[Act], make_client: Callable[[Seams], Client]) -> Replayed:
    """Replay acts over a line in memory, in virtual time, and collect the garbage of it.

    Raises:
        Diverged: the client does not do what the acts need.
        NeverAtRest, Deadlock: it does not come to rest.
    """
    with _unheard():
        replayed = run_virtual(lambda loop: _virtually(loop, acts, make_client))
        gc.collect()
    return replayed


async def _virtually(
    loop: VirtualLoop, acts: Sequence[Act], make_client: Callable[[Seams], Client]
) -> Replayed:
    loop.set_exception_handler(_ignore)
    stage = _Stage(acts)
    line = MemorySession(lambda _: None, stage.received)
    stage.enter(line, make_client(Seams(line, stage.speaker, muted=stage.muted)))
    for act in acts:
        # deadlines that a run waited for leave no entry but the time of the next one
        if act.at > loop.time():
            await loop.advance_to(act.at)
        stage.do(act)
        if act.kind == "play":
            await loop.advance(act.seconds)
        elif act.kind == "deadline":
            await loop.advance_to(loop.next_deadline() or loop.time())
        if act.rests:
            await loop.settle()
    await _closed(loop, stage.closing())
    return Replayed(tuple(stage.sent), loop.time())


async def _closed(loop: VirtualLoop, closing: asyncio.Task[None]) -> None:
    limit = loop.time() + CLOSING_SECONDS
    await loop.settle()
    while not closing.done():
        due = loop.next_deadline()
        if due is None or due > limit:
            raise Diverged("expected the closing of the session to end, got none")
        await loop.advance_to(due)
        await loop.settle()
    closing.exception()


def replay_real(
    acts: Sequence[Act],
    make_client: Callable[[Seams], Client],
    limit: float = REAL_LIMIT_SECONDS,
) -> Replayed:
    """Replay acts over a real socket on the loopback interface, in real time.

    After each act the client counts as at rest once nothing was said for `QUIET_SECONDS`; time
    passes as it did in the recorded run, in addition to that. `limit` is in real seconds.

    Raises:
        TooSlow: the replay takes longer than `limit`.
        Diverged: the client does not do what the acts need.
    """
    with _unheard():
        try:
            replayed = asyncio.run(asyncio.wait_for(_really(acts, make_client), limit))
        except asyncio.TimeoutError:
            raise TooSlow(f"expected a replay to end within {limit:g} s, got no end") from None
        gc.collect()
    return replayed


async def _really(acts: Sequence[Act], make_client: Callable[[Seams], Client]) -> Replayed:
    began = time.perf_counter()
    asyncio.get_running_loop().set_exception_handler(_ignore)
    stage = _Stage(acts)
    async with LoopbackServer(lambda _: None, stage.received) as server:
        seams = Seams(server.http, stage.speaker, server.url, stage.muted)
        stage.enter(server, make_client(seams))
        now = 0.0
        for act in acts:
            await asyncio.sleep(max(act.at - now, 0.0))
            now = max(act.at, now)
            stage.do(act)
            if act.rests:
                await _quiet(stage)
        await asyncio.wait([stage.closing()])
    return Replayed(tuple(stage.sent), time.perf_counter() - began)


async def _quiet(stage: _Stage) -> None:
    """Wait until the client is connected and has said nothing for a while."""
    looks, seen = 0, stage.doings
    while looks < QUIET_LOOKS:
        await asyncio.sleep(QUIET_SECONDS / QUIET_LOOKS)
        heard = stage.doings != seen or not stage.connected
        looks, seen = 0 if heard else looks + 1, stage.doings
