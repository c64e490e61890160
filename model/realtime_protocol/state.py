"""What a state is: a fixed tuple of small integers, one for each declared field, and a queue.

Laws:
- Every field has a finite range, so a state space under finite bounds is finite.
- A state is a plain tuple: hashable, comparable, cheap to copy, equal on every machine.
- The last element is the inbox: the client's messages that the server has not read yet, oldest
  first. One queue is enough: both directions of a WebSocket are FIFO and independent, so every
  asynchronous run equals one in which server events arrive at once and only client messages wait.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

Message = tuple[str, int]
"""A client message in flight: wire event and its one argument (0 where it has none)."""

State = tuple[object, ...]
"""Values of the fields in declared order, then the inbox as a tuple of messages."""


@attrs.frozen
class Field:
    """One variable of the model.

    `values` names the members of an enumeration in order (stored as their index); a counter has
    none and takes the integers from 0 to `limit`, an expression over the bounds.
    """

    name: str
    meaning: str
    values: tuple[str, ...] = ()
    limit: str = ""
    initial: int = 0

    def top(self, bounds: Mapping[str, int]) -> int:
        """Largest value the field can take under `bounds`."""
        if self.values:
            return len(self.values) - 1
        return bounds[self.limit] if self.limit in bounds else int(self.limit)


def show(fields: tuple[Field, ...], state: State) -> dict[str, object]:
    """The state with its enumerations spelled out, and the inbox as `event(argument)`."""
    shown: dict[str, object] = {}
    for field, value in zip(fields, state, strict=False):
        assert isinstance(value, int)
        shown[field.name] = field.values[value] if field.values else value
    inbox = state[-1]
    assert isinstance(inbox, tuple)
    shown["inbox"] = [f"{event}({argument})" if argument else event for event, argument in inbox]
    return shown
