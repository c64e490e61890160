"""The composition: which steps a state enables and where each leads, and nothing else.

Laws:
- A machine is the rules unrolled over their slots and compiled under bounds; it holds no state of
  its own. Rules that the bounds switch off, and fields that never change, are left out.
- Steps are listed in the order of the rules, then by argument: the same state, the same list.
- A step that is not enabled raises and changes nothing.
- Everybody but the client is the environment: its steps are chosen. The client's are observed.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import attrs

from realtime_protocol.compiler import Compiler, executed
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import Field, State, show
from realtime_protocol.unrolled import Resolved, resolve_all


class Step(NamedTuple):
    """One step: the index of its rule, and the argument of the message it sends (0 if none)."""

    rule: int
    argument: int = 0


class StepNotEnabled(ValueError):
    """A step that the state does not enable, with the state and what would have been."""


Question = Callable[[State, int], bool]
Effect = Callable[[State, int], State]


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
        self._compiler = Compiler(self.resolved, self.fields)
        self.at = {field.name: position for position, field in enumerate(self.fields)}
        self.initial: State = (*(field.initial for field in self.fields), ())
        self._members = {field.name: field.values for field in fields}
        self._client = [n for n, rule in enumerate(self.rules) if rule.is_client]
        self._by_event: dict[str, list[int]] = {}
        for number in self._client:
            self._by_event.setdefault(self.rules[number].event, []).append(number)

    @functools.cached_property
    def _single(self) -> tuple[list[Question], list[Effect], list[Question]]:
        """Guard, effect and permission of each rule."""
        names = executed(self.single_source())
        return names["guards"], names["effects"], names["permits"]

    @functools.cached_property
    def _environment(self) -> Callable[[State], list[int]]:
        found: Callable[[State], list[int]] = executed(self.environment_source())["environment"]
        return found

    @functools.cached_property
    def _successors(self) -> Callable[[State], list[tuple[int, int, State]]]:
        found: Callable[[State], list[tuple[int, int, State]]]
        found = executed(self.successors_source())["successors"]
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
        return self._members[name.partition("[")[0]][value]

    def code(self, name: str, member: str) -> int:
        """The number of a member of an enumeration: `code("response[0]", "active")` is 1."""
        return self._members[name.partition("[")[0]].index(member)

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

    # A part is compiled when it is first asked for: reading a recording needs no successors, and
    # enumerating needs nothing else.

    def environment_source(self) -> str:
        """The Python source of `environment`; for reading and for tests."""
        return self._compiler.environment()

    def successors_source(self) -> str:
        """The Python source of `successors`; for reading and for tests."""
        return self._compiler.successors()

    def single_source(self) -> str:
        """The Python source of the guard, effect and permission of each rule by itself."""
        return self._compiler.single()
