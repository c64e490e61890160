"""The graph of a machine: every reachable state and step, and exact counts of its parts.

Laws:
- Steps that change nothing are left out, so counters make the graph acyclic, which `topological`
  proves.
- A state is accepting when the environment has nothing left to do there but to disturb.
  A path is a walk from the initial state that ends in an accepting state.
- Counts are computed on the graph, without listing paths, so they are exact at any size.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import networkx as nx

from realtime_protocol.machine import Machine
from realtime_protocol.state import State


class CyclicGraph(ValueError):
    """A graph with a cycle, where paths cannot be counted."""


class GraphTooLarge(ValueError):
    """More nodes than the limit, with both numbers."""


@attrs.frozen
class Graph:
    """The graph as a plain dictionary, which is what enumerating needs to be fast.

    `successors` maps each state to rule, argument and target of its steps, in the machine's order.
    """

    machine: Machine
    successors: dict[State, list[tuple[int, int, State]]]

    @property
    def nodes(self) -> int:
        """Number of states."""
        return len(self.successors)

    @property
    def edges(self) -> int:
        """Number of steps."""
        return sum(len(outgoing) for outgoing in self.successors.values())

    def interruption_points(self) -> list[tuple[State, int]]:
        """Every state with the index of an interruption that it enables."""
        rules = self.machine.rules
        return [
            (state, number)
            for state, outgoing in self.successors.items()
            for number, _, _ in outgoing
            if rules[number].disturbs == "interruption"
        ]

    def to_networkx(self) -> nx.MultiDiGraph[State]:
        """The graph for networkx: nodes are states, edge keys are rule ids with their argument."""
        graph: nx.MultiDiGraph[State] = nx.MultiDiGraph()
        graph.add_nodes_from(self.successors)
        for state, outgoing in self.successors.items():
            for number, argument, target in outgoing:
                rule = self.machine.rules[number]
                graph.add_edge(state, target, key=f"{rule.id}({argument})", actor=rule.actor)
        return graph

    def accepting(self, state: State) -> bool:
        """Whether the environment has nothing left to do in `state` but to disturb."""
        return not self.machine.progress(state)

    def paths(self) -> int:
        """Exact number of paths, counted without listing them.

        Raises:
            CyclicGraph: a counter is missing, and the number is not finite.
        """
        ways: dict[State, int] = {}
        for state in reversed(self.topological()):
            ways[state] = int(self.accepting(state)) + sum(
                ways[target] for _, _, target in self.successors[state]
            )
        return ways[self.machine.initial]

    def topological(self) -> list[State]:
        """All states, each before those that it leads to.

        Raises:
            CyclicGraph: there is no such order.
        """
        incoming = dict.fromkeys(self.successors, 0)
        for outgoing in self.successors.values():
            for _, _, target in outgoing:
                incoming[target] += 1
        order = [state for state, count in incoming.items() if count == 0]
        for state in order:
            for _, _, target in self.successors[state]:
                incoming[target] -= 1
                if incoming[target] == 0:
                    order.append(target)
        if len(order) < len(self.successors):
            raise CyclicGraph(
                f"{len(self.successors) - len(order)} states lie on or behind a cycle"
            )
        return order


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector out: millions of tuples are made and none of them is garbage."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@uncollected()
def enumerate_graph(machine: Machine, limit: int = 5_000_000) -> Graph:
    """Every state reachable under the machine's bounds, breadth first.

    Raises:
        GraphTooLarge: more than `limit` states.
    """
    successors: dict[State, list[tuple[int, int, State]]] = {}
    seen = {machine.initial: machine.initial}
    waiting = deque([machine.initial])
    while waiting:
        state = waiting.popleft()
        outgoing = []
        for number, argument, target in machine.successors(state):
            known = seen.setdefault(target, target)
            if known is target:
                waiting.append(target)
            outgoing.append((number, argument, known))
        successors[state] = outgoing
        if len(seen) > limit:
            raise GraphTooLarge(f"more than {limit} nodes under bounds {_nonzero(machine)}")
    return Graph(machine, successors)


def _nonzero(machine: Machine) -> dict[str, int]:
    """The bounds that switch something on."""
    return {name: value for name, value in machine.bounds.items() if value}
