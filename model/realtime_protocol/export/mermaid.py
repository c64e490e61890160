"""Mermaid state diagrams of quotients of a graph, as GitHub and Sphinx draw them.

Laws:
- The same diagrams give the same bytes, one line for each node and each pair of nodes.
- Nodes are named after their values, so that a new one does not rename others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from realtime_protocol.export.diagram import Diagram, Node


def to_mermaid(diagrams: Sequence[Diagram]) -> str:
    """Diagrams as one state diagram; each of several is a state that holds its own."""
    lines = ["stateDiagram-v2"]
    for diagram in diagrams:
        if len(diagrams) == 1:
            lines += [f"  {line}" for line in _inside(diagram)]
            continue
        lines.append(f'  state "{diagram.name}" as {_word(diagram.name)} {{')
        lines += [f"    {line}" for line in _inside(diagram)]
        lines.append("  }")
    return "\n".join(lines) + "\n"


def _inside(diagram: Diagram) -> Iterator[str]:
    for node in diagram.nodes:
        caption = diagram.caption(node).replace("\n", ", ")
        yield f'state "{caption}" as {_id(diagram, node)}'
    for node in diagram.initial:
        yield f"[*] --> {_id(diagram, node)}"
    for source, target, labels in diagram.arrows():
        ends = f"{_id(diagram, source)} --> {_id(diagram, target)}"
        yield f"{ends} : {'<br/>'.join(labels)}"


def _id(diagram: Diagram, node: Node) -> str:
    # with the name in front no value is a word of the language, such as `end`
    return "__".join(map(_word, [diagram.name, *node]))


def _word(text: str) -> str:
    return re.sub(r"\W", "_", text)
