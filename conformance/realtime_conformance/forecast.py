"""How many runs each strategy will make, and about how long that takes, without making them.

Laws:
- Numbers come from the graph, which holds all that a client may do. A client does one thing where
  the graph has several, so they are bounds, for settled runs of a client that stays inside of it.
- `exhaust` makes at most one run for each path. At least it makes those that are left if the client
  does at each node what leaves fewest, and never has a deadline.
- `cover` begins at most one run with each step of anybody but the client, and a tail with each
  interruption. A tail has as many runs as its budget, or as steps have to be taken, and no more
  than there are paths. At least it begins one with each interruption that the measured run met.
- A rate is measured by a handful of runs, or it is unknown. Numbers are never guessed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import attrs

from realtime_conformance.plan import Plan
from realtime_conformance.pool import Pool, WorkerLost, WorkerRefused
from realtime_conformance.strategies import relation_of
from realtime_conformance.strategies.hypothesis import EXAMPLES
from realtime_conformance.strategies.random import DRAWS
from realtime_protocol.bounds import PROFILES, Scope
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.paths import ways
from realtime_protocol.reduction import Commuting, sleep_after, visible
from realtime_protocol.state import State

HANDFUL = 5
"""Runs by which a rate is measured."""

UNSURE = "deadline"
"""The act that can only be done where the client has a deadline, which the graph does not know."""


@attrs.frozen
class Measured:
    """What a handful of runs showed."""

    rate: float
    """Runs in a second, of one worker."""
    interruptions: int
    """Places at which the undisturbed run could have been interrupted."""


@attrs.frozen
class Forecast:
    """What one strategy will do in one scope; None for what is unknown or has no end."""

    scope: str
    strategy: str
    least: int
    most: int | None

    def seconds(self, rate: float) -> tuple[float, float | None]:
        """About how long it takes at `rate` runs in a second: at least and at most."""
        return self.least / rate, None if self.most is None else self.most / rate


def forecasts(plan: Plan, scope: Scope, measured: Measured | None) -> list[Forecast]:
    """What every strategy will do in a scope."""
    graph = enumerate_graph(Machine(scope.bounds))
    known = ways(graph)
    points = measured.interruptions if measured else 0
    # bursts are no part of the graph, so there is no telling how many runs they add
    paths, cover = None, None
    if not plan.bursts:
        paths = known[graph.machine.initial]
        cover = most_of_cover(graph, known, PROFILES[plan.profile].tail_runs)
    drawn = plan.limit or DRAWS
    return [
        Forecast(scope.name, "cover", 1 + points, cover),
        Forecast(
            scope.name, "exhaust", fewest(graph, relation_of(graph.machine, plan.reduction)), paths
        ),
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
    try:
        with Pool(plan.setup(scope), 1, plan.interpreter) as pool:
            begun = time.monotonic()
            reply = pool.ask({"runs": [()] * HANDFUL})
            took = time.monotonic() - begun
    except (WorkerLost, WorkerRefused):
        return None
    rules = Machine(scope.bounds).rules
    met = {
        (state, rule)
        for state, options, _, _ in reply["results"][0]["offers"]
        for rule, _ in options
        if rules[rule].disturbs == "interruption"
    }
    return Measured(HANDFUL / took, len(met))


def told(plan: Plan, scopes: Sequence[Scope], measured: Sequence[Measured | None]) -> Iterator[str]:
    """The forecast as a person reads it, a line for each scope and strategy."""
    yield f"{'scope':<14} {'strategy':<12} {'runs':<40} {'about':<30}"
    for scope, rate in zip(scopes, measured, strict=True):
        for row in forecasts(plan, scope, rate):
            mark = "*" if row.strategy == plan.how else " "
            runs = _range(f"{row.least:,}", None if row.most is None else f"{row.most:,}")
            yield f"{row.scope:<14} {row.strategy + mark:<12} {runs:<40} {_time(row, rate, plan)}"


def _time(row: Forecast, measured: Measured | None, plan: Plan) -> str:
    if measured is None:
        return "unknown"
    least, most = row.seconds(measured.rate * plan.jobs)
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
