"""Quotients of a graph that a person can read: the values of a few fields, and what changes them.

Laws:
- A node is a combination of values that occurs in some state; an edge says that a rule leads from
  a state with the one to a state with the other. Nothing else is drawn.
- A step that changes none of the fields is left out.
- A field with slots is followed in each slot, all in one diagram: it is about any one of them.
- Nodes and edges are sorted, so the same graph gives the same diagram, and an edit a small diff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from types import ModuleType
from typing import Any

import attrs

from realtime_protocol.expressions import variable
from realtime_protocol.graph import Graph, GraphTooLarge
from realtime_protocol.machine import Machine
from realtime_protocol.rules import FIELDS, MACHINES
from realtime_protocol.state import Field, State

LIMIT = 500
"""Nodes that one picture may have."""

Node = tuple[str, ...]
"""One value for each field, as it is shown."""


Raw = tuple[Any, ...]
"""The same as the numbers that a state holds, which sort in the order of the members."""


class UnknownField(ValueError):
    """A field, or a machine, that a graph does not have, with those that it has."""


@attrs.frozen
class Diagram:
    """A quotient of a graph.

    `edges` have source, target and clause id. `initial` has the node of the initial state, or of
    each slot there, where they differ.
    """

    name: str
    fields: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node, str], ...]
    initial: tuple[Node, ...]

    def caption(self, node: Node) -> str:
        """The values of a node with the names of their fields, one in a line."""
        if len(self.fields) == 1:
            return node[0]
        return "\n".join(f"{name}={value}" for name, value in zip(self.fields, node, strict=True))

    def arrows(self) -> Iterator[tuple[Node, Node, list[str]]]:
        """The edges, with all clause ids between the same two nodes together."""
        for (source, target), edges in groupby(self.edges, key=lambda edge: edge[:2]):
            yield source, target, [label for _, _, label in edges]


def diagram(
    graph: Graph,
    fields: Sequence[str],
    name: str = "",
    *,
    limit: int = LIMIT,
    declared: Sequence[Field] = FIELDS,
) -> Diagram:
    """The quotient of `graph` by the values of `fields`.

    A field is named with its slot (`response[0]`) or, for each slot in turn, without.
    `declared` has the fields that the machine was made of.

    Raises:
        UnknownField: a field is not live in `graph`, or those without a slot have different ones.
        GraphTooLarge: more than `limit` nodes.
    """
    machine = graph.machine
    shown = [_field(machine, declared, field) for field in fields]
    nodes: set[Raw] = set()
    edges: set[tuple[Raw, Raw, str]] = set()
    initial: set[Raw] = set()
    for columns in _places(machine, fields, shown):
        project = _projection(machine, columns)
        nodes.update(map(project, graph.successors))
        edges.update(_changes(graph, columns, project))
        initial.add(project(machine.initial))
    if len(nodes) > limit:
        raise GraphTooLarge(
            f"expected at most {limit} nodes, {', '.join(fields)} have {len(nodes)}"
        )
    spelled = {node: _spelled(shown, node) for node in sorted(nodes)}
    return Diagram(
        name=name or ", ".join(fields),
        fields=tuple(fields),
        nodes=tuple(spelled.values()),
        edges=tuple((spelled[a], spelled[b], label) for a, b, label in sorted(edges)),
        initial=tuple(spelled[node] for node in sorted(initial)),
    )


def machine_diagrams(graph: Graph, machine: str) -> list[Diagram]:
    """The diagrams of one machine of the rules, such as `response`: one for each kind of slot.

    They show the fields whose values have names, or all but the budgets where there are none; a
    machine of which nothing is left under the bounds has no diagram.

    Raises:
        UnknownField: there is no machine of that name.
    """
    found = {title(module): module for module in MACHINES}
    if machine not in found:
        raise UnknownField(f"unknown machine {machine!r}; expected one of {', '.join(found)}")
    live = {_base(field.name) for field in graph.machine.fields}
    declared: Sequence[Field] = [f for f in found[machine].FIELDS if f.name in live]
    chosen = [f for f in declared if f.values] or [f for f in declared if not f.budget]
    return [
        diagram(
            graph,
            [field.name for field in chosen if field.over == over],
            " of ".join([machine, *(f"each of {size}" for size in over)]),
        )
        for over in dict.fromkeys(field.over for field in chosen)
    ]


def field_diagram(graphs: Iterable[Graph], field: Field) -> Diagram | None:
    """The diagram of one field over several graphs together; None if it is live in none.

    `field` is the declared one; its values are followed in each slot.
    """
    nodes: set[Node] = set()
    edges: set[tuple[Node, Node, str]] = set()
    initial: set[Node] = set()
    for graph in graphs:
        if field.name in map(_base, graph.machine.at):
            each = diagram(graph, [field.name], declared=graph.machine.declared)
            nodes.update(each.nodes)
            edges.update(each.edges)
            initial.update(each.initial)
    if not nodes:
        return None
    members = {name: number for number, name in enumerate(field.values)}

    def place(node: Node) -> int:
        return members[node[0]] if members else int(node[0])

    return Diagram(
        name=field.name,
        fields=(field.name,),
        nodes=tuple(sorted(nodes, key=place)),
        edges=tuple(sorted(edges, key=lambda edge: (place(edge[0]), place(edge[1]), edge[2]))),
        initial=tuple(sorted(initial, key=place)),
    )


def all_diagrams(graph: Graph) -> list[Diagram]:
    """The diagrams of every machine, in the order of the rules."""
    return [each for module in MACHINES for each in machine_diagrams(graph, title(module))]


def title(module: ModuleType) -> str:
    """The name of a machine: that of its module."""
    return module.__name__.rpartition(".")[2]


def _base(name: str) -> str:
    return name.partition("[")[0]


def _field(machine: Machine, declared: Sequence[Field], name: str) -> Field:
    """The declared field of that name, if it is live, with or without a slot."""
    live = {*machine.at, *map(_base, machine.at)}
    for field in declared:
        if field.name == _base(name) and name in live:
            return field
    known = ", ".join(dict.fromkeys(map(_base, machine.at)))
    raise UnknownField(f"{name!r} is no live field of this graph; expected one of {known}")


def _places(
    machine: Machine, names: Sequence[str], fields: Sequence[Field]
) -> Iterator[Sequence[str]]:
    """The full names of the fields, once for each slot."""
    open_ = [field for name, field in zip(names, fields, strict=True) if name not in machine.at]
    if len({field.over for field in open_}) > 1:
        slots = ", ".join(f"{field.name} over {' and '.join(field.over)}" for field in open_)
        raise UnknownField(f"expected fields over the same slots, or with a slot, got {slots}")
    for one in open_[0].unrolled(machine.bounds) if open_ else ():
        slot = one.name.removeprefix(open_[0].name)
        yield [name if name in machine.at else name + slot for name in names]
    if not open_:
        yield names


def _projection(machine: Machine, columns: Sequence[str]) -> Callable[[State], Raw]:
    # one slot of a field can be fixed under bounds that leave another one live
    parts = [(machine.at.get(column), machine.constants.get(column)) for column in columns]

    def project(state: State) -> Raw:
        return tuple(fixed if at is None else state[at] for at, fixed in parts)

    return project


def _changes(
    graph: Graph, columns: Sequence[str], project: Callable[[State], Raw]
) -> Iterator[tuple[Raw, Raw, str]]:
    written = {variable(column) for column in columns}
    labels = {
        number: resolved.rule.id
        for number, resolved in enumerate(graph.machine.resolved)
        if resolved.writes & written
    }
    for state, outgoing in graph.successors.items():
        for number, _, target in outgoing:
            if number in labels:
                source, after = project(state), project(target)
                if source != after:
                    yield source, after, labels[number]


def _spelled(fields: Sequence[Field], node: Raw) -> Node:
    return tuple(
        field.values[value] if field.values else str(value)
        for field, value in zip(fields, node, strict=True)
    )
