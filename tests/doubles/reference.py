"""Small correct clients, written from the protocol and `clients/interface.py` alone.

Laws:
- What belongs to one reply is kept with that reply, so nothing of one leaks into the next.
- An interrupted reply is heard no further: its audio is dropped, the speaker is cleared, and its
  response is cancelled once, as soon as it is there.
- The conversation ends up with what was heard of a reply: once the speaker has said how much, the
  message is truncated there, or deleted if nothing of it was heard.
- A message of a reply is touched once, and not before the server has listed it.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import aiohttp
import attrs

from realtime_conformance.clients.interface import Seams
from realtime_conformance.speaker import SAMPLE_RATE

Wire = dict[str, Any]

VAD: Wire = {"type": "server_vad", "create_response": True, "interrupt_response": True}
SESSION: Wire = {"type": "realtime", "audio": {"input": {"turn_detection": VAD}}}


@attrs.define(eq=False)
class Reply:
    """One reply, from its request to what the conversation keeps of it."""

    request: str | None = None
    """The name that the client gave its request; None for the answer to a turn."""
    response: str = ""
    item: str = ""
    """The message, once the server has listed it."""
    active: bool = False
    """Its response was created and is not done."""
    delivered_ms: int = 0
    playing: bool = False
    """The speaker owes a report of its segment."""
    heard_ms: int = 0
    interrupted: bool = False
    cancelled: bool = False
    settled: bool = False
    """The conversation holds what was heard of it."""


class ReferenceClient:
    """A voice client that does what the protocol asks, and no more."""

    def __init__(self, seams: Seams) -> None:
        assert seams.http is not None
        self.http, self.url, self.speaker = seams.http, seams.base_url, seams.speaker
        self.speaker.listener = self
        self.muted = seams.muted
        self.outgoing: asyncio.Queue[Wire] = asyncio.Queue()
        self.requests = 0
        self.requested: Reply | None = None
        self.reply = Reply()
        self.segments: deque[Reply] = deque()

    async def start(self) -> None:
        """Connect and configure the session."""
        self.socket = await self.http.ws_connect(f"{self.url}/realtime", headers={})
        self.tasks = [asyncio.create_task(self.read()), asyncio.create_task(self.write())]
        self.send("session.update", session=SESSION)

    def generate_reply(self) -> None:
        """Request a reply, under a name that tells its response from the answer to a turn."""
        self.requests += 1
        self.requested = Reply(request=f"request_{self.requests}")
        self.send("response.create", response={"metadata": {"request": self.requested.request}})

    def interrupt(self) -> None:
        """Agent code interrupts whatever reply is going on."""
        self.cut_short()

    def hear(self, seconds: float) -> None:
        """Pass on what the microphone picks up."""
        audio = base64.b64encode(b"\0\0" * int(seconds * SAMPLE_RATE)).decode()
        self.send("input_audio_buffer.append", audio=audio)

    async def close(self) -> None:
        """Close the connection and wait for what runs on it."""
        await self.socket.close()
        for task in self.tasks:
            if not task.done():  # to cancel one that has failed would hide its exception
                task.cancel()
        await asyncio.wait(self.tasks)

    def send(self, event: str, **body: Any) -> None:
        """Put one event on its way, in order."""
        self.outgoing.put_nowait({"type": event, **body})

    async def write(self) -> None:
        """Send what is on its way."""
        while True:
            await self.socket.send_str(json.dumps(await self.outgoing.get()))

    async def read(self) -> None:
        """Hand every server event to its handler."""
        while (frame := await self.socket.receive()).type is aiohttp.WSMsgType.TEXT:
            self.handle(json.loads(frame.data))

    def handle(self, event: Wire) -> None:
        """Call the handler of an event; an event without one needs no answer."""
        name = "on_" + event["type"].replace(".", "_")
        handler: Callable[[Wire], None] = getattr(self, name, lambda _: None)
        handler(event)

    def on_input_audio_buffer_speech_started(self, _: Wire) -> None:
        """The user speaks: a barge-in if a reply is going on."""
        self.cut_short()

    def on_response_created(self, event: Wire) -> None:
        """A reply begins; one that was interrupted before is cancelled now that it can be."""
        name = (event["response"]["metadata"] or {}).get("request")
        if self.requested is not None and name == self.requested.request:
            self.reply, self.requested = self.requested, None
        else:
            self.reply = Reply()
        self.reply.response, self.reply.active = event["response"]["id"], True
        if self.reply.interrupted:
            self.cancel(self.reply)

    def on_conversation_item_added(self, event: Wire) -> None:
        """The message of the reply is in the conversation; it can be touched from now on."""
        if event["item"]["role"] == "assistant":
            self.reply.item = event["item"]["id"]
            self.settle(self.reply)

    def on_response_output_audio_delta(self, event: Wire) -> None:
        """Audio goes to the speaker, unless the reply was interrupted."""
        pcm = base64.b64decode(event["delta"])
        self.reply.delivered_ms += len(pcm) // 2 * 1000 // SAMPLE_RATE
        if not self.reply.interrupted:
            self.play(self.reply, pcm)

    def on_response_output_audio_done(self, _: Wire) -> None:
        """No audio follows: the speaker may report when it has played what it has."""
        if self.reply.playing and not self.reply.interrupted:
            self.speaker.flush()

    def on_response_done(self, _: Wire) -> None:
        """The response is over; its audio may still be playing."""
        self.reply.active = False

    def started(self) -> None:
        """The first sample is played."""

    def finished(self, seconds: float, interrupted: bool) -> None:
        """A segment has ended after `seconds`; one that was drained was heard whole."""
        reply = self.segments.popleft()
        reply.playing, reply.heard_ms = False, self.position_ms(reply, seconds)
        reply.settled = not interrupted
        self.settle(reply)

    def play(self, reply: Reply, pcm: bytes) -> None:
        """Hand audio of a reply to the speaker, if there is one."""
        if self.muted:
            return
        if not reply.playing:
            reply.playing = True
            self.segments.append(reply)
        self.speaker.capture(pcm)

    def cut_short(self) -> None:
        """Interrupt the reply that was requested, and the one that is generated or played."""
        if self.requested is not None:
            self.requested.interrupted = True
        reply = self.reply
        if (reply.active or reply.playing) and not reply.interrupted:
            reply.interrupted = True
            self.cancel(reply)
            self.silence()
            self.settle(reply)

    def silence(self) -> None:
        """Stop playout at once."""
        if not self.muted:
            self.speaker.clear()

    def cancel(self, reply: Reply) -> None:
        """Cancel a response that is not done, once."""
        if reply.active and not reply.cancelled:
            reply.cancelled = True
            self.send("response.cancel", response_id=reply.response)

    def settle(self, reply: Reply) -> None:
        """Correct the conversation once it is known what was heard of an interrupted reply."""
        if reply.interrupted and reply.item and not reply.playing and not reply.settled:
            reply.settled = True
            self.correct(reply)

    def correct(self, reply: Reply) -> None:
        """Keep of the message what was heard: a part of it, or nothing."""
        if reply.heard_ms > 0:
            self.truncate(reply, reply.heard_ms)
        else:
            self.delete(reply)

    def position_ms(self, reply: Reply, seconds: float) -> int:
        """How much of a reply was heard, from what the speaker reports."""
        return round(seconds * 1000)

    def truncate(self, reply: Reply, end_ms: int) -> None:
        """Cut the message of a reply."""
        body = {"item_id": reply.item, "content_index": 0, "audio_end_ms": end_ms}
        self.send("conversation.item.truncate", **body)

    def delete(self, reply: Reply) -> None:
        """Take the message of a reply out of the conversation."""
        self.send("conversation.item.delete", item_id=reply.item)


class EagerClient(ReferenceClient):
    """Cancels a reply as soon as it was requested: allowed, though the server may be too early."""

    def cut_short(self) -> None:
        """Do not wait for response.created, which gives the response its id."""
        requested = self.requested
        if requested is not None and not requested.cancelled:
            requested.cancelled = True
            self.send("response.cancel")
        super().cut_short()


class TrustingClient(ReferenceClient):
    """Leaves it to `interrupt_response` to cut what a barge-in finds active."""

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """The server has cut it; what was only requested it has not."""
        self.reply.cancelled = True
        super().on_input_audio_buffer_speech_started(event)


VARIANTS: dict[str, type[ReferenceClient]] = {"eager": EagerClient, "trusting": TrustingClient}
