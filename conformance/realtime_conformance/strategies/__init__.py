"""All strategies, one a file, by their names.

Laws:
- A strategy is made from what it is to explore and by how much; nothing else tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import attrs

from realtime_conformance.pool import Setup
from realtime_conformance.strategies.cover import Cover
from realtime_conformance.strategies.exhaust import Exhaust, nothing_commutes
from realtime_conformance.strategies.hypothesis import EXAMPLES, Searching
from realtime_conformance.strategies.interface import Strategy
from realtime_conformance.strategies.paths import Paths
from realtime_conformance.strategies.random import DRAWS, Drawing, by_choices, by_paths
from realtime_conformance.strategies.ticks import Ticks
from realtime_protocol.graph import Graph
from realtime_protocol.machine import Machine
from realtime_protocol.reduction import Commuting, commuting

Reduction = Literal["on", "off"]


@attrs.frozen(kw_only=True)
class Subject:
    """What a strategy is made for.

    `runs` and `seconds` are the budget, 0 for none. `tail_runs` and `tail_most` are those of one
    tail under `cover`, and `every_way` says whether that disturbs a node by every way into it.
    """

    graph: Graph
    setup: Setup
    seed: int = 0
    runs: int = 0
    seconds: float = 0.0
    tail_runs: int = 0
    tail_most: int = 0
    every_way: bool = False
    reduction: Reduction = "on"

    def draws(self, otherwise: int) -> int:
        """How many runs to draw: those of the budget; 0 for no end, where time is what ends it."""
        return self.runs or (0 if self.seconds else otherwise)


def relation_of(machine: Machine, reduction: Reduction) -> Commuting:
    """Which steps may be taken in one order for both."""
    return commuting(machine) if reduction == "on" else nothing_commutes(machine)


def _cover(subject: Subject) -> Cover:
    machine = subject.graph.machine
    return Cover(machine, subject.tail_runs, subject.tail_most, subject.every_way)


def _paths(subject: Subject) -> Strategy:
    machine = subject.graph.machine
    return Paths(machine, relation_of(machine, subject.reduction), _cover(subject))


def _exhaust(subject: Subject) -> Strategy:
    machine = subject.graph.machine
    return Exhaust(machine, relation_of(machine, subject.reduction))


def _ticks(subject: Subject) -> Strategy:
    return Ticks(subject.graph.machine)


def _random(subject: Subject) -> Strategy:
    about = "runs drawn by chance, each path of the graph as likely as any other"
    weights = by_paths(subject.graph)
    return Drawing("random", about, weights, subject.seed, subject.draws(DRAWS))


def _random_walk(subject: Subject) -> Strategy:
    about = "runs drawn by chance, each choice at a node as likely as any other"
    weights = by_choices(subject.graph.machine)
    return Drawing("random-walk", about, weights, subject.seed, subject.draws(DRAWS))


def _hypothesis(subject: Subject) -> Strategy:
    return Searching(subject.setup, subject.seed, subject.draws(EXAMPLES))


STRATEGIES: Mapping[str, Callable[[Subject], Strategy]] = {
    "cover": _cover,
    "paths": _paths,
    "exhaust": _exhaust,
    "ticks": _ticks,
    "random": _random,
    "random-walk": _random_walk,
    "hypothesis": _hypothesis,
}
"""What makes each strategy."""


def check_name(name: str) -> None:
    """Raises ValueError for a name that is no strategy's."""
    if name not in STRATEGIES:
        expected = ", ".join(STRATEGIES)
        raise ValueError(f"unknown strategy {name!r}; expected one of {expected}")
