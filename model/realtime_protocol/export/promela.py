"""The rules as a Promela model for SPIN, a model checker that shares no code with this project.

Laws:
- Nothing is enumerated: what is written is a translation of the resolved rules, one variable for
  each live field, and one alternative of one process for each rule; a rule that sends has one for
  each argument.
- A state of SPIN is a state of the graph: the process has one place to be in, a step is one
  `d_step`, and the cells of the inbox that hold no message are 0. So the counts must be equal.
- The right sides of an effect read the values from before the step.
- Nothing is cut off in silence: that the inbox has room is a check of every model.

The check of an invariant is an alternative that is enabled only where it fails; so it costs one
look at each state, adds no state, and the search goes on behind it. That of a precondition stands
in the step, before its effects. What failed is told by the variable of the assertion, such as
`holds_3`; a comment in the model says which check that is.

SPIN must be run with `-o2`: without it, fields that no guard reads are left out of its states.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from realtime_protocol.expressions import reads, variable
from realtime_protocol.machine import Machine
from realtime_protocol.state import Field
from realtime_protocol.unrolled import Resolved

CAPACITY = 8
"""Cells of the inbox. It must never be full; where it is, the check says so."""

ROOM = "the inbox has room"
"""The check that every model makes: no message is lost because the inbox is too small."""

TYPES = (("byte", 254), ("short", 32_766), ("int", 2_147_483_646))
"""Types, and the largest value each is used for: one too many, or one below 0, can then be seen."""

OPERATORS: Mapping[type[ast.AST], str] = {
    ast.And: "&&", ast.Or: "||", ast.Add: "+", ast.Sub: "-", ast.Mult: "*",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip

CELLS = ("event", "slot", "argument")
"""What a message is made of; each is an array of the inbox."""


class PromelaError(ValueError):
    """Something that has no translation, with the offending text."""


def to_promela(
    machine: Machine,
    invariants: Mapping[str, ast.expr] | None = None,
    preconditions: Mapping[str, tuple[str, ast.expr]] | None = None,
    capacity: int = CAPACITY,
) -> str:
    """The machine as a Promela model.

    `invariants`: name of a check to what must hold in every state.
    `preconditions`: name of a check to the label of a rule (clause id, with its slot if it has
    one) and what must hold in every state in which a correct run takes it, even to no effect.
    The expressions are resolved (see `Translator.resolve`), over fields that are live or constant;
    a precondition can use `argument`, that of the message which the step sends or reads.

    Raises:
        PromelaError: an expression has no translation, or the machine has no such rule.
    """
    return "\n".join(_lines(machine, invariants or {}, preconditions or {}, capacity)) + "\n"


def ranges(machine: Machine) -> dict[str, ast.expr]:
    """Invariants: every live field is within its range."""
    return {
        f"{field.name} is in range": ast.Compare(
            ast.Constant(0),
            [ast.LtE(), ast.LtE()],
            [ast.Name(variable(field.name), ast.Load()), ast.Constant(field.top(machine.bounds))],
        )
        for field in machine.fields
    }


def checks_of(source: str) -> dict[str, str]:
    """The checks that a model makes: variable of the assertion to name."""
    found: list[tuple[str, str]] = re.findall(
        r"^hidden byte (holds_\d+) .*?/\* (.*) \*/$", source, re.M
    )
    return dict(found)


# -- expressions ------------------------------------------------------------------------------


@attrs.frozen
class Spelling:
    """How expressions are spelled: what stands in Promela for each name, and for each event."""

    names: Mapping[str, str]
    events: Mapping[str, str]

    def __call__(self, node: ast.expr) -> str:
        """A resolved expression in Promela, for use as a condition.

        Raises:
            PromelaError: an operator, name or event without a translation.
        """
        try:
            spell = _SPELLERS[type(node)]
        except KeyError:
            raise PromelaError(f"no translation of {ast.unparse(node)!r}") from None
        return spell(self, node)

    def part(self, node: ast.expr) -> str:
        """The same as a part of a larger expression: in parentheses where it needs them."""
        return f"({self(node)})" if isinstance(node, COMPOUND) else self(node)

    def value(self, node: ast.expr) -> str:
        """The same where the value counts, and not only whether it is 0.

        Raises:
            PromelaError: `a and b` of numbers, which is one of them in Python, and 0 or 1 here.
        """
        if not _is_number(node):
            raise PromelaError(f"expected a number, got {ast.unparse(node)!r}")
        return self(node)

    def number(self, node: ast.expr) -> str:
        """The same, with parentheses where it needs them."""
        value = self.value(node)
        return f"({value})" if isinstance(node, COMPOUND) else value

    def where(self, argument: int) -> Spelling:
        """The same where the argument is known."""
        return attrs.evolve(self, names={**self.names, "argument": str(argument)})


COMPOUND = (ast.BoolOp, ast.BinOp, ast.Compare)


def _is_number(node: ast.expr) -> bool:
    truths = (ast.Compare, ast.UnaryOp)
    return not isinstance(node, ast.BoolOp) or all(
        isinstance(part, truths) or (isinstance(part, ast.BoolOp) and _is_number(part))
        for part in node.values
    )


def _constant(spell: Spelling, node: ast.Constant) -> str:
    value: Any = node.value
    if isinstance(value, str):
        if value not in spell.events:
            raise PromelaError(f"no message {value!r}; expected one of {sorted(spell.events)}")
        return spell.events[value]
    return str(int(value)) if value >= 0 else f"({int(value)})"


def _name(spell: Spelling, node: ast.Name) -> str:
    if node.id not in spell.names:
        raise PromelaError(f"no variable {node.id!r}; expected one of {sorted(spell.names)}")
    return spell.names[node.id]


def _boolop(spell: Spelling, node: ast.BoolOp) -> str:
    parts = [spell(part) if _is_simple(part) else spell.part(part) for part in node.values]
    return f" {OPERATORS[type(node.op)]} ".join(parts)


def _is_simple(node: ast.expr) -> bool:
    """Whether it is one comparison, which binds closer than what joins it to others."""
    return (
        isinstance(node, ast.Compare)
        and len(node.ops) == 1
        and not isinstance(node.ops[0], ast.In | ast.NotIn)
    )


def _unaryop(spell: Spelling, node: ast.UnaryOp) -> str:
    # `!!` is another operator of Promela
    inner = node.operand
    return f"!({spell(inner)})" if isinstance(inner, ast.UnaryOp) else f"!{spell.part(inner)}"


def _binop(spell: Spelling, node: ast.BinOp) -> str:
    left, right = spell.number(node.left), spell.number(node.right)
    if isinstance(node.op, ast.FloorDiv | ast.Mod):
        return _divided(node, left, right)
    return f"{left} {OPERATORS[type(node.op)]} {right}"


def _divided(node: ast.BinOp, left: str, right: str) -> str:
    """Division that rounds down, as in Python; that of Promela rounds towards 0."""
    if not right.isdigit() or int(right) == 0:
        raise PromelaError(f"expected a number above 0 as divisor, got {ast.unparse(node)!r}")
    if isinstance(node.op, ast.Mod):
        return f"({left} % {right} + {right}) % {right}"
    return f"({left} >= 0 -> {left} / {right} : -(({right} - 1 - {left}) / {right}))"


def _compare(spell: Spelling, node: ast.Compare) -> str:
    sides = [node.left, *node.comparators]
    pairs = zip(sides, node.ops, sides[1:], strict=False)
    tests = [_compared(spell, left, op, right) for left, op, right in pairs]
    return tests[0] if len(tests) == 1 else " && ".join(f"({test})" for test in tests)


def _compared(spell: Spelling, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
    if not isinstance(op, ast.In | ast.NotIn):
        return f"{spell.number(left)} {OPERATORS[type(op)]} {spell.number(right)}"
    sign, join, neutral = ("==", "||", "0") if isinstance(op, ast.In) else ("!=", "&&", "1")
    tests = [f"{spell.number(left)} {sign} {spell.number(member)}" for member in _members(right)]
    return f" {join} ".join(tests) or neutral


def _members(node: ast.expr) -> Sequence[ast.expr]:
    if isinstance(node, ast.Tuple):
        return node.elts
    folded: Any = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(folded, tuple):
        raise PromelaError(f"expected members in parentheses, got {ast.unparse(node)!r}")
    return [ast.Constant(value) for value in folded]


def _ifexp(spell: Spelling, node: ast.IfExp) -> str:
    body, orelse = spell.number(node.body), spell.number(node.orelse)
    return f"({spell.part(node.test)} -> {body} : {orelse})"


def _call(spell: Spelling, node: ast.Call) -> str:
    called = ast.unparse(node.func)
    if ast.unparse(node) == "len(inbox)":
        return "inbox_length"
    if called not in ("min", "max"):
        raise PromelaError(f"no translation of {ast.unparse(node)!r}")
    sign = "<=" if called == "min" else ">="
    *rest, found = map(spell.number, node.args)
    for part in reversed(rest):
        found = f"({part} {sign} {found} -> {part} : {found})"
    return found


_SPELLERS: Mapping[type[ast.expr], Callable[[Spelling, Any], str]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BoolOp: _boolop,
    ast.UnaryOp: _unaryop,
    ast.BinOp: _binop,
    ast.Compare: _compare,
    ast.IfExp: _ifexp,
    ast.Call: _call,
}


def spelling(machine: Machine) -> Spelling:
    """The spelling of a machine: fields, those that never change by value, and the inbox's head."""
    names = {variable(field.name): _variable(field) for field in machine.fields}
    names |= {variable(name): str(value) for name, value in machine.constants.items()}
    names |= {cell: f"inbox_{cell}[0]" for cell in CELLS}
    rules = [resolved.rule for resolved in machine.resolved]
    events = {rule.event for rule in rules if rule.sends} | {rule.reads for rule in rules} - {""}
    spelled = {event: f"m_{re.sub(r'[^a-z]', '_', event)}" for event in sorted(events)}
    if len(set(spelled.values())) < len(spelled):
        raise PromelaError(f"expected events that differ in their letters, got {sorted(events)}")
    return Spelling(names, spelled)


def _variable(field: Field) -> str:
    # the prefix keeps the names of fields apart from the words of Promela and of C
    return f"f_{variable(field.name)}"


# -- the model --------------------------------------------------------------------------------


def _lines(
    machine: Machine,
    invariants: Mapping[str, ast.expr],
    preconditions: Mapping[str, tuple[str, ast.expr]],
    capacity: int,
) -> Iterator[str]:
    spell = spelling(machine)
    asserted = _asserted([ROOM, *invariants, *preconditions])
    _known(machine, [label for label, _ in preconditions.values()])
    everywhere = {ROOM: "inbox_length < CAPACITY"}
    everywhere |= {name: spell(holds) for name, holds in invariants.items()}
    yield f"/* The rules under bounds, {machine.digest}: translated, not to be edited."
    yield "   spin -a -o2; cc -DSAFETY -DNOREDUCE */"
    yield ""
    yield from _declarations(machine, spell, capacity)
    yield from _inlines(capacity)
    for name, holds in asserted.items():
        yield f"hidden byte {holds} = 0; /* {name} */"
    yield ""
    yield "active proctype steps() {"
    yield "end: /* to have nothing left to do is no error */"
    yield "  do"
    for resolved in machine.resolved:
        checks = [
            (expression, asserted[name])
            for name, (label, expression) in preconditions.items()
            if label == resolved.rule.label
        ]
        yield from _steps(resolved, spell, checks)
    for name, holds in everywhere.items():
        yield f"  :: d_step {{ !({holds}) -> assert({asserted[name]}) }}"
    yield "  od"
    yield "}"


def _known(machine: Machine, labels: Sequence[str]) -> None:
    known = [resolved.rule.label for resolved in machine.resolved]
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise PromelaError(f"no rule {unknown[0]!r} under these bounds; expected one of {known}")


def _asserted(names: Sequence[str]) -> dict[str, str]:
    """The variable that the assertion of each check names."""
    for name in names:
        if names.count(name) > 1 or "*/" in name or "\n" in name:
            raise PromelaError(f"expected a name of its own that fits a comment, got {name!r}")
    return {name: f"holds_{number}" for number, name in enumerate(names)}


def _declarations(machine: Machine, spell: Spelling, capacity: int) -> Iterator[str]:
    for field in machine.fields:
        members = ", ".join(f"{number} {name}" for number, name in enumerate(field.values))
        kind = _type(field.top(machine.bounds))
        yield f"{kind} {_variable(field)} = {field.initial}; /* {members or 'a number'} */"
    yield ""
    for number, name in enumerate(spell.events.values(), start=1):
        yield f"#define {name} {number}"
    sends = [resolved for resolved in machine.resolved if resolved.rule.sends]
    largest = (
        len(spell.events),
        max((resolved.address or 0 for resolved in sends), default=0),
        max((resolved.limit for resolved in sends), default=0),
    )
    yield f"#define CAPACITY {capacity}"
    yield f"{_type(capacity)} inbox_length = 0;"
    for cell, top in zip(CELLS, largest, strict=True):
        yield f"{_type(top)} inbox_{cell}[CAPACITY] = 0;"
    most = max((len(_read_late(resolved)) for resolved in machine.resolved), default=0)
    # hidden: they are no part of a state, and nothing outlives the step in them
    yield from (f"hidden int new_{number};" for number in range(most))
    yield ""


def _type(top: int) -> str:
    for name, largest in TYPES:
        if top <= largest:
            return name
    raise PromelaError(f"no type holds {top}")


def _inlines(capacity: int) -> Iterator[str]:
    """How the inbox changes; a cell that holds no message is 0."""
    last = capacity - 1
    yield "inline put(event, slot, argument) {"
    yield from (f"  inbox_{cell}[inbox_length] = {cell};" for cell in CELLS)
    yield "  inbox_length = inbox_length + 1"
    yield "}"
    yield "inline take() {"
    for cell in CELLS:
        yield from (f"  inbox_{cell}[{at}] = inbox_{cell}[{at + 1}];" for at in range(last))
        yield f"  inbox_{cell}[{last}] = 0;"
    yield "  inbox_length = inbox_length - 1"
    yield "}"
    yield "inline lose() {"
    for cell in CELLS:
        yield from (f"  inbox_{cell}[{at}] = 0;" for at in range(capacity))
    yield "  inbox_length = 0"
    yield "}"
    yield ""


def _steps(
    resolved: Resolved, spell: Spelling, checks: Sequence[tuple[ast.expr, str]]
) -> Iterator[str]:
    """The alternatives of one rule; none if it can only lead back to where it starts.

    `checks`: what must hold before the step, and what is asserted where it does not.
    """
    if resolved.stays:
        return
    for argument, spelled in _ways(resolved, spell):
        label = resolved.rule.label + (f"({argument})" if resolved.limit else "")
        acts = [*_effects(resolved, spelled), *_moves(resolved, argument, spell)]
        yield f"  :: d_step {{ /* {label} */"
        yield f"       {_enabled(resolved, spelled)} ->"
        for expression, holds in checks:
            fails = spelled(ast.UnaryOp(ast.Not(), expression))
            yield f"       if :: {fails} -> assert({holds}) :: else -> skip fi;"
        yield f"       {'; '.join(acts)} }}"


def _ways(resolved: Resolved, spell: Spelling) -> Iterator[tuple[int, Spelling]]:
    """Every argument of a message that the step sends, and the spelling with it."""
    if not resolved.rule.sends:
        yield 0, spell
        return
    for argument in range(resolved.limit + 1):
        yield argument, spell.where(argument)


def _enabled(resolved: Resolved, spell: Spelling) -> str:
    """When a correct run takes the step."""
    guard = resolved.held if resolved.rule.is_client else resolved.guard
    if not resolved.rule.sends:
        return spell(guard)
    # nothing is written behind the last cell; that the inbox is full is found by its check
    return f"{spell.part(guard)} && inbox_length < CAPACITY"


def _effects(resolved: Resolved, spell: Spelling) -> Iterator[str]:
    """Assignments one after another that do what `then` does at once."""
    late = _read_late(resolved)
    for number, name in enumerate(late):
        yield f"new_{number} = {spell.value(resolved.then[name])}"
    for name, value in resolved.then.items():
        new = f"new_{late.index(name)}" if name in late else spell.value(value)
        yield f"{spell.names[variable(name)]} = {new}"


def _read_late(resolved: Resolved) -> list[str]:
    """The fields whose new values read what an assignment before theirs has overwritten."""
    written: set[str] = set()
    found = []
    for name, value in resolved.then.items():
        if reads(value) & written:
            found.append(name)
        written.add(variable(name))
    return found


def _moves(resolved: Resolved, argument: int, spell: Spelling) -> Iterator[str]:
    """What happens to the inbox; it comes last, as the effects can read its head."""
    rule = resolved.rule
    if rule.clears:
        yield "lose()"
        return
    if rule.reads:
        yield "take()"
    if rule.sends:
        yield f"put({spell.events[rule.event]}, {resolved.address or 0}, {argument})"
