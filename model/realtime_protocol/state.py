"""What a state is: a fixed tuple of small integers, one for each live field, and a queue.

Laws:
- Every field has a finite range, so a state space under finite bounds is finite.
- A field over slots is unrolled: `audio` over OUTPUTS becomes `audio[0]`, `audio[1]`, ...
- A state is a plain tuple: hashable, comparable, cheap to copy, equal on every machine.
- The last element is the inbox: the client's messages that the server has not read yet, oldest
  first. One queue is enough: both directions of a WebSocket are FIFO and independent, so every
  asynchronous run equals one in which server events arrive at once and only client messages wait.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import attrs

Message = tuple[str, int, int]
"""A client message in flight: wire event, the slot it names and its argument (0 where none)."""

NOTHING: Message = ("", 0, 0)
"""What stands at the head of an empty inbox."""

State = tuple[object, ...]
"""Values of the live fields in declared order, then the inbox as a tuple of messages."""


@attrs.frozen
class Field:
    """One variable of the model.

    `values` names the members of an enumeration in order (stored as their index); a counter has
    none and takes the integers from 0 to `limit`, an expression over the bounds.
    `over` names the sizes of the slots that it exists in; none for a single variable.
    `budget` marks a field that only counts how often something happened, so that what is left
    without it is the behaviour; liveness is checked there.
    """

    name: str
    meaning: str
    values: tuple[str, ...] = ()
    limit: str = ""
    initial: int = 0
    over: tuple[str, ...] = ()
    budget: bool = False

    def top(self, bounds: Mapping[str, int]) -> int:
        """Largest value the field can take under `bounds`."""
        if self.values:
            return len(self.values) - 1
        return bounds[self.limit] if self.limit in bounds else int(self.limit)

    def unrolled(self, bounds: Mapping[str, int]) -> Iterator[Field]:
        """One field for each slot under `bounds`; the field itself if it has none."""
        if not self.over:
            yield self
            return
        for place in itertools.product(*(range(bounds[size]) for size in self.over)):
            yield attrs.evolve(self, name=slotted(self.name, place), over=())


def slotted(name: str, place: tuple[int, ...]) -> str:
    """Name of a field in a slot, as it is shown: `audio[0]`."""
    return f"{name}[{','.join(map(str, place))}]"


def show(fields: tuple[Field, ...], state: State) -> dict[str, object]:
    """The state with its enumerations spelled out, and the inbox as `event(slot, argument)`."""
    shown: dict[str, object] = {}
    for field, value in zip(fields, state, strict=False):
        assert isinstance(value, int)
        shown[field.name] = field.values[value] if field.values else value
    inbox = state[-1]
    assert isinstance(inbox, tuple)
    shown["inbox"] = [show_message(message) for message in inbox]
    return shown


def show_message(message: Message) -> str:
    """A message as `event(slot, argument)`, or `event` where both are 0."""
    event, slot, argument = message
    return f"{event}({slot}, {argument})" if slot or argument else event
