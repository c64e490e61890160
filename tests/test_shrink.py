"""Shrinking: what is left shows the same violation, and no step of it can be left out."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from doubles.faults import FAULTS
from doubles.reference import ReferenceClient
from local_pool import LocalPool
from realtime_conformance.runner import Bench, Option, Outcome, Wanted
from realtime_conformance.shrink import Shrunk, difference, shrink
from realtime_protocol.bounds import audio_reply, rebounded
from test_doubles import SMALL, find, small

VIOLATED = {
    name: fault
    for name, fault in FAULTS.items()
    if fault.verdict == "violation" and fault.scope == "audio-reply"
}
WANDERERS = 60
"""Runs at random, some of which show a fault."""


@pytest.fixture(autouse=True)
def _garbage_is_collected_by_the_runs() -> Iterator[None]:
    """Keep the collector to the ends of runs, and what was there before out of its way."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def local(name: str) -> LocalPool:
    """A pool that drives one faulty client."""
    fault = VIOLATED[name]
    return LocalPool(Bench(small(fault), fault.client))


@cache
def found(name: str) -> tuple[tuple[int, ...], str]:
    """The choices of a run that shows the violation of a fault, as exploring finds it first."""
    fault = VIOLATED[name]
    runs = [run for run in find(fault).found.values() if run.check == fault.check]
    run = min(runs, key=lambda run: (run.verdict != "violation", run.rank))
    return run.choices, run.fingerprint


def named(name: str) -> Any:
    """The name of a fault; one that takes a second turn is slow, as there is so much more of it."""
    return pytest.param(name, marks=[pytest.mark.slow] if "TURNS" in FAULTS[name].bounds else [])


def wide(name: str, bursts: int) -> Bench:
    """A bench for runs with bursts, and with a second turn to be disturbed in."""
    fault = VIOLATED[name]
    return Bench(rebounded(small(fault), {"TURNS": 2, "INTERRUPTIONS": 2}), fault.client, bursts)


def wander(bench: Bench, seed: int) -> tuple[int, ...]:
    """The choices of a run that takes any step at any node, disturbances included."""
    chance = random.Random(seed)
    live = bench.live()
    choices = []
    while options := live.options():
        choices.append(chance.randrange(len(options)))
        live.take(choices[-1])
    live.finish()
    return tuple(choices)


@cache
def astray(name: str, bursts: int = 0) -> tuple[LocalPool, tuple[int, ...], str]:
    """The largest of some wandering runs that show a fault, and what it violates."""
    bench = wide(name, bursts)
    pool = LocalPool(bench)
    shown = []
    for seed in range(WANDERERS):
        gc.freeze()
        choices = wander(bench, seed)
        trail = pool.trail(choices)
        shown += [
            (size(trail, fingerprint), choices, fingerprint)
            for fingerprint, verdict, _ in trail["findings"]
            if verdict == "violation" and fingerprint.startswith(VIOLATED[name].check)
        ]
    _, choices, fingerprint = max(shown)
    return pool, choices, fingerprint


def size(trail: Any, fingerprint: str) -> Any:
    """What makes one run smaller than another, written down once more; None without the finding."""
    until = [
        n for one, verdict, n in trail["findings"] if (one, verdict) == (fingerprint, "violation")
    ]
    bursts = sum(burst or ticks > 0 for _, burst, ticks in trail["steps"])
    said = trail["choices"][: trail["needed"]]
    return (trail["disturbances"], bursts, min(until), said) if until else None


def removable(pool: LocalPool, choices: tuple[int, ...], fingerprint: str) -> list[int]:
    """The steps of a run that can be left out, by leaving out each; all of them, said or not."""
    whole = pool.trail(choices)
    found = []
    for n in range(len(whole["steps"])):
        steps = [tuple(step) for step in whole["steps"]]
        rest = size(pool.follow([*steps[:n], *steps[n + 1 :]]), fingerprint)
        if rest is not None and rest < size(whole, fingerprint):
            found.append(n)
    return found


@pytest.mark.parametrize("name", [named(name) for name in VIOLATED])
def test_no_step_of_a_shrunk_run_can_be_left_out(name: str) -> None:
    """For each fault: leaving out any one step loses the violation, or makes no smaller run."""
    pool = local(name)
    choices, fingerprint = found(name)
    shrunk = shrink(pool, choices, fingerprint)
    assert shrunk.shown
    assert shrunk.minimal
    assert removable(pool, shrunk.choices, fingerprint) == []
    assert fingerprint in pool.show(shrunk.choices)["fingerprints"]


@pytest.mark.parametrize("name", ["truncates-at-zero", "cancels-done", "mistakes-sample-rate"])
def test_shrinking_is_deterministic(name: str) -> None:
    """The same run and the same client give the same result, also with a client made anew."""
    choices, fingerprint = found(name)
    pool = local(name)
    results = [shrink(p, choices, fingerprint) for p in (pool, pool, local(name))]
    assert results[1:] == results[:-1]


@pytest.mark.parametrize(
    ("name", "bursts"), [("truncates-at-zero", 0), ("truncates-at-zero", 2), ("clears-server", 2)]
)
def test_a_run_that_wandered_about_is_shrunk(name: str, bursts: int) -> None:
    """Whatever way a run was found, little is left of it, and no burst where none is needed."""
    pool, choices, fingerprint = astray(name, bursts)
    shrunk = shrink(pool, choices, fingerprint)
    before, after = pool.trail(choices), pool.trail(shrunk.choices)
    smaller, larger = size(after, fingerprint), size(before, fingerprint)
    assert shrunk.minimal
    assert smaller < larger
    assert shrunk.left_out == larger[2] - smaller[2]
    assert larger[1] == bursts
    assert smaller[:2] == (1, 0)
    assert removable(pool, shrunk.choices, fingerprint) == []


def test_a_shrunk_run_is_not_shrunk_again() -> None:
    """Nothing more can be left out of it."""
    pool, choices, fingerprint = astray("truncates-at-zero")
    shrunk = shrink(pool, choices, fingerprint)
    again = shrink(pool, shrunk.choices, fingerprint)
    assert (again.choices, again.left_out) == (shrunk.choices, 0)


@pytest.mark.parametrize("budget", [0, 1, 10])
def test_the_runs_are_bounded(budget: int) -> None:
    """A search that was cut short says so, and what it gives back shows the violation."""
    pool, choices, fingerprint = astray("truncates-at-zero")
    shrunk = shrink(pool, choices, fingerprint, budget)
    assert shrunk.runs <= budget
    assert not shrunk.minimal
    assert fingerprint in pool.show(shrunk.choices)["fingerprints"]


def test_a_run_that_does_not_show_the_violation_is_given_back() -> None:
    """There is nothing to shrink, and it is said."""
    pool = LocalPool(Bench(small(), ReferenceClient))
    assert shrink(pool, (0, 0), "truncate-positive / x / y") == Shrunk((0, 0), shown=False)


def test_an_advisory_is_no_violation() -> None:
    """A run that shows the fingerprint as an advisory only does not stand for the violation."""
    fault = FAULTS["truncates-at-zero-with-audio"]
    run = next(run for run in find(fault).found.values() if run.check == fault.check)
    pool = LocalPool(Bench(small(fault), fault.client))
    assert run.fingerprint in pool.show(run.choices)["fingerprints"]
    assert not shrink(pool, run.choices, run.fingerprint).shown


# -- following ---------------------------------------------------------------------------------


def steps_of(bench: Bench, choices: tuple[int, ...] = ()) -> list[Wanted]:
    """The steps that a run takes."""
    return taken(bench.run(choices))


def followed(bench: Bench, wanted: list[Wanted]) -> list[Wanted]:
    """The steps that a run takes when some are wanted."""
    return taken(bench.follow(wanted))


def taken(outcome: Outcome) -> list[Wanted]:
    """The steps of a run."""
    return [
        Wanted(*offer.options[offer.taken], offer.ticks)
        for offer in outcome.offers
        if offer.taken is not None
    ]


def test_steps_that_are_all_offered_are_all_taken() -> None:
    """Following the steps of a run makes that run."""
    pool, choices, _ = astray("clears-server", 2)
    bench = wide("clears-server", 2)
    assert pool.follow(steps_of(bench, choices)) == pool.trail(choices)


def test_without_wishes_the_run_goes_on_by_itself() -> None:
    """Nothing wanted, and nothing that is offered: the same run."""
    bench = Bench(small(), ReferenceClient)
    never = Wanted(len(bench.machine.rules) - 1, True)
    assert followed(bench, []) == followed(bench, [never]) == steps_of(bench)


def test_a_step_that_is_not_offered_is_skipped() -> None:
    """With one step left out, the one behind it is skipped and what follows is taken at once."""
    bench = Bench(small(), ReferenceClient)
    offers, steps = bench.run().offers, steps_of(bench)
    interrupt = Wanted(bench.machine.numbers("app.interrupt")[0])
    here = next(
        n
        for n, offer in enumerate(offers)
        if Option(interrupt.rule) in offer.options
        and Option(steps[n + 1].rule) not in offer.options
    )
    came = followed(bench, [*steps[:here], steps[here + 1], interrupt])
    assert came[: here + 1] == [*steps[:here], interrupt]


def test_a_clause_is_taken_in_another_slot() -> None:
    """What belonged to a second turn belongs to the first, once that is left out."""
    bench = Bench(audio_reply(**SMALL, TURNS=2, RESPONSES=2), ReferenceClient)
    rules = bench.machine.rules
    turns = [n for n, rule in enumerate(rules) if rule.event == "response.created" and rule.at]
    first, second = (n for n in turns if rules[n].id == rules[turns[0]].id)
    here = next(n for n, step in enumerate(steps_of(bench)) if step.rule == first)
    steps = [*steps_of(bench)[:here], Wanted(second), *steps_of(bench)[here + 1 :]]
    assert followed(bench, steps) == steps_of(bench)


def test_ticks_are_followed() -> None:
    """A step that comes before the client is at rest does so again."""
    bench, steps = interrupted()
    busy = [*steps[:-2], steps[-2]._replace(ticks=1), steps[-1]]
    assert followed(bench, busy)[: len(busy)] == busy


def test_without_what_is_to_come_behind_them_ticks_change_nothing() -> None:
    """The client comes to rest, and the steps that are wanted then are taken."""
    bench, steps = interrupted()
    calm = steps_of(bench)
    here = len(steps) - 2
    busy = [*calm[:here], calm[here]._replace(ticks=1), *calm[here + 1 :]]
    assert followed(bench, busy) == busy


def test_ticks_that_are_not_needed_are_settled() -> None:
    """They count as bursts do."""
    bench, steps = interrupted()
    busy = [*steps[:-2], steps[-2]._replace(ticks=1), steps[-1]]
    pool = LocalPool(bench)
    trail = pool.follow(busy)
    fingerprint = next(one for one, verdict, _ in trail["findings"] if verdict == "violation")
    shrunk = shrink(pool, tuple(trail["choices"]), fingerprint)
    assert shrunk.minimal
    assert not any(ticks for *_, ticks in pool.trail(shrunk.choices)["steps"])


def interrupted() -> tuple[Bench, list[Wanted]]:
    """A faulty client, and steps that end with an interruption that shows the fault."""
    fault = VIOLATED["truncates-at-zero"]
    bench = Bench(small(fault), fault.client)
    interrupt = Wanted(bench.machine.numbers("app.interrupt")[0])
    steps = steps_of(bench)
    rules = [bench.machine.rules[step.rule].event for step in steps]
    here = rules.index("response.content_part.added")
    return bench, [*steps[: here + 1], interrupt]


# -- where two traces differ -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("a\nb\nc", ""),
        ("a\nx\nc", "event 2: expected b, got x"),
        ("a\nb", "event 3: expected c, got the end"),
        ("a\nb\nc\nd", "event 4: expected the end, got d"),
        ("a\nbb\nc", "event 2: expected b, got bb"),
        ("", "event 1: expected a, got the end"),
    ],
)
def test_the_first_event_that_differs_is_told(got: str, expected: str) -> None:
    """Its number, what the first trace has there, and what the second has."""
    assert difference("a\nb\nc", got) == expected


def test_of_a_long_event_the_part_that_differs_is_told() -> None:
    """An event can be long; what is equal is left out."""
    told = difference("=" * 500 + "one" + "-" * 500, "=" * 500 + "two" + "-" * 500)
    assert "one" in told
    assert "two" in told
    assert len(told) < 300


class Longer:
    """Runs of which the one with fewer disturbances takes more steps up to the finding."""

    def trail(self, choices: tuple[int, ...]) -> Any:
        """The run that is given: two steps, each a disturbance."""
        return self._trail(2, steps=2)

    def follow(self, wanted: Any) -> Any:
        """Any other: no disturbance, and five steps."""
        return self._trail(0, steps=5)

    def _trail(self, disturbances: int, steps: int) -> Any:
        return {
            "findings": [("it", "violation", steps)],
            "steps": [(number, False, 0) for number in range(steps)],
            "needed": 0,
            "disturbances": disturbances,
            "choices": [],
        }


def test_a_run_with_fewer_disturbances_may_be_longer() -> None:
    """Then no step was left out, and never fewer than none."""
    assert shrink(Longer(), (1, 1), "it").left_out == 0
