"""How fast runs are: against their own floor, and against the same acts over a real WebSocket.

    python benchmarks/speed.py [--client livekit-agent] [--scenarios 40] [--real 5] [--jobs 2]

Laws:
- The scenarios are a fixed list: the happy paths, and one interruption at nodes spread evenly over
  them; the same client and the same count give the same list.
- A run is all that a worker does: runner, model, wire format, every check, boiling down, JSON.
- Its floor is the same acts replayed with none of that (see `realtime_conformance.floor`).
- Run and floor are timed in turn in one process, so that load of the machine hits both; a scenario
  counts with the median of its repeats. The ratios are the result, the times belong to a machine.
- A replay in real time mostly sleeps, so load of the machine slows down the run alone: against it
  a run counts with the fastest of its repeats.
- A replay that does not send what the run sent is no measure of it: then the benchmark fails.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from time import perf_counter  # taken now: a run puts its virtual clock into the module
from typing import Any

import attrs

from realtime_conformance.batch import Batch
from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clients.registry import load
from realtime_conformance.floor import (
    Act,
    NotReplayable,
    Replayed,
    acts_of,
    replay,
    replay_real,
    sent_types,
)
from realtime_conformance.pool import Choices, Pool, Setup
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.strategies.interface import batches
from realtime_protocol.bounds import PROFILES

PROFILE, SCOPE = "quick", "audio-reply"

OVERHEAD_LIMIT = 1.3
"""Wall time over floor that is promised at most."""

REAL_RATIO = 40
"""How many times slower the same acts are in real time, at least."""

POOL_RUNS = 960
"""Runs that are timed for one number of jobs."""

MakeClient = Callable[[Seams], Client]


class WrongFloor(AssertionError):
    """A replay in which the client did something else than in its run."""


@attrs.define
class Scenario:
    """One run, its acts, and the seconds that it took in every repeat."""

    choices: Choices
    acts: tuple[Act, ...]
    types: list[str]
    run: list[float] = attrs.field(factory=list)
    floor: list[float] = attrs.field(factory=list)
    virtual: float = 0.0
    """Seconds of the run's own clock."""
    real: float = 0.0
    """Seconds of the replay in real time."""

    def verify(self, replayed: Replayed) -> None:
        """Raise WrongFloor unless the client sent what it sent in the run."""
        if replayed.types != self.types:
            raise WrongFloor(
                f"expected the client to send {self.types} after choices {self.choices}, "
                f"it sent {replayed.types}"
            )


def main() -> None:
    """Measure and print."""
    asked = arguments()
    quieten()
    make_client = load(asked.client)
    bench = Bench(PROFILES[PROFILE].scopes[SCOPE], make_client)
    choices = chosen(bench, asked.scenarios)
    scenarios = list(recorded(bench, choices))
    warm_up(scenarios, make_client)
    for _ in range(asked.repeats):
        in_turn(bench, scenarios, make_client)
    for scenario in spread(scenarios, asked.real):
        in_real_time(scenario, make_client)
    figures = results(scenarios) | {"client": asked.client, "repeats": asked.repeats}
    figures["left_out"] = len(choices) - len(scenarios)
    figures["pool"] = {n: pooled(asked.client, scenarios, n) for n in range(1, asked.jobs + 1)}
    sys.stdout.write(json.dumps(figures) + "\n" if asked.json else table(figures))


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--client", default="livekit-agent", help="client to drive")
    parser.add_argument("--scenarios", type=positive, default=40, help="scenarios to time")
    parser.add_argument("--repeats", type=positive, default=7, help="times each is timed")
    parser.add_argument("--real", type=positive, default=5, help="scenarios made in real time too")
    parser.add_argument("--jobs", type=int, default=0, help="also time pools of up to so many")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser.parse_args()


def positive(text: str) -> int:
    """A whole number above zero."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def quieten() -> None:
    """Do as a worker does: no automatic garbage collection, no log on standard error."""
    gc.disable()
    logging.lastResort = None
    logging.getLogger().addHandler(logging.NullHandler())


def chosen(bench: Bench, count: int) -> list[Choices]:
    """The happy paths and then one interruption each, evenly spread over all that there are."""
    happy = list(beginnings(bench))
    cut = [choices for begin in happy for choices in interruptions(bench, bench.run(begin))]
    return (happy + list(spread(cut, max(count - len(happy), 0))))[:count]


def beginnings(bench: Bench) -> Iterator[Choices]:
    """Choices that begin a reply in each way there is: by the app, and by a turn of the user."""
    offers = bench.run().offers
    for position, offer in enumerate(offers):
        actors = [bench.machine.rules[option.rule].actor for option in offer.options]
        if "app" in actors and "user" in actors:
            way = tuple(other.taken or 0 for other in offers[:position])
            yield from ((*way, actors.index(actor)) for actor in ("app", "user"))
            return


def interruptions(bench: Bench, outcome: Outcome) -> Iterator[Choices]:
    """Choices that follow a run and then interrupt it, for each of its nodes and each way."""
    for position, offer in enumerate(outcome.offers):
        for choice, option in enumerate(offer.options):
            if bench.machine.rules[option.rule].disturbs == "interruption":
                yield (*outcome.choices[:position], choice)


def spread(given: Sequence[Any], count: int) -> Iterator[Any]:
    """`count` elements of a list at even distances, the first and the last among them."""
    count = min(count, len(given))
    for number in range(count):
        yield given[number * (len(given) - 1) // max(count - 1, 1)]


def recorded(bench: Bench, every: Sequence[Choices]) -> Iterator[Scenario]:
    """Make the runs and take down their acts; one that did not end has none and is left out."""
    for choices in every:
        history = bench.run(choices).history
        with suppress(NotReplayable):
            yield Scenario(choices, acts_of(history), sent_types(history))


def warm_up(scenarios: Sequence[Scenario], make_client: MakeClient) -> None:
    """Import and cache what the first replays need, and take all of it out of the collector's way.

    The runs have been made once already, to take down their acts.
    """
    for scenario in scenarios:
        replayed = replay(scenario.acts, make_client)
        scenario.verify(replayed)
        scenario.virtual = replayed.seconds
    replay_real(scenarios[0].acts, make_client)
    gc.collect()
    gc.freeze()


def in_turn(bench: Bench, scenarios: Sequence[Scenario], make_client: MakeClient) -> None:
    """Time every scenario once: its run, its floor, the next one's run, and so on."""
    batch = Batch(bench)
    for scenario in scenarios:
        began = perf_counter()
        json.dumps(batch.make([scenario.choices]), separators=(",", ":"))
        between = perf_counter()
        replayed = replay(scenario.acts, make_client)
        ended = perf_counter()
        scenario.run.append(between - began)
        scenario.floor.append(ended - between)
        scenario.verify(replayed)


def in_real_time(scenario: Scenario, make_client: MakeClient) -> None:
    """Replay a scenario over a real WebSocket in real time, with its start and its close."""
    replayed = replay_real(scenario.acts, make_client)
    scenario.verify(replayed)
    scenario.real = replayed.seconds


def pooled(client: str, scenarios: Sequence[Scenario], jobs: int) -> float:
    """Scenarios a second of a pool of `jobs` workers."""
    choices = [scenario.choices for scenario in scenarios]
    every = [each for again in repeat(choices, -(-POOL_RUNS // len(choices))) for each in again]
    requests = batches(every, "runs")
    with Pool(Setup(client=client, profile=PROFILE, scope=SCOPE, changes={}), jobs) as pool:
        list(pool.make(requests[:jobs]))
        began = perf_counter()
        list(pool.make(requests))
        return len(every) / (perf_counter() - began)


def results(scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """All figures of one process; times in milliseconds of one scenario, on average."""
    count = len(scenarios)
    run = sum(statistics.median(scenario.run) for scenario in scenarios)
    floor = sum(statistics.median(scenario.floor) for scenario in scenarios)
    in_real = [scenario for scenario in scenarios if scenario.real]
    fastest = sum(min(scenario.run) for scenario in in_real)
    rounds = [
        sum(runs) / sum(floors)
        for runs, floors in zip(
            zip(*(scenario.run for scenario in scenarios), strict=True),
            zip(*(scenario.floor for scenario in scenarios), strict=True),
            strict=True,
        )
    ]
    return {
        "scenarios": count,
        "overhead": run / floor,
        "overhead_rounds": sorted(rounds),
        "scenarios_a_second": count / run,
        "run_ms": run / count * 1000,
        "floor_ms": floor / count * 1000,
        "virtual_seconds": statistics.fmean(scenario.virtual for scenario in scenarios),
        "real_scenarios": len(in_real),
        "real_ms": sum(scenario.real for scenario in in_real) / len(in_real) * 1000,
        "real_ratio": sum(scenario.real for scenario in in_real) / fastest,
    }


def table(figures: Mapping[str, Any]) -> str:
    """The figures as a person reads them."""
    low, high = figures["overhead_rounds"][0], figures["overhead_rounds"][-1]
    rows = [
        ("overhead over the floor", f"{figures['overhead']:.2f}", f"at most {OVERHEAD_LIMIT}"),
        ("  in the single rounds", f"{low:.2f} to {high:.2f}", ""),
        ("real time over a run", f"{figures['real_ratio']:.0f}", f"at least {REAL_RATIO}"),
        ("scenarios a second", f"{figures['scenarios_a_second']:.0f}", "one process"),
        *(
            ("scenarios a second", f"{speed:.0f}", f"pool of {jobs}")
            for jobs, speed in figures["pool"].items()
        ),
        ("a run", f"{figures['run_ms']:.2f} ms", "model, wire format, all checks, JSON"),
        ("its floor", f"{figures['floor_ms']:.2f} ms", "the same acts, no model, no checks"),
        ("virtual time of a run", f"{figures['virtual_seconds']:.2f} s", ""),
        (
            "the same in real time",
            f"{figures['real_ms']:.0f} ms",
            f"loopback WebSocket, {figures['real_scenarios']} scenarios",
        ),
    ]
    head = (
        f"{figures['client']}, {figures['scenarios']} scenarios of {SCOPE}, "
        f"median of {figures['repeats']} repeats"
    )
    if figures["left_out"]:
        head += f"; {figures['left_out']} more did not end and were left out"
    lines = [f"{name:<26}{value:>14}   {note}".rstrip() for name, value, note in rows]
    return "\n".join([head, "", *lines]) + "\n"


if __name__ == "__main__":
    main()
