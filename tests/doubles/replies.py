"""How a correct client asks for replies, follows them, and interrupts them.

Laws:
- A reply is asked for once, and not while a response is there or is owed; one that is refused or
  lost is not asked for again.
- An interrupted reply is heard no further: its audio is dropped, the speaker is cleared, and its
  response is cancelled once, as soon as it is there.
- The conversation ends up with what was heard of a reply: once the speaker has said how much, a
  message is truncated there, or deleted if nothing of it was heard.
- A message of a reply is touched once, and not before the server has listed it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from doubles.link import Wire
from doubles.playout import Playout
from doubles.records import Message, Reply
from realtime_conformance.clients.interface import Seams

DOUBT_SECONDS = 2.0
"""How long a turn may take to be committed before the speech counts as a false interruption."""


class Replies(Playout):
    """Follows every reply from its request to its end."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.requests = 0
        self.wanted: deque[Reply] = deque()
        """What the app has asked for, and the server was not."""
        self.requested: Reply | None = None
        self.owed = False
        """A turn was taken that the server answers by itself."""
        self.doubt: asyncio.TimerHandle | None = None
        """Playout is held while it is not clear whether the user means to interrupt."""

    # asking

    def generate_reply(self) -> None:
        """Want a reply, under a name that tells its response from the answer to a turn."""
        self.requests += 1
        self.wanted.append(Reply(request=f"request_{self.requests}"))
        self.go_on()

    def generate_reply_again(self) -> None:
        """Want one more."""
        self.generate_reply()

    def go_on(self) -> None:
        """Ask for the next reply, if it is time for it."""
        super().go_on()
        if self.wanted and self.socket is not None and not self.is_occupied():
            self.request(self.wanted.popleft())

    def is_occupied(self) -> bool:
        """Whether a response is there, or is to come."""
        active = any(reply.active for reply in self.replies.values())
        return active or self.owed or self.requested is not None

    def is_quiet(self) -> bool:
        """Whether nobody waits for anything."""
        busy = self.is_occupied() or self.wanted or self.segments
        return super().is_quiet() and not busy

    def request(self, reply: Reply) -> None:
        """Ask the server for a reply."""
        self.requested = reply
        metadata = {"request": reply.request}
        self.send("response.create", event_id=reply.request, response={"metadata": metadata})

    def on_error(self, event: Wire) -> None:
        """A request that is refused is over; so is a turn that the server could not answer."""
        super().on_error(event)
        error = event["error"]
        if self.requested is not None and error["event_id"] == self.requested.request:
            self.requested = None
        elif error["code"] == "conversation_already_has_active_response":
            self.owed = False

    def on_input_audio_buffer_committed(self, event: Wire) -> None:
        """The user has taken a turn, so the interruption was none by mistake."""
        if self.doubt is not None:
            self.cut_short()
        self.owed = self.setting.detects_turns and self.setting.create_response

    # following

    def on_response_created(self, event: Wire) -> None:
        """A reply begins; one that was interrupted before is cancelled now that it can be."""
        response = event["response"]
        reply = self.begun((response["metadata"] or {}).get("request"))
        reply.response, reply.active = response["id"], True
        self.replies[reply.response] = reply
        if reply.interrupted:
            self.cancel(reply)

    def begun(self, name: str | None) -> Reply:
        """The reply whose response was created: the one that was requested, or one to a turn."""
        if self.requested is not None and name == self.requested.request:
            reply, self.requested = self.requested, None
            return reply
        self.owed = False
        return Reply()

    def on_response_output_item_added(self, event: Wire) -> None:
        """A reply says something."""
        reply = self.replies.get(event["response_id"])
        if reply is not None and event["item"]["type"] == "message":
            # what is written is not heard, so there is nothing to correct
            item = event["item"]["id"]
            reply.messages[item] = Message(item, settled=not self.setting.audio)

    def on_conversation_item_added(self, event: Wire) -> None:
        """A message of a reply can be touched from now on."""
        super().on_conversation_item_added(event)
        for reply in self.replies.values():
            message = reply.messages.get(event["item"]["id"])
            if message is not None:
                message.listed = True
                self.settle(reply)

    def on_response_output_audio_transcript_delta(self, event: Wire) -> None:
        """What is said is what would be put back."""
        entry = self.entry(event["item_id"])
        if entry is not None and not entry.cut:
            entry.text += event["delta"]

    def on_response_output_text_delta(self, event: Wire) -> None:
        """What is written is what would be put back."""
        self.on_response_output_audio_transcript_delta(event)

    def on_response_done(self, event: Wire) -> None:
        """The response is over; its audio may still be playing."""
        reply = self.replies.get(event["response"]["id"])
        if reply is not None:
            reply.active = False

    # interrupting

    def interrupt(self) -> None:
        """Agent code interrupts whatever reply is going on."""
        self.cut_short()

    def interrupt_handle(self) -> None:
        """Agent code interrupts the newest reply."""
        if self.wanted:
            self.wanted.pop()
        elif self.requested is not None:
            self.requested.interrupted = True
        elif self.replies:
            self.stop(next(reversed(self.replies.values())))
            if self.segments:
                self.silence()

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """The user speaks: a barge-in if a reply is going on, unless it is to be kept on."""
        if not self.setting.interrupt_response:
            return
        if self.setting.pauses and self.segments:
            self.hold()
        else:
            self.cut_short()

    def cut_short(self) -> None:
        """Interrupt the reply that was requested, and those that are generated or played."""
        self.be_sure()
        self.stop_all()
        if self.segments:
            self.silence()

    def stop_all(self) -> None:
        """Take nothing more of any reply, and ask for none."""
        self.wanted.clear()
        if self.requested is not None:
            self.requested.interrupted = True
        for reply in list(self.replies.values()):
            self.stop(reply)

    def stop(self, reply: Reply) -> None:
        """Take nothing more of a reply that is going on."""
        if reply.is_going_on and not reply.interrupted:
            reply.interrupted = True
            self.cancel(reply)
            self.settle(reply)

    def cancel(self, reply: Reply) -> None:
        """Cancel a response that is not done, once."""
        if reply.active and not reply.cancelled:
            reply.cancelled = True
            self.send("response.cancel", response_id=reply.response)

    def hold(self) -> None:
        """Hold playout until it is clear whether the user means to interrupt."""
        self.be_sure()
        self.stop_all()
        self.speaker.pause()
        loop = asyncio.get_running_loop()
        self.doubt = loop.call_later(DOUBT_SECONDS, self.resume)

    def be_sure(self) -> None:
        """Wait for nothing to tell what the user means."""
        doubt, self.doubt = self.doubt, None
        if doubt is not None:
            doubt.cancel()

    def resume(self) -> None:
        """It was a false interruption: let the rest be heard of what the speaker has."""
        self.be_sure()
        if self.segments:
            self.flush(self.segments[0][1])
        self.speaker.resume()

    # losing

    def disconnected(self) -> None:
        """Responses are lost; what the speaker has of them is heard to its end."""
        super().disconnected()
        self.requested, self.owed = None, False
        for reply in self.replies.values():
            self.lose(reply)

    def lose(self, reply: Reply) -> None:
        """Nothing more comes of a reply; what nobody will hear of it was never said."""
        for message in reply.messages.values():
            message.listed, message.again = False, True
        if reply.active:
            reply.active, reply.interrupted = False, True
            for message in reply.messages.values():
                self.lose_message(message)

    def lose_message(self, message: Message) -> None:
        """Let the speaker end what it has of a message; know it no longer if it has nothing."""
        message.held = b""
        if message.playing:
            self.flush(message)
        elif not message.heard_ms:
            message.settled = True
            self.drop(message.item)
