"""Steps that come while the client is still busy with the one before.

Law:
- What the strategy makes is compared with a plain recursion, which uses a bench and no strategy.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from doubles.link import Wire
from doubles.reference import ReferenceClient
from local_pool import KeepingPool
from realtime_conformance.clients.interface import Seams
from realtime_conformance.explorer import Explorer
from realtime_conformance.ledger import Ledger
from realtime_conformance.runner import Bench, Option, Outcome
from realtime_conformance.scenario import TICK, Scenario, parse_id
from realtime_conformance.strategies.cover import Cover
from realtime_conformance.strategies.interface import Strategy
from realtime_conformance.strategies.ticks import Ticks
from realtime_conformance.timeline import render
from realtime_protocol.bounds import audio_reply
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.state import State

pytestmark = pytest.mark.usefixtures("heap_set_aside")

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1}
SCOPE = audio_reply(**SMALL)
DELTA = "server.response.output_audio.delta"


class Absent(ReferenceClient):
    """Thinks for a few turns before it plays what came, and does not look up meanwhile.

    What comes after an interruption it drops, so at rest nothing is wrong.
    """

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.thinking: list[asyncio.Task[None]] = []

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Play it later, whatever has happened by then."""
        self.thinking.append(asyncio.create_task(self.think(event)))

    async def think(self, event: Wire) -> None:
        """Take a while."""
        reply = self.replies[event["response_id"]]
        then = reply.interrupted
        await turns(3)
        interrupted, reply.interrupted = reply.interrupted, then
        super().on_response_output_audio_delta(event)
        reply.interrupted = interrupted
        await turns(3)


class Slow(ReferenceClient):
    """Correct, and takes a few turns before and after each event."""

    async def read(self, socket: Any) -> None:
        """Hand every server event to its handler, in no hurry."""
        while (frame := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            await turns(3)
            self.handle(json.loads(frame.data))
            await turns(3)


async def turns(count: int) -> None:
    """Let so many turns of the loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


def rules(outcome: Outcome) -> list[str]:
    """Ids of the rules of the main part, in order; what no rule explains by its act."""
    entries = [entry for entry in outcome.history.entries if entry.phase == "main"]
    return [entry.rule.id if entry.rule else entry.act for entry in entries]


def chosen(outcome: Outcome, rule: str) -> int:
    """At which choice of a run a rule was taken."""
    machine = outcome.history.machine
    taken = [o.options[o.taken].rule for o in outcome.offers if o.taken is not None]
    return next(n for n, number in enumerate(taken) if machine.rules[number].id == rule)


def disturbed(bench: Bench, rule: str, by: str) -> Iterator[tuple[int, Outcome]]:
    """One run for each tick after `rule`, disturbed there."""
    plain = bench.run()
    at = chosen(plain, rule)
    for ticks in range(1, plain.turns[at]):
        head = (*plain.choices[:at], plain.choices[at] + TICK * ticks)
        seen = bench.run(head)
        state = seen.history.machine
        offered = bench.run((*head, 0)).offers[at + 1].options
        number = next(n for n, o in enumerate(offered) if state.rules[o.rule].id == by)
        yield ticks, bench.run((*head, number))


def test_a_step_can_come_at_every_tick() -> None:
    """What the client did by then stands before it in the history, and the rest behind it."""
    bench = Bench(SCOPE, Absent)
    places = [
        (rules(run).index("client.speaker.capture"), rules(run).index("app.interrupt"))
        for _, run in disturbed(bench, DELTA, "app.interrupt")
        if "client.speaker.capture" in rules(run)
    ]
    assert places, "no tick was before the audio was played"
    assert all(capture < interrupt for capture, interrupt in places)


def test_a_race_within_a_step_is_found_between_two_nodes_only() -> None:
    """A client that plays what came before it was interrupted, later: at rest it never shows."""
    bench = Bench(SCOPE, Absent)
    late = [run for _, run in disturbed(bench, DELTA, "app.interrupt") if "capture" in rules(run)]
    assert late
    assert all(run.history.stopped for run in late)
    plain = bench.run()
    at = chosen(plain, DELTA) + 1
    options = plain.offers[at].options
    machine = plain.history.machine
    number = next(n for n, o in enumerate(options) if machine.rules[o.rule].id == "app.interrupt")
    assert "capture" not in rules(bench.run((*plain.choices[:at], number)))


def test_a_correct_client_shows_nothing_at_any_tick() -> None:
    """It is right between the nodes too, before it has looked at the event and after."""
    bench = Bench(SCOPE, Slow)
    runs = list(disturbed(bench, DELTA, "app.interrupt"))
    assert runs
    for ticks, run in runs:
        assert not render(run)["findings"], ticks


def test_only_a_disturbance_can_come_before_rest() -> None:
    """What lets the reply go on waits."""
    bench = Bench(SCOPE, ReferenceClient)
    plain = bench.run()
    at = chosen(plain, DELTA)
    run = bench.run((*plain.choices[:at], plain.choices[at] + TICK, 0))
    offer = run.offers[at + 1]
    assert not offer.settled
    assert all(bench.machine.rules[option.rule].disturbs for option in offer.options)


def test_without_a_next_step_the_client_comes_to_rest() -> None:
    """A run whose last choice is followed by nothing at once goes on as it does at rest."""
    bench = Bench(SCOPE, ReferenceClient)
    plain = bench.run()
    at = chosen(plain, DELTA)
    run = bench.run((*plain.choices[:at], plain.choices[at] + TICK))
    assert rules(run) == rules(plain)


# -- the strategy ------------------------------------------------------------------------------


def recursion(bench: Bench, given: tuple[int, ...] = ()) -> Iterator[Outcome]:
    """Every run that begins with `given` and has no ticks of its own."""
    outcome = bench.run(given)
    yield outcome
    for position, offer in enumerate(outcome.offers[len(given) :], len(given)):
        for choice in range(len(offer.options)):
            if choice != offer.taken:
                yield from recursion(bench, (*outcome.choices[:position], choice))


def busy(bench: Bench) -> dict[tuple[State, Option], tuple[tuple[int, ...], int]]:
    """Each step that something could disturb, by one way to it, and the turns it takes."""
    found: dict[tuple[State, Option], tuple[tuple[int, ...], int]] = {}
    for run in recursion(bench):
        for n, turns in enumerate(run.turns):
            offer, behind = run.offers[n], run.offers[n + 1]
            disturbs = any(bench.machine.rules[o.rule].disturbs for o in behind.options)
            if turns > 1 and disturbs:
                assert offer.taken is not None
                step = (offer.state, offer.options[offer.taken])
                found.setdefault(step, (run.choices[: n + 1], turns))
    return found


def offered(bench: Bench, begin: tuple[int, ...]) -> int:
    """How many disturbances can come in the turn that a run stands in."""
    seen = bench.disturb(begin, 0).offers
    return (
        0 if len(seen) <= len(begin) or seen[len(begin)].settled else len(seen[len(begin)].options)
    )


def disturbances(bench: Bench) -> set[tuple[State, Option, int, Option]]:
    """A step, a turn behind it, and what disturbs it there, by the recursion."""
    return {
        (*step, tick, bench.disturb(begin, nth).offers[len(begin)].options[nth])
        for step, (choices, turns) in busy(bench).items()
        for tick in range(1, turns)
        for begin in [(*choices[:-1], choices[-1] + TICK * tick)]
        for nth in range(offered(bench, begin))
    }


def explored(bench: Bench, strategy: Strategy) -> tuple[Explorer, KeepingPool]:
    """An exploration, and the pool that made its runs."""
    explorer = Explorer(Ledger(enumerate_graph(bench.machine)), strategy)
    pool = KeepingPool(bench)
    explorer.explore(pool)
    return explorer, pool


TINY = audio_reply(**SMALL, SPEAKER=0, TICKS=0)


def test_the_strategy_disturbs_every_step_in_every_turn() -> None:
    """As a plain recursion over all runs finds them, each once."""
    bench = Bench(TINY, Slow)
    explorer, pool = explored(bench, Ticks(bench.machine))
    made = []
    for choices in pool.runs:
        at = next((n for n, choice in enumerate(choices) if choice >= TICK), None)
        if at is not None:
            offers = bench.run(choices).offers
            tick, taken = divmod(choices[at], TICK)
            behind = offers[at + 1]
            made.append(
                (
                    offers[at].state,
                    offers[at].options[taken],
                    tick,
                    behind.options[choices[at + 1]],
                )
            )
    assert len(made) == len(set(made)) > 20
    assert set(made) == disturbances(bench)
    assert explorer.left == 0
    # what it has not read yet when it is interrupted it cannot cancel, which is wasteful at most
    assert {found.verdict for found in explorer.found.values()} <= {"advisory"}


def test_the_strategy_finds_what_no_rest_shows() -> None:
    """A client that plays late what came before it was interrupted."""
    scope = audio_reply(**SMALL, VAD=0, TICKS=0)
    bench = Bench(scope, Absent)
    at_rest, _ = explored(bench, Cover(bench.machine))
    between, _ = explored(bench, Ticks(bench.machine))
    assert not any(name.startswith("permitted-message") for name in at_rest.found)
    assert any(name.startswith("permitted-message") for name in between.found)


@pytest.mark.parametrize("choices", [(0, 3 + TICK, 1), (2 + TICK * 40,), (5,)])
def test_ticks_stand_in_the_id(choices: tuple[int, ...]) -> None:
    """An id gives back the choices with their ticks, and the same bytes are made of it."""
    changes = tuple(sorted(SMALL.items()))
    run = Scenario("livekit-agent", "quick", "audio-reply", changes, 0, choices)
    name = run.id(Machine(run.bounded().bounds).digest)
    assert parse_id(name).choices == choices
    assert name.rpartition(":")[2] in ("03.011", "2.14", "5")


def test_the_same_choices_give_the_same_trace() -> None:
    """Ticks are turns of the loop, not time."""
    bench = Bench(SCOPE, ReferenceClient)
    plain = bench.run()
    at = chosen(plain, DELTA)
    choices = (*plain.choices[:at], plain.choices[at] + TICK * 2, 0)
    assert render(bench.run(choices))["digest"] == render(bench.run(choices))["digest"]
