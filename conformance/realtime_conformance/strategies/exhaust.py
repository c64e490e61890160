"""Every path with every interruption, depth first.

Laws:
- The frontier is explicit: the paths that branched off and were not begun, newest last.
- With a relation of independence, a path is left out if it only orders independent steps in another
  way than one that is made (see `realtime_protocol.reduction` and `walk`). With an empty relation
  nothing is left out, and no path is made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from realtime_conformance.plain import Numbers
from realtime_conformance.pool import Ask, Choices
from realtime_conformance.strategies.interface import WAVE, Made, Option, Sleep, Visit, batches
from realtime_protocol.machine import Machine
from realtime_protocol.reduction import Commuting, sleep_after, visible
from realtime_protocol.state import State

Json = dict[str, Any]


def nothing_commutes(machine: Machine) -> Commuting:
    """The relation under which every order counts."""
    return (frozenset(),) * len(machine.rules)


def hidden_rules(machine: Machine) -> Sleep:
    """The rules that the client is not told of."""
    return frozenset(n for n, rule in enumerate(machine.rules) if not visible(rule))


def awake(
    options: Sequence[Option], sleep: Sleep, hidden: Sleep, relation: Commuting
) -> Iterator[tuple[int, Sleep]]:
    """The choices of a node that are not another order of others, each with what sleeps behind it.

    Hidden steps come first, as in a walk: what is tried before may sleep in what comes after.
    """
    tried: list[int] = []
    for choice in sorted(range(len(options)), key=lambda n: (options[n][0] not in hidden, n)):
        rule, burst = options[choice]
        if burst:
            yield choice, frozenset()
        elif rule not in sleep:
            tried.append(rule)
            yield choice, sleep_after(relation, sleep, rule, tried)


def no_option(option: Option) -> bool:  # noqa: ARG001
    """Nothing is left to others."""
    return False


@attrs.define
class Exhaust:
    """The frontier: choices, and what sleeps after the last of them."""

    machine: Machine
    relation: Commuting
    apart: Callable[[Option], bool] = no_option
    """What is left to others: no path is begun with it."""
    frontier: list[tuple[Choices, Sleep]] = attrs.field(factory=lambda: [((), frozenset())])
    _hidden: Sleep = attrs.field(init=False)

    name = "exhaust"
    about = "every path with every interruption"
    promises = True
    tails_left = 0

    def __attrs_post_init__(self) -> None:
        self._hidden = hidden_rules(self.machine)

    @property
    def left(self) -> int:
        """Runs that are known and were not asked for."""
        return len(self.frontier)

    def wave(self, room: int) -> list[Json]:
        """The newest of the frontier, which keeps it as small as the tree is deep."""
        count = min(WAVE, room) if room else WAVE
        wave, self.frontier = self.frontier[-count:][::-1], self.frontier[:-count]
        return batches(
            [(choices, sorted(sleep)) for choices, sleep in wave],
            "walks",
            hidden=sorted(self._hidden),
            undisturbed=[sorted(others & self._hidden) for others in self.relation],
        )

    def make(self, request: Json, ask: Ask) -> Json:
        """Put the request to the worker."""
        return ask(request)

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:  # noqa: ARG002
        """Branch wherever a run had another choice that is awake."""
        for run in made:
            for here, visit in run.free():
                if visit.sleep is not None:
                    self._branch(here, visit, visit.sleep)

    def _branch(self, here: Choices, visit: Visit, sleep: Sleep) -> None:
        for choice, after in awake(visit.options, sleep, self._hidden, self.relation):
            if choice != visit.taken and not self.apart(visit.options[choice]):
                self.frontier.append(((*here, choice), after))

    def saved(self, number: Numbers) -> Json:  # noqa: ARG002
        """The frontier."""
        return {"frontier": [[choices, sorted(sleep)] for choices, sleep in self.frontier]}

    def restore(self, data: Json, states: Sequence[State]) -> None:  # noqa: ARG002
        """Know what was saved."""
        self.frontier = [(tuple(choices), frozenset(sleep)) for choices, sleep in data["frontier"]]
