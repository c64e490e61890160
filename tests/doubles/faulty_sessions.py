"""Faulty clients: each has one fault that takes more than one spoken reply to show.

Several items, tools, turns, races, changes by the app, pauses, and connections that end.

Laws:
- A fault is the reference client with a method or two replaced; everything else it does right.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from doubles.conversation import Entry
from doubles.link import RETRY_SECONDS, Wire
from doubles.records import Message, Reply
from doubles.reference import ReferenceClient, SummarizingClient
from realtime_conformance.clients.interface import Seams

# several items


class CutsNewest(ReferenceClient):
    """Cuts the newest message of a reply, though the one before it was playing."""

    def truncate(self, reply: Reply, message: Message, end_ms: int) -> None:
        """Take the last for the one that was heard."""
        super().truncate(reply, list(reply.messages.values())[-1], end_ms)


class CountsAcross(ReferenceClient):
    """Counts what was heard from the beginning of the reply, not of the message."""

    def position_ms(self, message: Message, seconds: float) -> int:
        """Add what was heard before."""
        own = super().position_ms(message, seconds)
        reply = next(r for r in self.replies.values() if message in r.messages.values())
        return own + sum(other.heard_ms for other in reply.messages.values())


class PlaysHeld(ReferenceClient):
    """Clears what is playing, and plays what waited behind it."""

    def silence(self) -> None:
        """Forget what was put off."""
        if self.segments[0][1].ended != "cleared":
            self.segments[0][1].ended = "cleared"
            self.speaker.clear()


class DropsSecond(ReferenceClient):
    """Takes the end of a message for that of the reply: none that begins later is heard."""

    def on_response_output_item_added(self, event: Wire) -> None:
        """Expect no other once one is complete."""
        messages = self.replies[event["response_id"]].messages.values()
        if not any(message.complete for message in messages):
            super().on_response_output_item_added(event)


class CorrectsPlaying(ReferenceClient):
    """Leaves a message in the conversation that was cut before its turn to be played came."""

    def correct(self, reply: Reply, message: Message) -> None:
        """Correct what the speaker had."""
        if message.ended:
            super().correct(reply, message)


# tools


class AnswersTwice(ReferenceClient):
    """Sends outputs when it has them, and those it has once more when the response is done."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.outputs: dict[str, str] = {}

    def answer(self, reply: Reply, call_id: str, output: str) -> None:
        """Keep the output."""
        self.outputs[call_id] = output
        super().answer(reply, call_id, output)

    def on_response_done(self, event: Wire) -> None:
        """Answer the calls of the response."""
        super().on_response_done(event)
        for item in event["response"]["output"]:
            if item.get("call_id") in self.outputs:
                output = self.outputs.pop(item["call_id"])
                body = {"type": "function_call_output", "call_id": item["call_id"]}
                self.send("conversation.item.create", item={**body, "output": output})


class RunsCut(ReferenceClient):
    """Runs a call as soon as its item is closed, complete or not."""

    def on_response_output_item_done(self, event: Wire) -> None:
        """Do not look at the status."""
        super().on_response_output_item_done(event)
        item = event["item"]
        if item["type"] == "function_call" and item["status"] != "completed":
            self.take(self.replies[event["response_id"]], item)


class ReadsCut(ReferenceClient):
    """Reads the arguments of every call, though those of one that was cut are no JSON."""

    def on_response_function_call_arguments_done(self, event: Wire) -> None:
        """Read them when they are said to be done."""
        json.loads(event["arguments"])


class RunsInterrupted(ReferenceClient):
    """Runs a function that the user has interrupted before it began."""

    def on_response_output_item_done(self, event: Wire) -> None:
        """Do not ask whether anybody waits for it."""
        reply = self.replies[event["response_id"]]
        interrupted, reply.interrupted = reply.interrupted, False
        super().on_response_output_item_done(event)
        reply.interrupted = interrupted


class IgnoresUnknown(ReferenceClient):
    """Never answers the call of a function that there is not."""

    def answer(self, reply: Reply, call_id: str, output: str) -> None:
        """Answer what was run."""
        if not output.startswith("unknown function"):
            super().answer(reply, call_id, output)


class FollowsEach(ReferenceClient):
    """Asks for a reply to each output by itself."""

    def follow(self, reply: Reply) -> None:
        """Do not wait for the others."""
        if reply.answered and not reply.interrupted:
            self.generate_reply()


class FollowsInterrupted(ReferenceClient):
    """Asks for the reply to an output though the user has interrupted meanwhile."""

    def follow(self, reply: Reply) -> None:
        """Do not ask whether anybody waits for it."""
        interrupted, reply.interrupted = reply.interrupted, False
        super().follow(reply)
        reply.interrupted = interrupted


# turns and races


class AnswersBargeIn(ReferenceClient):
    """Asks for the answer to a barge-in, which the server gives by itself."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.barged = False

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """Note that something was interrupted."""
        self.barged = any(reply.is_going_on for reply in self.replies.values())
        super().on_input_audio_buffer_speech_started(event)

    def on_input_audio_buffer_committed(self, event: Wire) -> None:
        """Answer the interruption."""
        super().on_input_audio_buffer_committed(event)
        if self.barged:
            self.barged = False
            self.send("response.create")


class ExpectsTranscript(ReferenceClient):
    """Takes it for granted that what the user says can be transcribed."""

    def on_conversation_item_input_audio_transcription_failed(self, event: Wire) -> None:
        """Read what is not there."""
        self.on_conversation_item_input_audio_transcription_completed(event)


class ExpectsSpeech(ReferenceClient):
    """Takes it for granted that a turn that is committed was spoken."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.spoken: set[str] = set()

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """Note which turn it is."""
        self.spoken.add(event["item_id"])
        super().on_input_audio_buffer_speech_started(event)

    def on_input_audio_buffer_committed(self, event: Wire) -> None:
        """Forget it, though an idle timeout commits a turn that nobody spoke."""
        self.spoken.remove(event["item_id"])
        super().on_input_audio_buffer_committed(event)


class CutsKeptOn(ReferenceClient):
    """Cancels on every barge-in, though it was told that speech is not to interrupt."""

    def on_input_audio_buffer_speech_started(self, event: Wire) -> None:
        """Do not look at the setting."""
        self.cut_short()


class CommitsAtInterrupt(ReferenceClient):
    """Commits what was said so far when it is interrupted, though nothing was."""

    def interrupt(self) -> None:
        """Begin a turn afresh."""
        super().interrupt()
        self.send("input_audio_buffer.commit")


class CommitsCleared(ReferenceClient):
    """Commits a turn that it has cleared just before."""

    def clear_user_turn(self) -> None:
        """Do not count anew."""
        self.send("input_audio_buffer.clear")


class AsksWhileActive(ReferenceClient):
    """Asks for a reply at once, though a response is active."""

    def generate_reply_again(self) -> None:
        """Do not wait."""
        self.request(Reply(request="request_again"))


class RetriesAtOnce(ReferenceClient):
    """Repeats a request that was rejected for another response, though that one is still there."""

    def on_error(self, event: Wire) -> None:
        """Try again."""
        requested = self.requested
        super().on_error(event)
        if requested is not None and self.requested is None:
            self.request(requested)


class CancelsStale(ReferenceClient):
    """Takes a response for the current one only once it has said something."""

    current = ""

    def on_response_output_item_added(self, event: Wire) -> None:
        """Note which response is current."""
        super().on_response_output_item_added(event)
        self.current = event["response_id"]

    def cancel(self, reply: Reply) -> None:
        """Name the current response, if there is one."""
        if reply.active and not reply.cancelled:
            reply.cancelled = True
            self.send("response.cancel", response_id=self.current or reply.response)


class DropsRequest(ReferenceClient):
    """Drops a request of the app that comes while a response is active."""

    def generate_reply_again(self) -> None:
        """There is a reply already."""
        if not self.is_occupied():
            self.generate_reply()


class DeletesAside(SummarizingClient):
    """Interrupted, cleans up after its summary too, which never was in the conversation."""

    interrupted = False

    def interrupt(self) -> None:
        """Note that there is something to clean up."""
        super().interrupt()
        self.interrupted = True

    def on_response_done(self, event: Wire) -> None:
        """Delete whatever the response has said."""
        super().on_response_done(event)
        response = event["response"]
        if self.interrupted and "purpose" in (response["metadata"] or {}):
            for item in response["output"]:
                self.delete(item["id"])


# what the app changes


class MisplacesSpeed(ReferenceClient):
    """Changes how fast the agent speaks where the beta protocol had it."""

    def update_options(self) -> None:
        """Name a key that the session has not."""
        self.speed = 1.2
        self.update(speed=self.speed)


class ForgetsInstructions(ReferenceClient):
    """Puts a change of the instructions off while a response is active, and forgets it."""

    def update_instructions(self) -> None:
        """Change what is quiet."""
        if not self.is_occupied():
            super().update_instructions()


class ForgetsContext(ReferenceClient):
    """Drops what is added to the context while a response is active."""

    def update_chat_ctx(self) -> None:
        """Add to what is quiet."""
        if not self.is_occupied():
            super().update_chat_ctx()


class DeletesRunning(ReferenceClient):
    """Takes for the conversation what the app has of it, in which a call is only once answered."""

    def update_chat_ctx(self) -> None:
        """Delete what the app does not know, and add its message."""
        answered = {e.item["call_id"] for e in self.entries if "output" in e.item}
        for entry in self.entries:
            if entry.item["type"] == "function_call" and entry.item["call_id"] not in answered:
                self.delete(entry.id)
        super().update_chat_ctx()


class NamesDeleted(ReferenceClient):
    """Adds an item behind the newest one of the user, though that may be deleted."""

    newest = "root"

    def on_conversation_item_added(self, event: Wire) -> None:
        """Note which is the newest."""
        super().on_conversation_item_added(event)
        if event["item"].get("role") == "user":
            self.newest = event["item"]["id"]

    def put(self, entry: Entry) -> None:
        """Say where it belongs."""
        body = {"previous_item_id": self.newest, "item": entry.again()}
        self.send("conversation.item.create", event_id=entry.id, **body)


class DeletesRefused(ReferenceClient):
    """Takes an item for created that was refused, and deletes it when the app removes it."""

    def on_error(self, event: Wire) -> None:
        """Ignore what is refused."""

    def create(self, entry: Entry) -> None:
        """Take it for listed."""
        entry.listed = True
        super().create(entry)


class ChangesVoice(ReferenceClient):
    """Gives the next agent a voice of its own, though the one before has spoken."""

    def hand_over(self) -> None:
        """Send everything that the next agent has."""
        self.update(instructions="Be polite.", audio={"output": {"voice": "cedar"}})


class ClearsAtHandOver(ReferenceClient):
    """Lets the next agent begin at once, so the last words of the one before are not heard."""

    def hand_over(self) -> None:
        """Cut what is played."""
        super().hand_over()
        if self.segments:
            self.silence()


class PlaysAfterClose(ReferenceClient):
    """Leaves the speaker alone when it is closed, so the user hears the rest."""

    closing = False

    async def close(self) -> None:
        """Only close the connection."""
        self.closing = True
        await super().close()

    def silence(self) -> None:
        """Cut what is interrupted."""
        if not self.closing:
            super().silence()


class ReconnectsAfterClose(ReferenceClient):
    """Takes the end of its own connection for a drop."""

    async def close(self) -> None:
        """Give the connection a moment to end, which is long enough to open another."""
        if self.segments:
            self.silence()
        self.hang_up()
        await asyncio.sleep(RETRY_SECONDS)
        await super().close()


# pauses


class StaysPaused(ReferenceClient):
    """Holds playout on a possible interruption, and forgets it once that turns out to be one."""

    def on_input_audio_buffer_committed(self, event: Wire) -> None:
        """Nothing is in doubt any more."""
        self.be_sure()
        super().on_input_audio_buffer_committed(event)


class ResumesInterrupted(ReferenceClient):
    """Lets playout go on when the user has ended, though it was no false interruption."""

    def on_input_audio_buffer_committed(self, event: Wire) -> None:
        """Go on."""
        self.resume()
        super().on_input_audio_buffer_committed(event)


# connections


class GivesUp(ReferenceClient):
    """Never tries again after a handshake that was refused."""

    async def live(self) -> None:
        """Connect, as long as that works."""
        while not self.over:
            await self.serve()
            self.over = self.over or not self.tried

    tried = False

    def connected(self) -> None:
        """Note that it worked."""
        self.tried = True
        super().connected()


class RepeatsRequest(ReferenceClient):
    """Asks again on a new connection for the reply that was asked for on the last."""

    lost: Reply | None = None

    def disconnected(self) -> None:
        """Keep the request."""
        self.lost = self.requested
        super().disconnected()

    def connected(self) -> None:
        """Repeat it."""
        super().connected()
        if self.lost is not None:
            self.request(self.lost)


class ReplaysTwice(ReferenceClient):
    """Puts the conversation back when connected, and again when told of the session."""

    sessions = 0

    def on_session_created(self, event: Wire) -> None:
        """Make sure that the new session has everything."""
        self.sessions += 1
        if self.sessions > 1:
            self.replay()


class ReplaysBackwards(ReferenceClient):
    """Puts the newest item back first."""

    def replay(self) -> None:
        """Begin at the end."""
        for entry in reversed(self.entries):
            self.put(entry)


class ReplaysLate(ReferenceClient):
    """Puts the conversation back once something new is said, and so behind that."""

    owed = False

    def replay(self) -> None:
        """Wait for something to go on from."""
        self.owed = bool(self.entries)

    def on_conversation_item_added(self, event: Wire) -> None:
        """Now it is needed."""
        super().on_conversation_item_added(event)
        if self.owed:
            self.owed = False
            for entry in self.entries:
                if not entry.listed:
                    self.put(entry)


class ChainsBackwards(ReferenceClient):
    """Puts the newest item back first, each behind one that is not there yet."""

    def replay(self) -> None:
        """Begin at the end."""
        places = ["root", *(entry.id for entry in self.entries)]
        for before, entry in reversed(list(zip(places, self.entries, strict=False))):
            item = entry.again()
            self.send("conversation.item.create", previous_item_id=before, item=item)


class KeepsQueue(ReferenceClient):
    """Cuts what is played when the connection is lost, and sends later what it could not send."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.kept: list[tuple[str, Wire]] = []

    def send(self, event: str, **body: Any) -> None:
        """Keep what cannot be sent."""
        if self.socket is None:
            self.kept.append((event, body))
        super().send(event, **body)

    def disconnected(self) -> None:
        """Take the loss for an interruption."""
        self.socket = None
        self.cut_short()
        super().disconnected()

    def connected(self) -> None:
        """Send what was kept."""
        super().connected()
        kept, self.kept = self.kept, []
        for event, body in kept:
            self.send(event, **body)


class TruncatesLost(ReferenceClient):
    """Cuts the message of a lost reply, and corrects it in a conversation that lacks it."""

    def lose_message(self, message: Message) -> None:
        """Do not put back what was interrupted; go on as if it were there."""
        self.drop(message.item)
        message.listed, message.again = True, False

    def lose(self, reply: Reply) -> None:
        """Stop what is played."""
        lost = reply.active
        super().lose(reply)
        if lost and self.segments:
            self.silence()


class DeletesLost(ReferenceClient):
    """Deletes the messages of a lost reply that nobody heard, though they are lost as well."""

    def __init__(self, seams: Seams) -> None:
        super().__init__(seams)
        self.unheard: list[str] = []

    def lose_message(self, message: Message) -> None:
        """Note what is to be deleted."""
        if not message.playing and not message.heard_ms:
            self.unheard.append(message.item)
        super().lose_message(message)

    def connected(self) -> None:
        """Tidy up."""
        super().connected()
        for item in self.unheard:
            self.delete(item)
        self.unheard.clear()


class CancelsExpired(ReferenceClient):
    """Takes the end of a session for an interruption, and cancels on what is about to close."""

    def on_error(self, event: Wire) -> None:
        """Cut what is going on, then connect anew."""
        if event["error"]["code"] == "session_expired":
            self.cut_short()
            return
        super().on_error(event)


class ReconnectsForEver(ReferenceClient):
    """Connects again after an error that says that no session is to be had."""

    def on_error(self, event: Wire) -> None:
        """Take every end for a drop."""
        super().on_error(event)
        self.over = False


class ConfiguresOnce(ReferenceClient):
    """Configures the first session alone."""

    configured = False

    def configure(self) -> None:
        """Do it once."""
        if not self.configured:
            super().configure()
        self.configured = True
