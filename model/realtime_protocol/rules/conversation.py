"""The reply in the conversation: truncation and deletion by the client, and their answers.

The argument of a truncation is its length in units of one audio delta, rounded up: 0 for
`audio_end_ms: 0`, 1 for anything up to the length of the first delta, and so on. One more than
was generated stands for every length beyond it.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

FIRST_CUT = "segment in (none, cleared, finished) and truncates == 0 and deletes == 0"

FIELDS = (
    Field("item", "the reply in the server's conversation", ("absent", "present", "deleted")),
    Field("truncates", "truncations sent of the reply", limit="TRUNCATES"),
    Field("deletes", "deletions sent of the reply", limit="DELETES"),
)

RULES = (
    Rule(
        id="client.conversation.item.truncate",
        actor="client",
        event="conversation.item.truncate",
        sends=True,
        argument_limit="AUDIO + 1",
        why="Once playout has stopped, the client cuts the message to what was played of it.",
        source="SDK conversation_item_truncate_event.py; GUIDE, interruption and truncation",
        confidence="documented",
        when="interruptions > 0 and output >= opened and truncates < TRUNCATES",
        then={"truncates": "truncates + 1"},
        permitted="item == present and 0 < argument <= audio",
        within=f"{FIRST_CUT} and DELTA * (argument - 1) < played + STEP"
        " and played - STEP <= DELTA * argument",
    ),
    Rule(
        id="server.conversation.item.truncated",
        actor="server",
        event="conversation.item.truncated",
        reads="conversation.item.truncate",
        why="The item has audio and the cut lies within it, 0 included; the item stays.",
        source="SDK conversation_item_truncated_event.py; CAS-F interrupt_after_the_reply, "
        "handle_barge_in; facts 5",
        confidence="observed",
        when="item == present and audio > 0 and argument <= audio",
    ),
    Rule(
        id="server.rejects.conversation.item.truncate.no_audio",
        actor="server",
        event="error",
        reads="conversation.item.truncate",
        error="unsupported_content_type",
        why="No audio of the item exists yet.",
        source="livekit/agents #6157, #1016, #1050; facts 5, 8 #5",
        confidence="observed",
        when="item == present and audio == 0",
    ),
    Rule(
        id="server.rejects.conversation.item.truncate.too_long",
        actor="server",
        event="error",
        reads="conversation.item.truncate",
        error="truncate_too_long",
        why="The cut lies beyond the audio of the item.",
        source="pipecat #925, #2106, #1963, #3677; facts 5, 8 #6",
        confidence="observed",
        when="item == present and audio > 0 and argument > audio",
    ),
    Rule(
        id="server.rejects.conversation.item.truncate.unknown",
        actor="server",
        event="error",
        reads="conversation.item.truncate",
        error="item_truncate_invalid_item_id",
        why="The item is not in the conversation; two codes are reported, one is used here.",
        source="facts 5, 8 #7 (second-hand), 9.9 (open)",
        confidence="inferred",
        when="item != present",
    ),
    Rule(
        id="client.conversation.item.delete",
        actor="client",
        event="conversation.item.delete",
        sends=True,
        why="The client removes a message of which nothing was played.",
        source="SDK conversation_item_delete_event.py",
        confidence="documented",
        when="interruptions > 0 and output >= opened and deletes < DELETES",
        then={"deletes": "deletes + 1"},
        permitted="item == present and deletes == 0",
        within=f"{FIRST_CUT} and played == 0",
    ),
    Rule(
        id="server.conversation.item.deleted",
        actor="server",
        event="conversation.item.deleted",
        reads="conversation.item.delete",
        why="A known item is removed; whether one in progress can be is open, and taken as yes.",
        source="SDK conversation_item_deleted_event.py; facts 6, 9.12 (open)",
        confidence="inferred",
        when="item == present",
        then={"item": "deleted"},
    ),
    Rule(
        id="server.rejects.conversation.item.delete",
        actor="server",
        event="error",
        reads="conversation.item.delete",
        error="item_delete_invalid_item_id",
        why="The item is not in the conversation, or no longer.",
        source="speaches tests run against the server; facts 6, 8 #8",
        confidence="observed",
        when="item != present",
    ),
)
