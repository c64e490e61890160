"""What a correct client says of itself: its memory, its states, its promises and its errors.

Laws:
- It is told from what the client knows anyway, and telling it changes nothing.
- A request of its own that the server turns down is for whoever made it; of whatever else goes
  wrong the app is told.
"""

from __future__ import annotations

from doubles.conversation import Entry
from doubles.link import FATAL, Wire
from doubles.tools import Tools
from realtime_conformance.accounts import CALL, MESSAGE, Item, Told
from realtime_conformance.clients.interface import Seams

TOO_LATE = "response_cancel_not_active"
"""What a cancel is answered that finds nothing to cancel."""


class Telling(Tools):
    """Tells of itself at rest."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.told: list[Told] = []
        self.user_speaks = False

    def memory(self) -> dict[str, list[Item]]:
        """What the server has listed, and what is gone on from, which is what was said."""
        items = [remembered(entry) for entry in self.entries]
        listed = [remembered(entry) for entry in self.entries if entry.listed]
        return {"mirror": listed, "context": items, "history": items}

    def states(self) -> dict[str, str]:
        """What agent and user are doing."""
        waited_for = self.is_occupied() or bool(self.wanted)
        agent = "speaking" if self.segments else "thinking" if waited_for else "listening"
        return {"agent": agent, "user": "speaking" if self.user_speaks else "listening"}

    def pending(self) -> list[str]:
        """Replies that are wanted, requested, generated or heard."""
        replies = [*self.wanted, *([] if self.requested is None else [self.requested])]
        replies += [reply for reply in self.replies.values() if reply.is_going_on]
        return ["reply"] * (0 if self.over else len(replies))

    def errors(self) -> list[Told]:
        """What the app was told of."""
        return self.told

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """The user speaks."""
        self.user_speaks = True
        super().on_input_audio_buffer_speech_started(event)

    def on_input_audio_buffer_speech_stopped(self, event: Wire) -> None:
        """The user speaks no more."""
        self.user_speaks = False

    def disconnected(self) -> None:
        """Nobody hears the user."""
        super().disconnected()
        self.user_speaks = False

    def on_error(self, event: Wire) -> None:
        """Tell the app of what is no answer to a request."""
        super().on_error(event)
        error = event["error"]
        if error["event_id"] is None and error["code"] != TOO_LATE:
            self.told.append(Told(error["code"], error["code"] not in FATAL))

    def on_response_done(self, event: Wire) -> None:
        """Tell the app of a reply that failed."""
        super().on_response_done(event)
        if event["response"]["status"] == "failed":
            self.told.append(Told("response failed", recoverable=True))


def remembered(entry: Entry) -> Item:
    """An entry as it is told of."""
    item = entry.item
    if item["type"] == CALL:
        text = f"{item['name']}({item.get('arguments', '')})"
        return Item(entry.id, CALL, text=text, call=item["call_id"])
    if item["type"] != MESSAGE:
        output = str(item.get("output", ""))
        return Item(entry.id, item["type"], text=output, call=item.get("call_id", ""))
    return Item(entry.id, MESSAGE, item["role"], entry.text or None, entry.cut)
