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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import attrs

from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clock import VirtualLoop, run_virtual
from realtime_conformance.setting import SESSION_SECONDS, Setting, setting_of
from realtime_conformance.speaker import SAMPLE_RATE
from realtime_conformance.stage import Stage
from realtime_conformance.transport.memory import MemorySession
from realtime_conformance.transport.websocket import LoopbackServer
from realtime_protocol.bounds import UNIT_MS, Scope, one_more_turn

if TYPE_CHECKING:
    from realtime_conformance.history import Entry, History

CLOSING_SECONDS = 60.0
"""Virtual seconds after which the closing of a session counts as hanging; as in a run."""

QUIET_SECONDS = 0.010
"""Real seconds without a word on the line or to the speaker after which a client is at rest."""

QUIET_LOOKS = 5
"""Looks at the line in that time: a process that is held up for long has looked only once."""

REAL_LIMIT_SECONDS = 30.0
"""Real seconds after which a replay in real time is given up."""

Kind = Literal[
    "start", "network", "deliver", "rest", "hear", "app", "tool", "play", "report", "deadline",
    "pass", "close",
]  # fmt: skip


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

    `at` is when it was done, in seconds of the recorded run. `name` is what app, network or tool
    does, and `call` the function call that a tool ends. `seconds` is how much is played or passes.
    `text` is the wire event, and `echoes` what is to be replaced in it. An act that does not rest
    is followed by the next one at once, or after `ticks` turns of the client's loop. A client is
    started with a `setting`.
    """

    kind: Kind
    at: float
    name: str = ""
    call: str = ""
    text: str = ""
    seconds: float = 0.0
    rests: bool = True
    echoes: tuple[Echo, ...] = ()
    setting: Setting = Setting()
    ticks: int = 0


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
    return [entry.act for entry in history.entries if is_message(entry)]


def acts_of(history: History) -> tuple[Act, ...]:
    """The acts of the environment in a finished run, the closing of the session included.

    Raises:
        NotReplayable: the run hung, or its fresh turn did not end; such waits leave no entry.
    """
    if history.hang:
        raise NotReplayable(f"expected a run that came to its end, got: {history.hang}")
    if history.fresh_tried and not history.stopped and not history.fresh_done:
        raise NotReplayable("expected a run whose fresh turn ended, got one that waited in vain")
    acts = acts_until(history, len(history.entries))
    # the newest act may be one that takes time
    ends = [act.at + act.seconds for act in acts]
    return (*acts, Act("close", max(ends, default=0.0)))


def acts_until(history: History, end: int) -> tuple[Act, ...]:
    """The acts of the environment in the first `end` entries of a run, finished or not."""
    steps = _playout_steps(history.machine.bounds)
    names: dict[str, Echo] = {}
    acts = [Act("start", 0.0, setting=setting_of(history.machine.bounds))]
    messages, opened = 0, 0.0
    for entry in history.entries[:end]:
        if is_message(entry):
            for path, name in _made_up(entry.message):
                names.setdefault(name, Echo(name, messages, path))
            messages += 1
        elif entry.rule is not None and not entry.rule.is_client:
            opened = entry.time if entry.act == "open" else opened
            acts += _acts(entry, steps[entry.phase], opened, names)
            if entry.ticks:
                acts[-1] = acts[-1]._replace(rests=False, ticks=entry.ticks)
    return tuple(acts)


def is_message(entry: Entry) -> bool:
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


def _acts(entry: Entry, step: float, opened: float, names: Mapping[str, Echo]) -> Iterator[Act]:
    """What the environment did in one step: one act, or the sound of speech and what VAD says."""
    assert entry.rule is not None
    actor, act, at = entry.rule.actor, entry.rule.event, entry.time
    if actor == "user":
        yield Act("hear", at)
    if actor == "server" or entry.message is not None:
        yield _delivery(entry, names)
    elif actor == "app":
        yield Act("tool" if entry.call else "app", at, act, entry.call)
    elif actor == "network":
        yield Act("network", at, act)
    elif act == "play":
        yield Act("play", at, seconds=step)
    elif act in ("drained", "cleared"):
        yield Act("report", at)
    elif act == "rotate":
        yield Act("pass", at, seconds=opened + SESSION_SECONDS - at)
    elif act == "deadline":
        yield Act("deadline", at)


def _delivery(entry: Entry, names: Mapping[str, Echo]) -> Act:
    text = entry.message
    if text is None:
        return Act("rest", entry.time)
    echoes = tuple(echo for name, echo in names.items() if json.dumps(name) in text)
    return Act("deliver", entry.time, text=text, rests=not entry.burst, echoes=echoes)


class _Replay:
    """One replay: the stage, and what the client has sent."""

    def __init__(self, acts: Sequence[Act]) -> None:
        # what agent code lets through is a finding of the run; here it is only what it costs
        self.stage = Stage(SAMPLE_RATE, lambda _: None)
        self.setting = next((act.setting for act in acts if act.kind == "start"), Setting())
        self.sent: list[str] = []

    def received(self, text: str) -> None:
        """The server's end receives a message."""
        self.sent.append(text)
        self.stage.received(text)

    def do(self, act: Act) -> None:
        """Do one act to the client; nothing of it has run when this returns."""
        stage = self.stage
        if act.kind == "deliver":
            self._deliver(act)
        elif act.kind == "play":
            stage.speaker.play(round(act.seconds * SAMPLE_RATE))
        elif act.kind == "report":
            stage.speaker.report()
        elif act.kind == "start":
            stage.start()
        elif act.kind == "network":
            self._network(act.name)
        elif act.kind == "hear":
            stage.hear()
        elif act.kind == "app":
            stage.app(act.name)
        elif act.kind == "tool":
            stage.tool(act.name, act.call)

    def _network(self, act: str) -> None:
        if act in ("open", "refuse") and not self.stage.line.gate:
            raise Diverged("expected the client to begin a handshake, got none")
        self.stage.network(act)

    def _deliver(self, act: Act) -> None:
        text = act.text
        for echo in act.echoes:
            text = text.replace(json.dumps(echo.name), json.dumps(self._name(echo)))
        if self.stage.line.socket is None:
            raise Diverged("expected the client to have opened its connection, got none")
        self.stage.deliver(text)

    def _name(self, echo: Echo) -> str:
        if echo.message >= len(self.sent):
            raise Diverged(f"expected message {echo.message} of the client, got {len(self.sent)}")
        name = _at(json.loads(self.sent[echo.message]), echo.path)
        if not isinstance(name, str):
            path = ".".join(echo.path)
            raise Diverged(f"expected {path} in message {echo.message}, got {name!r}")
        return name


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
    replay = _Replay(acts)
    stage = replay.stage
    line = MemorySession(stage.accepted, replay.received, stage.hung_up, stage.knocked)
    stage.enter(line, replay.setting, make_client)
    for act in acts:
        # deadlines that a run waited for leave no entry but the time of the next one
        if act.at > loop.time():
            await loop.advance_to(act.at)
        replay.do(act)
        if act.kind in ("play", "pass"):
            await loop.advance(act.seconds)
        elif act.kind == "deadline":
            await loop.advance_to(loop.next_deadline() or loop.time())
        if act.ticks:
            await loop.turn(act.ticks)
        elif act.rests:
            await loop.settle()
    await _closed(loop, stage.close())
    return Replayed(tuple(replay.sent), loop.time())


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
    replay = _Replay(acts)
    stage = replay.stage
    async with LoopbackServer(
        stage.accepted, replay.received, stage.hung_up, stage.knocked
    ) as server:
        stage.enter(server, replay.setting, make_client)
        now = 0.0
        for act in acts:
            await asyncio.sleep(max(act.at - now, 0.0))
            now = max(act.at, now)
            await _begun(act, stage)
            replay.do(act)
            if act.rests:
                await _quiet(stage)
        await asyncio.wait([stage.close()])
    return Replayed(tuple(replay.sent), time.perf_counter() - began)


async def _begun(act: Act, stage: Stage) -> None:
    """Wait until there is a handshake to decide about, or a connection to say something on."""
    while act.name in ("open", "refuse") and not stage.line.gate:
        await asyncio.sleep(QUIET_SECONDS)
    while act.kind == "deliver" and stage.line.socket is None:
        await asyncio.sleep(QUIET_SECONDS)


async def _quiet(stage: Stage) -> None:
    """Wait until the client has said nothing for a while."""
    looks, seen = 0, stage.count
    while looks < QUIET_LOOKS:
        await asyncio.sleep(QUIET_SECONDS / QUIET_LOOKS)
        looks, seen = 0 if stage.count != seen else looks + 1, stage.count
