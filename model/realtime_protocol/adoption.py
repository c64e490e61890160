"""A state of one machine as a state of another, which has more slots or fewer.

Laws:
- A slot keeps what it stands for: the second item of a response, the item of a spoken turn, the
  answer to a call. Its number is another where more slots stand before it.
- What only the other machine has begins anew; what it lacks is left out.
- A message in flight names the item that it named before.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from realtime_protocol.expressions import Translator, names
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.state import Field, Message, State, slotted

KINDS = ("OUTS", "USERS", "NUDGES", "CREATES", "ANSWERS", "COPIES")
"""The kinds of items in the order of their slots, each by how many it has (`bounds.sizes`)."""


class NoSuchSlot(ValueError):
    """A message in flight names a slot that the other machine does not have."""


class Adoption:
    """How states of `source` become states of `target`; computed once for any number of them."""

    def __init__(self, source: Machine, target: Machine) -> None:
        self.source, self.target = source, target
        self._number = Translator((), target.bounds).number
        before = {
            name: shown for field in target.declared for name, shown in self._counterparts(field)
        }
        self._values = [self._value(field, before[field.name]) for field in target.fields]

    def state(self, state: State) -> State:
        """The state of `target` that a state of `source` is.

        Raises:
            NoSuchSlot: a message in flight names a slot that `target` does not have.
        """
        values = (fixed if at is None else state[at] for at, fixed in self._values)
        inbox = state[-1]
        assert isinstance(inbox, tuple)
        return (*values, tuple(map(self._message, inbox)))

    def item(self, slot: int) -> int:
        """The slot of `target` of an item of `source`.

        Raises:
            NoSuchSlot: `target` has no slot for it.
        """
        found = moved("ITEMS", slot, self.source.bounds, self.target.bounds)
        if found is None:
            raise NoSuchSlot(f"item {slot} has no slot under the other bounds")
        return found

    def _counterparts(self, field: Field) -> list[tuple[str, str]]:
        """The names of a field in `target`, each with its name in `source`, empty if it is new."""
        if not field.over:
            return [(field.name, field.name)]
        here, there = self.source.bounds, self.target.bounds
        found = []
        for place in itertools.product(*(range(there[size]) for size in field.over)):
            slots = [moved(*slot, there, here) for slot in zip(field.over, place, strict=True)]
            old = tuple(slot for slot in slots if slot is not None)
            known = slotted(field.name, old) if len(old) == len(slots) else ""
            found.append((slotted(field.name, place), known))
        return found

    def _value(self, field: Field, before: str) -> tuple[int | None, int]:
        """Where a state of `source` has a field, or else the value that the field has."""
        if before in self.source.at:
            return self.source.at[before], 0
        return None, self.source.constants.get(before, field.initial)

    def _message(self, message: Message) -> Message:
        event, slot, argument = message
        for resolved in self.source.resolved:
            rule = resolved.rule
            if rule.sends and rule.event == event and (resolved.address or 0) == slot:
                break
        else:
            raise NoSuchSlot(f"no rule sends {event} to slot {slot}")
        place = {
            name: moved(size, rule.at[name], self.source.bounds, self.target.bounds)
            for name, size in rule.over.items()
        }
        at = {name: number for name, number in place.items() if number is not None}
        if len(at) < len(place):
            raise NoSuchSlot(f"{event} to slot {slot} has no slot under the other bounds")
        address = self._number(rule.address, at) if rule.address else 0
        return event, address, self._argument(rule, resolved.limit, at, argument)

    def _argument(self, rule: Rule, limit: int, at: Mapping[str, int], argument: int) -> int:
        """The argument of a message; one that says where an item goes may name another item."""
        if "ITEMS" not in names(rule.argument_limit):
            return argument
        if argument == limit:  # an item that nobody knows
            return self._number(rule.argument_limit, at)
        first = limit - self.source.bounds["ITEMS"]
        return argument if argument < first else first + self.item(argument - first)


def moved(size: str, slot: int, here: Mapping[str, int], there: Mapping[str, int]) -> int | None:
    """The number under other bounds of one of `size` slots; None if it has none."""
    if size == "ITEMS":
        return _moved_item(slot, here, there)
    if size in ("OUTS", "ANSWERS", "COPIES"):
        response, output = divmod(slot, here["OUTPUTS"])
        if output >= there["OUTPUTS"]:
            return None
        slot = response * there["OUTPUTS"] + output
    return slot if slot < there[size] else None


def _moved_item(slot: int, here: Mapping[str, int], there: Mapping[str, int]) -> int | None:
    first = 0
    for kind in KINDS:
        if slot < here[kind]:
            found = moved(kind, slot, here, there)
            return None if found is None else first + found
        slot -= here[kind]
        first += there[kind]
    return None
