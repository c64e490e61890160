"""The Python of a machine: its resolved rules written out as source, to be compiled once.

Laws:
- Nothing is decided here: the source asks what guards ask, and does what effects say.
- Steps come in the order of the rules, then by argument: only neighbours share a condition.
- Guards have no effects and always have a value, so their parts can be asked for in any order.
- A successor is another state. Where guard and effect leave no doubt of that, nothing is compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from realtime_protocol.expressions import variable
from realtime_protocol.ranges import simplified, values_of
from realtime_protocol.state import NOTHING, Field
from realtime_protocol.unrolled import Resolved

DEEPEST = 40
"""Spaces of indentation beyond which conditions are no longer shared."""
WORD = re.compile(r"'[^']*'|[A-Za-z_]\w*")


@attrs.frozen
class Compiler:
    """Writes the source of the rules of one machine over its fields."""

    resolved: Sequence[Resolved]
    fields: Sequence[Field]

    def environment(self) -> str:
        """`environment(state)`: the rules that anyone but the client can take."""
        branches = [
            Branch(_conjuncts(resolved.own, resolved.urgent), [f"enabled.append({number})"])
            for number, resolved in enumerate(self.resolved)
            if not resolved.rule.is_client
        ]
        lines = ["def environment(state):", *self._opening(), "    enabled = []"]
        return "\n".join([*lines, *nested(branches, "    "), "    return enabled", ""])

    def successors(self) -> str:
        """`successors(state)`: rule, argument and target of what environment and client do."""
        branches = [
            branch
            for number, resolved in enumerate(self.resolved)
            if not resolved.stays
            for branch in self._branches(number, resolved)
        ]
        lines = ["def successors(state):", *self._opening(), "    found = []"]
        return "\n".join([*lines, *nested(branches, "    "), "    return found", ""])

    def single(self) -> str:
        """`guards`, `effects` and `permits`: those of each rule by itself."""
        index = {variable(field.name): f"state[{n}]" for n, field in enumerate(self.fields)}
        index["inbox"] = "state[-1]"
        lines = ["def is_urgent(state):"]
        if any(resolved.rule.urgent and resolved.rule.reads for resolved in self.resolved):
            lines.append(_head("state[-1]"))
        lines.append(f"    return {self._urgency(index)}")
        for number, resolved in enumerate(self.resolved):
            lines += self._functions(number, resolved, index)
        for kind in ("guard", "effect", "permit"):
            listed = ", ".join(f"{kind}_{number}" for number in range(len(self.resolved)))
            lines.append(f"{kind}s = [{listed}]")
        return "\n".join(lines) + "\n"

    def _opening(self) -> list[str]:
        names = [variable(field.name) for field in self.fields]
        return [
            f"    ({', '.join([*names, 'inbox'])},) = state",
            _head("inbox"),
            f"    urgent = {self._urgency({})}",
        ]

    def _urgency(self, index: Mapping[str, str]) -> str:
        """Python source of whether something is enabled that the server must do at once."""
        guards = [resolved.own for resolved in self.resolved if resolved.rule.urgent]
        return " or ".join(f"({_indexed(guard, index)})" for guard in guards) or "False"

    def _branches(self, number: int, resolved: Resolved) -> Iterator[Branch]:
        """The step of a rule, one for each argument of what it sends."""
        guard = resolved.held if resolved.rule.is_client else resolved.own
        if not resolved.rule.sends:
            conditions = [*_conjuncts(guard, resolved.urgent), *_moves(resolved, guard)]
            yield Branch(conditions, self._found(number, "0", resolved.then, resolved.inbox))
            return
        for argument in range(resolved.limit + 1):
            # in what sends, `argument` is that of its own message and not of the one at the head
            known = {"argument": frozenset({argument})}
            conditions = _conjuncts(simplified(guard, known), resolved.urgent)
            if "False" in conditions:
                continue
            then = {name: simplified(value, known) for name, value in resolved.then.items()}
            inbox = re.sub(r"\bargument\b", str(argument), resolved.inbox)
            yield Branch(conditions, self._found(number, str(argument), then, inbox))

    def _found(
        self, number: int, argument: str, then: Mapping[str, ast.expr], inbox: str
    ) -> list[str]:
        values = {variable(name): ast.unparse(value) for name, value in then.items()}
        return [
            "after = list(state)",
            *(
                f"after[{place}] = {values[name]}"
                for place, name in enumerate(variable(field.name) for field in self.fields)
                if name in values
            ),
            *([f"after[-1] = {inbox}"] if inbox != "inbox" else []),
            f"found.append(({number}, {argument}, tuple(after)))",
        ]

    def _functions(self, number: int, resolved: Resolved, index: Mapping[str, str]) -> list[str]:
        # a step of the client has its argument from outside, a step that reads from the message
        taken = [_head("state[-1]")] if resolved.rule.reads else []
        guard = _indexed(resolved.own, index)
        if resolved.urgent:
            guard = f"({guard}) and not is_urgent(state)"
        at = {field.name: place for place, field in enumerate(self.fields)}
        changes = [
            f"    after[{at[name]}] = {_indexed(value, index)}"
            for name, value in resolved.then.items()
        ]
        inbox = resolved.inbox.replace("inbox", "state[-1]")
        return [
            f"def guard_{number}(state, argument):",
            *taken,
            f"    return bool({guard})",
            f"def effect_{number}(state, argument):",
            *taken,
            "    after = list(state)",
            *changes,
            f"    after[-1] = {inbox}",
            "    return tuple(after)",
            f"def permit_{number}(state, argument):",
            f"    return bool({_indexed(resolved.permitted, index)})",
        ]


@attrs.frozen
class Branch:
    """What is done where all conditions hold."""

    conditions: list[str]
    body: list[str]

    def without(self, condition: str) -> Branch:
        """The same where a condition is known to hold."""
        return Branch([other for other in self.conditions if other != condition], self.body)


def nested(branches: Sequence[Branch], indent: str) -> list[str]:
    """Python source of branches in their order, conditions that neighbours share tested once."""
    lines: list[str] = []
    place = 0
    while place < len(branches):
        condition, length = _most_shared(branches[place:])
        group = branches[place : place + length]
        place += length
        if length > 1 and len(indent) <= DEEPEST:
            lines.append(f"{indent}if {condition}:")
            lines += nested([branch.without(condition) for branch in group], indent + " ")
            continue
        for branch in group:
            inner = indent
            if branch.conditions:
                lines.append(f"{indent}if {' and '.join(f'({c})' for c in branch.conditions)}:")
                inner += " "
            lines += [inner + line for line in branch.body]
    return lines


def _most_shared(branches: Sequence[Branch]) -> tuple[str, int]:
    """The condition of the first branch that most of those behind it have too, and how many."""
    best, most = "", 1
    for condition in branches[0].conditions:
        length = 1
        while length < len(branches) and condition in branches[length].conditions:
            length += 1
        if length > most:
            best, most = condition, length
    return best, most


def _conjuncts(guard: ast.expr, urgent: tuple[ast.expr, ...]) -> list[str]:
    """Python source of what a guard demands, one by one; nothing where it always holds."""
    found: list[str] = ["not urgent"] if urgent else []
    waiting = [guard]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            waiting[:0] = node.values
        elif not (isinstance(node, ast.Constant) and node.value):
            found.append(ast.unparse(node))
    return found


def _moves(resolved: Resolved, guard: ast.expr) -> list[str]:
    """What else must hold for a step to lead elsewhere: nothing where it always does."""
    effects = [(variable(name), value) for name, value in resolved.then.items()]
    if resolved.rule.reads or any(_changes(*effect, guard) for effect in effects):
        return []
    news = [f"{name} != ({ast.unparse(value)})" for name, value in effects]
    return [" or ".join([*news, "inbox"] if resolved.rule.clears else news)]


def _changes(name: str, value: ast.expr, guard: ast.expr) -> bool:
    """Whether an effect surely gives a variable another value where the guard holds."""
    if isinstance(value, ast.Constant):
        return values_of(guard, {name: frozenset({value.value})}) == frozenset({False})
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, (ast.Add, ast.Sub)):
        return False
    left, right = value.left, value.right
    counts = isinstance(left, ast.Name) and left.id == name
    return counts and isinstance(right, ast.Constant) and right.value != 0


def _indexed(node: ast.expr, index: Mapping[str, str]) -> str:
    """Python source of an expression with each variable looked up in `state`."""
    if not index:
        return ast.unparse(node)
    # a name inside of quotes is text
    return re.sub(WORD, lambda found: index.get(found[0], found[0]), ast.unparse(node))


def _head(inbox: str) -> str:
    """Python source of a line that names the parts of the message at the head."""
    return f"    event, slot, argument = {inbox}[0] if {inbox} else {NOTHING!r}"


def executed(source: str) -> dict[str, Any]:
    """The names that running some source defines."""
    names: dict[str, Any] = {}
    exec(compile(source, "<rules>", "exec"), names)
    return names
