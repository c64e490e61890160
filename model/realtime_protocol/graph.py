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
        return self.ways()[self.machine.initial]

    def ways(self) -> dict[State, int]:
        """How many walks lead from each state to an accepting one, later states first.

        Raises:
            CyclicGraph: the numbers are not finite.
        """
        states, onward = list(self.successors), self._onward()
        found = [0] * len(states)
        order = self._order(onward)
        for number in reversed(order):
            further = sum([found[target] for target in onward[number]])
            found[number] = int(self.accepting(states[number])) + further
        return {states[number]: found[number] for number in reversed(order)}

    def topological(self) -> list[State]:
        """All states, each before those that it leads to.

        Raises:
            CyclicGraph: there is no such order.
        """
        states = list(self.successors)
        return [states[number] for number in self._order(self._onward())]

    def _onward(self) -> list[list[int]]:
        """Where the steps of each state lead, states by their place in `successors`.

        To look up a state is dear, since its hash is computed each time.
        """
        number = {state: place for place, state in enumerate(self.successors)}
        return [
            [number[target] for _, _, target in outgoing] for outgoing in self.successors.values()
        ]

    def _order(self, onward: list[list[int]]) -> list[int]:
        incoming = [0] * len(onward)
        for targets in onward:
            for target in targets:
                incoming[target] += 1
        order = [number for number, count in enumerate(incoming) if count == 0]
        for number in order:  # grows while it is gone through
            for target in onward[number]:
                incoming[target] -= 1
                if incoming[target] == 0:
                    order.append(target)
        if len(order) < len(onward):
            raise CyclicGraph(f"{len(onward) - len(order)} states lie on or behind a cycle")
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
    waiting = [machine.initial]
    for state in waiting:  # grows while it is gone through
        outgoing = machine.successors(state)
        for place, (number, argument, target) in enumerate(outgoing):
            known = seen.setdefault(target, target)
            if known is target:
                waiting.append(target)
            else:
                # each state is kept once, whatever the number of steps that lead to it
                outgoing[place] = (number, argument, known)
        successors[state] = outgoing
        if len(seen) > limit:
            raise GraphTooLarge(f"more than {limit} nodes under bounds {_nonzero(machine)}")
    return Graph(machine, successors)


def _nonzero(machine: Machine) -> dict[str, int]:
    """The bounds that switch something on."""
    return {name: value for name, value in machine.bounds.items() if value}
