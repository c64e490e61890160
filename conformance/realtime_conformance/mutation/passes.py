"""How mutants are looked for: from a few runs of each scope to whole profiles.

Laws:
- A mutant and the client without it are driven by the same passes, with the same seed.
- A pass that was made whole, or with as high a limit, need not be made again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import attrs

from realtime_conformance.plan import Plan
from realtime_conformance.pool import Patience
from realtime_conformance.scenario import scope_of
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.state import State

PATIENCE = Patience(seconds=60.0, losses=0)
"""A request takes seconds; whoever says nothing for a minute hangs, and once is enough."""


@attrs.frozen
class Pass:
    """One way to look: a profile, a strategy, and the most runs in a scope, 0 for all.

    An empty strategy is that of the profile.
    """

    name: str
    about: str
    profile: str
    strategy: str
    runs: int

    def plan(self, client: str, seed: int) -> Plan:
        """What to run."""
        return Plan(
            client=client,
            profile=self.profile,
            strategy=self.strategy,
            limit=self.runs,
            seed=seed,
        )


PASSES: Sequence[Pass] = (
    # choices disturb often and paths disturb late: each executes lines that the other does not
    Pass("choices", "a few runs of each scope, each choice as likely", "quick", "random-walk", 60),
    Pass("paths", "a few more, each path as likely", "quick", "random", 60),
    Pass("quick", "the profile quick", "quick", "", 0),
    Pass("standard", "the profile standard", "standard", "", 0),
)
"""All passes, the cheapest first; each is made only for what those before it left."""


def passes(last: str, limit: int = 0) -> tuple[Pass, ...]:
    """The passes up to the one of this name, with no more runs in a scope than `limit`.

    Raises:
        ValueError: there is no such pass.
    """
    names = [one.name for one in PASSES]
    if last not in names:
        raise ValueError(f"unknown depth {last!r}; expected one of {', '.join(names)}")
    return tuple(
        attrs.evolve(one, runs=min(filter(None, (one.runs, limit)), default=0))
        for one in PASSES[: names.index(last) + 1]
    )


def left(wanted: Sequence[Pass], made: Mapping[str, int]) -> list[Pass]:
    """The passes that are still to be made, where `made` has the limit of each that was."""
    return [
        one
        for one in wanted
        if one.name not in made or (made[one.name] and not 0 < one.runs <= made[one.name])
    ]


@attrs.frozen(slots=False)
class _Counted(Graph):
    """A graph whose ways are counted once: every exploration by paths asks for them."""

    @functools.cached_property
    def _ways(self) -> dict[State, int]:
        return super().ways()

    def ways(self) -> dict[State, int]:
        """As those of any graph."""
        return self._ways


@functools.cache
def graph_of(profile: str, scope: str) -> Graph:
    """The graph of a scope, which all explorations of it share."""
    graph = enumerate_graph(Machine(scope_of(profile, scope, {}).bounds))
    return _Counted(graph.machine, graph.successors)
