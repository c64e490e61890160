"""The composition: which steps a state enables and where each leads, and nothing else.

Laws:
- A machine is the rules compiled under bounds; it holds no state of its own.
- Steps are listed in the order of the rules, then by argument: the same state, the same list.
- A step that is not enabled raises and changes nothing.
- Everybody but the client is the environment: its steps are chosen. The client's are observed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import attrs

from realtime_protocol.expressions import Translator
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import Field, State, show


class Step(NamedTuple):
    """One step: the index of its rule, and the argument of the message it sends (0 if none)."""

    rule: int
    argument: int = 0


class StepNotEnabled(ValueError):
    """A step that the state does not enable, with the state and what would have been."""


class Machine:
    """The rules under bounds."""

    def __init__(
        self,
        bounds: Mapping[str, int],
        rules: Sequence[Rule] = RULES,
        fields: Sequence[Field] = FIELDS,
    ) -> None:
        self.bounds = dict(bounds)
        self.rules = tuple(rules)
        self.fields = tuple(fields)
        self._translator = Translator(fields, bounds)
        self.index = {rule.id: number for number, rule in enumerate(self.rules)}
        self.at = {field.name: position for position, field in enumerate(self.fields)}
        self.initial: State = (*(field.initial for field in fields), ())
        self._limits = tuple(self._limit(rule) for rule in self.rules)
        namespace: dict[str, object] = {}
        exec(self.source(), namespace)
        self._environment: Callable[[State], list[int]] = namespace["environment"]  # type: ignore[assignment]
        self._successors: Callable[[State], list[tuple[int, int, State]]] = namespace["successors"]  # type: ignore[assignment]
        self._guards: list[Callable[[State, int], bool]] = namespace["guards"]  # type: ignore[assignment]
        self._effects: list[Callable[[State, int], State]] = namespace["effects"]  # type: ignore[assignment]
        self._permits: list[Callable[[State, int], bool]] = namespace["permits"]  # type: ignore[assignment]
        self._client = [n for n, rule in enumerate(self.rules) if rule.is_client]
        self._by_event: dict[str, list[int]] = {}
        for number in self._client:
            self._by_event.setdefault(self.rules[number].event, []).append(number)

    @property
    def digest(self) -> str:
        """Six hex digits that change with any rule, field or bound."""
        data = json.dumps(
            [
                [attrs.asdict(rule) for rule in self.rules],
                [attrs.asdict(field) for field in self.fields],
                sorted(self.bounds.items()),
            ],
            sort_keys=True,
        )
        return hashlib.sha256(data.encode()).hexdigest()[:6]

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
            for argument in range(self._limits[number] + 1)
            if self._guards[number](state, argument)
        ]

    def successors(self, state: State) -> list[tuple[int, int, State]]:
        """Rule, argument and target of every step of a correct run; steps to itself left out.

        They are the environment's steps and those of a client that is prompt and wastes nothing, in
        the order of the rules.
        """
        return self._successors(state)

    def after(self, state: State, step: Step) -> State:
        """The state that `step` leads to.

        Raises:
            StepNotEnabled: the guard of the rule does not hold.
        """
        in_range = 0 <= step.argument <= self._limits[step.rule]
        if not in_range or not self._guards[step.rule](state, step.argument):
            rule = self.rules[step.rule]
            enabled = [self.rules[other].id for other in self.environment(state)]
            enabled += [self.rules[other.rule].id for other in self.client(state)]
            raise StepNotEnabled(
                f"{rule.id} is not enabled in {show(self.fields, state)}; enabled: {enabled}"
            )
        return self._effects[step.rule](state, step.argument)

    def match(self, state: State, event: str, argument: int) -> Step | None:
        """The client step that explains an observed message or act; None if no rule does."""
        for number in self._by_event.get(event, ()):
            if argument <= self._limits[number] and self._guards[number](state, argument):
                return Step(number, argument)
        return None

    def permitted(self, state: State, step: Step) -> bool:
        """Whether the protocol allows the client `step`, judged by what has been delivered."""
        return self._permits[step.rule](state, step.argument)

    def show(self, state: State) -> dict[str, object]:
        """The state with its enumerations spelled out."""
        return show(self.fields, state)

    def source(self) -> str:
        """The Python source that the rules are compiled to; for reading and for tests."""
        unpack = f"    ({', '.join(field.name for field in self.fields)}, inbox) = state"
        lines = ["def environment(state):", unpack, "    head = inbox[0] if inbox else None"]
        lines += ["    event, argument = head or ('', 0)", "    enabled = []"]
        for number, rule in enumerate(self.rules):
            if not rule.is_client:
                lines += [f"    if {self._guard(rule)}:", f"        enabled.append({number})"]
        lines += ["    return enabled", ""]
        for number, rule in enumerate(self.rules):
            lines += self._functions(number, rule, unpack)
        lines += self._expansion(unpack)
        for kind in ("guard", "effect", "permit"):
            listed = ", ".join(f"{kind}_{number}" for number in range(len(self.rules)))
            lines.append(f"{kind}s = [{listed}]")
        return "\n".join(lines) + "\n"

    def _guard(self, rule: Rule) -> str:
        guard = self._translator.python(rule.when)
        return f"event == {rule.reads!r} and ({guard})" if rule.reads else guard

    def _expansion(self, unpack: str) -> list[str]:
        lines = ["def successors(state):", unpack, "    found = []"]
        lines += ["    event, argument = inbox[0] if inbox else ('', 0)"]
        for number, rule in enumerate(self.rules):
            if not rule.then and not rule.reads and not rule.sends:
                continue  # leads back to where it starts
            target = self._target(rule)
            guard = self._guard(rule)
            if rule.is_client:
                held = f"({rule.permitted}) and ({rule.within})"
                guard = f"({guard}) and ({self._translator.python(held)})"
            if rule.sends:
                lines.append(f"    for argument in range({self._limits[number] + 1}):")
                lines.append(f"        if {guard}:")
                lines.append(f"            found.append(({number}, argument, {target}))")
                # the rules that follow mean the argument of the message at the head again
                lines.append("    argument = inbox[0][1] if inbox else 0")
                continue
            lines.append(f"    if {guard}:")
            lines.append(f"        target = {target}")
            lines.append("        if target != state:")
            lines.append(f"            found.append(({number}, 0, target))")
        return [*lines, "    return found", ""]

    def _target(self, rule: Rule) -> str:
        values = [
            self._translator.python(rule.then[field.name], field.name)
            if field.name in rule.then
            else field.name
            for field in self.fields
        ]
        inbox = "inbox[1:]" if rule.reads else "inbox"
        if rule.sends:
            inbox = f"({inbox}) + (({rule.event!r}, argument),)"
        return f"({', '.join(values)}, {inbox})"

    def _functions(self, number: int, rule: Rule, unpack: str) -> list[str]:
        head = ["    event, argument = inbox[0] if inbox else ('', 0)"] if rule.reads else []
        permitted = self._translator.python(rule.permitted)
        return [
            f"def guard_{number}(state, argument):",
            unpack,
            *head,
            f"    return bool({self._guard(rule)})",
            f"def effect_{number}(state, argument):",
            unpack,
            *head,
            f"    return {self._target(rule)}",
            f"def permit_{number}(state, argument):",
            unpack,
            f"    return bool({permitted})",
            "",
        ]

    def _limit(self, rule: Rule) -> int:
        limit = eval(self._translator.python(rule.argument_limit))
        assert isinstance(limit, int)
        return limit
