"""What a client says of itself when it is at rest, beside what the server holds; plain data.

Laws:
- An account is taken while nothing runs, and taking it changes nothing.
- A client tells what it likes to tell: what it has no call for is None, never empty.
- Nothing is judged here, and nothing of livekit is known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs

Moment = Literal["lost", "main", "fresh", "closed"]
"""When an account is taken: as a connection ends, at the end of the main part, after the fresh
turn, and once the session is closed."""

MESSAGE, CALL, OUTPUT = "message", "function_call", "function_call_output"
KINDS = (MESSAGE, CALL, OUTPUT)
"""Kinds of items that an agent and a server both hold; whatever else a client keeps has no place in
the protocol, and so is the client's own."""

TELLS = ("memory", "states", "pending", "errors")
"""The calls by which a client tells of itself, each optional."""


@attrs.frozen
class Item:
    """One item of a conversation, as somebody remembers it.

    `text` is what a message says, the name and the arguments of a call, or an output; None if the
    words are not known, as those of sound are not. `call` is the id of the call that an item makes
    or answers. `interrupted` is whether a message is remembered as cut short. `date` is what it is
    ordered by, in seconds, in a place that is in the order of dates; None in any other.
    """

    id: str
    kind: str
    role: str = ""
    text: str | None = None
    interrupted: bool = False
    call: str = ""
    date: float | None = None


@attrs.frozen
class Utterance:
    """A message of a reply: its slot in the model, its id, and every word of it that was sent."""

    slot: int
    id: str
    text: str


@attrs.frozen
class Told:
    """An error of which a client told the app; `recoverable` is whether it said that it goes on."""

    text: str
    recoverable: bool


class Telling(Protocol):
    """A client that tells of itself; each call may be left out."""

    def memory(self) -> Mapping[str, Sequence[Item]]:
        """What it remembers, in order, by place: `mirror` is what it takes the server's
        conversation to be, `context` what its agent goes on from, `history` what it tells the app
        was said. Places that it does not have are left out."""

    def states(self) -> Mapping[str, str]:
        """What it says that `agent` and `user` are doing."""

    def pending(self) -> Sequence[str]:
        """What it has promised and not settled: the name of each call whose result is to come."""

    def errors(self) -> Sequence[Told]:
        """Every error of which it told so far."""


@attrs.frozen
class Account:
    """What was said and held at one moment.

    `position` is the number of entries before it. `conversation` is what the server holds, in its
    order, and `said` are the messages of all replies, whatever became of them. `memory`, `states`,
    `pending` and `errors` are the client's own words. `left` names what runs on when the session is
    closed.
    """

    moment: Moment
    position: int
    conversation: tuple[Item, ...]
    said: tuple[Utterance, ...] = ()
    memory: Mapping[str, tuple[Item, ...]] | None = None
    states: Mapping[str, str] | None = None
    pending: tuple[str, ...] | None = None
    errors: tuple[Told, ...] | None = None
    left: tuple[str, ...] = ()


def tells(client: object) -> tuple[str, ...]:
    """The calls of `TELLS` that a client has."""
    return tuple(call for call in TELLS if callable(getattr(client, call, None)))


def words_of(client: Any) -> dict[str, Any]:
    """What a client says of itself, by the names of the fields of an account."""
    offered = tells(client)
    said: dict[str, Any] = {}
    if "memory" in offered:
        said["memory"] = {place: tuple(items) for place, items in client.memory().items()}
    if "states" in offered:
        said["states"] = dict(client.states())
    for call in ("pending", "errors"):
        if call in offered:
            said[call] = tuple(getattr(client, call)())
    return said
