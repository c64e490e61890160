"""Coverage on the diagrams of the machines: what of each was visited and taken, as plain data.

Laws:
- The diagrams are those of the model's exports, made from the rules; nothing is drawn by hand.
- What was covered is the same quotient of the visited part of the graph, so a node is covered if
  some run was in a state that shows it, and a rule if some run took it between the two nodes.
"""

from __future__ import annotations

from typing import Any

from realtime_conformance.ledger import Ledger
from realtime_protocol.export.diagram import Diagram, all_diagrams
from realtime_protocol.graph import Graph

Json = dict[str, Any]


def diagrams(ledger: Ledger) -> list[Json]:
    """Every diagram of the scope.

    Each has a name, its fields, `nodes` with their values, and `arrows` between the positions of
    two nodes, with the ids of the rules that lead from the one to the other.
    """
    covered = {diagram.name: diagram for diagram in all_diagrams(_visited(ledger))}
    return [_drawn(whole, covered[whole.name]) for whole in all_diagrams(ledger.graph)]


def _visited(ledger: Ledger) -> Graph:
    """The part of the graph that some run went through."""
    states = ledger.visited()
    taken = {edge[:3] for edge in ledger.edges}
    return Graph(
        ledger.graph.machine,
        {
            state: [step for step in outgoing if (state, step[0], step[1]) in taken]
            for state, outgoing in ledger.graph.successors.items()
            if state in states
        },
    )


def _drawn(whole: Diagram, covered: Diagram) -> Json:
    places = {node: place for place, node in enumerate(whole.nodes)}
    nodes, edges = set(covered.nodes), set(covered.edges)
    return {
        "name": whole.name,
        "fields": list(whole.fields),
        "nodes": [
            {
                "values": list(node),
                "initial": node in whole.initial,
                "covered": node in nodes,
            }
            for node in whole.nodes
        ],
        "arrows": [
            {
                "from": places[source],
                "to": places[target],
                "rules": [
                    {"id": label, "covered": (source, target, label) in edges} for label in labels
                ],
            }
            for source, target, labels in whole.arrows()
        ],
    }
