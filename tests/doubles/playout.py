"""How a correct client plays messages: one after another, each a segment of the speaker.

Laws:
- Audio is handed over as it comes, unless a message before it is not played to its end.
- Each segment is ended once: flushed when no audio follows, or cleared.
- How much was heard of a message is what the speaker reports of its own segment.
"""

from __future__ import annotations

import base64
from collections import deque

from doubles.conversation import Conversation
from doubles.link import Wire
from doubles.records import Message, Reply
from realtime_conformance.clients.interface import Seams
from realtime_conformance.speaker import SAMPLE_RATE


class Playout(Conversation):
    """Hands messages to the speaker and hears how much of them was played."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.speaker, self.muted = seams.speaker, seams.muted
        self.speaker.listener = self
        self.replies: dict[str, Reply] = {}
        """Replies of this connection, and what is still played of the one before, by response."""
        self.segments: deque[tuple[Reply, Message]] = deque()
        """What is played, and what waits for it."""

    def find(self, event: Wire) -> tuple[Reply, Message] | None:
        """The message that an event is about; None if nobody follows its response."""
        reply = self.replies.get(event["response_id"])
        message = None if reply is None else reply.messages.get(event["item_id"])
        return None if reply is None or message is None else (reply, message)

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Audio goes to the speaker, unless the reply was interrupted."""
        found = self.find(event)
        if found is None:
            return
        pcm = base64.b64decode(event["delta"])
        found[1].delivered_ms += len(pcm) // 2 * 1000 // SAMPLE_RATE
        if not found[0].interrupted:
            self.play(*found, pcm)

    def on_response_output_audio_done(self, event: Wire) -> None:
        """No audio follows: the speaker may report when it has played what it has."""
        found = self.find(event)
        if found is not None:
            found[1].complete = True
            if not found[0].interrupted:
                self.flush(found[1])

    def play(self, reply: Reply, message: Message, pcm: bytes) -> None:
        """Hand audio to the speaker, if there is one and nothing is played before it."""
        if self.muted:
            return
        if (reply, message) not in self.segments:
            self.segments.append((reply, message))
        if self.segments[0][1] is message:
            message.playing = True
            self.speaker.capture(pcm)
        else:
            message.held += pcm

    def flush(self, message: Message) -> None:
        """End the segment of a message, if it has one that is not ended."""
        if message.playing and not message.ended:
            message.ended = "flushed"
            self.speaker.flush()

    def silence(self) -> None:
        """Stop playout at once; what waits behind it is not played either."""
        while not self.segments[-1][1].playing:
            self.segments.pop()[1].held = b""
        if self.segments[0][1].ended != "cleared":
            self.segments[0][1].ended = "cleared"
            self.speaker.clear()

    def started(self) -> None:
        """The first sample is played."""

    def finished(self, seconds: float, interrupted: bool) -> None:
        """A segment has ended after `seconds`; one that was drained was heard whole."""
        reply, message = self.segments.popleft()
        message.playing, message.heard_ms = False, self.position_ms(message, seconds)
        message.settled = message.settled or not interrupted
        self.settle(reply)
        self.play_next()
        self.go_on()

    def play_next(self) -> None:
        """Hand over what has waited for the segment before it."""
        if self.segments:
            reply, message = self.segments[0]
            held, message.held = message.held, b""
            self.play(reply, message, held)
            if message.complete:
                self.flush(message)

    def position_ms(self, message: Message, seconds: float) -> int:
        """How much of a message was heard, from what the speaker reports."""
        return round(seconds * 1000)

    def settle(self, reply: Reply) -> None:
        """Correct the conversation once it is known what was heard of an interrupted reply."""
        if not reply.interrupted:
            return
        for message in reply.messages.values():
            # once the session is over it is for the client's own memory alone
            known = message.listed or self.over
            if known and not message.playing and not message.settled:
                message.settled = True
                self.correct(reply, message)

    def correct(self, reply: Reply, message: Message) -> None:
        """Keep of a message what was heard: a part of it, or nothing."""
        if message.heard_ms == 0:
            self.delete(message.item)
        elif not message.again:  # a text cannot be truncated
            self.truncate(reply, message, message.heard_ms)
