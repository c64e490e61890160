"""A replay does to the client what the recorded run did, and the client answers as it did then."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import pytest

from doubles.reference import ReferenceClient
from realtime_conformance import floor, runner
from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clients.livekit_agent import LivekitAgent
from realtime_conformance.floor import (
    Diverged,
    NotReplayable,
    TooSlow,
    acts_of,
    replay,
    replay_real,
    sent_types,
)
from realtime_conformance.history import History
from realtime_conformance.runner import Bench
from realtime_conformance.timeline import Renamer
from realtime_protocol.bounds import QUICK, audio_reply

SCOPE = audio_reply(TRANSCRIPTS=1, AUDIO=1, DELTA=2, STEP=1)
"""Short, and a playout step of the fresh turn is longer than one before it."""

Wire = dict[str, Any]
MakeClient = Callable[[Seams], Client]

log: list[Wire] = []
"""What the newest recording client was told, event by event."""


class Recording(ReferenceClient):
    """Takes down what it is told, by the server and by the speaker, and when."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        log.clear()

    def note(self, **what: Any) -> None:
        """Take down one thing."""
        log.append({"at": asyncio.get_running_loop().time(), **what})

    def handle(self, event: Wire) -> None:
        """Take down a server event."""
        self.note(event=event)
        super().handle(event)

    def hear(self, seconds: float) -> None:
        """Take down what the microphone picks up."""
        self.note(heard=seconds)
        super().hear(seconds)

    def finished(self, seconds: float, interrupted: bool) -> None:
        """Take down the end of a segment."""
        self.note(played=seconds, interrupted=interrupted)
        super().finished(seconds, interrupted)


class Hesitant(Recording):
    """Marks the end of a segment late, so that a run has to wait for a deadline of its own."""

    def on_response_output_audio_done(self, event: Wire) -> None:
        """Do it a second later."""
        asyncio.get_running_loop().call_later(1.0, super().on_response_output_audio_done, event)


class Inventive(Recording):
    """Makes up other names in every run, and answers only to these."""

    def generate_reply(self) -> None:
        """Request a reply under a name that nobody can guess."""
        super().generate_reply()
        assert self.requested is not None
        self.requested.request = self.outgoing._queue[-1]["response"]["metadata"]["request"] = (  # type: ignore[attr-defined]
            f"request_{uuid.uuid4().hex[:12]}"
        )


class Mute(Recording):
    """Connects, and never sends anything."""

    async def write(self) -> None:
        """Keep it."""


class Raising(Recording):
    """Its calls fail, and it says so in the log."""

    def interrupt(self) -> None:
        """Fail."""
        logging.getLogger(__name__).error("no")
        raise RuntimeError("no")


class Absent(ReferenceClient):
    """Never connects."""

    async def start(self) -> None:
        """Do nothing."""


class Stuck(Recording):
    """Never ends."""

    async def close(self) -> None:
        """Wait for what does not come."""
        await asyncio.get_running_loop().create_future()


@pytest.fixture(autouse=True, scope="module")
def _old_objects_are_out_of_the_way() -> Iterator[None]:
    """Let the collection at the end of each run and replay look at nothing else."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def position(bench: Bench, rule: str, at: int = 0) -> tuple[int, ...]:
    """Choices that take `rule` at the node number `at` of those that offer it."""
    offers = bench.run().offers
    found = []
    for number, offer in enumerate(offers):
        rules = [bench.machine.rules[option.rule].id for option in offer.options]
        if rule in rules:
            found.append((*(o.taken or 0 for o in offers[:number]), rules.index(rule)))
    return found[at]


def made(client: MakeClient, rule: str = "", at: int = 0, bursts: int = 0) -> History:
    """A run of a client that takes one rule, or of its happy path."""
    bench = Bench(SCOPE, client, bursts)
    return bench.run(position(bench, rule, at) if rule else ()).history


def bodies(messages: Sequence[Any]) -> list[Any]:
    """Messages with the names that a client makes up renamed in order of appearance."""
    rename = Renamer()
    return [json.loads(rename(json.dumps(message))) for message in messages]


def sent(history: History) -> list[Any]:
    """What the client sent in a run."""
    return [e.message for e in history.entries if isinstance(e.message, dict)]


DISTURBED = ("", "user.takes_turn", "user.barges_in", "app.interrupt", "clock.deadline")
EARLY_AND_LATE = (0, 3, -1)


@pytest.mark.parametrize(
    ("client", "rule"),
    # without a timer of the client there is no step of the clock
    [*((Hesitant, rule) for rule in DISTURBED), *((Recording, rule) for rule in DISTURBED[:-1])],
)
def test_a_replay_does_the_same_to_the_client(client: type[Recording], rule: str) -> None:
    """Events, sound, reports, and the moment of each are those of the run; so are the answers."""
    history = made(client, rule)
    told = list(log)
    acts = acts_of(history)
    replayed = replay(acts, client)
    assert log == told
    assert [json.loads(text) for text in replayed.sent] == sent(history)
    assert replayed.types == sent_types(history)
    assert replayed.seconds == acts[-1].at >= history.entries[-1].time


@pytest.mark.parametrize("at", EARLY_AND_LATE)
@pytest.mark.parametrize("rule", DISTURBED)
def test_the_agent_answers_a_replay_as_it_answered_the_run(rule: str, at: int) -> None:
    """Every message of the published agent is the same, but for the ids that it makes up."""
    history = made(LivekitAgent, rule, 0 if rule in DISTURBED[:2] else at)
    replayed = replay(acts_of(history), LivekitAgent)
    assert bodies([json.loads(text) for text in replayed.sent]) == bodies(sent(history))


def test_a_muted_agent_stays_muted() -> None:
    """It is given no audio output in a replay either."""
    bench = Bench(QUICK.scopes["muted-reply"], LivekitAgent)
    history = bench.run(position(bench, "user.barges_in", 5)).history
    given: list[Seams] = []

    def make(seams: Seams) -> Client:
        given.append(seams)
        return LivekitAgent(seams)

    acts = acts_of(history)
    assert replay(acts, make).types == sent_types(history)
    assert [seams.muted for seams in given] == [True]


def test_a_burst_stays_a_burst() -> None:
    """An event that came right behind another does so again."""
    bench = Bench(SCOPE, Recording, bursts=1)
    offers = bench.run().offers
    number = next(n for n, o in enumerate(offers) if n > 8 and any(p.burst for p in o.options))
    burst = next(n for n, option in enumerate(offers[number].options) if option.burst)
    history = bench.run((*(o.taken or 0 for o in offers[:number]), burst)).history
    acts = acts_of(history)
    assert [act.rests for act in acts].count(False) == 1
    told = list(log)
    replay(acts, Recording)
    assert log == told


def test_a_made_up_name_comes_back_as_the_client_made_it_up_this_time() -> None:
    """A reply that the client would not know for its own is known for it."""
    history = made(Inventive)
    replayed = replay(acts_of(history), Inventive)
    asked = [json.loads(text) for text in replayed.sent]
    name = next(m["response"]["metadata"] for m in asked if m["type"] == "response.create")
    created = [n["event"]["response"] for n in log if n.get("event", {}).get("response")]
    assert created[0]["metadata"] == name
    assert name not in [message.get("response", {}).get("metadata") for message in sent(history)]


def test_the_acts_are_those_of_the_environment() -> None:
    """The start, one act for each step of it, sound before each turn, and the close at the end."""
    history = made(Recording, "user.takes_turn")
    acts = acts_of(history)
    steps = [e for e in history.entries if e.rule is not None and not e.rule.is_client]
    turns = [e for e in steps if e.rule is not None and e.rule.actor == "user"]
    assert len(acts) == 1 + len(steps) + len(turns) + 1
    assert [act.kind for act in acts][:4] == ["start", "network", "deliver", "deliver"]
    assert acts[-1].kind == "close"
    assert [act.seconds for act in acts if act.kind == "play"] == pytest.approx([0.1, 0.1, 0.2])


def test_a_run_that_did_not_end_has_no_acts() -> None:
    """What it waited for is not in its history, so it is refused with the reason."""
    history = made(Recording)
    with pytest.raises(NotReplayable, match="it spins"):
        acts_of(attrs.evolve(history, hang="it spins"))
    with pytest.raises(NotReplayable, match="fresh turn"):
        acts_of(attrs.evolve(history, fresh_done=False))


def test_a_run_that_was_stopped_has_acts() -> None:
    """It ended at a message that no rule explains, and that message counts."""
    history = made(Recording)
    cut = next(n for n, entry in enumerate(history.entries) if entry.act == "response.create")
    entries = [*history.entries[:cut], attrs.evolve(history.entries[cut], step=None)]
    stopped = attrs.evolve(history, entries=entries, stopped=True, fresh_done=False)
    assert sent_types(stopped)[-1] == "response.create"
    assert replay(acts_of(stopped), Recording).types == sent_types(stopped)


@pytest.mark.parametrize(
    ("client", "why"),
    [(Mute, "message"), (Absent, "begin a handshake"), (Stuck, "closing")],
)
def test_a_client_that_does_otherwise_is_told(client: MakeClient, why: str) -> None:
    """A replay that cannot go on raises, and says what was expected of the client."""
    with pytest.raises(Diverged, match=why):
        replay(acts_of(made(Recording)), client)


def test_a_message_without_the_expected_name_is_told() -> None:
    """The name that a server event repeats has to be where it was."""
    with pytest.raises(Diverged, match="expected event_id in message"):
        replay(acts_of(made(Recording, "app.interrupt")), Forgetful)


class Forgetful(Recording):
    """Gives its requests no name."""

    def send(self, event: str, **body: Any) -> None:
        """Leave it out."""
        unnamed = {key: part for key, part in body.items() if key not in ("response", "event_id")}
        super().send(event, **unnamed)


def test_what_a_client_raises_and_logs_goes_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """A replay judges nothing, and leaves the loggers as they were."""
    handlers = list(logging.getLogger().handlers)
    history = made(Raising, "app.interrupt")
    assert replay(acts_of(history), Raising).types == sent_types(history)
    assert logging.getLogger().handlers == handlers
    assert capsys.readouterr().err == ""


def test_a_run_and_its_floor_agree() -> None:
    """The patience at the end is the same in both."""
    assert floor.CLOSING_SECONDS == runner.FRESH_SECONDS


def test_the_floor_knows_no_model() -> None:
    """Neither the machine, nor the server, nor a check is so much as imported."""
    script = "import sys, realtime_conformance.floor; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.startswith("realtime_")}
    assert "realtime_conformance.clock" in ours
    unwanted = ("machine", "rules", "server", "checks", "runner", "history")
    assert not [name for name in ours if name.split(".")[1:2] and name.split(".")[1] in unwanted]


@pytest.mark.realtime
@pytest.mark.parametrize("rule", ["", "user.barges_in"])
def test_a_replay_over_a_real_socket(rule: str) -> None:
    """Over a real socket and in real time a client is told the same, and answers the same."""
    history = made(Recording, rule)
    told = [{**note, "at": 0} for note in log]
    replayed = replay_real(acts_of(history), Recording)
    assert [{**note, "at": 0} for note in log] == told
    assert replayed.types == sent_types(history)
    assert replayed.seconds > history.entries[-1].time


@pytest.mark.realtime
@pytest.mark.parametrize("client", [Stuck, Absent])
def test_a_replay_in_real_time_is_bounded(client: MakeClient) -> None:
    """One that never ends is given up after the limit."""
    with pytest.raises(TooSlow, match=r"0\.2 s"):
        replay_real(acts_of(made(Recording))[:2], client, limit=0.2)


@pytest.mark.slow  # seconds each, since time is real
@pytest.mark.realtime
@pytest.mark.parametrize("rule", ["", "user.takes_turn", "user.barges_in", "app.interrupt"])
def test_the_agent_over_a_real_socket(rule: str) -> None:
    """The published agent sends the same messages over a real socket, within the limit."""
    history = made(LivekitAgent, rule)
    replayed = replay_real(acts_of(history), LivekitAgent)
    assert replayed.types == sent_types(history)
    assert replayed.seconds < floor.REAL_LIMIT_SECONDS
