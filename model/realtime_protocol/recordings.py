"""Recorded sessions: what was seen on one wire, read from a file, and said in GA words.

`read` takes a file in one of three forms, recognised by its first line:

- `recorded`: `{"dir": "server" or "client", "t": milliseconds or null, "event": {...}}` a line.
  Consecutive appends may stand as one line whose event has `_count`; a line `{"_gap": "..."}` says
  that client lines were left out there.
- `wire`: one event object a line; its type tells who sent it.
- `hooks`: what livekit's session hands out, a line as `{"openai_server_event_received": {...}}`,
  as `{"name": "openai_client_event_queued", "event": {...}}`, or as a list of hook and event.
  An event of the client is queued before it is sent, so it may stand too early.

`translate` says a recording of another dialect in GA words. What differs beyond words is the
dialect's `assumptions`: names of what an acceptor must take for granted there.

Laws:
- What cannot be read is a `BadRecording` of one line with file, line, what was expected and what
  came; nothing else escapes.
- What is read is what was recorded: no line is invented, reordered or completed, and `parse` gives
  back what `dumped` wrote, but for the numbers of lines that stood behind empty ones.
- `translate` is pure and keeps order and line numbers; what it takes out stands in `set_aside`.
  It knows names and shapes only: an order is never mended.
- An event that the dialect does not know is left as it is, for the acceptor to refuse by name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NoReturn, Protocol

import attrs

Direction = Literal["server", "client"]
Starts = Literal["from session.created", "later"]
Event = Mapping[str, Any]

CLIENT_EVENTS = frozenset(
    {
        "session.update",
        "transcription_session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "output_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
    }
)
"""What a client can send, by wire name; every other event of a wire log is the server's."""

HOOKS: Mapping[str, Direction] = MappingProxyType(
    {"openai_server_event_received": "server", "openai_client_event_queued": "client"}
)
"""livekit's hooks, and whose events each gives."""

LATEST = 1e18
"""No time in milliseconds is as large as this."""

SHOWN = 60
"""How many characters of what came an error shows."""


class BadRecording(ValueError):
    """A recording that cannot be read: file, line, what was expected and what came."""


class FilePath(Protocol):
    """A path object, such as `pathlib.Path`."""

    def __fspath__(self) -> str: ...


@attrs.frozen
class Line:
    """One line: who sent the event, when if that is known, and the event as it was recorded.

    `number` is the line of the file, from 1.
    `count` is how many events of this kind the line stands for.
    `gap` marks a line that stands for client lines that were not recorded; its event has no type
    and holds the recorder's remark under `_gap`.
    """

    number: int
    direction: Direction
    time_ms: float | None
    event: Event
    count: int = 1
    gap: bool = False

    @property
    def type(self) -> str:
        """The wire name of the event; empty for a gap."""
        return str(self.event.get("type", ""))


@attrs.frozen
class Recording:
    """What was recorded of one session.

    `dialect` is the one that the recording has been translated from.
    `set_aside` are the lines of that dialect's own events, which GA has no word for.
    """

    name: str
    lines: tuple[Line, ...]
    dialect: str = "ga"
    set_aside: tuple[Line, ...] = ()

    @property
    def server(self) -> tuple[Line, ...]:
        """The server's lines."""
        return tuple(line for line in self.lines if line.direction == "server")

    @property
    def starts(self) -> Starts:
        """Whether the server's side is there from its first event on."""
        first = next(iter(self.server), None)
        created = first is not None and first.type == "session.created"
        return "from session.created" if created else "later"

    @property
    def has_client(self) -> bool:
        """Whether the client's side was recorded."""
        return any(line.direction == "client" and not line.gap for line in self.lines)

    @property
    def extent(self) -> str:
        """In one line what there is: where it starts, and how many events of each side."""
        server = sum(line.count for line in self.server)
        gaps = sum(line.gap for line in self.lines)
        client = sum(line.count for line in self.lines) - server - gaps
        sent = f"{client} client events" if self.has_client else "no client side"
        return f"{self.starts}, {server} server events, {sent}" + (f", {gaps} gaps" if gaps else "")


# -- reading ----------------------------------------------------------------------------------


def read(path: str | FilePath, form: str | None = None) -> Recording:
    """The recording in a file, named after it; `form` overrides what its first line says.

    Raises:
        BadRecording: the file cannot be opened, is not UTF-8 or JSON, or a line has another shape.
    """
    shown = str(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadRecording(
            f"{_one_line(shown)}: expected a readable file, got: {reason}"
        ) from error
    last = shown.replace("\\", "/").rpartition("/")[2]
    return attrs.evolve(parse(data, shown, form), name=last.rpartition(".")[0] or last)


def parse(data: bytes, name: str, form: str | None = None) -> Recording:
    """The recording in the contents of a file; `name` names it, in errors too.

    Raises:
        BadRecording: the data is not UTF-8 or JSON, or a line has another shape.
    """
    if form is not None and form not in FORMS:
        raise BadRecording(
            f"{_one_line(name)}: expected one of the forms {', '.join(FORMS)}, got {form!r}"
        )
    # not splitlines: JSON text may hold U+2028 and its like
    texts = [(_At(name, n), t) for n, t in enumerate(_text(data, name).split("\n"), 1)]
    values = [(at, _value(text, at)) for at, text in texts if text.strip()]
    events = [(at, value) for at, value in values if not _is_gap(value)]
    if not events:
        raise _At(name, 1).bad("an event a line", "a file without any")
    line_of = FORMS[form or _recognised(*events[0])]
    return Recording(name, tuple(_gap(v, at) if _is_gap(v) else line_of(v, at) for at, v in values))


def dumped(recording: Recording) -> str:
    """The lines in the form `recorded`, one a line; what was set aside is not among them."""
    return "".join(f"{json.dumps(_recorded_value(line))}\n" for line in recording.lines)


def _recorded_value(line: Line) -> Event:
    if line.gap:
        return line.event
    event = line.event if line.count == 1 else {**line.event, "_count": line.count}
    return {"dir": line.direction, "t": line.time_ms, "event": event}


@attrs.frozen
class _At:
    """A place in a file, for errors."""

    name: str
    number: int

    def bad(self, expected: str, got: str) -> BadRecording:
        place = f"{_one_line(self.name)}, line {self.number}"
        return BadRecording(f"{place}: expected {expected}, got {got}")


def _one_line(name: str) -> str:
    return name if name.isprintable() else ascii(name)


def _text(data: bytes, name: str) -> str:
    try:
        # a byte order mark is no part of the first line
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # positions count from behind the mark
        bad = error.object[error.start : error.start + 1]
        at = _At(name, error.object[: error.start].count(b"\n") + 1)
        raise at.bad("UTF-8", f"the byte 0x{bad.hex()}") from error


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text)


def _value(text: str, at: _At) -> object:
    try:
        value: object = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise at.bad("JSON", f"{_cut(text)}: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise at.bad("JSON", f"{_cut(text)}: {error}") from error
    return value


def _cut(text: str) -> str:
    """A text on one line and not longer than is useful."""
    line = ascii(text.strip())[1:-1]
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


def _shown(value: object) -> str:
    """What came: a plain value, or what an object or list holds."""
    if isinstance(value, dict):
        return _cut(f"an object with {', '.join(value) or 'nothing'}")
    return f"a list of {len(value)}" if isinstance(value, list) else _cut(json.dumps(value))


def _recognised(at: _At, value: object) -> str:
    """The form of a file whose first event stands in this line."""
    if isinstance(value, list):
        return "hooks"
    if isinstance(value, dict):
        for form, keys in (("recorded", {"dir"}), ("wire", {"type"}), ("hooks", {"name", *HOOKS})):
            if keys & value.keys():
                return form
    raise at.bad('an object with "dir", with "type", or with the name of a hook', _shown(value))


def _is_gap(value: object) -> bool:
    return isinstance(value, dict) and "_gap" in value


def _gap(value: object, at: _At) -> Line:
    remark = _object(value, at, "a gap")["_gap"]
    if not isinstance(remark, str):
        raise at.bad("a remark as _gap", _shown(remark))
    return Line(at.number, "client", None, {"_gap": remark}, gap=True)


def _recorded(value: object, at: _At) -> Line:
    fields = _object(value, at, 'an object with "dir", "t" and "event"')
    direction = fields.get("dir")
    if direction not in ("server", "client"):
        raise at.bad('"server" or "client" as dir', _shown(direction))
    return _line(at, direction, fields.get("t"), fields.get("event"))


def _wire(value: object, at: _At) -> Line:
    line = _line(at, "server", None, value)
    return attrs.evolve(line, direction="client") if line.type in CLIENT_EVENTS else line


def _hooked(value: object, at: _At) -> Line:
    if isinstance(value, list):
        if len(value) != 2:
            raise at.bad("a hook and its event", _shown(value))
        hook, event, time = value[0], value[1], None
    else:
        fields = _object(value, at, "a hook and its event")
        hook = fields.get("name") or next((key for key in fields if key in HOOKS), None)
        event, time = fields.get("event" if "name" in fields else str(hook)), fields.get("t")
    if not isinstance(hook, str) or hook not in HOOKS:
        raise at.bad(f"one of the hooks {', '.join(HOOKS)}", _shown(hook))
    return _line(at, HOOKS[hook], time, event)


FORMS: Mapping[str, Callable[[object, _At], Line]] = MappingProxyType(
    {"recorded": _recorded, "wire": _wire, "hooks": _hooked}
)
"""What reads a line of each form."""


def _line(at: _At, direction: Direction, time: object, event: object) -> Line:
    fields = dict(_object(event, at, "an event object"))
    if not isinstance(fields.get("type"), str) or not fields["type"]:
        raise at.bad("a text as type of the event", _shown(fields.get("type")))
    count = fields.pop("_count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise at.bad("a number of events from 1 on as _count", _shown(count))
    return Line(at.number, direction, _time(time, at), fields, count)


def _object(value: object, at: _At, expected: str) -> Event:
    if not isinstance(value, dict):
        raise at.bad(expected, _shown(value))
    return value


def _time(value: object, at: _At) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LATEST:
        return float(value)
    raise at.bad("milliseconds or null as t", _shown(value))


# -- dialects ---------------------------------------------------------------------------------

ASSUMPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "no_session_created": "The server's first event is not session.created.",
        "no_item_done": "conversation.item.done is never sent.",
        "item_done_for_input_audio_only": "conversation.item.done is sent for an item made from "
        "the input buffer, and for no other.",
        "rate_limits_after_created": "rate_limits.updated comes directly after response.created; "
        "it is still absent from a response that is cut before any output.",
        "no_audio_deltas": "Audio goes another way: response.output_audio.delta is never sent, "
        "response.output_audio.done is.",
        "output_audio_buffer": "output_audio_buffer.started comes after an audio part was added "
        "and at least one transcript delta; output_audio_buffer.stopped after response.done, and "
        "after rate_limits.updated where there is one.",
        "part_done_without_text": "content_part.done of a text message has an empty text.",
        "conversation_created": "conversation.created follows session.created, before "
        "session.updated.",
        "items_replayed": "Items of an earlier session enter the conversation unasked, completed, "
        "before session.updated.",
        "item_at_speech_started": "A spoken item enters the conversation directly after "
        "speech_started, in progress, and not after committed.",
        "transcription_repeats": "Input transcription has no deltas; completed comes several times "
        "for one item, from speech_started on, with what is known so far.",
        "response_before_commit": "The response of a spoken turn may be created before "
        "speech_stopped and committed; its first item opens after both.",
        "transcript_closed_first": "An audio message closes as output_audio_transcript.done, "
        "content_part.done, output_audio.done, output_item.done.",
        "items_one_by_one": "An item is closed before the next one of its response is opened, and "
        "each has output_index 0.",
        "cut_without_closing": "A response cut by speech gets response.done, completed and without "
        "what was open, before speech_started; what was open is never closed and leaves the "
        "conversation.",
        "previous_item_id_unreliable": "conversation.item.added of a function call and of its "
        "output has previous_item_id null; events that place no item have the field too.",
        "contents_left_out": "output_item.added and output_item.done of a message may have no "
        "content, content_part.done no part, deltas of arguments no output_index.",
        "bare_responses": "response.created and response.done have no conversation_id, a text as "
        "status_details, and response.done has its usage and response_id beside the response.",
    }
)
"""What a dialect may take for granted against GA; the name is what the acceptor switches."""

BETA_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "conversation.item.created": "conversation.item.added",
        "response.text.delta": "response.output_text.delta",
        "response.text.done": "response.output_text.done",
        "response.audio.delta": "response.output_audio.delta",
        "response.audio.done": "response.output_audio.done",
        "response.audio_transcript.delta": "response.output_audio_transcript.delta",
        "response.audio_transcript.done": "response.output_audio_transcript.done",
        "transcription_session.update": "session.update",
        "transcription_session.created": "session.created",
        "transcription_session.updated": "session.updated",
    }
)
"""Facts 1.2; GA configures a transcription session by `session.update` too."""

BETA_CONTENTS: Mapping[str, str] = MappingProxyType(
    {"audio": "output_audio", "text": "output_text"}
)
"""Content types of the assistant's items; those of user and system have one name only."""

FLAT_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "modalities": "output_modalities",
        "max_response_output_tokens": "max_output_tokens",
        "turn_detection": "audio.input.turn_detection",
        "input_audio_format": "audio.input.format",
        "input_audio_noise_reduction": "audio.input.noise_reduction",
        "input_audio_transcription": "audio.input.transcription",
        "output_audio_format": "audio.output.format",
        "speed": "audio.output.speed",
        "voice": "audio.output.voice",
    }
)
"""Fields that GA has elsewhere; a value keeps its form, so a format stays `pcm16`."""


@attrs.frozen(kw_only=True)
class Dialect:
    """A named variant of the server: how its words become GA words, and what differs beyond them.

    `rename` is wire name to GA name.
    `drop` are events of its own, without a GA counterpart.
    `contents` is content type to GA content type, inside of items; the `part` of a content part
    event has the short type in GA too, and stays.
    `fields` is the name of a field of a `session` or `response` object to its path in GA.
    `surplus` are fields that GA has in messages only, and the dialect in other items too.
    `assumptions` are names from `ASSUMPTIONS`.
    """

    name: str
    about: str
    source: str
    rename: Mapping[str, str] = MappingProxyType({})
    drop: frozenset[str] = frozenset()
    contents: Mapping[str, str] = MappingProxyType({})
    fields: Mapping[str, str] = MappingProxyType({})
    surplus: frozenset[str] = frozenset()
    assumptions: tuple[str, ...] = ()


DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            Dialect(
                name="ga",
                about="OpenAI and Azure OpenAI under GA names.",
                source="facts 1 and 2; the recordings named GA, of OpenAI and Azure OpenAI",
            ),
            Dialect(
                name="beta",
                about="OpenAI before GA, over WebSocket.",
                source="recordings feb2026 (2) and liusida; rate limits: semantic-kernel, facts "
                "2.3; transcription_session: SDK types of the beta (not recorded)",
                rename=BETA_NAMES,
                contents=BETA_CONTENTS,
                fields=FLAT_FIELDS,
                assumptions=("no_item_done", "rate_limits_after_created"),
            ),
            Dialect(
                name="beta-webrtc",
                about="OpenAI before GA, with the audio on WebRTC.",
                source="recording semantic-kernel",
                rename=BETA_NAMES,
                contents=BETA_CONTENTS,
                fields=FLAT_FIELDS,
                assumptions=(
                    "no_item_done",
                    "rate_limits_after_created",
                    "no_audio_deltas",
                    "output_audio_buffer",
                ),
            ),
            Dialect(
                name="webrtc-sideband",
                about="The WebSocket beside a WebRTC call, OpenAI or Azure OpenAI, GA names.",
                source="facts 2.6; recordings openai_ws_sideband and azure_ws_sideband",
                assumptions=("no_session_created", "no_audio_deltas", "output_audio_buffer"),
            ),
            Dialect(
                name="azure-voice-live",
                about="Azure AI Voice Live: beta names and flat sessions.",
                source="facts 1.2; recordings azure_voice_live_ws (2) and azure_ws 87a4313",
                rename=BETA_NAMES,
                contents=BETA_CONTENTS,
                fields=FLAT_FIELDS,
                assumptions=("item_done_for_input_audio_only", "part_done_without_text"),
            ),
            Dialect(
                name="xai",
                about="xAI Grok Voice: GA names, flat sessions, orders of its own.",
                source="the 7 recordings of xai; INDEX finding 11; facts 6, 7.1",
                drop=frozenset({"ping", "conversation.item.input_audio_transcription.updated"}),
                contents=BETA_CONTENTS,
                fields=FLAT_FIELDS,
                surplus=frozenset({"role"}),
                assumptions=(
                    "no_item_done",
                    "conversation_created",
                    "items_replayed",
                    "item_at_speech_started",
                    "transcription_repeats",
                    "response_before_commit",
                    "transcript_closed_first",
                    "items_one_by_one",
                    "cut_without_closing",
                    "previous_item_id_unreliable",
                    "contents_left_out",
                    "bare_responses",
                ),
            ),
        )
    }
)


def translate(recording: Recording, dialect: str) -> Recording:
    """The recording in GA words; `ga` gives it back as it is.

    Raises:
        ValueError: a dialect that is not known.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"unknown dialect {dialect!r}; expected one of {', '.join(DIALECTS)}")
    words = DIALECTS[dialect]
    kept = (line for line in recording.lines if line.type not in words.drop)
    dropped = tuple(line for line in recording.lines if line.type in words.drop)
    return attrs.evolve(
        recording,
        lines=tuple(attrs.evolve(line, event=_event(line.event, words)) for line in kept),
        dialect=dialect,
        set_aside=recording.set_aside + dropped,
    )


def _event(event: Event, words: Dialect) -> Event:
    """An event in GA words; objects that have another shape than expected are left alone."""
    said = {**event}
    if event.get("type") in words.rename:
        said["type"] = words.rename[event["type"]]
    if isinstance(event.get("item"), Mapping):
        said["item"] = _item(event["item"], words)
    for name in ("session", "response"):
        if isinstance(event.get(name), Mapping):
            said[name] = _settings(event[name], words)
    return said


def _item(item: object, words: Dialect) -> object:
    if not isinstance(item, Mapping):
        return item
    message = item.get("type") == "message"
    said = {name: value for name, value in item.items() if message or name not in words.surplus}
    if isinstance(said.get("content"), list):
        said["content"] = [_content(content, words) for content in said["content"]]
    return said


def _content(content: object, words: Dialect) -> object:
    if not isinstance(content, Mapping):
        return content
    # compared, not looked up: what stands as a type may be anything
    longer = [name for short, name in words.contents.items() if content.get("type") == short]
    return {**content, "type": longer[0]} if longer else content


def _settings(flat: Event, words: Dialect) -> Event:
    """A `session` or `response` object; of a field in both forms the GA one is kept."""
    said = {name: value for name, value in flat.items() if name not in words.fields}
    for name, path in words.fields.items():
        if name in flat:
            said = _placed(said, path.split("."), _modalities(path, flat[name]))
    for name in ("output", "input"):
        if isinstance(said.get(name), list):
            said[name] = [_item(item, words) for item in said[name]]
    return said


def _modalities(path: str, value: object) -> object:
    """GA names audio alone where a flat session says audio and text; other values stay."""
    both = path == "output_modalities" and isinstance(value, list) and "audio" in value
    return ["audio"] if both else value


def _placed(tree: Event, path: Sequence[str], value: object) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {head: value, **tree}
    inner = tree.get(head)
    return {**tree, head: _placed(inner if isinstance(inner, Mapping) else {}, rest, value)}
