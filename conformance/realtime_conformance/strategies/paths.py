"""Every path of what nobody disturbs, and each disturbance at every node of each of them.

What follows a disturbance is gone in one way from each of these places, and step by step, as
`cover` does it, from one place for each node. To go every way through all that follows is
`exhaust`, which multiplies the runs by hundreds.

Laws:
- Paths are those of `exhaust`, with the same reduction; a disturbance ends the part that is gone in
  every order.
- Every step at every node that is visited is taken, in the part behind a disturbance too.
- Bursts are not multiplied with paths: they are on the cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from realtime_conformance.plain import Numbers
from realtime_conformance.pool import Ask, Choices
from realtime_conformance.strategies.cover import Cover, Step
from realtime_conformance.strategies.exhaust import Exhaust
from realtime_conformance.strategies.interface import WAVE, Made, Option, Visit, batches
from realtime_protocol.machine import Machine
from realtime_protocol.reduction import Commuting
from realtime_protocol.state import State

Json = dict[str, Any]


@attrs.define
class Paths:
    """All paths, the places at which they are disturbed, and the cover of what follows."""

    machine: Machine
    relation: Commuting
    cover: Cover
    exhaust: Exhaust = attrs.field(init=False)
    places: list[Choices] = attrs.field(factory=list)
    """Choices up to a disturbance."""

    name = "paths"
    about = "every path of what nobody disturbs, and each disturbance at every node of it"
    promises = True

    def __attrs_post_init__(self) -> None:
        self.exhaust = Exhaust(self.machine, self.relation, self._is_apart)
        self.cover.frontier = []

    def _is_apart(self, option: Option) -> bool:
        rule, burst = option
        return burst or self._disturbs(rule)

    def _disturbs(self, rule: int) -> bool:
        return bool(self.machine.rules[rule].disturbs)

    @property
    def tails_left(self) -> int:
        """Ways through tails that are known and were not gone, for want of budget."""
        return self.cover.tails_left

    @property
    def left(self) -> int:
        """Runs and interruption points that are known and were not asked for."""
        return self.exhaust.left + len(self.places) + self.cover.left

    def wave(self, room: int) -> list[Json]:
        """Paths first, then what disturbs them, and then the cover."""
        if self.exhaust.left:
            return self.exhaust.wave(room)
        if self.places:
            count = min(WAVE, room) if room else WAVE
            wave, self.places = self.places[:count], self.places[count:]
            return batches(wave, "runs")
        return self.cover.wave(room)

    def make(self, request: Json, ask: Ask) -> Json:
        """Put the request to the worker."""
        return ask(request)

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:
        """Branch in every order where nobody has disturbed, and as the cover does elsewhere."""
        if "walks" not in request:
            self.cover.note(request, reply, made)
            return
        self.exhaust.note(request, reply, made)
        for run in made:
            for way, here, visit in run.steps():
                for choice, option in enumerate(visit.options):
                    self._note(way, (*here, choice), visit, option)

    def _note(self, way: Step | None, choices: Choices, visit: Visit, option: Option) -> None:
        """Note one option of a node on a path."""
        rule, burst = option
        news = self.cover.is_news(way, visit, option)
        if burst or (news and self.machine.rules[rule].disturbs == "interruption"):
            if news:
                self.cover.branch(choices, option)
        elif self._disturbs(rule) and (news or visit.sleep is not None):
            self.places.append(choices)

    def saved(self, number: Numbers) -> Json:
        """What all three know."""
        return {
            "exhaust": self.exhaust.saved(number),
            "places": self.places,
            "cover": self.cover.saved(number),
        }

    def restore(self, data: Json, states: Sequence[State]) -> None:
        """Know what was saved."""
        self.exhaust.restore(data["exhaust"], states)
        self.places = [tuple(choices) for choices in data["places"]]
        self.cover.restore(data["cover"], states)
