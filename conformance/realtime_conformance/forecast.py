"""How many runs each strategy will make, and about how long that takes, without making them.

Laws:
- Numbers come from the graph, which holds all that a client may do. A client does one thing where
  the graph has several, so they are bounds, for settled runs of a client that stays inside of it.
- `exhaust` makes at most one run for each path. At least it makes those that are left if the client
  does at each node what leaves fewest, and never has a deadline.
- `cover` begins at most one run with each step of anybody but the client, and a tail with each
  interruption. A tail has as many runs as its budget, or as steps have to be taken, and no more
  than there are paths. At least it begins one with each interruption that the measured run met.
- Between the two the runs of `exhaust` are estimated by a few probes, runs whose steps are drawn
  (Knuth, "Estimating the efficiency of backtrack programs", 1975): right on average, and often too
  small in a single plan, since few probes seldom meet what is large and rare.
- `paths` begins at least one run with each interruption that the measured run met, and makes no
  more than there are paths.
- `ticks` has no upper bound. At least it disturbs the measured run, as often as that has turns.
- A rate is measured by a handful of runs, or it is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import attrs

from realtime_conformance.live import Live
from realtime_conformance.plain import read_state
from realtime_conformance.plan import Plan
from realtime_conformance.pool import Pool, WorkerLost, WorkerRefused
from realtime_conformance.strategies import relation_of
from realtime_conformance.strategies.exhaust import awake, hidden_rules
from realtime_conformance.strategies.hypothesis import EXAMPLES
from realtime_conformance.strategies.interface import Sleep
from realtime_conformance.strategies.random import DRAWS, Weights, by_paths, picked
from realtime_protocol.bounds import PROFILES, Scope
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.paths import ways
from realtime_protocol.reduction import Commuting, sleep_after, visible
from realtime_protocol.state import State

Json = dict[str, Any]

HANDFUL = 5
"""Runs by which a rate is measured."""
PROBES = 100
"""Runs by which the number of all runs is estimated."""

UNSURE = "deadline"
"""The act that can only be done where the client has a deadline, which the graph does not know."""


@attrs.frozen
class Measured:
    """What a handful of runs showed."""

    rate: float
    """Runs in a second, of one worker."""
    interruptions: int
    """Places at which the undisturbed run could have been interrupted."""
    disturbances: int = 0
    """Turns of the client's loop in the undisturbed run, each with what could disturb it there."""
    probed: int = 0
    """How many runs `exhaust` has, as the probes have it."""


@attrs.frozen
class Forecast:
    """What one strategy will do in one scope; None for what is unknown or has no end."""

    scope: str
    strategy: str
    least: int
    most: int | None
    likely: int | None = None
    """What is to be expected between the two, where that is known."""

    def seconds(self, rate: float) -> tuple[float, float | None]:
        """About how long it takes at `rate` runs in a second: at least and at most."""
        return self.least / rate, None if self.most is None else self.most / rate


def forecasts(plan: Plan, scope: Scope, measured: Measured | None) -> list[Forecast]:
    """What every strategy will do in a scope."""
    graph = enumerate_graph(Machine(scope.bounds))
    known = ways(graph)
    points = measured.interruptions if measured else 0
    least = fewest(graph, relation_of(graph.machine, plan.reduction))
    likely = max(measured.probed, least) if measured else None
    if likely and not plan.preemptions:
        likely = min(likely, known[graph.machine.initial])
    # bursts are no part of the graph, so there is no telling how many runs they add
    paths, cover = None, None
    if not plan.preemptions:
        paths = known[graph.machine.initial]
        profile = PROFILES[plan.profile]
        # by every way in there are as many disturbances as ways, and no run is made twice
        cover = paths if profile.every_way else most_of_cover(graph, known, profile.tail_runs)
    drawn = plan.limit or DRAWS
    return [
        Forecast(scope.name, "cover", 1 + points, cover),
        Forecast(scope.name, "paths", 1 + points, paths),
        Forecast(scope.name, "exhaust", least, paths, likely),
        Forecast(scope.name, "ticks", 1 + (measured.disturbances if measured else 0), None),
        Forecast(scope.name, "random", drawn, drawn),
        Forecast(scope.name, "random-walk", drawn, drawn),
        # what is found is shrunk, which takes as many runs as it takes
        Forecast(scope.name, "hypothesis", plan.limit or EXAMPLES, None),
    ]


def fewest(graph: Graph, relation: Commuting) -> int:
    """The fewest runs of `exhaust` under a relation of independence that any client leaves."""
    rules = graph.machine.rules
    root: _Node = (graph.machine.initial, frozenset())
    found: dict[_Node, int] = {}
    waiting = [root]
    while waiting:
        node = waiting[-1]
        if node in found:
            waiting.pop()
            continue
        steps = list(_steps(graph, relation, node))
        unknown = [after for _, after in steps if after not in found]
        if unknown:
            waiting += unknown
            continue
        acting = [found[after] for number, after in steps if rules[number].is_client]
        going_on = [found[after] for number, after in steps if not rules[number].is_client]
        at_rest = int(graph.accepting(node[0])) + sum(going_on)
        # a node where nothing can be taken ends a run as well
        found[node] = min([max(at_rest, 1), *acting])
        waiting.pop()
    return found[root]


_Node = tuple[State, frozenset[int]]
"""A state, and what sleeps there."""


def _steps(graph: Graph, relation: Commuting, node: _Node) -> Iterator[tuple[int, _Node]]:
    """The steps that are sure to be taken, and where each leads."""
    state, sleep = node
    rules = graph.machine.rules
    outgoing = sorted(graph.successors[state], key=lambda edge: visible(rules[edge[0]]))
    tried: list[int] = []
    for number, _, target in outgoing:
        if rules[number].is_client:
            yield number, (target, sleep & relation[number])
        elif number not in sleep and rules[number].event != UNSURE:
            tried.append(number)
            yield number, (target, sleep_after(relation, sleep, number, tried))


def most_of_cover(graph: Graph, known: Mapping[State, int], tail_runs: int) -> int:
    """The most runs of `cover` that any client inside the graph leaves.

    `known` says how many paths lead on from each state.
    """
    rules = graph.machine.rules
    steps = [
        (rules[number].disturbs == "interruption", target)
        for outgoing in graph.successors.values()
        for number, _, target in outgoing
        if not rules[number].is_client
    ]
    tails = [target for interrupts, target in steps if interrupts]
    largest = max(tail_runs, len(steps))
    return 1 + len(steps) - len(tails) + sum(min(known[target], largest) for target in tails)


def measure(plan: Plan, scope: Scope) -> Measured | None:
    """Make a handful of runs; None where the client cannot be driven through the scope."""
    machine = Machine(scope.bounds)
    try:
        with Pool(plan.setup(scope), 1, plan.interpreter) as pool:
            begun = time.monotonic()
            reply = pool.ask({"runs": [()] * HANDFUL})
            took = time.monotonic() - begun
            prober = Prober(
                machine,
                relation_of(machine, plan.reduction),
                by_paths(enumerate_graph(machine)),
                Live(pool.ask),
            )
            chances = (Random(f"{plan.seed} {number}") for number in range(PROBES))
            probed = round(sum(map(prober.probe, chances)) / PROBES)
    except (WorkerLost, WorkerRefused):
        return None
    offers = reply["results"][0]["offers"]
    met = {
        (state, rule)
        for state, options, *_ in offers
        for rule, _ in options
        if machine.rules[rule].disturbs == "interruption"
    }
    disturbances = sum(
        max(turns - 1, 0) * sum(bool(machine.rules[rule].disturbs) for rule, _ in behind)
        for (*_, turns), (_, behind, *_) in pairwise(offers)
    )
    return Measured(HANDFUL / took, len(met), disturbances, probed)


@attrs.frozen
class Prober:
    """Draws runs of a client, and sees how often ways part on them."""

    machine: Machine
    relation: Commuting
    weights: Weights
    live: Live

    def probe(self, chance: Random) -> float:
        """How many runs there would be if all parted as the one that is drawn."""
        sleep: Sleep = frozenset()
        runs = 1.0
        node = self.live.begin()
        while ways := self._ways(node, sleep):
            rank = chance.randrange(sum(way.weight for way in ways))
            way = ways[picked([way.weight for way in ways], rank)]
            runs *= sum(way.weight for way in ways) / way.weight
            if way.choice is None:
                break
            sleep = way.sleep
            node = self.live.take(way.choice)
        self.live.finish()
        return runs

    def _ways(self, node: Json, sleep: Sleep) -> list[_Way]:
        """What is awake at a node; none where all is another order of what is made elsewhere."""
        options = [(rule, bool(burst)) for rule, burst in node["options"]]
        if not options:
            return []
        *weights, stop = self.weights(read_state(node["state"]), options)
        ways = [] if not stop else [_Way(stop, None, sleep)]
        ways += [
            _Way(weights[choice], choice, after)
            for choice, after in awake(options, sleep, hidden_rules(self.machine), self.relation)
        ]
        # what no path of the graph goes on with may be what the client goes on with
        return [attrs.evolve(way, weight=max(way.weight, 1)) for way in ways]


@attrs.frozen
class _Way:
    """One way on: how likely it is drawn, its choice, and what sleeps behind it."""

    weight: int
    choice: int | None
    """None is to end there."""
    sleep: Sleep


def told(plan: Plan, scopes: Sequence[Scope], measured: Sequence[Measured | None]) -> Iterator[str]:
    """The forecast as a person reads it, a line for each scope and strategy."""
    yield f"{'scope':<14} {'strategy':<12} {'runs':<44} {'takes':<30}"
    for scope, rate in zip(scopes, measured, strict=True):
        for row in forecasts(plan, scope, rate):
            mark = "*" if row.strategy == plan.how(row.scope) else " "
            runs = _range(f"{row.least:,}", None if row.most is None else f"{row.most:,}")
            if row.likely is not None:
                runs = f"{runs}, about {row.likely:,}"
            yield f"{row.scope:<14} {row.strategy + mark:<12} {runs:<44} {_time(row, rate, plan)}"


def _time(row: Forecast, measured: Measured | None, plan: Plan) -> str:
    if measured is None:
        return "unknown"
    rate = measured.rate * plan.jobs
    if row.likely is not None:
        return _duration(row.likely / rate)
    least, most = row.seconds(rate)
    return _range(_duration(least), None if most is None else _duration(most))


def _range(least: str, most: str | None) -> str:
    if most is None:
        return f"{least} or more"
    return least if least == most else f"{least} to {most}"


def _duration(seconds: float) -> str:
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
