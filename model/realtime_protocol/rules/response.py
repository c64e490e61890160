"""Responses and what they produce: created, items opened, streamed, closed, done.

Slot `r` is a response, slot `m` an output item; item `m` belongs to response `m // OUTPUTS`, where
its `output_index` is `m % OUTPUTS`. Slots are taken in the order of creation.

Laws:
- `response.created` is the first event of a response and `response.done` the last.
- A response that is cut takes the same closing chain as one that completes, with what was open
  left incomplete; one that is cut before its first item goes straight to `response.done`.
- Items are closed in the order of their index: each before the next is opened, or all at the end.
- What was sent of an item survives `response.done`: later client messages are judged against it.
"""

from realtime_protocol.rule import Confidence, Rule
from realtime_protocol.rules.words import ACTIVE, BARGED_NO_MORE, CALM, LIVE
from realtime_protocol.state import Field

R = "m // OUTPUTS"
O = "m % OUTPUTS"  # noqa: E741
OWN = f"{LIVE} and response[{R}] == active"
LISTED = f"(output[m] == listed or (output[m] == opened and oob[{R}] == 1))"
"""It has been listed, as the items of a response outside of the conversation never are."""
NEXT_TO_CLOSE = f"({O} == 0 or output[m - 1] == closed)"
"""The item before is closed."""
CUT_EARLY = (
    f"({LISTED} and kind[m] in (audio, text) and ending[{R}] != running and {NEXT_TO_CLOSE})"
)
"""It was cut before its first part was declared: there are no part events, and it is its turn."""
STREAMS = f"{OWN} and output[m] == streaming and ending[{R}] == running"
WHOLE = (
    "(FULL == 0 or (kind[{m}] == audio and transcript[{m}] == TRANSCRIPTS"
    " and audio[{m}] == AUDIO * AUDIO_DELTAS)"
    " or (kind[{m}] == text and text[{m}] == TEXTS)"
    " or (kind[{m}] == call and text[{m}] == ARGUMENTS) or kind[{m}] == mcp)"
)
READY_NEXT = (
    f"{O} == 0 or output[m - 1] == closed"
    f" or (BURST == 1 and output[m - 1] in (listed, streaming) and {WHOLE.format(m='m - 1')}"
    " and (kind[m - 1] == call or output[m - 1] == streaming))"
)
"""The item before is closed, or everything of it was sent."""
LATER_WHOLE = (
    f"all(q // OUTPUTS != {R} or q <= m or output[q] == nothing"
    f" or ending[{R}] not in (running, completed)"
    f" or {WHOLE.format(m='q')} for q in OUTS)"
)
"""Nothing of a later item is still to come."""
CLOSES = (
    f"{NEXT_TO_CLOSE}"
    f" and (ending[{R}] not in (running, completed)"
    f" or ({WHOLE.format(m='m')} and {LATER_WHOLE}))"
)
WORDS_FIRST = "(TRANSCRIPT_FIRST == 1 and kind[m] == audio)"
"""The transcript of a message is closed before its audio, and its part between the two."""
PARTS_CLOSED = (
    f"((output[m] == part_done and not {WORDS_FIRST}) or ({WORDS_FIRST} and output[m] == ended))"
)
"""The last event of a content part was sent."""
TO_LIST = f"{OWN} and output[m] == opened and oob[{R}] == 0"
"""It is to be listed next, unless it was deleted."""
TO_FINISH = (
    f"ITEM_DONE == 1 and {OWN} and oob[{R}] == 0 and ({PARTS_CLOSED}"
    f" or (output[m] == content_done and kind[m] in (call, mcp)) or {CUT_EARLY})"
)
"""It is to be said to be done next, unless it was deleted."""
DELETED = "SDK conversation_item_deleted_event.py: removed from the history; facts 6, 9.12 (open)"
FIRST_DONE = {
    "whole[m]": f"1 if ending[{R}] in (running, completed) else 0",
    f"ending[{R}]": f"completed if ending[{R}] == running and opened[{R}] == OUTPUTS"
    " and (kind[m] in (call, mcp) or part[m] == PARTS)"
    f" else ending[{R}]",
}
"""With the first `.done` of an item it is settled whether it is complete."""

ANSWERABLE = "(begun < RESPONSES or AUDIO_OUT + TEXT_OUT + MCP_OUT == 0)"
"""A reply to what a call gives back is within the bounds, or there is nothing but calls."""

FIELDS = (
    Field("begun", "responses created", limit="RESPONSES"),
    Field("response", "a response", ("unused", "active", "done", "lost"), over=("RESPONSES",)),
    Field("oob", "it is outside of the default conversation", limit="1", over=("RESPONSES",)),
    Field(
        "ending",
        "how it ends",
        ("running", "completed", "turn_detected", "client_cancelled", "incomplete", "failed"),
        over=("RESPONSES",),
    ),
    Field("opened", "items that it has opened", limit="OUTPUTS", over=("RESPONSES",)),
    Field("cut", "the reply was interrupted, as the client knows", limit="1", over=("RESPONSES",)),
    Field("kind", "what an output item is", ("none", "audio", "text", "call", "mcp"),
          over=("OUTS",)),
    Field(
        "output",
        "how far it is",
        (
            "nothing",
            "opened",
            "listed",
            "streaming",
            "audio_done",
            "content_done",
            "part_done",
            "ended",
            "item_done",
            "closed",
        ),
        over=("OUTS",),
    ),
    Field("whole", "it was closed complete", limit="1", over=("OUTS",)),
    Field("transcript", "transcript deltas sent", limit="TRANSCRIPTS", over=("OUTS",)),
    Field("audio", "audio deltas sent", limit="AUDIO", over=("OUTS",)),
    Field("text", "text or argument deltas sent", limit="WORDS", over=("OUTS",)),
    Field("part", "content parts that were declared", limit="PARTS", over=("OUTS",)),
    Field("limits", "rate_limits.updated may come", limit="1"),
    Field("kept", "a cancel is held against the next response", limit="1"),
    Field("gives_up", "responses that failed or stayed incomplete", limit="FAILURES", budget=True),
    Field("refused", "requests and turns refused", limit="REFUSED", budget=True),
)  # fmt: skip

NEW_RESPONSE = {
    "begun": "r + 1",
    "response[r]": "active",
    "limits": "LIMITS_EARLY",
}


def opens(
    kind: str,
    source: str,
    why: str,
    confidence: Confidence = "observed",
    *,
    suffix: str = "",
    when: str = "True",
    then: dict[str, str] | None = None,
) -> Rule:
    """The rule that opens an output item of one kind."""
    return Rule(
        id=f"server.response.output_item.added.{kind}{suffix}",
        actor="server",
        event="response.output_item.added",
        over={"m": "OUTS"},
        why=why,
        source=source,
        confidence=confidence,
        when=f"{kind.upper()}_OUT == 1 and {when} and {OWN} and ending[{R}] == running"
        f" and (early == 0 or oob[{R}] == 1)"
        f" and opened[{R}] == {O} and ({READY_NEXT})"
        f" and (LATER_OUTPUTS == 0 or {R} == 0 or {O} < LATER_OUTPUTS)",
        then={
            "output[m]": "opened",
            "kind[m]": kind,
            f"opened[{R}]": f"{O} + 1",
            "item[m]": f"present if oob[{R}] == 0 else absent",
            **(then or {}),
        },
    )


RULES = (
    Rule(
        id="server.response.created.requested",
        actor="server",
        event="response.created",
        over={"r": "RESPONSES"},
        why="A response.create that was read is answered by the first event of its response.",
        source="SDK response_created_event.py; facts 2.2",
        confidence="documented",
        when=f"{LIVE} and pending == 1 and begun == r",
        then={
            **NEW_RESPONSE,
            "pending": "0",
            "requested": "max(requested - 1, 0)",
            "cut[r]": "recalled",
            "recalled": "0",
            "ending[r]": "client_cancelled if kept == 1 else running",
            "kept": "0",
        },
    ),
    Rule(
        id="server.response.created.turn",
        actor="server",
        event="response.created",
        over={"r": "RESPONSES"},
        why="With create_response the server answers a turn by itself, after its item is done.",
        source="SDK realtime_audio_input_turn_detection.py; facts 3.1",
        confidence="documented",
        when=f"{LIVE} and turn == due and not {ACTIVE} and pending == 0 and begun == r",
        then={
            **NEW_RESPONSE,
            "turn": "none",
            "ending[r]": "client_cancelled if kept == 1 else running",
            "kept": "0",
        },
    ),
    Rule(
        id="server.response.created.early",
        actor="server",
        event="response.created",
        over={"r": "RESPONSES"},
        why="One dialect may create the response while it still hears the turn; no item is opened "
        "before the commit.",
        source="CAS-F xai_ws handle_barge_in: 2 of 2 turns; CAS xai_ws: not in the 1 turn there",
        confidence="observed",
        when=f"EARLY_RESPONSE == 1 and CREATE_RESPONSE == 1 and {LIVE} and turn == open"
        f" and early == 0 and not {ACTIVE} and pending == 0 and begun == r"
        " and (barged == 0 or turns < TURNS)",
        then={
            **NEW_RESPONSE,
            **BARGED_NO_MORE,
            "early": "1",
            "ending[r]": "client_cancelled if kept == 1 else running",
            "kept": "0",
        },
    ),
    Rule(
        id="server.response.created.aside",
        actor="server",
        event="response.created",
        over={"r": "RESPONSES"},
        why="An out-of-band response runs beside the one of the default conversation.",
        source="SDK response_create_event.py; facts 7.1",
        confidence="documented",
        when=f"{LIVE} and aside > 0 and begun == r",
        then={**NEW_RESPONSE, "aside": "aside - 1", "oob[r]": "1"},
    ),
    opens(
        "audio",
        "SDK response_output_item_added_event.py; facts 2.1 shape 1",
        "An audio message is opened; the client learns its id.",
    ),
    opens(
        "text",
        "SDK response_output_item_added_event.py; facts 2.1 shape 2",
        "A text message is opened.",
    ),
    opens(
        "call",
        "SDK response_output_item_added_event.py; facts 2.1 shapes 3 and 4",
        "A function call is opened, alone or behind a message.",
        when=f"{O} + 1 >= CALLS_FROM and {ANSWERABLE}",
    ),
    opens(
        "call",
        "GUIDE, function calling; livekit/agents 1.4.4",
        "The model calls a function that does not exist; that has to be answered too.",
        "inferred",
        suffix=".unknown",
        when=f"{O} + 1 >= CALLS_FROM and {ANSWERABLE} and unknown < MISSING",
        then={"tool[m]": "missing", "unknown": "unknown + 1"},
    ),
    opens(
        "mcp",
        "SDK response_output_item_added_event.py; facts 2.5 (another vendor), 9.22 (open)",
        "A call of an MCP tool is opened, which the server makes itself.",
        "inferred",
    ),
    Rule(
        id="server.conversation.item.added.reply",
        actor="server",
        event="conversation.item.added",
        over={"m": "OUTS"},
        why="The item enters the conversation, in progress and without content; a cut between the "
        "two `added` events still lists it.",
        source="SDK conversation_item_added.py; facts 2.1, 2.3; the cut: facts 9.4 (open)",
        confidence="observed",
        when=f"{TO_LIST} and item[m] != deleted",
        then={"output[m]": "listed"},
    ),
    Rule(
        id="server.skips.conversation.item.added",
        actor="server",
        event="",
        over={"m": "OUTS"},
        why="An item that was deleted before it was listed is not added any more; its response "
        "goes on with it.",
        source=DELETED,
        confidence="inferred",
        when=f"{TO_LIST} and item[m] == deleted",
        then={"output[m]": "listed"},
    ),
    Rule(
        id="server.response.content_part.added",
        actor="server",
        event="response.content_part.added",
        over={"m": "OUTS"},
        why="The content part is declared; no delta comes before it.",
        source="SDK response_content_part_added_event.py; facts 2.1, 2.2",
        confidence="observed",
        when=f"{OWN} and {LISTED} and kind[m] in (audio, text) and ending[{R}] == running",
        then={"output[m]": "streaming", "part[m]": "1"},
    ),
    Rule(
        id="server.response.content_part.added.next",
        actor="server",
        event="response.content_part.added",
        over={"m": "OUTS"},
        why="A message may have more than one part; never recorded, but each event carries an "
        "index.",
        source="SDK response_content_part_added_event.py, content_index",
        confidence="inferred",
        when=f"{OWN} and {PARTS_CLOSED} and part[m] < PARTS and whole[m] == 1"
        f" and ending[{R}] == running",
        then={"output[m]": "streaming", "part[m]": "part[m] + 1", "transcript[m]": "0",
              "text[m]": "0"},
    ),
    Rule(
        id="server.response.output_audio_transcript.delta",
        actor="server",
        event="response.output_audio_transcript.delta",
        over={"m": "OUTS"},
        why="Transcript and audio deltas interleave freely.",
        source="GUIDE; facts 2.3",
        confidence="documented",
        when=f"{STREAMS} and kind[m] == audio and transcript[m] < TRANSCRIPTS",
        then={"transcript[m]": "transcript[m] + 1"},
    ),
    Rule(
        id="server.response.output_audio.delta",
        actor="server",
        event="response.output_audio.delta",
        over={"m": "OUTS"},
        why="Transcript and audio deltas interleave freely.",
        source="GUIDE; facts 2.3",
        confidence="documented",
        when=f"{STREAMS} and kind[m] == audio and audio[m] < AUDIO * AUDIO_DELTAS",
        then={"audio[m]": "audio[m] + 1"},
    ),
    Rule(
        id="server.response.output_text.delta",
        actor="server",
        event="response.output_text.delta",
        over={"m": "OUTS"},
        why="The text comes in pieces.",
        source="SDK response_text_delta_event.py; facts 2.1 shape 2",
        confidence="observed",
        when=f"{STREAMS} and kind[m] == text and text[m] < TEXTS",
        then={"text[m]": "text[m] + 1"},
    ),
    Rule(
        id="server.response.function_call_arguments.delta",
        actor="server",
        event="response.function_call_arguments.delta",
        over={"m": "OUTS"},
        why="The arguments come in pieces; a call has no content parts.",
        source="SDK response_function_call_arguments_delta_event.py; facts 2.1 shape 3",
        confidence="observed",
        when=f"{OWN} and kind[m] == call and {LISTED} and ending[{R}] == running"
        " and text[m] < ARGUMENTS",
        then={"text[m]": "text[m] + 1"},
    ),
    Rule(
        id="server.late.delta",
        actor="server",
        event="response.output_audio.delta",
        over={"m": "OUTS"},
        why="Audio that was under way may still come between a cancel and the closing chain.",
        source="facts 4 (client comments), 9.2 (open)",
        confidence="inferred",
        when=f"LATE_DELTAS == 1 and {OWN} and output[m] == streaming and kind[m] == audio"
        f" and ending[{R}] == client_cancelled and audio[m] < AUDIO",
        then={"audio[m]": "audio[m] + 1"},
    ),
    Rule(
        id="server.response.output_audio.done",
        actor="server",
        event="response.output_audio.done",
        over={"m": "OUTS"},
        why="Sent when the audio is complete, and also when it is cut; no delta follows.",
        source="SDK response_audio_done_event.py; facts 2.1 shape 1, 2.2, 3.3a",
        confidence="documented",
        when=f"TRANSCRIPT_FIRST == 0 and {OWN} and output[m] == streaming and kind[m] == audio"
        f" and {CLOSES}",
        then={"output[m]": "audio_done", **FIRST_DONE},
    ),
    Rule(
        id="server.response.output_audio.done.last",
        actor="server",
        event="response.output_audio.done",
        over={"m": "OUTS"},
        why="One dialect ends the audio of a message behind its transcript and its part.",
        source="CAS xai_ws and parity_ws, CAS-F xai_ws: 9 of 9 messages that were closed",
        confidence="observed",
        when=f"{OWN} and output[m] == part_done and {WORDS_FIRST}",
        then={"output[m]": "ended"},
    ),
    Rule(
        id="server.response.output_audio_transcript.done",
        actor="server",
        event="response.output_audio_transcript.done",
        over={"m": "OUTS"},
        why="Follows output_audio.done in every recording.",
        source="SDK response_audio_transcript_done_event.py; facts 2.1 shape 1, 2.3",
        confidence="observed",
        when=f"TRANSCRIPT_FIRST == 0 and {OWN} and output[m] == audio_done",
        then={"output[m]": "content_done"},
    ),
    Rule(
        id="server.response.output_audio_transcript.done.first",
        actor="server",
        event="response.output_audio_transcript.done",
        over={"m": "OUTS"},
        why="One dialect closes the transcript of a message before anything else of it.",
        source="CAS xai_ws and parity_ws, CAS-F xai_ws: 9 of 9 messages that were closed",
        confidence="observed",
        when=f"{OWN} and output[m] == streaming and {WORDS_FIRST} and {CLOSES}",
        then={"output[m]": "content_done", **FIRST_DONE},
    ),
    Rule(
        id="server.response.output_text.done",
        actor="server",
        event="response.output_text.done",
        over={"m": "OUTS"},
        why="The text is complete, or cut.",
        source="SDK response_text_done_event.py; facts 2.1 shape 2, 2.2",
        confidence="documented",
        when=f"{OWN} and output[m] == streaming and kind[m] == text and {CLOSES}",
        then={"output[m]": "content_done", **FIRST_DONE},
    ),
    Rule(
        id="server.response.function_call_arguments.done",
        actor="server",
        event="response.function_call_arguments.done",
        over={"m": "OUTS"},
        why="The arguments are complete; documented to be sent of a cut call too.",
        source="SDK response_function_call_arguments_done_event.py; facts 2.1 shape 3; the cut "
        "call: facts 9.1 (open)",
        confidence="documented",
        when=f"{OWN} and kind[m] == call and {LISTED} and {CLOSES}",
        then={"output[m]": "content_done", **FIRST_DONE},
    ),
    Rule(
        id="server.response.content_part.done",
        actor="server",
        event="response.content_part.done",
        over={"m": "OUTS"},
        why="The part is closed.",
        source="SDK response_content_part_done_event.py; facts 2.1",
        confidence="observed",
        when=f"{OWN} and output[m] == content_done and kind[m] in (audio, text)",
        then={"output[m]": "part_done"},
    ),
    Rule(
        id="server.conversation.item.done.reply",
        actor="server",
        event="conversation.item.done",
        over={"m": "OUTS"},
        why="The item is final, incomplete if it was cut; a message that was cut before its part "
        "was declared is closed without part events.",
        source="SDK conversation_item_done.py; facts 2.1, 3.3a; the empty item: facts 9.4 (open)",
        confidence="observed",
        when=f"{TO_FINISH} and item[m] != deleted",
        then={"output[m]": "item_done"},
    ),
    Rule(
        id="server.skips.conversation.item.done",
        actor="server",
        event="",
        over={"m": "OUTS"},
        why="What is no longer in the conversation is not said to be done there.",
        source=DELETED,
        confidence="inferred",
        when=f"{TO_FINISH} and item[m] == deleted",
        then={"output[m]": "item_done"},
    ),
    Rule(
        id="server.response.output_item.done",
        actor="server",
        event="response.output_item.done",
        over={"m": "OUTS"},
        why="Also sent for a cut item; follows conversation.item.done in every recording.",
        source="SDK response_output_item_done_event.py; facts 2.2, 2.3",
        confidence="documented",
        when=f"{OWN} and (output[m] == item_done or ((oob[{R}] == 1 or ITEM_DONE == 0) and"
        f" ({PARTS_CLOSED} or (output[m] == content_done and kind[m] in (call, mcp))"
        f" or {CUT_EARLY})))",
        then={"output[m]": "closed"},
    ),
    Rule(
        id="server.response.done",
        actor="server",
        event="response.done",
        over={"r": "RESPONSES"},
        why="Always the last event of a response, whatever its final state; a response that was "
        "cut before its first item has no output.",
        source="SDK response_done_event.py; facts 2.2, 3.3b",
        confidence="documented",
        when=f"{LIVE} and response[r] == active and (opened[r] > 0 or ending[r] != running)"
        " and all(q // OUTPUTS != r or output[q] in (nothing, closed) for q in OUTS)",
        then={
            "response[r]": "done",
            "ending[r]": "completed if ending[r] == running else ending[r]",
            "limits": "RATE_LIMITS if LIMITS_EARLY == 0 and ending[r] in (running, completed)"
            " else 0",
        },
    ),
    Rule(
        id="server.rate_limits.updated",
        actor="server",
        event="rate_limits.updated",
        why="Optional; seen only behind the response.done of a completed response.",
        source="SDK rate_limits_updated_event.py; facts 2.3; 9.14 (open)",
        confidence="observed",
        when=f"{LIVE} and limits == 1",
        then={"limits": "0"},
    ),
    Rule(
        id="server.gives.up.incomplete",
        actor="server",
        event="",
        over={"r": "RESPONSES"},
        disturbs="fault",
        why="The response reaches its token limit or is filtered: it ends incomplete.",
        source="SDK realtime_response_status.py; facts 7.2; the trail: facts 9.26 (open)",
        confidence="documented",
        when=f"{LIVE} and response[r] == active and ending[r] == running and opened[r] > 0"
        f" and gives_up < FAILURES and {CALM}",
        then={"ending[r]": "incomplete", "gives_up": "gives_up + 1", "faults": "faults + 1"},
    ),
    Rule(
        id="server.gives.up.failed",
        actor="server",
        event="",
        over={"r": "RESPONSES"},
        disturbs="fault",
        why="The response fails, before its first item or later.",
        source="SDK realtime_response_status.py; CAS-F failed_response; facts 7.2",
        confidence="observed",
        when=f"{LIVE} and response[r] == active and ending[r] == running"
        f" and gives_up < FAILURES and {CALM}",
        then={"ending[r]": "failed", "gives_up": "gives_up + 1", "faults": "faults + 1"},
    ),
)  # fmt: skip
