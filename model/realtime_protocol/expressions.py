"""The expression language of guards and effects, and its translation to plain Python.

Laws:
- The language is as small as the protocol needs: field, bound and member names, whole numbers,
  `and or not`, comparisons, `in (...)`, `+ - *`, `min max`, and `a if c else b`.
- A name is looked up as a local, a field, a bound, and then as a member of the enumeration that
  it is compared with or assigned to; anything else raises.
- What an expression reads is computed from it, never declared beside it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from realtime_protocol.state import Field

LOCALS = frozenset({"argument", "inbox"})
CALLS = frozenset({"min", "max", "len"})
ALLOWED = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Compare, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.IfExp,
    ast.Call, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.Expression,
)  # fmt: skip


class ExpressionError(ValueError):
    """An expression outside the language, with the offending text."""


def parse(text: str) -> ast.expr:
    """The syntax tree of one expression; ExpressionError if it is outside the language."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ExpressionError(f"cannot read expression {text!r}: {error.msg}") from error
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED):
            raise ExpressionError(f"{type(node).__name__} is outside the language in {text!r}")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int):
            raise ExpressionError(f"only whole numbers are constants, in {text!r}")
        if isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id in CALLS
        ):
            raise ExpressionError(f"only {sorted(CALLS)} can be called, in {text!r}")
    return tree.body


def names(text: str) -> set[str]:
    """Every name that an expression mentions."""
    return {node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name)} - CALLS


def reads(text: str, fields: Collection[str]) -> set[str]:
    """The fields that an expression reads."""
    return names(text) & set(fields)


class Translator:
    """Turns expressions into Python source with bounds and members as literals."""

    def __init__(self, fields: Collection[Field], bounds: Mapping[str, int]) -> None:
        self._fields = {field.name: field for field in fields}
        self._bounds = bounds

    def python(self, text: str, target: str = "") -> str:
        """Python source of `text`; `target` is the field that it is assigned to, if any."""
        return ast.unparse(ast.fix_missing_locations(self._walk(parse(text), target, text)))

    def _walk(self, node: ast.expr, context: str, text: str) -> ast.expr:
        if isinstance(node, ast.Name):
            return self._name(node, context, text)
        if isinstance(node, ast.Compare):
            return self._compare(node, text)
        if isinstance(node, ast.IfExp):
            return ast.IfExp(
                self._walk(node.test, "", text),
                self._walk(node.body, context, text),
                self._walk(node.orelse, context, text),
            )
        for name, value in ast.iter_fields(node):
            if name in ("func", "op", "ctx"):
                continue
            if isinstance(value, ast.expr):
                setattr(node, name, self._walk(value, context, text))
            elif isinstance(value, list):
                setattr(node, name, [self._walk(part, context, text) for part in value])
        return node

    def _compare(self, node: ast.Compare, text: str) -> ast.expr:
        sides = [node.left, *node.comparators]
        context = next(
            (side.id for side in sides if isinstance(side, ast.Name) and side.id in self._fields),
            "",
        )
        walked = [self._walk(side, context, text) for side in sides]
        return ast.Compare(walked[0], node.ops, walked[1:])

    def _name(self, node: ast.Name, context: str, text: str) -> ast.expr:
        if node.id in LOCALS or node.id in self._fields:
            return node
        if node.id in self._bounds:
            return ast.Constant(self._bounds[node.id])
        field = self._fields.get(context)
        if field is not None and node.id in field.values:
            return ast.Constant(field.values.index(node.id))
        known = field.values if field is not None and field.values else tuple(self._bounds)
        raise ExpressionError(f"{node.id!r} in {text!r} is unknown; expected one of {known}")
