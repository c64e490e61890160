"""The laws of `properties` as single expressions, which an independent checker can look at.

Laws:
- A law over slots becomes one check for each slot; a check is named by clause id and slots.
- Nothing is decided here: an expression says what its law says.
- A `stable` law becomes preconditions: the state that a step leads to is written in terms of the
  one that it starts from, by putting the effects in the place of what they assign.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from realtime_protocol.expressions import Translator, reads, variable
from realtime_protocol.machine import Machine
from realtime_protocol.properties import Property
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS
from realtime_protocol.unrolled import Resolved


def invariants(machine: Machine, laws: Iterable[Property]) -> dict[str, ast.expr]:
    """Name of a check to what must hold in every state, for the `invariant` laws among `laws`."""
    translator = Translator(FIELDS, machine.bounds)
    return {
        _named(law.id, slots): _implies(
            translator.resolve(law.given, "", slots), translator.resolve(law.holds, "", slots)
        )
        for law in laws
        if law.kind == "invariant"
        for slots in _places(translator, law.over)
    }


def preconditions(machine: Machine, laws: Iterable[Property]) -> dict[str, tuple[str, ast.expr]]:
    """Name of a check to the label of a rule and what must hold before its steps.

    They are those of the `precondition` and the `stable` laws among `laws`.
    """
    translator = Translator(FIELDS, machine.bounds)
    return {
        f"{name} before {resolved.rule.label}": (resolved.rule.label, holds)
        for law in laws
        for resolved in machine.resolved
        for name, holds in _before(translator, law, resolved)
    }


def law_of(check: str) -> str:
    """The clause id of the law that a check is made for."""
    return check.partition(" ")[0].partition("[")[0]


def _before(
    translator: Translator, law: Property, resolved: Resolved
) -> Iterator[tuple[str, ast.expr]]:
    rule = resolved.rule
    if law.kind == "precondition" and _is_one(rule, law.rules):
        yield law.id, translator.resolve(law.holds, "", rule.at)
    if law.kind == "stable" and not _is_one(rule, law.unless):
        for slots in _places(translator, law.over):
            value = translator.resolve(law.holds, "", slots)
            kept = [
                ast.Compare(part, [ast.Eq()], [after(part, resolved)])
                for part in _parts(value)
                if reads(part) & resolved.writes
            ]
            if kept:
                given = translator.resolve(law.given, "", slots)
                yield _named(law.id, slots), _implies(given, ast.BoolOp(ast.And(), [*kept]))


def after(expression: ast.expr, resolved: Resolved) -> ast.expr:
    """What `expression` is after a step of a rule, in terms of the state before it."""
    changed: ast.expr = _After(resolved).visit(copy.deepcopy(expression))
    return changed


class _After(ast.NodeTransformer):
    """Puts the new value where a variable stands."""

    def __init__(self, resolved: Resolved) -> None:
        self._rule = resolved.rule
        self._then = {variable(name): value for name, value in resolved.then.items()}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._then.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.unparse(node) == "len(inbox)":
            more = int(self._rule.sends) - int(bool(self._rule.reads))
            grown = ast.BinOp(node, ast.Add(), ast.Constant(more))
            return ast.Constant(0) if self._rule.clears else grown
        node.args = [self.visit(part) for part in node.args]
        return node


def _parts(value: ast.expr) -> list[ast.expr]:
    return value.elts if isinstance(value, ast.Tuple) else [value]


def _implies(given: ast.expr, holds: ast.expr) -> ast.expr:
    return ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), given), holds])


def _is_one(rule: Rule, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(rule.id, pattern) for pattern in patterns)


def _named(clause: str, slots: Mapping[str, int]) -> str:
    return f"{clause}[{','.join(map(str, slots.values()))}]" if slots else clause


def _places(translator: Translator, over: Mapping[str, str]) -> Iterator[dict[str, int]]:
    sizes = [range(translator.number(size)) for size in over.values()]
    for place in itertools.product(*sizes):
        yield dict(zip(over, place, strict=True))
