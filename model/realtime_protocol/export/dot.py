"""Graphviz DOT: quotients of a graph, or a small graph as it is.

Laws:
- The same diagram gives the same bytes, one line for each node and each pair of nodes.
- A graph over its limit raises: a picture of thousands of nodes shows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from realtime_protocol.export.diagram import LIMIT, Diagram, Node
from realtime_protocol.graph import Graph, GraphTooLarge
from realtime_protocol.state import State, show


def to_dot(diagrams: Sequence[Diagram]) -> str:
    """Diagrams as one picture, each in a frame of its own."""
    lines = ["digraph {", "  node [shape=box];"]
    for number, diagram in enumerate(diagrams):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted(diagram.name)};"]
        lines += [f"    {line}" for line in _frame(diagram)]
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def graph_to_dot(graph: Graph, limit: int = LIMIT) -> str:
    """A whole graph: nodes show what is not as in the beginning, edges the clause ids.

    Raises:
        GraphTooLarge: more than `limit` nodes.
    """
    if graph.nodes > limit:
        raise GraphTooLarge(f"expected at most {limit} nodes for a picture, got {graph.nodes}")
    numbers = {state: number for number, state in enumerate(graph.successors)}
    lines = ["digraph {", "  node [shape=box];"]
    for state, number in numbers.items():
        lines.append(f"  {number} [label={_quoted(_caption(graph, state))}];")
    for state, outgoing in graph.successors.items():
        for rule, argument, target in outgoing:
            label = graph.machine.rules[rule].label + (f"({argument})" if argument else "")
            lines.append(f"  {numbers[state]} -> {numbers[target]} [label={_quoted(label)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _frame(diagram: Diagram) -> Iterator[str]:
    for node in diagram.nodes:
        bold = ", style=bold" if node in diagram.initial else ""
        yield f"{_id(diagram, node)} [label={_quoted(diagram.caption(node))}{bold}];"
    for source, target, labels in diagram.arrows():
        label = _quoted("\n".join(labels))
        yield f"{_id(diagram, source)} -> {_id(diagram, target)} [label={label}];"


def _id(diagram: Diagram, node: Node) -> str:
    return _quoted(f"{diagram.name}: {', '.join(node)}")


def _caption(graph: Graph, state: State) -> str:
    fields = graph.machine.fields
    initial = show(fields, graph.machine.initial)
    values = show(fields, state)
    return "\n".join(f"{k}={v}" for k, v in values.items() if v != initial[k]) or "initial"


def _quoted(text: str) -> str:
    """A text in quotes: DOT has the escapes of JSON that are needed here."""
    return json.dumps(text, ensure_ascii=False)
