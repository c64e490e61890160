"""What was covered out of what exists, and why the rest was not.

Laws:
- Closure: at every node where the client came to rest, every step of every other actor was taken.
- Reach: visited out of what exists in the graph. An unvisited node is explained if every edge into
  it comes from an unvisited node, or is a client edge whose source was visited and whose message
  this client did not send there, or leaves a node that the client only passed through, or is a
  step of the clock where the client had no deadline.
- Merging is a union, so the order in which results arrive changes nothing.
"""

from __future__ import annotations

from typing import Any

import attrs

from realtime_protocol.graph import Graph
from realtime_protocol.state import State

Json = dict[str, Any]
Option = tuple[int, bool]

EXPLANATIONS = (
    "the client did not act so",
    "the client did not rest there",
    "the client had no deadline",
    "behind unvisited nodes",
)


@attrs.define
class Ledger:
    """The union of what the runs have visited."""

    graph: Graph
    edges: set[tuple[State, int, int, State]] = attrs.field(factory=set)
    offered: dict[State, set[Option]] = attrs.field(factory=dict)
    taken: dict[State, set[Option]] = attrs.field(factory=dict)
    rested: set[State] = attrs.field(factory=set)
    """Nodes at which the client came to rest, outside of a burst."""
    paths: int = 0

    def offer(
        self, state: State, options: tuple[Option, ...], taken: int | None, settled: bool = True
    ) -> None:
        """Note what a node offered and what a run took there."""
        if settled:
            self.rested.add(state)
        self.offered.setdefault(state, set()).update(options)
        if taken is not None:
            self.taken.setdefault(state, set()).add(options[taken])

    def visited(self) -> set[State]:
        """Every state that some run was in."""
        states = {self.graph.machine.initial}
        for source, _, _, target in self.edges:
            states.add(source)
            states.add(target)
        return states

    def not_closed(self) -> list[tuple[State, str]]:
        """Nodes with a step that was offered and never taken, with the id of its rule."""
        rules = self.graph.machine.rules
        return sorted(
            (state, rules[option[0]].id)
            for state, options in self.offered.items()
            for option in options - self.taken.get(state, set())
        )

    def explanations(self) -> dict[str, int]:
        """Unvisited nodes by what kept the runs from them; `unexplained` must be 0."""
        visited = self.visited()
        why: dict[State, str] = {}
        for source, outgoing in self.graph.successors.items():
            if source not in visited:
                continue
            for number, _, target in outgoing:
                if target not in visited and why.get(target) != "unexplained":
                    why[target] = self._explanation(source, number)
        counts = dict.fromkeys((*EXPLANATIONS, "unexplained"), 0)
        for reason in why.values():
            counts[reason] += 1
        inside = sum(1 for state in visited if state in self.graph.successors)
        counts["behind unvisited nodes"] = self.graph.nodes - inside - len(why)
        return counts

    def _explanation(self, source: State, number: int) -> str:
        """Why a step from a visited node to an unvisited one was not taken."""
        rule = self.graph.machine.rules[number]
        if rule.is_client:
            return "the client did not act so"
        if source not in self.rested:
            return "the client did not rest there"
        if rule.actor == "clock" and (number, False) not in self.offered[source]:
            return "the client had no deadline"
        return "unexplained"

    def summary(self) -> Json:
        """Covered and total of nodes, edges, interruption points and paths; closure; the rest."""
        graph = self.graph
        visited = self.visited()
        known = {
            (source, number, argument)
            for source, outgoing in graph.successors.items()
            for number, argument, _ in outgoing
        }
        edges = {(source, number, argument) for source, number, argument, _ in self.edges}
        points = graph.interruption_points()
        interrupted = {(source, number) for source, number, _ in edges}
        inside = sum(1 for state in visited if state in graph.successors)
        offered = sum(len(options) for options in self.offered.values())
        taken = sum(len(options) for options in self.taken.values())
        rested = sum(1 for state in self.rested if state in graph.successors)
        return {
            "closure": {"covered": taken, "total": offered},
            "reach": {
                "nodes": {"covered": inside, "total": graph.nodes},
                "edges": {"covered": len(edges & known), "total": graph.edges},
                "interruption_points": {
                    "covered": sum(1 for point in points if point in interrupted),
                    "total": len(points),
                },
                "paths": {"covered": self.paths, "total": graph.paths()},
            },
            "at_rest": rested,
            "outside": {"nodes": len(visited) - inside, "edges": len(edges - known)},
            "unvisited": {"total": graph.nodes - inside, **self.explanations()},
        }
