"""The graph and the rules in the formats of other tools: pictures, data, and a model for SPIN.

`EXPORTS` has a function for each format, which takes a machine, or a graph where one is at hand.
More can be said to the functions themselves: which fields a picture shows (`diagram`), what SPIN
is to check (`promela`); those for whole graphs give their text piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from realtime_protocol.export.as_json import to_json
from realtime_protocol.export.diagram import all_diagrams
from realtime_protocol.export.dot import to_dot
from realtime_protocol.export.graphml import to_graphml
from realtime_protocol.export.mermaid import to_mermaid
from realtime_protocol.export.promela import to_promela
from realtime_protocol.export.svg import to_svg
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine

Source = Graph | Machine


def _graph(source: Source) -> Graph:
    return source if isinstance(source, Graph) else enumerate_graph(source)


def _machine(source: Source) -> Machine:
    return source.machine if isinstance(source, Graph) else source


EXPORTS: Mapping[str, Callable[[Source], str]] = {
    "dot": lambda source: to_dot(all_diagrams(_graph(source))),
    "mermaid": lambda source: to_mermaid(all_diagrams(_graph(source))),
    "svg": lambda source: to_svg(all_diagrams(_graph(source))),
    "graphml": lambda source: "".join(to_graphml(_graph(source))),
    "json": lambda source: "".join(to_json(_graph(source))),
    "promela": lambda source: to_promela(_machine(source)),
}
"""Format to what writes it; `promela` enumerates nothing."""
