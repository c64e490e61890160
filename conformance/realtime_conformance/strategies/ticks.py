"""Every disturbance in every turn of the client's loop, behind every step by one way in.

At rest a client has done all that it will do about what came. What comes while it is still busy
meets it between two of its own steps; how many of those there are is seen by running.

Laws:
- Every step at every node is taken by one run, by a `cover` that gives each tail one way.
- A step is disturbed in its turns if a disturbance can come once the client is at rest behind it.
- What follows such a disturbance is gone in one way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import attrs

from realtime_conformance.plain import Numbers
from realtime_conformance.pool import Ask, Choices
from realtime_conformance.strategies.cover import Cover, Step
from realtime_conformance.strategies.interface import Made, Visit
from realtime_protocol.machine import Machine
from realtime_protocol.state import State

Json = dict[str, Any]

STEPS = 16
"""Steps in one wave that are disturbed."""


@attrs.define
class Ticks:
    """The frontier, and the steps whose turns are still to be disturbed."""

    machine: Machine
    cover: Cover = attrs.field(init=False)
    steps: list[tuple[Choices, int]] = attrs.field(factory=list)
    """Choices up to a step, and how many turns the client takes for it."""
    _disturbed: set[Step] = attrs.field(factory=set)

    name = "ticks"
    about = "every disturbance in every turn of the client's loop behind every step"
    promises = False
    tails_left = 0

    def __attrs_post_init__(self) -> None:
        self.cover = Cover(self.machine, tail_most=1)

    @property
    def left(self) -> int:
        """Runs and steps that are known and were not asked for."""
        return self.cover.left + len(self.steps)

    def wave(self, room: int) -> list[Json]:
        """The oldest steps, or else what the cover asks for: a budget sees both kinds."""
        if not self.steps:
            return self.cover.wave(room)
        steps, self.steps = self.steps[:STEPS], self.steps[STEPS:]
        return [{"ticks": choices, "turns": turns} for choices, turns in steps]

    def make(self, request: Json, ask: Ask) -> Json:
        """Put the request to the worker."""
        return ask(request)

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:
        """Branch as the cover does, and note what can be disturbed."""
        if "ticks" in request:
            return
        self.cover.note(request, reply, made)
        for run in made:
            self.steps += self._busy(run)

    def _busy(self, run: Made) -> Iterator[tuple[Choices, int]]:
        """The steps of a run, not seen before, that something could disturb."""
        for position, (visit, behind) in enumerate(pairwise(run.visits), run.start):
            if visit.taken is None or visit.turns < 2 or not self._can_be_disturbed(behind):
                continue
            step = (visit.state, visit.options[visit.taken])
            if step not in self._disturbed:
                self._disturbed.add(step)
                yield run.choices[: position + 1], visit.turns

    def _can_be_disturbed(self, visit: Visit) -> bool:
        rules = self.machine.rules
        return any(rules[rule].disturbs for rule, _ in visit.options)

    def saved(self, number: Numbers) -> Json:
        """What the cover knows, the steps, and which were disturbed."""
        return {
            "cover": self.cover.saved(number),
            "steps": self.steps,
            "disturbed": sorted([number(state), *option] for state, option in self._disturbed),
        }

    def restore(self, data: Json, states: Sequence[State]) -> None:
        """Know what was saved."""
        self.cover.restore(data["cover"], states)
        self.steps = [(tuple(choices), turns) for choices, turns in data["steps"]]
        self._disturbed = {(states[n], (rule, bool(burst))) for n, rule, burst in data["disturbed"]}
