"""Which values a field can have at all: an over-estimate, found without enumerating states.

Laws:
- A value that a state can hold is never left out; one that no state holds may be kept.
- What is decided by the values alone is folded, so that a part of the protocol that nothing under
  these bounds can reach costs nothing.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from realtime_protocol.expressions import CALLS, OPERATORS

MANY = 12
"""Sets with more values than this are taken as unknown."""

Values = frozenset[Any] | None
"""What an expression can be; None where it is not known."""

UNKNOWN: Values = None
EITHER: Values = frozenset({True, False})


def values_of(node: ast.expr, known: Mapping[str, Values]) -> Values:
    """What `node` can be, given what its variables can be."""
    evaluate: Callable[[Any, Mapping[str, Values]], Values] = _EVALUATORS[type(node)]
    return evaluate(node, known)


def simplified(node: ast.expr, known: Mapping[str, Values]) -> ast.expr:
    """`node` with everything folded that has one value only."""
    found = values_of(node, known)
    if found is not None and len(found) == 1:
        return ast.Constant(next(iter(found)))
    if isinstance(node, ast.BoolOp):
        parts = [simplified(part, known) for part in node.values]
        rest = [part for part in parts if not isinstance(part, ast.Constant)]
        return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, simplified(node.operand, known))
    if isinstance(node, ast.IfExp):
        test = simplified(node.test, known)
        if isinstance(test, ast.Constant):
            return simplified(node.body if test.value else node.orelse, known)
        return ast.IfExp(test, simplified(node.body, known), simplified(node.orelse, known))
    if isinstance(node, ast.BinOp):
        return ast.BinOp(simplified(node.left, known), node.op, simplified(node.right, known))
    if isinstance(node, ast.Compare):
        sides = [simplified(side, known) for side in (node.left, *node.comparators)]
        return ast.Compare(sides[0], node.ops, sides[1:])
    return node


def _constant(node: ast.Constant, _: Mapping[str, Values]) -> Values:
    return frozenset({node.value})


def _name(node: ast.Name, known: Mapping[str, Values]) -> Values:
    return known.get(node.id, UNKNOWN)


def _tuple(node: ast.Tuple, known: Mapping[str, Values]) -> Values:
    return _combined(lambda *parts: parts, [values_of(part, known) for part in node.elts])


def _binop(node: ast.BinOp, known: Mapping[str, Values]) -> Values:
    sides = [values_of(node.left, known), values_of(node.right, known)]
    return _combined(OPERATORS[type(node.op)], sides)


def _call(node: ast.Call, known: Mapping[str, Values]) -> Values:
    assert isinstance(node.func, ast.Name)
    if node.func.id == "len":
        return UNKNOWN
    return _combined(CALLS[node.func.id], [values_of(part, known) for part in node.args])


def _compare(node: ast.Compare, known: Mapping[str, Values]) -> Values:
    sides = [values_of(side, known) for side in (node.left, *node.comparators)]
    pairs = [
        _combined(OPERATORS[type(op)], [left, right])
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
    ]
    return _truth(pairs, decisive=False, unknown=EITHER)


def _unaryop(node: ast.UnaryOp, known: Mapping[str, Values]) -> Values:
    inner = values_of(node.operand, known)
    return EITHER if inner is None else frozenset(not value for value in inner)


def _boolop(node: ast.BoolOp, known: Mapping[str, Values]) -> Values:
    parts = [values_of(part, known) for part in node.values]
    return _truth(parts, decisive=isinstance(node.op, ast.Or), unknown=EITHER)


def _truth(parts: list[Values], *, decisive: bool, unknown: Values) -> Values:
    truths = [
        unknown if part is None else frozenset(bool(value) for value in part) for part in parts
    ]
    if any(truth == frozenset({decisive}) for truth in truths):
        return frozenset({decisive})
    if all(truth == frozenset({not decisive}) for truth in truths):
        return frozenset({not decisive})
    return EITHER


def _ifexp(node: ast.IfExp, known: Mapping[str, Values]) -> Values:
    test = values_of(node.test, known)
    truths = {True, False} if test is None else {bool(value) for value in test}
    branches = [
        values_of(branch, known)
        for truth, branch in ((True, node.body), (False, node.orelse))
        if truth in truths
    ]
    if any(branch is None for branch in branches):
        return UNKNOWN
    return frozenset().union(*(branch for branch in branches if branch is not None))


def _combined(function: Callable[..., Any], parts: list[Values]) -> Values:
    if any(part is None for part in parts):
        return UNKNOWN
    combinations = itertools.product(*(part for part in parts if part is not None))
    found = frozenset(function(*combination) for combination in combinations)
    return found if len(found) <= MANY else UNKNOWN


_EVALUATORS: Mapping[type[ast.expr], Callable[[Any, Mapping[str, Values]], Values]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Tuple: _tuple,
    ast.BinOp: _binop,
    ast.Call: _call,
    ast.Compare: _compare,
    ast.UnaryOp: _unaryop,
    ast.BoolOp: _boolop,
    ast.IfExp: _ifexp,
}
