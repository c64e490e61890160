"""States as plain data: each is written once and then named by its number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from realtime_protocol.state import State


def read_state(data: Sequence[Any]) -> State:
    """A state from its JSON form."""
    return (*data[:-1], tuple(tuple(message) for message in data[-1]))


@attrs.define
class Numbers:
    """Numbers of states, in the order in which they were first asked for."""

    _known: dict[State, int] = attrs.field(factory=dict)

    def __call__(self, state: State) -> int:
        """The number of a state."""
        return self._known.setdefault(state, len(self._known))

    @property
    def states(self) -> list[State]:
        """The states by their numbers."""
        return list(self._known)


def read_states(data: Iterable[Sequence[Any]]) -> list[State]:
    """States by their numbers, from their JSON form."""
    return [read_state(state) for state in data]
