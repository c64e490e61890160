"""Faulty clients: each has one fault that a real client could have with one spoken reply.

Laws:
- A fault is the reference client with a method or two replaced; everything else it does right.
"""

from __future__ import annotations

import asyncio
import logging

from doubles.link import Wire
from doubles.records import Message, Reply
from doubles.reference import ReferenceClient
from realtime_conformance.clients.interface import Seams
from realtime_conformance.speaker import SAMPLE_RATE

logger = logging.getLogger(__name__)


class TruncatesUnheard(ReferenceClient):
    """Never deletes; truncates what was not heard at the least position there is."""

    def correct(self, reply: Reply, message: Message) -> None:
        """Truncate, whatever there is."""
        self.truncate(reply, message, max(message.heard_ms, 1))


class TruncatesAtZero(ReferenceClient):
    """Truncates a message at 0 ms before any audio of it came."""

    def correct(self, reply: Reply, message: Message) -> None:
        """Truncate, whatever there is."""
        self.truncate(reply, message, message.heard_ms)


class TruncatesAtZeroWithAudio(ReferenceClient):
    """Truncates at 0 ms where audio came and none of it was heard."""

    def correct(self, reply: Reply, message: Message) -> None:
        """Truncate what has audio."""
        if message.delivered_ms > 0:
            self.truncate(reply, message, message.heard_ms)
        else:
            self.delete(message.item)


class MistakesSampleRate(ReferenceClient):
    """Counts heard samples at 16 kHz, so it comes to half as much again."""

    def position_ms(self, message: Message, seconds: float) -> int:
        """Milliseconds at the wrong rate."""
        return round(seconds * SAMPLE_RATE * 1000 / 16_000)


class TruncatesAtDelivered(ReferenceClient):
    """Takes what was delivered for what was heard."""

    def position_ms(self, message: Message, seconds: float) -> int:
        """The end of what came, heard or not."""
        return message.delivered_ms


class TruncatesResponse(ReferenceClient):
    """Mixes up ids and truncates a response."""

    def truncate(self, reply: Reply, message: Message, end_ms: int) -> None:
        """Name the response where the message belongs."""
        self.send(
            "conversation.item.truncate",
            item_id=reply.response,
            content_index=0,
            audio_end_ms=end_ms,
        )


class DeletesTwice(ReferenceClient):
    """Deletes again when the response is done."""

    def on_response_done(self, event: Wire) -> None:
        """Tidy up, though that was done already."""
        super().on_response_done(event)
        reply = self.replies[event["response"]["id"]]
        for message in reply.messages.values():
            if reply.interrupted and message.settled and not message.heard_ms:
                self.delete(message.item)


class CancelsDone(ReferenceClient):
    """Cancels on every interruption, though response.done has come."""

    def cancel(self, reply: Reply) -> None:
        """Do not ask whether there is something to cancel."""
        if not reply.cancelled:
            reply.cancelled = True
            self.send("response.cancel")


class CancelsTwice(ReferenceClient):
    """Cancels again when the speaker has stopped."""

    def finished(self, seconds: float, interrupted: bool) -> None:
        """Take the report for one more interruption."""
        reply, _ = self.segments[0]
        super().finished(seconds, interrupted)
        if interrupted and reply.active:
            self.send("response.cancel")


class CancelsNext(ReferenceClient):
    """Cancels again when the cancelled response is done; the next one may have begun by then."""

    def on_response_done(self, event: Wire) -> None:
        """Make sure, without a response id."""
        super().on_response_done(event)
        if self.replies[event["response"]["id"]].cancelled:
            self.send("response.cancel")


class CancelsAnswer(ReferenceClient):
    """Interrupted before the answer to a turn has begun, cancels twice to be sure to hit it."""

    def interrupt(self) -> None:
        """Cancel what may be about to come."""
        super().interrupt()
        if not any(reply.active for reply in self.replies.values()):
            self.send("response.cancel")
            self.send("response.cancel")


class FallsSilent(ReferenceClient):
    """Keeps with the session what belongs to a reply: once interrupted, it plays nothing more."""

    def silence(self) -> None:
        """Stop playout, for good."""
        super().silence()
        self.muted = True


class NeverClears(ReferenceClient):
    """Stops feeding the speaker but never ends the segment, so it waits for its end for ever."""

    def silence(self) -> None:
        """Only stop feeding."""


class LogsException(ReferenceClient):
    """Reads the first output of every response; a handler that fails is logged and forgotten."""

    def handle(self, event: Wire) -> None:
        """Survive whatever a handler does."""
        try:
            super().handle(event)
        except Exception:
            logger.exception("a handler failed")

    def on_response_done(self, event: Wire) -> None:
        """Read the output, which a response that was cut at once does not have."""
        super().on_response_done(event)
        logger.debug("output: %s", event["response"]["output"][0]["id"])


class LosesTask(ReferenceClient):
    """Reads the first output of every response in a task that nobody awaits."""

    def on_response_done(self, event: Wire) -> None:
        """Read the output on the side."""
        super().on_response_done(event)
        self.reading = asyncio.create_task(self.read_output(event))

    async def read_output(self, event: Wire) -> None:
        """Read what a response that was cut at once does not have."""
        logger.debug("output: %s", event["response"]["output"][0]["id"])


class RaisesFromInterrupt(ReferenceClient):
    """Refuses to interrupt what is only played."""

    def interrupt(self) -> None:
        """Insist on a response."""
        if not any(reply.active for reply in self.replies.values()):
            raise RuntimeError("no response to interrupt")
        super().interrupt()


class BusyWaits(ReferenceClient):
    """Asks again and again, at one instant, whether the speaker has stopped."""

    def silence(self) -> None:
        """Stop playout, and wait for that."""
        super().silence()
        self.waiting = asyncio.create_task(self.wait())

    async def wait(self) -> None:
        """Spin until the speaker has reported."""
        while self.segments:
            await asyncio.sleep(0)


class NeverCloses(ReferenceClient):
    """Waits at its end for every segment to be drained, which an interrupted one never is."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.drained: dict[Message, asyncio.Future[None]] = {}

    def play(self, reply: Reply, message: Message, pcm: bytes) -> None:
        """Note that there is a segment to drain."""
        if not message.playing:
            self.drained[message] = asyncio.get_running_loop().create_future()
        super().play(reply, message, pcm)

    def finished(self, seconds: float, interrupted: bool) -> None:
        """Note that it was drained, if it was."""
        if not interrupted:
            self.drained[self.segments[0][1]].set_result(None)
        super().finished(seconds, interrupted)

    async def close(self) -> None:
        """Let everything be heard to its end."""
        await asyncio.gather(*self.drained.values())
        await super().close()


class PlaysOn(ReferenceClient):
    """Hands over audio that comes after the interruption."""

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Play whatever comes."""
        reply = self.replies[event["response_id"]]
        interrupted, reply.interrupted = reply.interrupted, False
        super().on_response_output_audio_delta(event)
        reply.interrupted = interrupted


class ClearsServer(ReferenceClient):
    """Clears an output buffer that the server has on WebRTC only."""

    def silence(self) -> None:
        """Clear both buffers."""
        super().silence()
        self.send("output_audio_buffer.clear")


class DrainsSpeaker(ReferenceClient):
    """Ends the segment instead of clearing it, so the user hears the rest of what is buffered."""

    def silence(self) -> None:
        """Only stop feeding."""
        self.speaker.flush()


class PlaysLate(ReferenceClient):
    """Interrupted before the first audio, cancels the response and plays what still comes."""

    def stop(self, reply: Reply) -> None:
        """Take only what is playing for interrupted."""
        sounds = any(message.playing for message in reply.messages.values())
        super().stop(reply)
        reply.interrupted = reply.interrupted and sounds


class PlaysRequested(ReferenceClient):
    """Forgets an interruption that comes before response.created, and plays the reply."""

    def on_response_created(self, event: Wire) -> None:
        """Begin anew."""
        if self.requested is not None:
            self.requested.interrupted = False
        super().on_response_created(event)


class NeverCancels(ReferenceClient):
    """Lets an interrupted response run to its end."""

    def cancel(self, reply: Reply) -> None:
        """Do nothing."""


class NeverCorrects(ReferenceClient):
    """Leaves an interrupted message in the conversation as if all of it was heard."""

    def correct(self, reply: Reply, message: Message) -> None:
        """Do nothing."""


class TruncatesTwice(ReferenceClient):
    """Truncates a message twice at the same place."""

    def truncate(self, reply: Reply, message: Message, end_ms: int) -> None:
        """Repeat."""
        super().truncate(reply, message, end_ms)
        super().truncate(reply, message, end_ms)
