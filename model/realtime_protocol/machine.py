"""The composition: which steps a state enables and where each leads, and nothing else.

Laws:
- A machine is the rules unrolled over their slots and compiled under bounds; it holds no state of
  its own. Rules that the bounds switch off, and fields that never change, are left out.
- Steps are listed in the order of the rules, then by argument: the same state, the same list.
- A step that is not enabled raises and changes nothing.
- Everybody but the client is the environment: its steps are chosen. The client's are observed.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from realtime_protocol.expressions import variable
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import Field, Message, State, show
from realtime_protocol.unrolled import Resolved, resolve_all


class Step(NamedTuple):
    """One step: the index of its rule, and the argument of the message it sends (0 if none)."""

    rule: int
    argument: int = 0


class StepNotEnabled(ValueError):
    """A step that the state does not enable, with the state and what would have been."""


ARGUMENT = re.compile(r"\bargument\b")
DEEPEST = 40
"""Spaces of indentation beyond which conditions are no longer shared."""
WORD = re.compile(r"'[^']*'|[A-Za-z_]\w*")
Question = Callable[[State, int], bool]
Effect = Callable[[State, int], State]

NOTHING: Message = ("", 0, 0)
"""What stands at the head of an empty inbox."""


class Machine:
    """The rules under bounds."""

    def __init__(
        self,
        bounds: Mapping[str, int],
        rules: Sequence[Rule] = RULES,
        fields: Sequence[Field] = FIELDS,
    ) -> None:
        self.bounds = dict(bounds)
        self._source_rules = tuple(rules)
        self.declared: tuple[Field, ...] = tuple(fields)
        unrolled = resolve_all(rules, fields, bounds)
        self.resolved: tuple[Resolved, ...] = unrolled.rules
        self.constants: Mapping[str, int] = unrolled.constants
        self.fields: tuple[Field, ...] = unrolled.fields
        self.rules: tuple[Rule, ...] = tuple(resolved.rule for resolved in self.resolved)
        self.at = {field.name: position for position, field in enumerate(self.fields)}
        self.initial: State = (*(field.initial for field in self.fields), ())
        self._client = [n for n, rule in enumerate(self.rules) if rule.is_client]
        self._by_event: dict[str, list[int]] = {}
        for number in self._client:
            self._by_event.setdefault(self.rules[number].event, []).append(number)

    @functools.cached_property
    def _single(self) -> tuple[list[Question], list[Effect], list[Question]]:
        """Guard, effect and permission of each rule."""
        names = _executed(self.single_source())
        return names["guards"], names["effects"], names["permits"]

    @functools.cached_property
    def _environment(self) -> Callable[[State], list[int]]:
        found: Callable[[State], list[int]] = _executed(self.environment_source())["environment"]
        return found

    @functools.cached_property
    def _successors(self) -> Callable[[State], list[tuple[int, int, State]]]:
        found: Callable[[State], list[tuple[int, int, State]]]
        found = _executed(self.successors_source())["successors"]
        return found

    @property
    def digest(self) -> str:
        """Six hex digits that change with any rule, field or bound."""
        data = json.dumps(
            [
                [attrs.asdict(rule) for rule in self._source_rules],
                [attrs.asdict(field) for field in self.declared],
                sorted(self.bounds.items()),
            ],
            sort_keys=True,
        )
        return hashlib.sha256(data.encode()).hexdigest()[:6]

    def value(self, state: State, name: str) -> int:
        """A field of a state by its name, such as `audio[0]`; also one that never changes.

        Raises:
            KeyError: no field has that name under these bounds.
        """
        position = self.at.get(name)
        found = self.constants[name] if position is None else state[position]
        assert isinstance(found, int)
        return found

    def member(self, name: str, value: int) -> str:
        """The name of a value of an enumeration: `member("response[0]", 1)` is `active`."""
        base = name.partition("[")[0]
        values = next(f.values for f in self.declared if f.name == base)
        return values[value]

    def code(self, name: str, member: str) -> int:
        """The number of a member of an enumeration: `code("response[0]", "active")` is 1."""
        base = name.partition("[")[0]
        return next(f.values for f in self.declared if f.name == base).index(member)

    def knows(self, name: str) -> bool:
        """Whether a field has that name under these bounds."""
        return name in self.at or name in self.constants

    def numbers(self, rule_id: str) -> list[int]:
        """The positions of the unrolled rules with a clause id, by slot; empty if all are off."""
        return [number for number, rule in enumerate(self.rules) if rule.id == rule_id]

    def environment(self, state: State) -> list[int]:
        """Rules that anyone but the client can take in `state`, in the order of the rules."""
        return self._environment(state)

    def progress(self, state: State) -> list[int]:
        """Rules of the environment that let the reply go on."""
        return [number for number in self._environment(state) if not self.rules[number].disturbs]

    def client(self, state: State) -> list[Step]:
        """Steps that a client could take in `state`, the forbidden ones included."""
        return [
            Step(number, argument)
            for number in self._client
            for argument in range(self.resolved[number].limit + 1)
            if self._single[0][number](state, argument)
        ]

    def successors(self, state: State) -> list[tuple[int, int, State]]:
        """Rule, argument and target of every step of a correct run; steps to itself left out.

        They are the environment's steps and those of a client that is prompt and wastes nothing, in
        the order of the rules.
        """
        return self._successors(state)

    def enabled(self, state: State, step: Step) -> bool:
        """Whether the guard of a step holds; a client step may be forbidden all the same."""
        in_range = 0 <= step.argument <= self.resolved[step.rule].limit
        return in_range and self._single[0][step.rule](state, step.argument)

    def after(self, state: State, step: Step) -> State:
        """The state that `step` leads to.

        Raises:
            StepNotEnabled: the guard of the rule does not hold.
        """
        if not self.enabled(state, step):
            rule = self.rules[step.rule]
            enabled = [self.rules[other].label for other in self.environment(state)]
            enabled += [self.rules[other.rule].label for other in self.client(state)]
            raise StepNotEnabled(
                f"{rule.label} is not enabled in {show(self.fields, state)}; enabled: {enabled}"
            )
        return self._single[1][step.rule](state, step.argument)

    def forced(self, state: State, step: Step) -> State:
        """Where the effect of a step leads, whether its guard holds or not.

        For reading recordings: what a client has sent is in flight, allowed or not.
        """
        return self._single[1][step.rule](state, step.argument)

    def match(self, state: State, event: str, slot: int, argument: int) -> Step | None:
        """The client step that explains an observed message or act; None if no rule does."""
        for number in self._by_event.get(event, ()):
            resolved = self.resolved[number]
            if resolved.address in (None, slot) and self.enabled(state, Step(number, argument)):
                return Step(number, argument)
        return None

    def permitted(self, state: State, step: Step) -> bool:
        """Whether the protocol allows the client `step`, judged by what has been delivered."""
        return self._single[2][step.rule](state, step.argument)

    def show(self, state: State) -> dict[str, object]:
        """The state with its enumerations spelled out; fields that never change are left out."""
        return show(self.fields, state)

    # Compiling. A part is compiled when it is first asked for: reading a recording needs no
    # successors, and enumerating needs nothing else.

    def environment_source(self) -> str:
        """The Python source of `environment`; for reading and for tests."""
        branches = [
            Branch(_conjuncts(resolved.own, resolved.urgent), [f"enabled.append({number})"])
            for number, resolved in enumerate(self.resolved)
            if not resolved.rule.is_client
        ]
        lines = ["def environment(state):", *self._opening(), "    enabled = []"]
        return "\n".join([*lines, *nested(branches, "    "), "    return enabled", ""])

    def successors_source(self) -> str:
        """The Python source of `successors`; for reading and for tests."""
        branches = [
            self._branch(number, resolved)
            for number, resolved in enumerate(self.resolved)
            if not resolved.stays  # what leads back to where it starts is left out
        ]
        lines = ["def successors(state):", *self._opening(), "    found = []"]
        return "\n".join([*lines, *nested(branches, "    "), "    return found", ""])

    def _branch(self, number: int, resolved: Resolved) -> Branch:
        target = self._target(resolved)
        rule = resolved.rule
        guard = resolved.held if rule.is_client else resolved.own
        conditions = _conjuncts(guard, resolved.urgent)
        if not rule.sends:
            taken = ["if target != state:", f"    found.append(({number}, 0, target))"]
            return Branch(conditions, [f"target = {target}", *taken])
        outside = [text for text in conditions if not ARGUMENT.search(text)]
        inside = [text for text in conditions if ARGUMENT.search(text)]
        body = [f"for argument in range({resolved.limit + 1}):"]
        body += [f"    if {' and '.join(f'({text})' for text in inside) or 'True'}:"]
        body += [f"        found.append(({number}, argument, {target}))"]
        # the rules that follow mean the argument of the message at the head again
        return Branch(outside, [*body, "argument = inbox[0][2] if inbox else 0"])

    def single_source(self) -> str:
        """The Python source of the guard, effect and permission of each rule by itself."""
        index = {variable(field.name): f"state[{n}]" for n, field in enumerate(self.fields)}
        index["inbox"] = "state[-1]"
        lines = ["def is_urgent(state):"]
        if any(resolved.rule.urgent and resolved.rule.reads for resolved in self.resolved):
            lines.append(_head("state[-1]"))
        lines.append(f"    return {self._urgency(index)}")
        for number, resolved in enumerate(self.resolved):
            lines += self._functions(number, resolved, index)
        for kind in ("guard", "effect", "permit"):
            listed = ", ".join(f"{kind}_{number}" for number in range(len(self.rules)))
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

    def _target(self, resolved: Resolved) -> str:
        values = [
            ast.unparse(resolved.then[field.name])
            if field.name in resolved.then
            else variable(field.name)
            for field in self.fields
        ]
        return f"({', '.join([*values, resolved.inbox])},)"

    def _functions(self, number: int, resolved: Resolved, index: Mapping[str, str]) -> list[str]:
        # a step of the client has its argument from outside, a step that reads from the message
        taken = [_head("state[-1]")] if resolved.rule.reads else []
        guard = _indexed(resolved.own, index)
        if resolved.urgent:
            guard = f"({guard}) and not is_urgent(state)"
        changes = [
            f"    after[{self.at[name]}] = {_indexed(value, index)}"
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


def nested(branches: Sequence[Branch], indent: str) -> list[str]:
    """Python source of branches in their order, conditions that neighbours share tested once."""
    lines: list[str] = []
    for condition, group in itertools.groupby(branches, _first_condition):
        if condition is None or len(indent) > DEEPEST:
            for branch in group:
                inner = indent
                if branch.conditions:
                    lines.append(f"{indent}if {' and '.join(f'({c})' for c in branch.conditions)}:")
                    inner += " "
                lines += [inner + line for line in branch.body]
            continue
        lines.append(f"{indent}if {condition}:")
        lines += nested([Branch(b.conditions[1:], b.body) for b in group], indent + " ")
    return lines


def _first_condition(branch: Branch) -> str | None:
    return branch.conditions[0] if branch.conditions else None


def _conjuncts(guard: ast.expr, urgent: tuple[ast.expr, ...]) -> list[str]:
    """Python source of what a guard demands, one by one."""
    found: list[str] = ["not urgent"] if urgent else []
    waiting = [guard]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            waiting[:0] = node.values
        else:
            found.append(ast.unparse(node))
    return found


def _indexed(node: ast.expr, index: Mapping[str, str]) -> str:
    """Python source of an expression with each variable looked up in `state`."""
    if not index:
        return ast.unparse(node)
    # a name inside of quotes is text
    return re.sub(WORD, lambda found: index.get(found[0], found[0]), ast.unparse(node))


def _head(inbox: str) -> str:
    """Python source of a line that names the parts of the message at the head."""
    return f"    event, slot, argument = {inbox}[0] if {inbox} else {NOTHING!r}"


def _executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "<rules>", "exec"), names)
    return names
