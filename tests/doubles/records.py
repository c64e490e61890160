"""What a client keeps of one reply and of one message of it, from the request to the end.

Laws:
- What belongs to one reply is kept with that reply, so nothing of one leaks into the next.
"""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.define(eq=False)
class Message:
    """One message of a reply."""

    item: str
    listed: bool = False
    """The server's conversation has it; it can be touched from now on."""
    again: bool = False
    """It was put back on a new connection, so the server has the text of it alone."""
    delivered_ms: int = 0
    held: bytes = b""
    """Sound that waits for the messages before it to be played."""
    complete: bool = False
    """No audio of it follows."""
    playing: bool = False
    """The speaker owes a report of its segment."""
    ended: Literal["", "flushed", "cleared"] = ""
    """How its segment was ended."""
    heard_ms: int = 0
    settled: bool = False
    """The conversation holds what was heard of it."""


@attrs.define(eq=False)
class Reply:
    """One reply."""

    request: str = ""
    """The name that the client gave its request; empty for the answer to a turn."""
    response: str = ""
    active: bool = False
    """Its response was created and is not done."""
    interrupted: bool = False
    cancelled: bool = False
    messages: dict[str, Message] = attrs.field(factory=dict)
    calls: int = 0
    """Function calls that are carried out or were."""
    answered: int = 0
    """Those of them whose output was sent."""
    followed: bool = False
    """The reply to what its calls gave back was asked for."""

    @property
    def is_going_on(self) -> bool:
        """Whether something of it is still to come, to be played or to be carried out."""
        sounds = any(message.playing or message.held for message in self.messages.values())
        return self.active or sounds or self.answered < self.calls
