"""Rules unrolled over their slots and resolved under bounds; what the machine is compiled from.

Laws:
- A rule that its bounds make impossible is left out, and so is a field that no rule can change.
- Nothing is decided here: what a resolved rule says is what the rule says.
- A server step is held back while an urgent one is enabled.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import attrs

from realtime_protocol.expressions import ExpressionError, Translator, reads, variable
from realtime_protocol.ranges import MANY, UNKNOWN, Values, simplified, values_of
from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

EVERY = re.compile(r"(\w+)\[\*\]")
THIS = re.compile(r"\bthis\b")
TRUE = ast.Constant(True)
Sent = tuple[str, int]
"""A message that can be in flight: event and slot."""


@attrs.frozen(eq=False, slots=False)
class Resolved:
    """One rule in one slot, as syntax trees over variables.

    `own` is the guard with the head of the inbox, `urgent` what holds the step back meanwhile, and
    `guard` both; `held` adds what the graph holds of a client step; `then` maps names of unrolled
    fields to their new values.
    """

    rule: Rule
    own: ast.expr
    permitted: ast.expr
    held: ast.expr
    then: Mapping[str, ast.expr]
    limit: int
    address: int | None
    """The slot that a message names; None where any will do."""
    urgent: tuple[ast.expr, ...] = ()
    """Guards of the steps that this one cannot overtake."""

    @functools.cached_property
    def guard(self) -> ast.expr:
        """When the step is enabled, all told."""
        return _both(self.own, *(ast.UnaryOp(ast.Not(), other) for other in self.urgent))

    @property
    def inbox(self) -> str:
        """Python source of the inbox after the step."""
        if self.rule.clears:
            return "()"
        rest = "inbox[1:]" if self.rule.reads else "inbox"
        if not self.rule.sends:
            return rest
        return f"{rest} + (({self.rule.event!r}, {self.address or 0}, argument),)"

    @property
    def stays(self) -> bool:
        """Whether the step can only lead back to where it starts."""
        return not (self.then or self.rule.reads or self.rule.sends or self.rule.clears)

    @property
    def reads(self) -> frozenset[str]:
        """Variables that guard and effect read."""
        found = reads(self.held if self.rule.is_client else self.guard)
        return frozenset(found.union(*map(reads, self.then.values())))

    @property
    def writes(self) -> frozenset[str]:
        """Variables that the effect writes."""
        moves = self.rule.reads or self.rule.sends or self.rule.clears
        return frozenset(map(variable, self.then)) | ({"inbox"} if moves else set())


@attrs.frozen
class Unrolled:
    """The live rules and fields, and the values of the fields that never change, by name."""

    rules: tuple[Resolved, ...]
    fields: tuple[Field, ...]
    constants: Mapping[str, int]


def resolve_all(
    rules: Sequence[Rule], fields: Sequence[Field], bounds: Mapping[str, int]
) -> Unrolled:
    """Unroll and resolve `rules`, dropping what can never happen.

    Raises:
        ExpressionError: an expression that is outside the language or names something unknown.
    """
    slots = {variable(slot.name): slot for field in fields for slot in field.unrolled(bounds)}
    translator = Translator(fields, bounds)
    unrolled = [
        resolved
        for rule in rules
        for place in places(rule, translator)
        if (resolved := _resolve(rule, place, translator, slots)) is not None
    ]
    known, sent = _possible(unrolled, slots, bounds)
    live = [
        _simplified(resolved, known) for resolved in unrolled if _may_happen(resolved, known, sent)
    ]
    constants = {
        slots[name].name: next(iter(values))
        for name, values in known.items()
        if name in slots and values is not None and len(values) == 1
    }
    remaining = tuple(slot for slot in slots.values() if slot.name not in constants)
    return Unrolled(tuple(_hold_back(live)), remaining, constants)


def _possible(
    unrolled: Sequence[Resolved], slots: Mapping[str, Field], bounds: Mapping[str, int]
) -> tuple[dict[str, Values], set[Sent]]:
    """What each variable can be, and which messages can be in flight.

    Both follow from what the rules that may happen assign and send.
    """
    known: dict[str, Values] = {name: frozenset({slot.initial}) for name, slot in slots.items()}
    sent: set[Sent] = set()
    waiting = dict.fromkeys(range(len(unrolled)))
    readers = _readers(unrolled)
    while waiting:
        number = next(iter(waiting))
        del waiting[number]
        resolved = unrolled[number]
        if not _may_happen(resolved, known, sent):
            continue
        message = (resolved.rule.event, resolved.address or 0)
        if resolved.rule.sends and message not in sent:
            sent.add(message)
            waiting.update(dict.fromkeys(readers.get("inbox", ())))
        for shown, expression in resolved.then.items():
            name = variable(shown)
            if _add(known, name, values_of(expression, known), slots[name].top(bounds)):
                waiting.update(dict.fromkeys(readers.get(name, ())))
    return known, sent


def _readers(unrolled: Sequence[Resolved]) -> dict[str, list[int]]:
    """The rules that look at each variable; what reads messages looks at the inbox."""
    found: dict[str, list[int]] = {}
    for number, resolved in enumerate(unrolled):
        names = reads(resolved.own).union(*map(reads, resolved.then.values()))
        for name in names | ({"inbox"} if resolved.rule.reads else set()):
            found.setdefault(name, []).append(number)
    return found


def _add(known: dict[str, Values], name: str, more: Values, top: int) -> bool:
    """Take in what a variable can be too; whether that is news."""
    before = known[name]
    if before is None:
        return False
    if more is None:
        known[name] = UNKNOWN
        return True
    # a value beyond the range of the field never comes about: its guard keeps it from that
    after = before | {value for value in more if value <= top}
    known[name] = after if len(after) <= MANY else UNKNOWN
    return after != before


def _may_happen(resolved: Resolved, known: Mapping[str, Values], sent: set[Sent]) -> bool:
    """Whether the guard can hold, and the message that is read can be in flight."""
    if resolved.rule.reads and not any(
        event == resolved.rule.reads and resolved.address in (None, slot) for event, slot in sent
    ):
        return False
    found = values_of(resolved.own, known)
    return found is None or any(found)


def _simplified(resolved: Resolved, known: Mapping[str, Values]) -> Resolved:
    """The rule with everything folded that no state can make otherwise."""
    then = {}
    for shown, expression in resolved.then.items():
        value = simplified(expression, known)
        target = known[variable(shown)]
        fixed = target is not None and len(target) == 1
        if not fixed and ast.unparse(value) != variable(shown):
            then[shown] = value
    return attrs.evolve(
        resolved,
        own=simplified(resolved.own, known),
        permitted=simplified(resolved.permitted, known),
        held=simplified(resolved.held, known),
        then=then,
    )


def places(rule: Rule, translator: Translator) -> Iterator[dict[str, int]]:
    """The slots that a rule exists in, in order."""
    sizes = [range(translator.number(size)) for size in rule.over.values()]
    for place in itertools.product(*sizes):
        yield dict(zip(rule.over, place, strict=True))


def _resolve(
    rule: Rule, place: Mapping[str, int], translator: Translator, slots: Mapping[str, Field]
) -> Resolved | None:
    """One rule in one slot; None where its guard, or what is permitted, can never hold."""
    guard = translator.resolve(rule.when, "", place)
    if isinstance(guard, ast.Constant) and not guard.value:
        return None
    address = translator.number(rule.address, place) if rule.address else None
    if rule.reads:
        head = f"event == {rule.reads!r}" + ("" if address is None else f" and slot == {address}")
        guard = _both(ast.parse(head, mode="eval").body, guard)
    permitted = translator.resolve(rule.permitted, "", place)
    within = translator.resolve(rule.within, "", place)
    return Resolved(
        rule=attrs.evolve(rule, at=dict(place)),
        own=guard,
        permitted=permitted,
        held=_both(guard, permitted, within),
        then=_effects(rule, place, translator, slots),
        limit=translator.number(rule.argument_limit, place),
        address=address,
    )


def _both(*parts: ast.expr) -> ast.expr:
    if any(isinstance(part, ast.Constant) and not part.value for part in parts):
        return ast.Constant(False)
    rest = [part for part in parts if not isinstance(part, ast.Constant)]
    return (rest[0] if len(rest) == 1 else ast.BoolOp(ast.And(), rest)) if rest else TRUE


def _effects(
    rule: Rule, place: Mapping[str, int], translator: Translator, slots: Mapping[str, Field]
) -> dict[str, ast.expr]:
    """New values by name of unrolled field; what stays as it is left out."""
    found: dict[str, ast.expr] = {}
    for key, text in rule.then.items():
        for name, expression, at in _targets(key, text, place, translator):
            value = translator.resolve(expression, key, at)
            shown = _shown(name, at, translator, slots)
            if ast.unparse(value) != variable(shown):
                found[shown] = value
    return found


def _targets(
    key: str, text: str, place: Mapping[str, int], translator: Translator
) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Name, expression and slots of every single effect that an entry of `then` stands for."""
    every = EVERY.fullmatch(key)
    if every is None:
        yield key, text, dict(place)
        return
    name = every[1]
    over = translator.over(name)
    if len(over) != 1:
        raise ExpressionError(f"{key!r} needs a field over one kind of slot")
    for number in range(translator.number(over[0])):
        yield f"{name}[i]", THIS.sub(f"{name}[i]", text), {**place, "i": number}


def _shown(
    name: str, at: Mapping[str, int], translator: Translator, slots: Mapping[str, Field]
) -> str:
    """The name of an unrolled field: `audio[r * OUTPUTS]` in slot 1 of 2 is `audio[2]`."""
    target = translator.resolve(name, "", at)
    slot = slots.get(target.id) if isinstance(target, ast.Name) else None
    if slot is None:
        raise ExpressionError(f"an effect changes a field, got {name!r}")
    return slot.name


def _hold_back(live: Sequence[Resolved]) -> Iterator[Resolved]:
    """Every step, those of the server held back while an urgent one is enabled."""
    urgent = tuple(resolved.own for resolved in live if resolved.rule.urgent)
    for resolved in live:
        waits = resolved.rule.actor == "server" and not resolved.rule.urgent
        yield attrs.evolve(resolved, urgent=urgent) if waits else resolved
