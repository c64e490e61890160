"""What was covered out of what exists, and why the rest was not.

Laws:
- Closure: at every node where the client came to rest, every step of every other actor was taken.
- Reach: visited out of what exists in the graph. An unvisited node is explained if every edge into
  it comes from an unvisited node, or is a client edge whose source was visited and whose message
  this client did not send there, or leaves a node that the client only passed through, or is a
  step of the clock where the client had no deadline.
- A step that a reduction spares is closed by the run that takes it in another order.
- Merging is a union, so the order in which results arrive changes nothing, and ledgers of several
  runs can be merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from typing import Any

import attrs

from realtime_conformance.plain import Numbers
from realtime_protocol.graph import Graph
from realtime_protocol.state import State

Json = dict[str, Any]
Option = tuple[int, bool]
Edge = tuple[State, int, int, State]
"""Source, rule, argument and target of a step."""
Pair = tuple[State, int, int, int, int]
"""Two steps in a row: the source, and rule and argument of both."""

EXPLANATIONS = (
    "the client did not act so",
    "the client did not rest there",
    "the client had no deadline",
    "taken in another order",
    "behind unvisited nodes",
)


@attrs.define
class Ledger:
    """The union of what the runs have visited."""

    graph: Graph
    edges: set[Edge] = attrs.field(factory=set)
    pairs: set[Pair] = attrs.field(factory=set)
    offered: dict[State, set[Option]] = attrs.field(factory=dict)
    taken: dict[State, set[Option]] = attrs.field(factory=dict)
    spared: dict[State, set[Option]] = attrs.field(factory=dict)
    """What was offered and is taken in another order elsewhere."""
    rested: set[State] = attrs.field(factory=set)
    """Nodes at which the client came to rest, outside of a burst."""
    paths: set[str] = attrs.field(factory=set)
    """Digests of the choices of every run: no path counts twice."""

    def enter(self, choices: Sequence[int]) -> None:
        """Note a run."""
        text = ",".join(map(str, choices))
        self.paths.add(blake2b(text.encode(), digest_size=8).hexdigest())

    def follow(self, first: Edge, second: Edge) -> None:
        """Note that one step came right after another."""
        self.pairs.add((*first[:3], *second[1:3]))

    def offer(
        self, state: State, options: tuple[Option, ...], taken: int | None, settled: bool = True
    ) -> None:
        """Note what a node offered and what a run took there."""
        if settled:
            self.rested.add(state)
        self.offered.setdefault(state, set()).update(options)
        if taken is not None:
            self.taken.setdefault(state, set()).add(options[taken])

    def spare(self, state: State, options: Iterable[Option], asleep: Collection[int]) -> None:
        """Note which options of a node a reduction leaves out, by their rules."""
        left_out = {(rule, burst) for rule, burst in options if rule in asleep and not burst}
        self.spared.setdefault(state, set()).update(left_out)

    def _open(self, state: State) -> set[Option]:
        """The options of a node that were neither taken nor spared."""
        return self.offered[state] - self.taken.get(state, set()) - self.spared.get(state, set())

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
            (state, rules[option[0]].id) for state in self.offered for option in self._open(state)
        )

    def explanations(self) -> dict[str, int]:
        """Unvisited nodes by what kept the runs from them; `unexplained` must be 0."""
        counts = dict.fromkeys((*EXPLANATIONS, "unexplained"), 0)
        for why in self.unvisited_nodes().values():
            counts[why] += 1
        return counts

    def unvisited_nodes(self) -> dict[State, str]:
        """Each node of the graph that no run was in, and why, in the order of the graph."""
        visited = self.visited()
        why: dict[State, str] = {}
        for source, outgoing in self.graph.successors.items():
            if source not in visited:
                continue
            for number, _, target in outgoing:
                if target not in visited and why.get(target) != "unexplained":
                    why[target] = self._explanation(source, number)
        return {
            state: why.get(state, "behind unvisited nodes")
            for state in self.graph.successors
            if state not in visited
        }

    def unvisited_edges(self) -> dict[tuple[State, int, int], str]:
        """Each step of the graph that no run took, and why, in the order of the graph."""
        visited = self.visited()
        taken = {edge[:3] for edge in self.edges}
        return {
            (source, number, argument): (
                self._explanation(source, number) if source in visited else "behind unvisited nodes"
            )
            for source, outgoing in self.graph.successors.items()
            for number, argument, _ in outgoing
            if (source, number, argument) not in taken
        }

    def _explanation(self, source: State, number: int) -> str:
        """Why a step from a visited node was not taken."""
        rule = self.graph.machine.rules[number]
        if rule.is_client:
            return "the client did not act so"
        if source not in self.rested:
            return "the client did not rest there"
        if (number, False) in self.spared.get(source, ()):
            return "taken in another order"
        if rule.actor == "clock" and (number, False) not in self.offered[source]:
            return "the client had no deadline"
        return "unexplained"

    def summary(self) -> Json:
        """Covered and total of nodes, edges, edge pairs, points and paths; closure; the rest."""
        graph = self.graph
        visited = self.visited()
        known = {
            (source, number, argument)
            for source, outgoing in graph.successors.items()
            for number, argument, _ in outgoing
        }
        edges = {edge[:3] for edge in self.edges}
        points = graph.interruption_points()
        interrupted = {(source, number) for source, number, _ in edges}
        inside = sum(1 for state in visited if state in graph.successors)
        offered = sum(map(len, self.offered.values()))
        open_ = sum(len(self._open(state)) for state in self.offered)
        taken = sum(map(len, self.taken.values()))
        rested = sum(1 for state in self.rested if state in graph.successors)
        return {
            "closure": {
                "covered": offered - open_,
                "total": offered,
                "by_reduction": offered - open_ - taken,
            },
            "reach": {
                "nodes": {"covered": inside, "total": graph.nodes},
                "edges": {"covered": len(edges & known), "total": graph.edges},
                "edge_pairs": {"covered": self._pairs_inside(), "total": pairs_of(graph)},
                "interruption_points": {
                    "covered": sum(1 for point in points if point in interrupted),
                    "total": len(points),
                },
                "paths": {"covered": len(self.paths), "total": graph.paths()},
            },
            "at_rest": rested,
            "outside": {"nodes": len(visited) - inside, "edges": len(edges - known)},
            "unvisited": {"total": graph.nodes - inside, **self.explanations()},
        }

    def _pairs_inside(self) -> int:
        """Visited pairs of edges that the graph has."""
        targets = {edge[:3]: edge[3] for edge in self.edges}
        successors = self.graph.successors
        steps = {
            (source, number, argument)
            for source, outgoing in successors.items()
            for number, argument, _ in outgoing
        }
        return sum(
            1
            for source, rule, argument, *then in self.pairs
            if (source, rule, argument) in steps
            and (targets[source, rule, argument], *then) in steps
        )

    def merge(self, other: Ledger) -> None:
        """Enter all that another ledger of the same graph holds."""
        self.edges |= other.edges
        self.pairs |= other.pairs
        self.rested |= other.rested
        self.paths |= other.paths
        for name, mine in self._options().items():
            for state, options in other._options()[name].items():
                mine.setdefault(state, set()).update(options)

    def saved(self, number: Numbers) -> Json:
        """All that is entered, as plain data in which states are numbers."""
        return {
            "edges": sorted([number(s), rule, arg, number(t)] for s, rule, arg, t in self.edges),
            "pairs": sorted([number(state), *steps] for state, *steps in self.pairs),
            "rested": sorted(map(number, self.rested)),
            "paths": sorted(self.paths),
            **{name: _listed(options, number) for name, options in self._options().items()},
        }

    def restore(self, data: Json, states: Sequence[State]) -> None:
        """Enter all that was saved."""
        self.edges |= {(states[s], rule, arg, states[t]) for s, rule, arg, t in data["edges"]}
        self.pairs |= {(states[s], *steps) for s, *steps in data["pairs"]}
        self.rested |= {states[s] for s in data["rested"]}
        self.paths |= set(data["paths"])
        for name, mine in self._options().items():
            for number, options in data[name]:
                known = mine.setdefault(states[number], set())
                known.update((rule, bool(burst)) for rule, burst in options)

    def _options(self) -> dict[str, dict[State, set[Option]]]:
        """What is entered of the options of nodes, by name."""
        return {"offered": self.offered, "taken": self.taken, "spared": self.spared}


def _listed(options: dict[State, set[Option]], number: Numbers) -> list[Any]:
    return [[number(state), sorted(some)] for state, some in options.items()]


def pairs_of(graph: Graph) -> int:
    """How many times two steps of a graph follow each other."""
    entering: dict[State, int] = {}
    for outgoing in graph.successors.values():
        for _, _, target in outgoing:
            entering[target] = entering.get(target, 0) + 1
    return sum(
        entering.get(state, 0) * len(outgoing) for state, outgoing in graph.successors.items()
    )
