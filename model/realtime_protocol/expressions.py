"""The expression language of guards and effects, and its resolution under bounds.

Laws:
- The language is as small as the protocol needs: field, slot, bound and member names, whole
  numbers, `and or not`, comparisons, `in (...)`, `+ - * // %`, `min max len`, `a if c else b`,
  `field[slot]`, and `any`, `all` and `sum` over slots: `any(response[q] == active for q in N)`.
- A name is looked up as a local, a slot, a member of the enumeration that it is compared with or
  assigned to, a field, and then as a bound; anything else raises.
- Resolving leaves only locals, unrolled fields and whole numbers, and folds what is constant: a
  part of the protocol that the bounds switch off costs nothing.
- What an expression reads is computed from it, never declared beside it.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from realtime_protocol.state import Field, slotted

LOCALS = frozenset({"argument", "slot", "inbox"})
CALLS: Mapping[str, Callable[..., Any]] = {"min": min, "max": max, "len": len}
QUANTIFIERS = ("any", "all", "sum")
ALLOWED = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Compare, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.BinOp, ast.Add, ast.Sub, ast.Mult,
    ast.FloorDiv, ast.Mod, ast.IfExp, ast.Call, ast.Name, ast.Load, ast.Store, ast.Constant,
    ast.Tuple, ast.Subscript, ast.GeneratorExp, ast.comprehension, ast.Expression,
)  # fmt: skip
OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda value, among: value in among, ast.NotIn: lambda value, among: value not in among,
}  # fmt: skip


class ExpressionError(ValueError):
    """An expression outside the language, with the offending text."""


@functools.cache
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
        if isinstance(node, ast.Call):
            _check_call(node, text)
        if isinstance(node, ast.GeneratorExp):
            _check_loop(node, text)
    return tree.body


def _check_loop(node: ast.GeneratorExp, text: str) -> None:
    loop = node.generators[0]
    plain = isinstance(loop.target, ast.Name) and not (loop.ifs or loop.is_async)
    if len(node.generators) > 1 or not plain:
        raise ExpressionError(f"only one `for name in size` runs over slots, in {text!r}")


def _check_call(node: ast.Call, text: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    over_slots = len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp)
    if (name in QUANTIFIERS) != over_slots or name not in (*CALLS, *QUANTIFIERS):
        expected = sorted((*CALLS, *QUANTIFIERS))
        raise ExpressionError(f"only {expected} can be called, in {text!r}")


def names(text: str) -> set[str]:
    """Every name that an expression mentions, calls and names of its own slots left out."""
    tree = parse(text)
    own = {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.comprehension) and isinstance(node.target, ast.Name)
    }
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found - set(CALLS) - set(QUANTIFIERS) - own


def variable(name: str) -> str:
    """The Python name of an unrolled field: `audio[0]` is `audio_0`."""
    return name.replace("[", "_").replace(",", "_").replace("]", "")


def reads(resolved: ast.expr) -> set[str]:
    """The variables, `inbox` included, that a resolved expression reads."""
    return {node.id for node in ast.walk(resolved) if isinstance(node, ast.Name)} - set(CALLS)


class Translator:
    """Resolves expressions under bounds."""

    def __init__(self, fields: Collection[Field], bounds: Mapping[str, int]) -> None:
        self._fields = {field.name: field for field in fields}
        self._bounds = bounds

    def python(self, text: str, target: str = "", slots: Mapping[str, int] | None = None) -> str:
        """Python source of `text`; `target` is the field that it is assigned to, if any."""
        return ast.unparse(self.resolve(text, target, slots))

    def over(self, name: str) -> tuple[str, ...]:
        """The sizes of the slots that a field exists in; none where there is no such field."""
        return self._fields[name].over if name in self._fields else ()

    def number(self, text: str, slots: Mapping[str, int] | None = None) -> int:
        """The value of an expression over the bounds and slots alone.

        Raises:
            ExpressionError: it reads a field.
        """
        found = self.resolve(text, "", slots)
        if not isinstance(found, ast.Constant):
            raise ExpressionError(f"expected a number under the bounds, got {text!r}")
        return int(found.value)  # type: ignore[arg-type]

    def resolve(
        self, text: str, target: str = "", slots: Mapping[str, int] | None = None
    ) -> ast.expr:
        """The syntax tree of `text` in locals, variables and numbers, constants folded."""
        return _Resolver(self._fields, self._bounds, text, slots or {}).walk(parse(text), target)


class _Resolver:
    """Resolves one expression; the slots that are known grow inside of a quantifier."""

    def __init__(
        self,
        fields: Mapping[str, Field],
        bounds: Mapping[str, int],
        text: str,
        slots: Mapping[str, int],
    ) -> None:
        self._fields = fields
        self._bounds = bounds
        self._text = text
        self._slots = slots

    def walk(self, node: ast.expr, context: str = "") -> ast.expr:
        """The resolved form; `context` is the field whose members may be named."""
        kind = type(node).__name__
        found: ast.expr = getattr(self, f"_{kind.lower()}")(node, context)
        return found

    def _constant(self, node: ast.Constant, _: str) -> ast.expr:
        return node

    def _boolop(self, node: ast.BoolOp, _: str) -> ast.expr:
        decisive = isinstance(node.op, ast.Or)
        parts = []
        for value in node.values:
            part = self.walk(value)
            if isinstance(part, ast.Constant):
                if bool(part.value) == decisive:
                    # what stands behind is not looked at: it may name a slot that does not exist
                    return ast.Constant(decisive)
                continue
            parts.append(part)
        return _fold(node.op, parts)

    def _unaryop(self, node: ast.UnaryOp, _: str) -> ast.expr:
        inner = self.walk(node.operand)
        if isinstance(inner, ast.Constant):
            return ast.Constant(not inner.value)
        return ast.UnaryOp(node.op, inner)

    def _binop(self, node: ast.BinOp, _: str) -> ast.expr:
        left, right = self.walk(node.left), self.walk(node.right)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            return ast.Constant(OPERATORS[type(node.op)](left.value, right.value))
        return ast.BinOp(left, node.op, right)

    def _ifexp(self, node: ast.IfExp, context: str) -> ast.expr:
        test = self.walk(node.test)
        if isinstance(test, ast.Constant):
            return self.walk(node.body if test.value else node.orelse, context)
        return ast.IfExp(test, self.walk(node.body, context), self.walk(node.orelse, context))

    def _tuple(self, node: ast.Tuple, context: str) -> ast.expr:
        return ast.Tuple([self.walk(part, context) for part in node.elts], ast.Load())

    def _compare(self, node: ast.Compare, _: str) -> ast.expr:
        sides = [node.left, *node.comparators]
        context = next((name for name in map(self._field_of, sides) if name), "")
        walked = [self.walk(side, context) for side in sides]
        if all(map(_is_constant, walked)):
            values = [_value(side) for side in walked]
            pairs = zip(node.ops, values, values[1:], strict=False)
            return ast.Constant(all(OPERATORS[type(op)](a, b) for op, a, b in pairs))
        return ast.Compare(walked[0], node.ops, walked[1:])

    def _field_of(self, node: ast.expr) -> str:
        if isinstance(node, ast.Subscript):
            node = node.value
        return node.id if isinstance(node, ast.Name) and node.id in self._fields else ""

    def _call(self, node: ast.Call, context: str) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in QUANTIFIERS:
            return self._quantified(name, node.args[0])
        parts = [self.walk(part, context) for part in node.args]
        if all(isinstance(part, ast.Constant) for part in parts):
            return ast.Constant(CALLS[name](*(_value(part) for part in parts)))
        return ast.Call(node.func, parts, [])

    def _quantified(self, name: str, over: ast.expr) -> ast.expr:
        assert isinstance(over, ast.GeneratorExp)
        loop = over.generators[0]
        assert isinstance(loop.target, ast.Name)
        size = self.walk(loop.iter)
        if not isinstance(size, ast.Constant):
            raise ExpressionError(f"how many slots there are must be a number, in {self._text!r}")
        parts: list[ast.expr] = []
        for place in range(_value(size)):
            inside = {**self._slots, loop.target.id: place}
            inner = _Resolver(self._fields, self._bounds, self._text, inside)
            parts.append(inner.walk(over.elt))
        if name == "sum":
            nothing: ast.expr = ast.Constant(0)
            return functools.reduce(_plus, parts, nothing)
        return _fold(ast.Or() if name == "any" else ast.And(), parts)

    def _subscript(self, node: ast.Subscript, _: str) -> ast.expr:
        base = node.value
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not isinstance(base, ast.Name) or base.id not in self._fields:
            raise ExpressionError(f"only a field has slots, in {self._text!r}")
        place = []
        for part in places:
            found = self.walk(part)
            if not isinstance(found, ast.Constant):
                raise ExpressionError(f"a slot must be a number, in {self._text!r}")
            place.append(_value(found))
        sizes = self._fields[base.id].over
        within = len(sizes) == len(place) and all(
            0 <= number < self._bounds[size] for number, size in zip(place, sizes, strict=True)
        )
        if not within:
            name = slotted(base.id, tuple(place))
            raise ExpressionError(f"{name} does not exist under the bounds, in {self._text!r}")
        return ast.Name(variable(slotted(base.id, tuple(place))), ast.Load())

    def _name(self, node: ast.Name, context: str) -> ast.expr:
        if node.id in LOCALS:
            return node
        if node.id in self._slots:
            return ast.Constant(self._slots[node.id])
        field = self._fields.get(context.partition("[")[0])
        if field is not None and node.id in field.values:
            return ast.Constant(field.values.index(node.id))
        if node.id in self._fields:
            if self._fields[node.id].over:
                raise ExpressionError(f"{node.id!r} needs a slot, in {self._text!r}")
            return ast.Name(node.id, ast.Load())
        if node.id in self._bounds:
            return ast.Constant(self._bounds[node.id])
        known = field.values if field is not None and field.values else tuple(self._bounds)
        raise ExpressionError(f"{node.id!r} in {self._text!r} is unknown; expected one of {known}")


def _fold(op: ast.boolop, parts: Sequence[ast.expr]) -> ast.expr:
    """Resolved parts as one; neutral without parts."""
    decisive = isinstance(op, ast.Or)
    if any(isinstance(part, ast.Constant) and bool(part.value) == decisive for part in parts):
        return ast.Constant(decisive)
    rest = [part for part in parts if not isinstance(part, ast.Constant)]
    if not rest:
        return ast.Constant(not decisive)
    return rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)


def _plus(left: ast.expr, right: ast.expr) -> ast.expr:
    if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
        return ast.Constant(_value(left) + _value(right))
    return ast.BinOp(left, ast.Add(), right)


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return all(map(_is_constant, node.elts))
    return isinstance(node, ast.Constant)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return tuple(_value(part) for part in node.elts)
    assert isinstance(node, ast.Constant)
    return node.value
