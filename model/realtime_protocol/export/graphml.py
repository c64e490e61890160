"""GraphML, for networkx, Gephi, yEd and others: the whole graph with all its attributes.

It is written piece by piece: networkx's own writer holds the whole document as a tree, and its
bytes depend on whether lxml is installed.

Laws:
- A node is numbered in the order of enumeration; its attributes are the live fields, spelled out,
  and the inbox.
- An edge has the clause id (`rule`), the label with slots, actor, event and argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from realtime_protocol.graph import Graph

EDGE = {"rule": "string", "label": "string", "actor": "string", "event": "string",
        "argument": "int"}  # fmt: skip
"""Attributes of an edge, and their types."""


def to_graphml(graph: Graph) -> Iterator[str]:
    """The graph as the lines of a GraphML document."""
    node = {field.name: "string" if field.values else "int" for field in graph.machine.fields}
    node["inbox"] = "string"
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    yield from _keys("node", "n", node)
    yield from _keys("edge", "e", EDGE)
    yield '<graph edgedefault="directed">\n'
    yield from _nodes(graph)
    yield from _edges(graph)
    yield "</graph>\n</graphml>\n"


def _keys(kind: str, prefix: str, attributes: Mapping[str, str]) -> Iterator[str]:
    for number, (name, type_) in enumerate(attributes.items()):
        yield (
            f'<key id="{prefix}{number}" for="{kind}" attr.name={quoteattr(name)}'
            f' attr.type="{type_}"/>\n'
        )


def _nodes(graph: Graph) -> Iterator[str]:
    for number, state in enumerate(graph.successors):
        shown = graph.machine.show(state)
        inbox = shown.pop("inbox")
        assert isinstance(inbox, list)
        values = [*shown.values(), ", ".join(inbox)]
        yield f'<node id="{number}">{_data("n", values)}</node>\n'


def _edges(graph: Graph) -> Iterator[str]:
    numbers = {state: number for number, state in enumerate(graph.successors)}
    count = 0
    for state, outgoing in graph.successors.items():
        for number, argument, target in outgoing:
            rule = graph.machine.rules[number]
            values = [rule.id, rule.label, rule.actor, rule.event, argument]
            ends = f'source="{numbers[state]}" target="{numbers[target]}"'
            yield f'<edge id="{count}" {ends}>{_data("e", values)}</edge>\n'
            count += 1


def _data(prefix: str, values: list[object]) -> str:
    return "".join(
        f'<data key="{prefix}{number}">{escape(str(value))}</data>'
        for number, value in enumerate(values)
    )
