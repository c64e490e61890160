"""What each event says, as templates: the payload of every server step, read both ways.

The reference server fills a template in; the acceptor of recordings fits one to what was recorded.
A template is plain data whose leaves may be:

- `Id`: the id of a response, an item or a call, by slot; `new` where the event introduces it.
- `Say` and `Said`: one piece of text, and all of it so far; `Heard`: the same of what was heard.
- `Before`: the id of the item that stands before one in the conversation.
- `Called`: the name that a call gave to what it calls.
- `Echo`: what the client's message said at a path.
- `Wrong`: an error object of the catalogue.
- `Free`: anything; `Maybe`: what stands there if anything does.

Laws:
- A template follows from the rule and the states around it alone.
- Filling in and then fitting gives back the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.state import State
from realtime_protocol.vocabulary import EVENTS

Wire = dict[str, Any]
Kind = Literal["response", "item", "call"]


@attrs.frozen
class Id:
    """The id of the response, item or call in a slot; `instead` of one that was only announced."""

    kind: Kind
    slot: int
    new: bool = False
    instead: bool = False


@attrs.frozen
class Say:
    """Piece `number` of the text of part `part` of an item."""

    item: int
    part: int
    number: int


@attrs.frozen
class Said:
    """All pieces of the text of a part, as one; `alone` is the usual text if none was sent."""

    item: int
    part: int
    alone: str = ""


@attrs.frozen
class Heard:
    """One piece of the transcript of a user's item, or with `whole` all of it."""

    item: int
    whole: bool = False


@attrs.frozen
class Before:
    """The id of the item before `item`, or None; `final` where a recorded server leaves it out."""

    item: int
    final: bool = False


@attrs.frozen
class Echo:
    """What stands in the client's message at `key`; in the one that created `item`, if given."""

    key: str
    item: int | None = None


@attrs.frozen
class Called:
    """The name of what a call calls, the same in all of its events; `default` is the usual one."""

    item: int
    default: str


@attrs.frozen
class Wrong:
    """The error object of one of the catalogue's entries; the first is the usual one."""

    keys: tuple[str, ...]
    item: int | None = None


@attrs.frozen
class Metadata:
    """The metadata that the request of a response gave."""

    response: int


@attrs.frozen
class Sound:
    """The audio of delta `number` of an item."""

    item: int
    number: int


@attrs.frozen
class Free:
    """Anything; the reference server says `default`, the time in ms (`now`), or an echo."""

    default: Any = None
    now: bool = False
    echo: Echo | None = None


@attrs.frozen
class Maybe:
    """A key that may be missing; where it is there, it fits `value`."""

    value: Any


NOW = Free(now=True)


@attrs.frozen
class Moment:
    """One server step: what a template may look at."""

    machine: Machine
    rule: Rule
    before: State
    after: State

    def value(self, name: str, *slot: int) -> int:
        """A field after the step."""
        return self.machine.value(self.after, _name(name, slot))

    def member(self, name: str, *slot: int) -> str:
        """The value of an enumeration after the step, spelled out."""
        full = _name(name, slot)
        return self.machine.member(full, self.machine.value(self.after, full))

    @property
    def at(self) -> Mapping[str, int]:
        """The slots of the rule."""
        return self.rule.at

    @property
    def user(self) -> int:
        """The item of the spoken turn that the step is about."""
        slot = self.at.get("u")
        if slot is None:  # the newest whose id is known
            slot = max(self.machine.value(self.before, "spoken") - 1, 0)
        return self.machine.bounds["OUTS"] + slot


def _name(name: str, slot: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, slot))}]" if slot else name


def template(moment: Moment) -> Wire | None:
    """The payload of a server step without `event_id`; None if the step has no wire event."""
    if moment.rule.event not in EVENTS:
        return None
    return {"type": moment.rule.event, **SPELLINGS[moment.rule.event](moment)}


# items


def output_item(moment: Moment, m: int, *, final: bool, new: bool = False) -> Wire:
    """An output item, in progress or final."""
    kind = moment.member("kind", m)
    own: Wire = {"id": Id("item", m, new)}
    if kind == "mcp":  # the SDK's type has neither status nor object
        return {
            **own,
            "type": "mcp_call",
            "name": Called(m, "search"),
            "server_label": Free("server"),
            "arguments": Said(m, 0) if final else "",
        }
    whole = moment.value("whole", m)
    own["object"] = Maybe("realtime.item")
    own["status"] = ("completed" if whole else "incomplete") if final else "in_progress"
    if kind == "call":
        return {**own, **_call(moment, m, final=final, new=new)}
    content: Any = _content(moment, m, kind) if final else []
    about_output = moment.rule.event.startswith("response.output_item.")
    return {
        **own,
        "type": "message",
        "role": "assistant",
        "content": _unless_left_out(moment, content) if about_output else content,
    }


def _unless_left_out(moment: Moment, value: Any) -> Any:
    """What a server of the dialect `contents_left_out` does not say."""
    return value if moment.machine.bounds["CONTENTS"] else Maybe(value)


def _call(moment: Moment, m: int, *, final: bool, new: bool) -> Wire:
    return {
        "type": "function_call",
        "call_id": Id("call", m, new),
        "name": _called(moment, m),
        "arguments": Said(m, 0) if final else "",
    }


def _called(moment: Moment, m: int) -> Called:
    missing = moment.member("tool", m) == "missing"
    return Called(m, "no_such_tool" if missing else "look_up")


def _content(moment: Moment, m: int, kind: str) -> list[Wire]:
    return [_final_part(m, part, kind) for part in range(moment.value("part", m))]


def _final_part(m: int, part: int, kind: str) -> Wire:
    if kind == "audio":
        return {"type": "output_audio", "transcript": Said(m, part)}
    return {"type": "output_text", "text": Said(m, part)}


def _part(moment: Moment, m: int) -> int:
    """Index of the content part that was declared last."""
    return moment.value("part", m) - 1


def user_item(m: int, *, status: str = "completed") -> Wire:
    """The item of a spoken turn."""
    return {
        "id": Id("item", m),
        "object": Maybe("realtime.item"),
        "type": "message",
        "status": status,
        "role": "user",
        "content": [{"type": "input_audio", "transcript": Free()}],
    }


def system_item(m: int, *, new: bool) -> Wire:
    """The item by which the server tells the model that nobody spoke."""
    return {
        "id": Id("item", m, new),
        "object": Maybe("realtime.item"),
        "type": "message",
        "status": Maybe("completed"),
        "role": "system",
        "content": Free([{"type": "input_text", "text": "No speech was heard."}]),
    }


def _item(moment: Moment) -> Wire:
    """`conversation.item.added` and `.done`."""
    final = moment.rule.event.endswith("done")
    what = moment.rule.id.rpartition(".")[2]
    if what == "user":
        m, item = moment.user, user_item(moment.user)
    elif what == "speech":
        m = moment.at["m"]
        item = user_item(m, status="in_progress")
    elif what == "system":
        machine = moment.machine
        m = machine.bounds["OUTS"] + machine.bounds["USERS"] + moment.at["n"]
        item = system_item(m, new=not final)
    elif what == "created":
        m = moment.at["m"]
        item = created_item(m)
    elif what == "replayed":
        m = moment.at["m"]
        item = {**created_item(m), "id": Id("item", m, new=True), "status": "completed"}
    else:
        m = moment.at["m"]
        item = output_item(moment, m, final=final)
    return {"previous_item_id": _place(moment, m, final=final), "item": item}


def _place(moment: Moment, m: int, *, final: bool) -> Before | None:
    """The item before; where calls are not placed, that is said neither of them nor of outputs."""
    bounds = moment.machine.bounds
    call = m >= bounds["ANSWER"] or (m < bounds["OUTS"] and moment.member("kind", m) == "call")
    return None if call and not final and not bounds["CALLS_PLACED"] else Before(m, final)


REPLAYED: Wire = {
    "item": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "As said before."}],
    }
}
"""The message that an item of an earlier session stands for: nobody sent it on this socket."""


def created_item(m: int) -> Wire:
    """An item that the client created: it is what the client sent."""
    keys = ("role", "call_id", "output", "name", "arguments")
    return {
        "id": Id("item", m),
        "type": Echo("item.type", m),
        "status": Maybe(Free("completed")),
        # what is missing is filled in, and audio is left out
        "content": Maybe(Free(echo=Echo("item.content", m))),
        **{key: Maybe(Echo(f"item.{key}", m)) for key in keys},
    }


# responses


def _response(moment: Moment) -> Wire:
    r = moment.at["r"]
    done = moment.rule.event == "response.done"
    status, details = _status(_ending(moment)) if done else ("in_progress", None)
    bounds = moment.machine.bounds
    outputs = range(r * bounds["OUTPUTS"], (r + 1) * bounds["OUTPUTS"]) if done else ()
    beside = {"response_id": Maybe(Id("response", r))} if done and not bounds["DETAILS"] else {}
    return {
        **beside,
        "response": {
            "object": Maybe("realtime.response"),
            "id": Id("response", r, new=not done),
            "status": status,
            "status_details": details if bounds["DETAILS"] else Free(details),
            "output": [
                output_item(moment, m, final=True)
                for m in outputs
                if moment.member("output", m) == "closed"
            ],
            "conversation_id": Free(None if moment.value("oob", r) else "conv_1"),
            "output_modalities": Free(["audio"]),
            "max_output_tokens": Free("inf"),
            "usage": Free(USAGE if done else None),
            "metadata": Metadata(r),
        },
    }


def _ending(moment: Moment) -> str:
    """How a response has ended, as is said; where speech ends it unannounced, that is hidden."""
    unclosed = moment.rule.id == "user.barges_in.unclosed"
    return "completed" if unclosed else moment.member("ending", moment.at["r"])


def _status(ending: str) -> tuple[str, Any]:
    """Status and status details of a response that has ended."""
    if ending in ("turn_detected", "client_cancelled"):
        return "cancelled", {"type": "cancelled", "reason": ending}
    if ending == "incomplete":
        return "incomplete", {"type": "incomplete", "reason": Free("max_output_tokens")}
    if ending == "failed":
        return "failed", {"type": "failed", "error": Free(FAILURE)}
    return "completed", None


USAGE: Wire = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}
FAILURE: Wire = {"type": "server_error", "code": None, "message": "The server had an error."}


def _address(moment: Moment) -> Wire:
    m = moment.at["m"]
    bounds = moment.machine.bounds
    outputs = bounds["OUTPUTS"]
    return {
        "response_id": Id("response", m // outputs),
        "item_id": Id("item", m),
        "output_index": m % outputs if bounds["INDEXES"] else 0,
    }


def _in_part(moment: Moment) -> Wire:
    return {**_address(moment), "content_index": _part(moment, moment.at["m"])}


def _output_item(moment: Moment) -> Wire:
    m = moment.at["m"]
    added = moment.rule.event.endswith("added")
    address = _address(moment)
    del address["item_id"]
    return {**address, "item": output_item(moment, m, final=not added, new=added)}


def _part_added(moment: Moment) -> Wire:
    kind = moment.member("kind", moment.at["m"])
    text = {"transcript": ""} if kind == "audio" else {"text": ""}
    return {**_in_part(moment), "part": {"type": kind, **text}}


def _part_done(moment: Moment) -> Wire:
    m = moment.at["m"]
    kind = moment.member("kind", m)
    said: Any = Said(m, _part(moment, m))
    if kind == "text" and not moment.machine.bounds["PART_TEXT"]:
        said = ""
    return {
        **_in_part(moment),
        "part": _unless_left_out(
            moment, {"type": kind, ("transcript" if kind == "audio" else "text"): said}
        ),
    }


def _delta(counter: str) -> Callable[[Moment], Wire]:
    def spell(moment: Moment) -> Wire:
        m = moment.at["m"]
        said = Say(m, _part(moment, m), moment.value(counter, m) - 1)
        return {**_in_part(moment), "delta": said}

    return spell


def _text_done(key: str) -> Callable[[Moment], Wire]:
    def spell(moment: Moment) -> Wire:
        m = moment.at["m"]
        return {**_in_part(moment), key: Said(m, _part(moment, m))}

    return spell


def _sound(moment: Moment) -> Wire:
    m = moment.at["m"]
    return {**_in_part(moment), "delta": Sound(m, moment.value("audio", m) - 1)}


def _arguments_delta(moment: Moment) -> Wire:
    m = moment.at["m"]
    said = Say(m, 0, moment.value("text", m) - 1)
    address = _address(moment)
    return {
        **address,
        "output_index": _unless_left_out(moment, address["output_index"]),
        "call_id": Id("call", m),
        "delta": said,
    }


def _arguments_done(moment: Moment) -> Wire:
    m = moment.at["m"]
    return {
        **_address(moment),
        "call_id": Id("call", m),
        "name": Maybe(_called(moment, m)),
        "arguments": Said(m, 0, NO_ARGUMENTS if moment.value("whole", m) else ""),
    }


NO_ARGUMENTS = "{}"
"""The arguments of a whole call of which no piece was sent; they are JSON all the same."""


def _mcp_delta(moment: Moment) -> Wire:
    m = moment.at["m"]
    return {**_address(moment), "delta": Say(m, 0, moment.value("text", m) - 1)}


def _mcp_done(moment: Moment) -> Wire:
    m = moment.at["m"]
    return {**_address(moment), "arguments": Said(m, 0, NO_ARGUMENTS)}


def _mcp_state(moment: Moment) -> Wire:
    address = _address(moment)
    return {"item_id": address["item_id"], "output_index": address["output_index"]}


def _listing(_: Moment) -> Wire:
    return {"item_id": Free("item_tools")}


# input audio, session, conversation


def _session(_: Moment) -> Wire:
    return {
        "session": {
            "type": Maybe(Free("realtime")),
            "object": Maybe(Free("realtime.session")),
            "id": Maybe(Free("sess_1")),
            "model": Maybe(Free("gpt-realtime")),
        }
    }


def _speech(key: str, *, new: bool) -> Callable[[Moment], Wire]:
    return lambda moment: {key: NOW, "item_id": Id("item", moment.user, new)}


def _committed(moment: Moment) -> Wire:
    # a commit by hand has an id of its own, also when turn detection had announced one
    by_hand = bool(moment.rule.reads)
    m = moment.user
    item = Id("item", m, new=by_hand, instead=by_hand)
    return {"item_id": item, "previous_item_id": Before(m)}


def _timeout(moment: Moment) -> Wire:
    return {"audio_start_ms": NOW, "audio_end_ms": NOW, "item_id": Id("item", moment.user, True)}


def _transcription(**body: Any) -> Callable[[Moment], Wire]:
    return lambda moment: {"item_id": Id("item", moment.user), "content_index": 0, **body}


def _failed(moment: Moment) -> Wire:
    return _transcription(error=Wrong(("transcription_failed",), moment.user))(moment)


def _transcript(key: str, *, whole: bool) -> Callable[[Moment], Wire]:
    # the whole is what the pieces were, but for the space around it: 19 of 19 recorded items
    return lambda moment: {
        "item_id": Id("item", moment.user),
        "content_index": 0,
        key: Heard(moment.user, whole),
        **({"usage": Maybe(Free({"type": "duration", "seconds": 1}))} if whole else {}),
    }


def _transcribed(moment: Moment) -> Wire:
    """The transcript of an item; where it is repeated, it says whether it is final."""
    said = _transcript("transcript", whole=True)(moment)
    if not moment.machine.bounds["INTERIMS"]:
        return said
    final = moment.rule.id.endswith(".completed")
    return {**said, "status": "completed" if final else "in_progress"}


def _truncated(moment: Moment) -> Wire:
    return {
        "item_id": Id("item", moment.at["m"]),
        "content_index": Echo("content_index"),
        "audio_end_ms": Echo("audio_end_ms"),
    }


def _retrieved(moment: Moment) -> Wire:
    m = moment.at["m"]
    bounds = moment.machine.bounds
    if m >= bounds["MADE"]:
        return {"item": created_item(m)}
    if m < bounds["OUTS"]:
        # what is not closed is in progress, and so has no content yet (facts 1.2)
        final = moment.member("output", m) in ("item_done", "closed")
        return {"item": output_item(moment, m, final=final)}
    return {"item": {"id": Id("item", m), "type": "message", "role": Free("user"),
                     "content": Free([])}}  # fmt: skip


def _error(moment: Moment) -> Wire:
    return {"error": Wrong((moment.rule.error, *moment.rule.variants), moment.at.get("m"))}


def _deleted(moment: Moment) -> Wire:
    return {"item_id": Id("item", moment.at["m"])}


ASR = "conversation.item.input_audio_transcription"

SPELLINGS: Mapping[str, Callable[[Moment], Wire]] = {
    "session.created": _session,
    "session.updated": _session,
    "conversation.created": lambda _: {"conversation": {"id": Free("conv_1")}},
    "input_audio_buffer.speech_started": _speech("audio_start_ms", new=True),
    "input_audio_buffer.speech_stopped": _speech("audio_end_ms", new=False),
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.cleared": lambda _: {},
    "input_audio_buffer.timeout_triggered": _timeout,
    f"{ASR}.delta": _transcript("delta", whole=False),
    f"{ASR}.segment": _transcription(
        text=Free("Hello"), id=Free("segment_1"), speaker=Free("A"), start=Free(0.0), end=Free(0.1)
    ),
    f"{ASR}.completed": _transcribed,
    f"{ASR}.failed": _failed,
    "conversation.item.added": _item,
    "conversation.item.done": _item,
    "conversation.item.truncated": _truncated,
    "conversation.item.deleted": _deleted,
    "conversation.item.retrieved": _retrieved,
    "response.created": _response,
    "response.output_item.added": _output_item,
    "response.content_part.added": _part_added,
    "response.output_audio_transcript.delta": _delta("transcript"),
    "response.output_audio.delta": _sound,
    "response.output_text.delta": _delta("text"),
    "response.function_call_arguments.delta": _arguments_delta,
    "response.function_call_arguments.done": _arguments_done,
    "response.output_audio.done": _in_part,
    "response.output_audio_transcript.done": _text_done("transcript"),
    "response.output_text.done": _text_done("text"),
    "response.content_part.done": _part_done,
    "response.output_item.done": _output_item,
    "response.done": _response,
    "rate_limits.updated": lambda _: {"rate_limits": Free([])},
    "response.mcp_call_arguments.delta": _mcp_delta,
    "response.mcp_call_arguments.done": _mcp_done,
    "response.mcp_call.in_progress": _mcp_state,
    "response.mcp_call.completed": _mcp_state,
    "response.mcp_call.failed": _mcp_state,
    **dict.fromkeys(
        (f"output_audio_buffer.{what}" for what in ("started", "stopped", "cleared")),
        lambda moment: {
            "response_id": Id("response", moment.at["m"] // moment.machine.bounds["OUTPUTS"])
        },
    ),
    "mcp_list_tools.in_progress": _listing,
    "mcp_list_tools.completed": _listing,
    "mcp_list_tools.failed": _listing,
    "error": _error,
}  # fmt: skip
