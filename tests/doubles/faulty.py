"""Faulty clients: each has one fault that a real client could have, and breaks one check by it.

Laws:
- A fault is the reference client with a method or two replaced; everything else it does right.
- On the plain happy path no fault shows: it takes an interruption.
- `UNSEEN` holds faults that no check sees yet; a test says so, and fails once one is seen.
"""

from __future__ import annotations

import asyncio
import logging

import attrs

from doubles.reference import ReferenceClient, Reply, Wire
from realtime_conformance.checks.interface import Verdict
from realtime_conformance.clients.interface import Seams
from realtime_conformance.speaker import SAMPLE_RATE

logger = logging.getLogger(__name__)


class TruncatesUnheard(ReferenceClient):
    """Never deletes; truncates what was not heard at the least position there is."""

    def correct(self, reply: Reply) -> None:
        """Truncate, whatever there is."""
        self.truncate(reply, max(reply.heard_ms, 1))


class TruncatesAtZero(ReferenceClient):
    """Truncates a message at 0 ms before any audio of it came."""

    def correct(self, reply: Reply) -> None:
        """Truncate, whatever there is."""
        self.truncate(reply, reply.heard_ms)


class TruncatesAtZeroWithAudio(ReferenceClient):
    """Truncates at 0 ms where audio came and none of it was heard."""

    def correct(self, reply: Reply) -> None:
        """Truncate what has audio."""
        if reply.delivered_ms > 0:
            self.truncate(reply, reply.heard_ms)
        else:
            self.delete(reply)


class MistakesSampleRate(ReferenceClient):
    """Counts heard samples at 16 kHz, so it comes to half as much again."""

    def position_ms(self, reply: Reply, seconds: float) -> int:
        """Milliseconds at the wrong rate."""
        return round(seconds * SAMPLE_RATE * 1000 / 16_000)


class TruncatesAtDelivered(ReferenceClient):
    """Takes what was delivered for what was heard."""

    def position_ms(self, reply: Reply, seconds: float) -> int:
        """The end of what came, heard or not."""
        return reply.delivered_ms


class TruncatesResponse(ReferenceClient):
    """Mixes up ids and truncates a response."""

    def truncate(self, reply: Reply, end_ms: int) -> None:
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
        if self.reply.settled and self.reply.interrupted and not self.reply.heard_ms:
            self.delete(self.reply)


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
        super().finished(seconds, interrupted)
        if interrupted and self.reply.active:
            self.send("response.cancel")


class CancelsNext(ReferenceClient):
    """Cancels again when the cancelled response is done; the next one may have begun by then."""

    def on_response_done(self, event: Wire) -> None:
        """Make sure, without a response id."""
        super().on_response_done(event)
        if self.reply.cancelled:
            self.send("response.cancel")


class CancelsAnswer(ReferenceClient):
    """Interrupted before the answer to a turn has begun, cancels twice to be sure to hit it."""

    def interrupt(self) -> None:
        """Cancel what may be about to come."""
        super().interrupt()
        if not self.reply.active:
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
        if not self.reply.active:
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
        self.drained: dict[Reply, asyncio.Future[None]] = {}

    def play(self, reply: Reply, pcm: bytes) -> None:
        """Note that there is a segment to drain."""
        if not reply.playing:
            self.drained[reply] = asyncio.get_running_loop().create_future()
        super().play(reply, pcm)

    def finished(self, seconds: float, interrupted: bool) -> None:
        """Note that it was drained, if it was."""
        if not interrupted:
            self.drained[self.segments[0]].set_result(None)
        super().finished(seconds, interrupted)

    async def close(self) -> None:
        """Let everything be heard to its end."""
        await asyncio.gather(*self.drained.values())
        await super().close()


class PlaysOn(ReferenceClient):
    """Hands over audio that comes after the interruption."""

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Play whatever comes."""
        interrupted, self.reply.interrupted = self.reply.interrupted, False
        super().on_response_output_audio_delta(event)
        self.reply.interrupted = interrupted


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
    """Interrupted before the first audio, plays the reply from its beginning."""

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Take only what is playing for interrupted."""
        interrupted = self.reply.interrupted
        self.reply.interrupted = interrupted and self.reply.item == ""
        super().on_response_output_audio_delta(event)
        self.reply.interrupted = interrupted

    def on_response_output_audio_done(self, _: Wire) -> None:
        """End the segment all the same."""
        self.speaker.flush()


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

    def correct(self, reply: Reply) -> None:
        """Do nothing."""


class TruncatesTwice(ReferenceClient):
    """Truncates a message twice at the same place."""

    def truncate(self, reply: Reply, end_ms: int) -> None:
        """Repeat."""
        super().truncate(reply, end_ms)
        super().truncate(reply, end_ms)


@attrs.frozen
class Fault:
    """One faulty client, and the check that it breaks."""

    name: str
    client: type[ReferenceClient]
    check: str
    verdict: Verdict
    why: str
    bounds: dict[str, int] = attrs.field(factory=dict)
    """Bounds that it takes to show, beyond those of the test."""


def _named(*faults: Fault) -> dict[str, Fault]:
    return {fault.name: fault for fault in faults}


FAULTS = _named(
    Fault(
        "truncates-unheard",
        TruncatesUnheard,
        "truncate-needs-audio",
        "violation",
        "a message that is cut before its audio comes has nothing to truncate",
    ),
    Fault(
        "truncates-at-zero",
        TruncatesAtZero,
        "truncate-positive",
        "violation",
        "the bug that this project started from: audio_end_ms is 0 and there is no audio",
    ),
    Fault(
        "truncates-at-zero-with-audio",
        TruncatesAtZeroWithAudio,
        "truncate-positive",
        "advisory",
        "accepted by a recorded server, but an empty message stays in the conversation",
    ),
    Fault(
        "mistakes-sample-rate",
        MistakesSampleRate,
        "truncate-within-audio",
        "violation",
        "one and a half times what was heard lies past what was produced",
    ),
    Fault(
        "truncates-at-delivered",
        TruncatesAtDelivered,
        "truncate-matches-heard",
        "violation",
        "the server streams faster than the speaker plays",
    ),
    Fault(
        "truncates-response",
        TruncatesResponse,
        "permitted-message",
        "violation",
        "no item has the id of a response",
    ),
    Fault(
        "deletes-twice",
        DeletesTwice,
        "no-rejected-event",
        "violation",
        "the first delete has taken the item away",
    ),
    Fault(
        "cancels-done",
        CancelsDone,
        "no-rejected-event",
        "violation",
        "response.done was delivered, so there is nothing to cancel",
    ),
    Fault(
        "cancels-twice",
        CancelsTwice,
        "redundant-cancel",
        "advisory",
        "the first cancel is on its way or has been applied",
    ),
    Fault(
        "cancels-next",
        CancelsNext,
        "redundant-cancel",
        "violation",
        "the user's next turn has its response by the time the repeat is read",
        {"TURNS": 2},
    ),
    Fault(
        "cancels-answer",
        CancelsAnswer,
        "redundant-cancel",
        "violation",
        "the first cancel is rejected, the second silences the answer to the turn",
    ),
    Fault(
        "falls-silent",
        FallsSilent,
        "session-goes-on",
        "violation",
        "the next reply is not played",
    ),
    Fault(
        "logs-exception",
        LogsException,
        "no-swallowed-exception",
        "violation",
        "a response that was cut at once has no output",
    ),
    Fault(
        "loses-task",
        LosesTask,
        "no-swallowed-exception",
        "violation",
        "a response that was cut at once has no output",
    ),
    Fault(
        "raises-from-interrupt",
        RaisesFromInterrupt,
        "no-swallowed-exception",
        "violation",
        "agent code may interrupt at any time",
    ),
    Fault(
        "never-closes",
        NeverCloses,
        "comes-to-rest",
        "violation",
        "an interrupted segment is never drained",
    ),
    Fault(
        "plays-on",
        PlaysOn,
        "permitted-message",
        "violation",
        "audio that was on its way must be dropped once the speaker is cleared",
        {"AUDIO": 2},
    ),
    Fault(
        "clears-server",
        ClearsServer,
        "permitted-message",
        "violation",
        "output_audio_buffer.clear exists on WebRTC only",
    ),
    Fault(
        "plays-late",
        PlaysLate,
        "permitted-message",
        "violation",
        "the user hears what was interrupted",
    ),
    Fault(
        "never-clears",
        NeverClears,
        "session-goes-on",
        "violation",
        "the interrupted segment never ends, so the turn is never over",
    ),
    Fault(
        "busy-waits",
        BusyWaits,
        "comes-to-rest",
        "violation",
        "the speaker reports later, and the loop gets nothing else done until then",
    ),
)

# each would be seen if `permitted` were checked where the server does not reject, if a check asked
# for what must happen, or if a session that never reaches its fresh turn counted as stuck
UNSEEN = _named(
    Fault(
        "drains-speaker",
        DrainsSpeaker,
        "permitted-message",
        "violation",
        "the user goes on hearing what was interrupted",
    ),
    Fault(
        "plays-requested",
        PlaysRequested,
        "permitted-message",
        "violation",
        "the user hears what was interrupted before it began",
    ),
    Fault(
        "never-cancels",
        NeverCancels,
        "permitted-message",
        "advisory",
        "the server goes on generating what nobody will hear",
    ),
    Fault(
        "never-corrects",
        NeverCorrects,
        "truncate-matches-heard",
        "violation",
        "the model believes that the user heard all of it",
    ),
    Fault(
        "truncates-twice",
        TruncatesTwice,
        "permitted-message",
        "advisory",
        "once is enough",
    ),
)
