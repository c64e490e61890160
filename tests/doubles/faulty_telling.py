"""Faulty clients: each remembers wrongly, breaks a promise, or is not honest about errors.

Laws:
- On the wire and to the speaker each does all that the reference client does, but for the ones that
  reconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from doubles.conversation import Entry
from doubles.link import Wire
from doubles.records import Reply
from doubles.reference import ReferenceClient
from doubles.telling import remembered
from realtime_conformance.accounts import Item, Told
from realtime_conformance.clients.interface import Seams

# memory


class KeepsDeleted(ReferenceClient):
    """Takes for part of the server's conversation what it has deleted there itself."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.deleted: list[Item] = []

    def delete(self, item: str) -> None:
        """Keep it in the mirror."""
        entry = self.entry(item)
        if entry is not None:
            self.deleted.append(remembered(entry))
        super().delete(item)

    def memory(self) -> dict[str, list[Item]]:
        """Show it."""
        memory = super().memory()
        return {**memory, "mirror": [*memory["mirror"], *self.deleted]}


class KeepsPlaces(ReferenceClient):
    """Goes on from items in the order in which it came to know them, whatever the server has."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.known: list[str] = []

    def create(self, entry: Entry) -> None:
        """Know it before the server does."""
        self.known.append(entry.id)
        super().create(entry)

    def on_conversation_item_added(self, event: Wire) -> None:
        """Leave it where it is, if it is known."""
        if event["item"]["id"] not in self.known:
            self.known.append(event["item"]["id"])
        super().on_conversation_item_added(event)

    def memory(self) -> dict[str, list[Item]]:
        """Order the context like that."""
        memory = super().memory()
        ordered = sorted(memory["context"], key=lambda item: self.known.index(item.id))
        return {**memory, "context": ordered}


class TellsUnheard(KeepsDeleted):
    """Tells the app that it has said what it deleted because nobody heard it."""

    def memory(self) -> dict[str, list[Item]]:
        """Show it in the history."""
        memory = ReferenceClient.memory(self)
        return {**memory, "history": [*memory["history"], *self.deleted]}


class ForgetsCut(ReferenceClient):
    """Tells the app nothing of a message that was interrupted, though a part of it was heard."""

    def memory(self) -> dict[str, list[Item]]:
        """Leave it out of the history."""
        memory = super().memory()
        whole = [item for item in memory["history"] if not item.interrupted]
        return {**memory, "history": whole}


class ForgetsUser(ReferenceClient):
    """Puts nothing back on a new connection of what the user said."""

    def put_back(self) -> list[Entry]:
        """Keep what the agent said and did."""
        self.entries = [e for e in super().put_back() if e.item.get("role") != "user"]
        return self.entries


# promises


class OwesWithdrawn(ReferenceClient):
    """Never settles a reply that was interrupted before its response was created."""

    owed = 0

    def stop_all(self) -> None:
        """Leave whoever waits for it waiting."""
        if self.requested is not None and not self.requested.interrupted:
            self.owed += 1
        super().stop_all()

    def pending(self) -> list[str]:
        """Say so."""
        return [*super().pending(), *["reply"] * self.owed]


class StaysSpeaking(ReferenceClient):
    """Says that the agent speaks until a segment was played to its end, though one was cleared."""

    speaks = False

    def silence(self) -> None:
        """Begin to wait for an end that does not come."""
        self.speaks = True
        super().silence()

    def states(self) -> dict[str, str]:
        """Say so."""
        states = super().states()
        return {**states, "agent": "speaking"} if self.speaks else states


class LeavesTask(ReferenceClient):
    """Begins to watch over a reply that it stops, and nobody ends that."""

    def stop(self, reply: Reply) -> None:
        """Watch."""
        if reply.is_going_on and not reply.interrupted:
            self.watching = asyncio.create_task(watch())
        super().stop(reply)


async def watch() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


# errors


class AlarmsAtCancel(ReferenceClient):
    """Tells the app of an error whenever a response was cancelled, as it was to be."""

    def on_response_done(self, event: Wire) -> None:
        """Take every end but completion for a failure."""
        super().on_response_done(event)
        if event["response"]["status"] == "cancelled":
            self.told.append(Told("cancelled", recoverable=True))


class ConcealsErrors(ReferenceClient):
    """Tells the app of no error that it can go on from."""

    def errors(self) -> Sequence[Told]:  # type: ignore[override]
        """Keep silent."""
        return [told for told in self.told if not told.recoverable]
