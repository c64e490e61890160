"""The whole graph as JSON, for any other tool.

Laws:
- The same machine gives the same bytes: one node or edge in a line, in the order of enumeration.
- A node is a list of values in the order of `fields`, enumerations spelled out, and the inbox last.
- An edge is source, target, label of the rule and argument; a node is meant by its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from realtime_protocol.graph import Graph


def to_json(graph: Graph) -> Iterator[str]:
    """The graph as the lines of one JSON object.

    Keys: `digest` and `bounds` of the machine, `counts` (nodes, edges, interruption points),
    `fields`, `nodes`, `edges`. The first node is the initial state.
    """
    machine = graph.machine
    counts = {
        "nodes": graph.nodes,
        "edges": graph.edges,
        "interruption_points": len(graph.interruption_points()),
    }
    yield f'{{"digest": {json.dumps(machine.digest)},\n'
    yield f'"bounds": {json.dumps(machine.bounds, sort_keys=True)},\n'
    yield f'"counts": {json.dumps(counts)},\n'
    yield f'"fields": {json.dumps([*machine.at, "inbox"])},\n'
    yield '"nodes": [\n'
    yield from _separated(list(machine.show(state).values()) for state in graph.successors)
    yield '],\n"edges": [\n'
    yield from _separated(_edges(graph))
    yield "]}\n"


def _edges(graph: Graph) -> Iterator[list[object]]:
    numbers = {state: number for number, state in enumerate(graph.successors)}
    for state, outgoing in graph.successors.items():
        for number, argument, target in outgoing:
            label = graph.machine.rules[number].label
            yield [numbers[state], numbers[target], label, argument]


def _separated(values: Iterable[list[object]]) -> Iterator[str]:
    between = ""
    for value in values:
        yield between + json.dumps(value, separators=(",", ":"))
        between = ",\n"
    yield "\n"
