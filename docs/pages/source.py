"""What the pages are written from: the rules by machine, the scopes, and their graphs.

Laws:
- Graphs are enumerated from the rules that are given, so a page about other rules has other counts.
- One step makes another possible if the other is enabled behind it and was not before, somewhere in
  some scope; nothing is concluded from the text of a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import ModuleType

import attrs

from realtime_protocol.bounds import SCOPES, Scope
from realtime_protocol.export.diagram import title
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.rules import MACHINES
from realtime_protocol.state import Field


@attrs.frozen
class Room:
    """One machine of the rules: its name, what it is, its fields and its rules."""

    name: str
    about: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, module: ModuleType) -> Room:
        """The room that a module of the rules is."""
        return cls(title(module), module.__doc__ or "", tuple(module.FIELDS), tuple(module.RULES))


ROOMS: tuple[Room, ...] = tuple(Room.of(module) for module in MACHINES)


@attrs.define(eq=False, slots=False)
class Source:
    """All that the pages say: the rooms of the rules, and the scopes to enumerate."""

    rooms: Sequence[Room] = ROOMS
    scopes: Mapping[str, Scope] = attrs.field(factory=lambda: dict(SCOPES))

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order of the machines."""
        return tuple(rule for room in self.rooms for rule in room.rules)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Every field, in the same order."""
        return tuple(field for room in self.rooms for field in room.fields)

    @cached_property
    def graphs(self) -> dict[str, Graph]:
        """The graph of every scope."""
        return {
            name: enumerate_graph(Machine(scope.bounds, self.rules, self.fields))
            for name, scope in self.scopes.items()
        }

    @cached_property
    def steps(self) -> Steps:
        """What steps are taken, and what they make possible."""
        return Steps.of(self.graphs)


@attrs.frozen
class Steps:
    """How the steps of some graphs follow each other, by clause id.

    `taken` has the scopes in which a rule has a step, `opens` the rules that a step makes possible,
    and `ends` those that it makes impossible.
    """

    taken: Mapping[str, tuple[str, ...]]
    opens: Mapping[str, frozenset[str]]
    ends: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, graphs: Mapping[str, Graph]) -> Steps:
        """Read them off the graphs."""
        taken: dict[str, list[str]] = {}
        opens: dict[str, set[str]] = {}
        ends: dict[str, set[str]] = {}
        for scope, graph in graphs.items():
            for rule, opened, ended in _changes(graph):
                taken.setdefault(rule, []).append(scope)
                opens.setdefault(rule, set()).update(opened)
                ends.setdefault(rule, set()).update(ended)
        return cls(
            {rule: tuple(scopes) for rule, scopes in taken.items()},
            {rule: frozenset(others) for rule, others in opens.items()},
            {rule: frozenset(others) for rule, others in ends.items()},
        )


def _changes(graph: Graph) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each rule that has a step, with the rules that become possible and impossible by one."""
    ids = list(dict.fromkeys(rule.id for rule in graph.machine.rules))
    # a set of rules is a number with a bit for each, as there are millions of them to compare
    bits = {rule: 1 << place for place, rule in enumerate(ids)}
    bit = [bits[rule.id] for rule in graph.machine.rules]
    offered = {}
    for state, outgoing in graph.successors.items():
        offers = 0
        for number, _, _ in outgoing:
            offers |= bit[number]
        offered[state] = offers
    opened, ended = dict.fromkeys(bit, 0), dict.fromkeys(bit, 0)
    seen = set()
    for state, outgoing in graph.successors.items():
        before = offered[state]
        for number, _, target in outgoing:
            after = offered[target]
            seen.add(bit[number])
            opened[bit[number]] |= after & ~before
            ended[bit[number]] |= before & ~after
    for rule in ids:
        if bits[rule] in seen:
            yield rule, _rules(opened[bits[rule]], ids), _rules(ended[bits[rule]], ids)


def _rules(bits: int, ids: Sequence[str]) -> list[str]:
    return [rule for place, rule in enumerate(ids) if bits >> place & 1]
