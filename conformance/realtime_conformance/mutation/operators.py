"""The ways to change a piece of code: small faults, such as people make.

Laws:
- An operator sees one node and says which node to replace by which text.
- Two operators do not make the same change of the same code.
- What is only read by people is left as it is: documentation, messages, names of tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import libcst as cst
import libcst.matchers as m

Change = tuple[cst.CSTNode, str]
"""What is replaced, and the text that comes instead."""

Text = Callable[[cst.CSTNode], str]
"""The text of a node."""


@attrs.frozen
class Operator:
    """One way to change code."""

    name: str
    about: str
    changes: Callable[[cst.CSTNode, Text], Iterator[Change]]


COMPARISONS: Mapping[type[cst.BaseCompOp], Sequence[str]] = {
    cst.Equal: ("!=",),
    cst.NotEqual: ("==",),
    cst.LessThan: ("<=", ">="),
    cst.LessThanEqual: ("<", ">"),
    cst.GreaterThan: (">=", "<="),
    cst.GreaterThanEqual: (">", "<"),
    cst.Is: ("is not",),
    cst.IsNot: ("is",),
    cst.In: ("not in",),
    cst.NotIn: ("in",),
}
"""Each comparison, and what it is mistaken for: the boundary first, then the opposite."""

ARITHMETIC: Mapping[type[cst.BaseBinaryOp], str] = {
    cst.Add: "-",
    cst.Subtract: "+",
    cst.Multiply: "/",
    cst.Divide: "*",
    cst.FloorDivide: "*",
}

BOOLEAN: Mapping[type[cst.BaseBooleanOp], str] = {cst.And: "or", cst.Or: "and"}

CONDITIONAL = (cst.If, cst.While, cst.IfExp)
"""What has a condition."""

LEAVES = m.SimpleStatementLine(
    body=[m.Return() | m.Continue() | m.Break() | m.Raise()]
) | m.SimpleStatementSuite(body=[m.Return() | m.Continue() | m.Break() | m.Raise()])


def _comparison(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    del text
    if isinstance(node, cst.ComparisonTarget):
        for operator in COMPARISONS[type(node.operator)]:
            yield node.operator, operator


def _arithmetic(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    del text
    if isinstance(node, cst.BinaryOperation) and type(node.operator) in ARITHMETIC:
        yield node.operator, ARITHMETIC[type(node.operator)]


def _boolean(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    del text
    if isinstance(node, cst.BooleanOperation):
        yield node.operator, BOOLEAN[type(node.operator)]


def _dropped_not(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        yield node, f"({text(node.expression)})"


def _negated(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    if isinstance(node, CONDITIONAL) and not _is_negated_elsewhere(node.test):
        yield node.test, f"not ({text(node.test)})"


def _is_negated_elsewhere(test: cst.BaseExpression) -> bool:
    """Whether another operator makes the opposite of a condition, or it says nothing."""
    if isinstance(test, cst.Comparison):
        return len(test.comparisons) == 1
    return m.matches(test, m.UnaryOperation(operator=m.Not()) | m.Name("True") | m.Name("False"))


def _forced_true(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    # a loop that never ends is found by a look at the clock, and says nothing about the checks
    if isinstance(node, cst.If | cst.IfExp):
        yield node.test, _forced(node.test, text, "or True", "True")


def _forced_false(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    if isinstance(node, CONDITIONAL) and not _is_guard(node):
        yield node.test, _forced(node.test, text, "and False", "False")


def _dropped_guard(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    if isinstance(node, cst.If) and _is_guard(node):
        yield node.test, _forced(node.test, text, "and False", "False")


def _forced(test: cst.BaseExpression, text: Text, kept: str, alone: str) -> str:
    """A condition that is decided; what it binds is bound all the same."""
    return f"({text(test)}) {kept}" if m.findall(test, m.NamedExpr()) else alone


def _is_guard(node: cst.CSTNode) -> bool:
    """Whether this is an `if` that only leaves."""
    if not isinstance(node, cst.If) or node.orelse is not None:
        return False
    if isinstance(node.body, cst.IndentedBlock):
        return len(node.body.body) == 1 and m.matches(node.body.body[0], LEAVES)
    return m.matches(node.body, LEAVES)


CALL = m.Expr(m.Call() | m.Await(m.Call()))


def _dropped_call(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    del text
    if m.matches(node, CALL):
        yield node, "pass"


PLACE = m.Attribute() | m.Subscript()


def _dropped_assignment(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    # a name that is never bound is an error at once, whatever it was for; a place keeps its value
    del text
    to_place = m.Assign(targets=[m.AssignTarget(PLACE)]) | m.AnnAssign(
        target=PLACE, value=m.DoNotCare()
    )
    if m.matches(node, to_place | m.AugAssign()):
        if isinstance(node, cst.AnnAssign) and node.value is None:
            return
        yield node, "pass"


def _rebound(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    """A name that is bound to something else on the way: `None` in place of the value."""
    del text
    if m.matches(node, m.Assign(targets=[m.AssignTarget(m.Name())])):
        assert isinstance(node, cst.Assign)
        if not m.matches(node.value, m.Name("None") | m.Name("True") | m.Name("False")):
            yield node.value, "None"


def _constant(node: cst.CSTNode, text: Text) -> Iterator[Change]:
    del text
    if isinstance(node, cst.Name) and node.value in ("True", "False"):
        yield node, str(node.value == "False")
    elif isinstance(node, cst.Integer):
        yield node, str(node.evaluated_value + 1)
    elif isinstance(node, cst.Float):
        yield node, repr(node.evaluated_value + 1)
    elif isinstance(node, cst.SimpleString):
        value = node.evaluated_value
        # text with spaces is for people
        if isinstance(value, str) and " " not in value:
            yield node, repr(f"{value}?") if value else repr("?")


OPERATORS: Sequence[Operator] = (
    Operator("comparison", "a comparison is another one", _comparison),
    Operator("boolean", "`and` for `or`, and the reverse", _boolean),
    Operator("arithmetic", "a sum for a difference, a product for a quotient", _arithmetic),
    Operator("drop-not", "`not` is left out", _dropped_not),
    Operator("negate", "a condition is negated", _negated),
    Operator("force-true", "a condition always holds", _forced_true),
    Operator("force-false", "a condition never holds", _forced_false),
    Operator("drop-guard", "an `if` that only leaves is left out", _dropped_guard),
    Operator("drop-call", "a call, awaited or not, is left out", _dropped_call),
    Operator("drop-assignment", "an attribute or an item keeps its value", _dropped_assignment),
    Operator("lose-value", "a name is bound to `None` instead of its value", _rebound),
    Operator("constant", "a constant is another one", _constant),
)
"""All operators; a mutant is named after its own."""

UNREAD = (
    m.Raise()
    | m.Annotation()
    | m.Expr(m.SimpleString() | m.ConcatenatedString())
    | m.Arg(keyword=m.Name("name"))
    | m.Arg(keyword=m.Name("message"))
    | m.Call(func=m.Attribute(attr=m.Name("shortuuid")) | m.Name("shortuuid") | m.Name("cast"))
    # to be unequal to another text is the same change as another comparison
    | m.ComparisonTarget(operator=m.Equal() | m.NotEqual(), comparator=m.SimpleString())
)
"""What is read by people or by type checkers, or only has to be different: not looked into."""
