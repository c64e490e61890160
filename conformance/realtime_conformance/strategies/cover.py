"""Every step at every node by at least one way in, and the tail of each interruption point.

Laws:
- With `every_way` a disturbance is tried behind each step that leads to its node, not behind one.
- A step at a node that was seen before is not gone again; an interruption is an end of its own, and
  what follows it is explored by itself (see `tail`): a client remembers where it was interrupted,
  so tails are not shared between points.
- Where a tail is limited to `tail_most` runs, what they leave is gone as any other step is.
- Points come after all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from realtime_conformance.plain import Numbers
from realtime_conformance.pool import Ask, Choices
from realtime_conformance.strategies.interface import WAVE, Made, Option, Visit, batches
from realtime_protocol.machine import Machine
from realtime_protocol.state import State

Json = dict[str, Any]

Step = tuple[State, Option]

POINTS = 32
"""Interruption points in one wave."""


@attrs.define
class Cover:
    """The frontier, and the interruption points whose tails are still to be explored."""

    machine: Machine
    tail_runs: int = 0
    """Runs for one tail, or as many as taking every step of it needs."""
    tail_most: int = 0
    """Most runs for one tail; 0 for no such limit."""
    every_way: bool = False
    """Whether a disturbance is tried by every way into its node."""
    frontier: list[Choices] = attrs.field(factory=lambda: [()])
    points: list[Choices] = attrs.field(factory=list)
    tails_left: int = 0
    """Ways through tails that are known and were not gone, for want of budget."""
    _seen: set[Step] = attrs.field(factory=set)
    _ways: set[tuple[Step, Step]] = attrs.field(factory=set)
    """Disturbances that were seen, each behind the step that led to its node."""

    name = "cover"
    about = "every step at every node, and the tail of each interruption"
    promises = True

    @property
    def left(self) -> int:
        """Runs and interruption points that are known and were not asked for."""
        return len(self.frontier) + len(self.points)

    def wave(self, room: int) -> list[Json]:
        """The newest of the frontier, or else the oldest points."""
        if self.frontier:
            count = min(WAVE, room) if room else WAVE
            # newest first keeps the frontier as small as the tree is deep
            wave, self.frontier = self.frontier[-count:][::-1], self.frontier[:-count]
            return batches(wave, "runs")
        points, self.points = self.points[:POINTS], self.points[POINTS:]
        return [
            {"tails": point, "budget": self.tail_runs, "most": self.tail_most} for point in points
        ]

    def make(self, request: Json, ask: Ask) -> Json:
        """Put the request to the worker."""
        return ask(request)

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:
        """Branch where a run had another choice; a tail gone step by step does so by itself."""
        if "tails" in request:
            self.tails_left += reply["left"]
            if not self.tail_most:
                return
        # what the runs of one tail took is no news to each other
        for run in made:
            for way, _, visit in run.steps():
                if visit.taken is not None:
                    self.is_news(way, visit, visit.options[visit.taken])
        for run in made:
            for way, here, visit in run.steps():
                for choice, option in enumerate(visit.options):
                    if self.is_news(way, visit, option) and choice != visit.taken:
                        self.branch((*here, choice), option)

    def branch(self, choices: Choices, option: Option) -> None:
        """Begin a run, or a tail, with choices that end with an option."""
        if self.machine.rules[option[0]].disturbs == "interruption":
            self.points.append(choices)
        else:
            self.frontier.append(choices)

    def is_news(self, way: Step | None, visit: Visit, option: Option) -> bool:
        """Whether an option was not seen at a node, or not by this way in; it is seen now."""
        step = (visit.state, option)
        known = step in self._seen
        self._seen.add(step)
        if self.every_way and way and self.machine.rules[option[0]].disturbs:
            known = (way, step) in self._ways
            self._ways.add((way, step))
        return not known

    def saved(self, number: Numbers) -> Json:
        """Frontier, points, and what was seen."""
        return {
            "frontier": self.frontier,
            "points": self.points,
            "tails_left": self.tails_left,
            "seen": sorted([number(state), *option] for state, option in self._seen),
            "ways": sorted(
                [number(before), *first, number(state), *option]
                for (before, first), (state, option) in self._ways
            ),
        }

    def restore(self, data: Json, states: Sequence[State]) -> None:
        """Know what was saved."""
        self.frontier = [tuple(choices) for choices in data["frontier"]]
        self.points = [tuple(choices) for choices in data["points"]]
        self.tails_left = data["tails_left"]
        self._seen = {(states[n], (rule, bool(burst))) for n, rule, burst in data["seen"]}
        self._ways = {
            ((states[m], (first, bool(hurried))), (states[n], (rule, bool(burst))))
            for m, first, hurried, n, rule, burst in data["ways"]
        }
