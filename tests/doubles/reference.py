"""Small correct clients, written from the protocol and `clients/interface.py` alone.

Each concern has a module of its own, and each builds on the one before: the line, the
conversation, playout, replies, tools, what it says of itself, and here the session and the turns.

Laws:
- What the app changes is kept, so that a session that is begun anew is as the one before.
- A turn that is taken by hand is committed only if there is enough of it.
"""

from __future__ import annotations

import base64
from typing import Any

from doubles.conversation import Entry
from doubles.link import Wire
from doubles.telling import Telling
from realtime_conformance.clients.interface import FUNCTION, Seams
from realtime_conformance.speaker import SAMPLE_RATE

FRAME_MS = 100
"""Sound in one append."""

LEAST_MS = 100
"""Sound that the server takes for a turn."""

TOOL: Wire = {
    "type": "function",
    "name": FUNCTION,
    "description": "Look up the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


class ReferenceClient(Telling):
    """A voice client that does what the protocol asks, and no more."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.instructions, self.speed = "Be brief.", 1.0
        self.tools = [TOOL] if seams.setting.tools else []
        self.pending_ms = 0
        """Sound that was sent since the last turn, as far as the client knows."""

    # the session

    def configure(self) -> None:
        """Say how the session is to be."""
        self.update(**self.session())

    def session(self) -> Wire:
        """The session as it is to be."""
        setting = self.setting
        detection: Wire | None = None
        if setting.detects_turns:
            detection = {
                "type": "server_vad",
                "create_response": setting.create_response,
                "interrupt_response": setting.interrupt_response,
            }
        heard: Wire = {"turn_detection": detection}
        if setting.transcribes:
            heard["transcription"] = {"model": "gpt-4o-mini-transcribe"}
        return {
            "output_modalities": ["audio" if setting.audio else "text"],
            "audio": {"input": heard, "output": {"speed": self.speed}},
            "instructions": self.instructions,
            "tools": self.tools,
        }

    def update(self, **changes: Any) -> None:
        """Change the session."""
        self.send("session.update", session={"type": "realtime", **changes})

    def update_instructions(self) -> None:
        """Agent code changes the instructions."""
        self.instructions = "Be very brief."
        self.update(instructions=self.instructions)

    def update_tools(self) -> None:
        """Agent code changes the tools."""
        self.tools = [TOOL]
        self.update(tools=self.tools)

    def update_options(self) -> None:
        """Agent code changes how fast the agent speaks."""
        self.speed = 1.2
        self.update(audio={"output": {"speed": self.speed}})

    def hand_over(self) -> None:
        """Agent code hands over: the next agent goes on in the same conversation."""
        self.instructions = "Be polite."
        self.update(instructions=self.instructions, tools=self.tools)

    def hang_up(self) -> None:
        """A session that is not to be had again has nothing more to say."""
        super().hang_up()
        if self.over:
            self.cut_short()

    async def close(self) -> None:
        """Stop playout and end the session; what was not heard by then was never said."""
        self.be_sure()
        if self.segments:
            self.silence()
        await super().close()
        self.stop_all()

    # the user's turns

    def hear(self, seconds: float) -> None:
        """Pass on what the microphone picks up, frame by frame; nobody hears it between sockets."""
        if self.socket is None:
            return
        for _ in range(round(seconds * 1000) // FRAME_MS):
            sound = base64.b64encode(b"\0\0" * (SAMPLE_RATE * FRAME_MS // 1000)).decode()
            self.send("input_audio_buffer.append", audio=sound)
            self.pending_ms += FRAME_MS

    def commit_user_turn(self) -> None:
        """Agent code ends a turn, and wants a reply to it."""
        if self.pending_ms >= LEAST_MS:
            self.pending_ms = 0
            self.send("input_audio_buffer.commit")
        self.generate_reply()

    def clear_user_turn(self) -> None:
        """Agent code drops what was said since the last turn."""
        self.pending_ms = 0
        self.send("input_audio_buffer.clear")

    def disconnected(self) -> None:
        """What was not committed is gone."""
        super().disconnected()
        self.pending_ms = 0


class EagerClient(ReferenceClient):
    """Cancels a reply as soon as it was requested: allowed, though the server may be too early."""

    def stop_all(self) -> None:
        """Do not wait for response.created, which gives the response its id."""
        requested = self.requested
        if requested is not None and not requested.cancelled:
            requested.cancelled = True
            self.send("response.cancel")
        super().stop_all()


class TrustingClient(ReferenceClient):
    """Leaves it to `interrupt_response` to cut what a barge-in finds active."""

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """The server has cut it; what was only requested it has not."""
        for reply in self.replies.values():
            reply.cancelled = True
        super().on_input_audio_buffer_speech_started(event)


class RestlessClient(ReferenceClient):
    """Begins a session anew at once when it is time for that, whatever is going on."""

    def is_quiet(self) -> bool:
        """Do not wait."""
        return True


class ChainingClient(ReferenceClient):
    """Says of each item that it puts back which one it stands behind."""

    def replay(self) -> None:
        """Put every item back behind the one before it."""
        before = "root"
        for entry in self.put_back():
            item = entry.again()
            self.send("conversation.item.create", previous_item_id=before, item=item)
            before = entry.id


class SummarizingClient(ReferenceClient):
    """Has the conversation summed up beside the first reply, outside of the conversation."""

    def on_response_created(self, event: Wire) -> None:
        """Follow replies alone, and ask for the summary with the first."""
        if "purpose" in (event["response"]["metadata"] or {}):
            return
        if not self.replies:
            body = {"conversation": "none", "metadata": {"purpose": "summary"}}
            self.send("response.create", response=body)
        super().on_response_created(event)


class RenamingClient(ReferenceClient):
    """Gives each whole call another id when the context changes: an output names the call alone."""

    def update_chat_ctx(self) -> None:
        """Create the calls anew, then add the message."""
        for entry in [entry for entry in self.entries if entry.item.get("arguments")]:
            self.delete(entry.id)
            self.create(Entry({**entry.item, "id": f"{entry.id}_anew"}))
        super().update_chat_ctx()


class CheckingClient(ReferenceClient):
    """Asks for the server's copy of the first message of the user, if it is still there."""

    checked = False

    def on_conversation_item_done(self, event: Wire) -> None:
        """Compare what the server has."""
        item = event["item"]
        if item.get("role") == "user" and self.entry(item["id"]) and not self.checked:
            self.checked = True
            self.send("conversation.item.retrieve", item_id=item["id"])


VARIANTS: dict[str, tuple[type[ReferenceClient], str]] = {
    "eager": (EagerClient, "hand-over"),
    "trusting": (TrustingClient, "pause"),
    "restless": (RestlessClient, "reconnection"),
    "chaining": (ChainingClient, "reconnection"),
    "summarizing": (SummarizingClient, "aside"),
    "checking": (CheckingClient, "updates"),
    "renaming": (RenamingClient, "tool-update"),
}
"""Clients that are correct in another way, each with a scope in which that matters."""
