"""The reference server: the server half of the model, speaking the wire format.

Laws:
- It decides nothing: which event comes next is a rule that somebody chose; this module only
  spells it out, from the state and from the ids that it hands out.
- Every event validates against the types of the `openai` package, which a test checks.
- Ids are counted, so the same steps give the same bytes.
"""

from __future__ import annotations

import base64
import functools
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from realtime_conformance.speaker import SAMPLE_RATE
from realtime_protocol.bounds import UNIT_MS
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.vocabulary import ERRORS, EVENTS

Wire = dict[str, Any]

WORDS = ("Certainly", " here", " is", " what", " you", " asked", " for", " today")


@attrs.define
class ReferenceServer:
    """Spells server steps as wire events; one instance for each run."""

    machine: Machine
    beta: bool = False
    inbox: deque[Wire] = attrs.field(factory=deque)
    """The client's messages as they came, in step with the inbox of the state."""
    responses: int = 0
    user_items: int = 0
    conversation: list[str] = attrs.field(factory=list)
    """Item ids in order; deleted ones are taken out."""
    _events: int = 0
    _metadata: Any = None
    _now_ms: int = 0

    @property
    def response_id(self) -> str:
        """Id of the newest response."""
        return f"resp_{self.responses}"

    @property
    def reply_id(self) -> str:
        """Id of the message of the newest response."""
        return f"item_reply_{self.responses}"

    @property
    def user_id(self) -> str:
        """Id of the newest user item, announced by speech_started."""
        return f"item_user_{self.user_items}"

    def spell(self, rule: Rule, before: State, after: State, now: float) -> str | None:
        """The wire form of a step of the server, or of the user's speech; None if it has none.

        Takes the message that the step reads from the inbox. `now` is in seconds.
        """
        message = self.inbox.popleft() if rule.reads else None
        if rule.reads == "response.create" and message is not None:
            self._metadata = (message.get("response") or {}).get("metadata")
        if rule.event not in EVENTS:
            return None
        self._now_ms = round(now * 1000)
        self._events += 1
        body = SPELLINGS[rule.event](self, _Moment(self, rule, before, after, message))
        event = {"type": rule.event, "event_id": f"event_{self._events}", **body}
        if self.beta:
            translated = to_beta(event)
            return None if translated is None else json.dumps(translated)
        return json.dumps(event)


@attrs.define
class _Moment:
    """What a spelling may look at."""

    server: ReferenceServer
    rule: Rule
    before: State
    after: State
    message: Wire | None

    def value(self, field: str, state: State | None = None) -> int:
        """A field of the state after the step, or of another one."""
        found = (self.after if state is None else state)[self.server.machine.at[field]]
        assert isinstance(found, int)
        return found

    @property
    def status(self) -> str:
        """Status of the item: in progress, completed or incomplete."""
        return ("in_progress", "completed", "incomplete", "incomplete")[self.value("ending")]

    @property
    def transcript(self) -> str:
        """What was said so far."""
        return "".join(WORDS[n % len(WORDS)] for n in range(self.value("transcript")))

    @property
    def address(self) -> Wire:
        """Where a delta or a part belongs."""
        return {
            "response_id": self.server.response_id,
            "item_id": self.server.reply_id,
            "output_index": 0,
            "content_index": 0,
        }

    def reply(self) -> Wire:
        """The message as an item."""
        status = self.status
        part = {"type": "output_audio", "transcript": self.transcript}
        return {
            "id": self.server.reply_id,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [] if status == "in_progress" or not self.value("output") else [part],
        }

    def previous(self, item: str) -> str | None:
        """The item that stands before `item` in the conversation."""
        position = self.server.conversation.index(item)
        return self.server.conversation[position - 1] if position else None


@functools.cache
def encoded_audio(units: int) -> str:
    """Audio of so many units as it is on the wire: silence, 16 bit mono PCM in base64."""
    return base64.b64encode(b"\0" * (2 * SAMPLE_RATE * units * UNIT_MS // 1000)).decode()


def _session(_: ReferenceServer, moment: _Moment) -> Wire:
    given = (moment.message or {}).get("session") or {}
    return {
        "session": {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_1",
            "model": "gpt-realtime",
            **{key: value for key, value in given.items() if value is not None},
        }
    }


def _speech_started(server: ReferenceServer, _: _Moment) -> Wire:
    server.user_items += 1
    return {"audio_start_ms": server._now_ms, "item_id": server.user_id}


def _speech_stopped(server: ReferenceServer, _: _Moment) -> Wire:
    return {"audio_end_ms": server._now_ms, "item_id": server.user_id}


def _committed(server: ReferenceServer, moment: _Moment) -> Wire:
    server.conversation.append(server.user_id)
    return {"item_id": server.user_id, "previous_item_id": moment.previous(server.user_id)}


def _user_item(server: ReferenceServer) -> Wire:
    return {
        "id": server.user_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }


def _item(server: ReferenceServer, moment: _Moment) -> Wire:
    if moment.rule.id.endswith(".user"):
        item = _user_item(server)
    else:
        item = moment.reply()
        if moment.rule.event == "conversation.item.added":
            server.conversation.append(server.reply_id)
    known = item["id"] in server.conversation
    previous = moment.previous(item["id"]) if known else None
    return {"previous_item_id": previous, "item": item}


def _response(server: ReferenceServer, moment: _Moment) -> Wire:
    ending = moment.value("ending")
    status = ("in_progress", "completed", "cancelled", "cancelled")[ending]
    reason = ("", "", "turn_detected", "client_cancelled")[ending]
    done = moment.rule.event == "response.done"
    return {
        "response": {
            "object": "realtime.response",
            "id": server.response_id,
            "status": status,
            "status_details": {"type": "cancelled", "reason": reason} if reason else None,
            "output": [moment.reply()] if done and moment.value("output") else [],
            "conversation_id": "conv_1",
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "usage": _USAGE if done else None,
            "metadata": server._metadata,
        }
    }


_USAGE: Wire = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}


def _created(server: ReferenceServer, moment: _Moment) -> Wire:
    server.responses += 1
    if moment.rule.id.endswith(".turn"):
        server._metadata = None
    return _response(server, moment)


def _output_item(server: ReferenceServer, moment: _Moment) -> Wire:
    return {"response_id": server.response_id, "output_index": 0, "item": moment.reply()}


def _part(_: ReferenceServer, moment: _Moment) -> Wire:
    part: Wire = {"type": "audio", "transcript": moment.transcript}
    return {**moment.address, "part": part}


def _transcript_delta(_: ReferenceServer, moment: _Moment) -> Wire:
    word = WORDS[(moment.value("transcript") - 1) % len(WORDS)]
    return {**moment.address, "delta": word}


def _audio_delta(server: ReferenceServer, moment: _Moment) -> Wire:
    return {**moment.address, "delta": encoded_audio(server.machine.bounds["DELTA"])}


def _audio_done(_: ReferenceServer, moment: _Moment) -> Wire:
    return moment.address


def _transcript_done(_: ReferenceServer, moment: _Moment) -> Wire:
    return {**moment.address, "transcript": moment.transcript}


def _truncated(_: ReferenceServer, moment: _Moment) -> Wire:
    message = moment.message or {}
    return {key: message[key] for key in ("item_id", "content_index", "audio_end_ms")}


def _deleted(server: ReferenceServer, moment: _Moment) -> Wire:
    item = (moment.message or {})["item_id"]
    if item in server.conversation:
        server.conversation.remove(item)
    return {"item_id": item}


def _error(server: ReferenceServer, moment: _Moment) -> Wire:
    entry = ERRORS[moment.rule.error]
    message = moment.message or {}
    length = moment.value("audio") * server.machine.bounds["DELTA"] * UNIT_MS
    text = entry.message.format(
        id=message.get("item_id"), has=length, asked=message.get("audio_end_ms")
    )
    return {
        "error": {
            "type": entry.type,
            "code": entry.code,
            "message": text,
            "param": None,
            "event_id": message.get("event_id"),
        }
    }


SPELLINGS: Mapping[str, Callable[[ReferenceServer, _Moment], Wire]] = {
    "session.created": _session,
    "session.updated": _session,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.committed": _committed,
    "conversation.item.added": _item,
    "conversation.item.done": _item,
    "conversation.item.truncated": _truncated,
    "conversation.item.deleted": _deleted,
    "response.created": _created,
    "response.output_item.added": _output_item,
    "response.content_part.added": _part,
    "response.output_audio_transcript.delta": _transcript_delta,
    "response.output_audio.delta": _audio_delta,
    "response.output_audio.done": _audio_done,
    "response.output_audio_transcript.done": _transcript_done,
    "response.content_part.done": _part,
    "response.output_item.done": _output_item,
    "response.done": _response,
    "error": _error,
}


def to_beta(event: Wire) -> Wire | None:
    """The beta form of a GA event; None where the beta protocol has no such event.

    Content types lose their prefix and names change as the vocabulary says; everything else is
    alike (facts 1.2).
    """
    name = EVENTS[event["type"]].beta
    if not name:
        return None
    text = json.dumps({**event, "type": name}).replace('"output_audio"', '"audio"')
    translated: Wire = json.loads(text.replace('"output_modalities"', '"modalities"'))
    return translated
