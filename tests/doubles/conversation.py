"""The conversation as a correct client knows it, so that it can be put back on a new connection.

Laws:
- An item is known once the server has listed it, or once the client has created it.
- An item is touched only while the server has it, and not after it was deleted.
- On a new connection every item is put back once, in the order of the conversation, under its own
  id; what was spoken is put back as text, since audio cannot be.
"""

from __future__ import annotations

from typing import Any

import attrs

from doubles.link import Link, Wire
from doubles.records import Message, Reply
from realtime_conformance.clients.interface import Seams

UNHEARD = "(no transcript)"
"""What stands for speech of which the client has no transcript when it is put back."""


@attrs.define(eq=False)
class Entry:
    """One item."""

    item: Wire
    """As the client would create it, but for what is said."""
    text: str = ""
    listed: bool = False
    cut: bool = False
    """It was cut short, and what it says is what was heard; a call that was cut is no call."""

    @property
    def id(self) -> str:
        """The id of the item."""
        name: str = self.item["id"]
        return name

    def again(self) -> Wire:
        """The item as it can be put back."""
        if self.item["type"] != "message":
            return self.item
        kind = "output_text" if self.item["role"] == "assistant" else "input_text"
        return {**self.item, "content": [{"type": kind, "text": self.text}]}


def entry_of(item: Wire) -> Entry:
    """The entry of an item that the server lists."""
    keys = ("id", "type", "role", "call_id", "name", "arguments", "output")
    kept = {key: item[key] for key in keys if item.get(key) is not None}
    parts = item.get("content") or []
    return Entry(kept, "".join(part.get("text") or "" for part in parts), listed=True)


class Conversation(Link):
    """Keeps the items, adds and removes them, and puts them back."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.entries: list[Entry] = []
        self.created = 0

    def entry(self, item: str) -> Entry | None:
        """The entry of an item, if it is known."""
        return next((entry for entry in self.entries if entry.id == item), None)

    def drop(self, item: str) -> None:
        """Know an item no longer."""
        self.entries = [entry for entry in self.entries if entry.id != item]

    def on_conversation_item_added(self, event: Wire) -> None:
        """An item is in the conversation, behind another."""
        entry = self.entry(event["item"]["id"]) or entry_of(event["item"])
        entry.listed = True
        self.drop(entry.id)
        ids = [other.id for other in self.entries]
        before = event["previous_item_id"]
        place = ids.index(before) + 1 if before in ids else len(ids)
        self.entries.insert(place, entry)

    def on_conversation_item_deleted(self, event: Wire) -> None:
        """An item is gone."""
        self.drop(event["item_id"])

    def on_conversation_item_input_audio_transcription_completed(self, event: Wire) -> None:
        """What the user said is known."""
        entry = self.entry(event["item_id"])
        if entry is not None:
            entry.text = event["transcript"]

    def on_error(self, event: Wire) -> None:
        """A creation that is refused has created nothing."""
        super().on_error(event)
        self.drop(event["error"]["event_id"] or "")

    def update_chat_ctx(self) -> None:
        """Add a message of the user to the end."""
        self.created += 1
        message = {"id": f"context_{self.created}", "type": "message", "role": "user"}
        self.create(Entry(message, "I am in London."))

    def update_chat_ctx_remove(self) -> None:
        """Take out the oldest message of the user that the server has."""
        said = [e for e in self.entries if e.listed and e.item.get("role") == "user"]
        for entry in said[:1]:
            self.delete(entry.id)

    def create(self, entry: Entry) -> None:
        """Put a new item at the end; its id names the request as well."""
        self.entries.append(entry)
        self.put(entry)

    def put(self, entry: Entry) -> None:
        """Let the server create an item at the end."""
        self.send("conversation.item.create", event_id=entry.id, item=entry.again())

    def delete(self, item: str) -> None:
        """Take an item out of the conversation."""
        self.drop(item)
        self.send("conversation.item.delete", item_id=item)

    def truncate(self, reply: Reply, message: Message, end_ms: int) -> None:
        """Cut a message, and what is known of its text, which is taken for evenly spoken."""
        entry = self.entry(message.item)
        if entry is not None:
            entry.text = entry.text[: len(entry.text) * end_ms // max(message.delivered_ms, 1)]
            entry.cut = True
        body: dict[str, Any] = {"content_index": 0, "audio_end_ms": end_ms}
        self.send("conversation.item.truncate", item_id=message.item, **body)

    def disconnected(self) -> None:
        """Nothing of it is on a server any more."""
        super().disconnected()
        for entry in self.entries:
            entry.listed = False

    def connected(self) -> None:
        """Configure the session, then put back what had been said."""
        super().connected()
        self.configure()
        self.replay()

    def configure(self) -> None:
        """Say how the session is to be."""

    def replay(self) -> None:
        """Put every item back, oldest first."""
        for entry in self.put_back():
            self.put(entry)

    def put_back(self) -> list[Entry]:
        """What is to be put back; a call that was cut is forgotten."""
        calls = [e for e in self.entries if e.cut and e.item["type"] == "function_call"]
        self.entries = [entry for entry in self.entries if entry not in calls]
        for entry in self.entries:
            if entry.item["type"] == "message":
                entry.text = entry.text or UNHEARD
        return self.entries
