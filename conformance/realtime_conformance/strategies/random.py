"""Runs drawn by chance: each path of the graph as likely as any other, or each choice.

Laws:
- `random` draws among paths. At a node a step is as likely as there are paths of the graph that go
  on with it, by their exact number, and to stop is one of them; the client answers for itself, so
  what is drawn is even among the paths that agree with its answers so far.
- `random-walk` draws among choices: at each node every step is as likely as any other, and to stop
  where nothing is left to do but to disturb.
- Each run has a seed of its own, made of the seed and its number, so it is the same run whoever
  makes it and whatever was made before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import attrs

from realtime_conformance.live import Live
from realtime_conformance.plain import Numbers, read_state
from realtime_conformance.pool import Ask
from realtime_conformance.strategies.interface import Made, Option
from realtime_protocol.graph import Graph
from realtime_protocol.machine import Machine, Step
from realtime_protocol.paths import ways
from realtime_protocol.state import State

Json = dict[str, Any]

DRAWS = 1000
"""Runs that are drawn where no budget says otherwise."""
DRAWN = 96
"""Runs in one wave."""

Weights = Callable[[State, Sequence[Option]], list[int]]
"""How likely each option is at a node; one number more, at the end, is that of stopping."""


def by_paths(graph: Graph) -> Weights:
    """Weigh an option by the number of paths that go on with it.

    A client that leaves the graph is followed by choices. Of a step and the same step in a burst
    each has half, and both are weighed double for that.

    Raises:
        CyclicGraph: the numbers are not finite.
    """
    known = ways(graph)
    machine = graph.machine
    evenly = by_choices(machine)

    def weights(state: State, options: Sequence[Option]) -> list[int]:
        rules = [rule for rule, _ in options]
        found = [known.get(machine.after(state, Step(rule)), 0) for rule in rules]
        shares = [2 * count // rules.count(rule) for rule, count in zip(rules, found, strict=True)]
        if state not in known or not any(shares):
            return evenly(state, options)
        return [*shares, 2 * _may_stop(machine, options)]

    return weights


def by_choices(machine: Machine) -> Weights:
    """Weigh all options alike."""

    def weights(state: State, options: Sequence[Option]) -> list[int]:  # noqa: ARG001
        return [*(1 for _ in options), int(_may_stop(machine, options))]

    return weights


def _may_stop(machine: Machine, options: Sequence[Option]) -> bool:
    """Whether a run may end here: nothing is left to do but to disturb."""
    return all(burst or machine.rules[rule].disturbs for rule, burst in options)


def picked(weights: Sequence[int], rank: int) -> int:
    """The position whose share holds `rank`, where shares lie side by side from 0 on.

    Raises:
        ValueError: the shares do not reach so far.
    """
    for position, weight in enumerate(weights):
        if rank < weight:
            return position
        rank -= weight
    raise ValueError(f"expected a rank below {sum(weights)}, got {rank + sum(weights)}")


@attrs.define
class Drawing:
    """The number of the next run, and how many there are to be."""

    name: str
    about: str
    weights: Weights
    seed: int = 0
    draws: int = DRAWS
    """Runs to draw; 0 for no end."""
    drawn: int = 0

    promises = False
    tails_left = 0

    @property
    def left(self) -> int:
        """Runs that are still to be drawn; one where there is no end."""
        return max(self.draws - self.drawn, 0) if self.draws else 1

    def wave(self, room: int) -> list[Json]:
        """The next runs by their numbers."""
        known = self.draws and self.left
        if self.draws and not known:
            return []
        count = min(limit for limit in (DRAWN, room, known) if limit)
        begin, self.drawn = self.drawn, self.drawn + count
        return [{"draw": number} for number in range(begin, self.drawn)]

    def make(self, request: Json, ask: Ask) -> Json:
        """Draw one run, a choice at a time."""
        chance = Random(f"{self.seed} {request['draw']}")
        live = Live(ask)
        node = live.begin()
        while (choice := self._choice(node, chance)) is not None:
            node = live.take(choice)
        return live.finish()

    def _choice(self, node: Json, chance: Random) -> int | None:
        options = [(rule, bool(burst)) for rule, burst in node["options"]]
        if not options:
            return None
        weights = self.weights(read_state(node["state"]), options)
        choice = picked(weights, chance.randrange(sum(weights)))
        return choice if choice < len(options) else None

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:
        """Nothing is learned: a run does not depend on those before."""

    def saved(self, number: Numbers) -> Json:  # noqa: ARG002
        """How many were drawn."""
        return {"drawn": self.drawn}

    def restore(self, data: Json, states: Sequence[State]) -> None:  # noqa: ARG002
        """Know what was saved."""
        self.drawn = data["drawn"]
