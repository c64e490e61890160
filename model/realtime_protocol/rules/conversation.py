"""The conversation: items created, deleted, retrieved and truncated by the client, and the answers.

Slot `m` is an item: output items first, then the user's spoken items, the system items of idle
timeouts, the items that the client creates, the outputs of function calls, and the calls that the
client creates anew.

The argument of a truncation is its length in units of one audio delta, rounded up: 0 for
`audio_end_ms: 0`, 1 for anything up to the length of the first delta, and so on. One more than
was generated stands for every length beyond it.
The argument of a creation is where the item goes: 0 at the end, 1 at the beginning, `p + 2` behind
the item in slot `p`; the largest argument stands for an item that nobody knows.

Laws:
- An id names one item; it is free again once the item is deleted, or the socket is a new one.
- Nothing but the client's requests and the end of the socket takes an item away.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.words import CALM, LIVE, OPEN
from realtime_protocol.state import Field

FIRST_CUT = "segment[m] in (none, cleared, finished) and truncates[m] == 0 and deletes[m] == 0"
DISTURBED = "interruptions + changes + faults > 0"
KNOWN = "any(argument == p + 2 and item[p] == present for p in ITEMS)"
PLACE_FITS = f"(argument in (0, 1) or {KNOWN})"
SENT = "any(argument == p + 2 and (item[p] == present or sent[p] == 1) for p in ITEMS)"
PLACE_TO_BE = f"(argument in (0, 1) or {SENT})"
"""It fits by the time that it is read, as far as the client knows: what was sent is read before."""
CALL = "m - ANSWER"
"""The call that the output in slot `m` answers."""
COPIED = f"any(q == {CALL} and item[COPY + q] == present for q in COPIES)"
"""A call of that id was created anew."""
HAS_CALL = f"(m < ANSWER or m >= COPY or item[{CALL}] == present or {COPIED})"
SPOKEN = "(m < OUTS and kind[m] == audio and again[m] == 0)"
"""The server has audio of it, or is to have some."""
FREE = "(sent[m] != 2 and (item[m] != present or DUPLICATES == 2))"

FIELDS = (
    Field("item", "an item in the server's conversation", ("absent", "present", "deleted"),
          over=("ITEMS",)),
    Field("entry", "it was added, and its done is to come", limit="1", over=("ITEMS",)),
    Field("sent", "its creation was sent (1), or rejected ahead of what was sent before it (2)",
          limit="2", over=("ITEMS",)),
    Field("memory", "it was in a conversation that ended with its socket", limit="1",
          over=("ITEMS",)),
    Field("again", "it was put back as text, since audio cannot be", limit="1", over=("OUTS",)),
    Field("truncates", "truncations sent of it", limit="TRUNCATES", over=("ITEMS",), budget=True),
    Field("deletes", "deletions sent of it", limit="DELETES", over=("ITEMS",), budget=True),
    Field("retrieves", "retrievals sent", limit="RETRIEVES", budget=True),
    Field("created", "items that the client created because its context changed, and those of an "
          "earlier session", limit="CREATES", budget=True),
    Field("anew", "items that the client has created anew under their ids", limit="ANEW",
          budget=True),
    Field("context", "items that the app has put into the context and the client not sent",
          limit="CREATES"),
    Field("removal", "items that the app has taken out of the context and the client not deleted",
          limit="REMOVALS"),
)  # fmt: skip

RULES = (
    Rule(
        id="client.conversation.item.truncate",
        actor="client",
        event="conversation.item.truncate",
        sends=True,
        over={"m": "ITEMS"},
        address="m",
        argument_limit="AUDIO + 1",
        why="Once playout has stopped, the client cuts the message to what was played of it.",
        source="SDK conversation_item_truncate_event.py; GUIDE, interruption and truncation",
        confidence="documented",
        when=f"{OPEN} and {DISTURBED} and m < OUTS and output[m] >= opened"
        " and truncates[m] < TRUNCATES",
        then={"truncates[m]": "truncates[m] + 1"},
        permitted=f"item[m] == present and {SPOKEN} and 0 < argument <= audio[m]",
        within=f"{FIRST_CUT} and cut[m // OUTPUTS] == 1"
        " and DELTA * (argument - 1) < played[m] + STEP and played[m] - STEP <= DELTA * argument",
    ),
    Rule(
        id="server.conversation.item.truncated",
        actor="server",
        event="conversation.item.truncated",
        reads="conversation.item.truncate",
        over={"m": "OUTS"},
        address="m",
        why="The item has audio and the cut lies within it, 0 included; the item stays.",
        source="SDK conversation_item_truncated_event.py; CAS-F interrupt_after_the_reply, "
        "handle_barge_in; facts 5",
        confidence="observed",
        when=f"{LIVE} and item[m] == present and {SPOKEN} and audio[m] > 0"
        " and argument <= audio[m]",
    ),
    Rule(
        id="server.rejects.conversation.item.truncate.no_audio",
        actor="server",
        event="error",
        reads="conversation.item.truncate",
        over={"m": "ITEMS"},
        address="m",
        error="unsupported_content_type",
        why="No audio of the item exists yet, or it is no audio message.",
        source="livekit/agents #6157, #1016, #1050; facts 5, 8 #5",
        confidence="observed",
        when=f"{LIVE} and item[m] == present and (not {SPOKEN} or audio[m] == 0)",
    ),
    Rule(
        id="server.rejects.conversation.item.truncate.too_long",
        actor="server",
        event="error",
        reads="conversation.item.truncate",
        over={"m": "OUTS"},
        address="m",
        error="truncate_too_long",
        why="The cut lies beyond the audio of the item.",
        source="pipecat #925, #2106, #1963, #3677; facts 5, 8 #6",
        confidence="observed",
        when=f"{LIVE} and item[m] == present and {SPOKEN} and audio[m] > 0"
        " and argument > audio[m]",
    ),
    Rule(
        id="server.rejects.conversation.item.truncate.unknown",
        actor="server",
        event="error",
        reads="conversation.item.truncate",
        over={"m": "ITEMS"},
        address="m",
        error="item_truncate_invalid_item_id",
        why="The item is not in the conversation; two codes are reported, one is used here.",
        source="facts 5, 8 #7 (second-hand), 9.9 (open)",
        confidence="inferred",
        when=f"{LIVE} and item[m] != present",
    ),
    Rule(
        id="client.conversation.item.delete",
        actor="client",
        event="conversation.item.delete",
        sends=True,
        over={"m": "ITEMS"},
        address="m",
        why="The client removes a message of which nothing was played, or what the app took out of "
        "the context.",
        source="SDK conversation_item_delete_event.py",
        confidence="documented",
        when=f"{OPEN} and {DISTURBED} and (m >= OUTS or output[m] >= opened)"
        " and deletes[m] < DELETES",
        then={"deletes[m]": "deletes[m] + 1",
              "removal": "max(removal - 1, 0) if m >= OUTS else removal"},
        permitted="item[m] == present and deletes[m] == 0",
        within=f"(m < OUTS and {FIRST_CUT} and cut[m // OUTPUTS] == 1 and played[m] == 0"
        " and kind[m] == audio)"
        " or (m >= OUTS and removal > 0 and entry[m] == 0"
        " and all(p >= m or p < OUTS or item[p] != present or deletes[p] > 0 for p in ITEMS))",
    ),
    Rule(
        id="server.conversation.item.deleted",
        actor="server",
        event="conversation.item.deleted",
        reads="conversation.item.delete",
        over={"m": "ITEMS"},
        address="m",
        why="A known item is removed; whether one in progress can be is open, and taken as yes: "
        "no event of the conversation speaks of it any more.",
        source="SDK conversation_item_deleted_event.py; facts 6, 9.12 (open)",
        confidence="inferred",
        when=f"{LIVE} and item[m] == present",
        then={"item[m]": "deleted"},
    ),
    Rule(
        id="server.rejects.conversation.item.delete",
        actor="server",
        event="error",
        reads="conversation.item.delete",
        over={"m": "ITEMS"},
        address="m",
        error="item_delete_invalid_item_id",
        why="The item is not in the conversation, or no longer.",
        source="speaches tests run against the server; facts 6, 8 #8",
        confidence="observed",
        when=f"{LIVE} and item[m] != present",
    ),
    Rule(
        id="client.conversation.item.retrieve",
        actor="client",
        event="conversation.item.retrieve",
        sends=True,
        over={"m": "ITEMS"},
        address="m",
        why="The client asks for the server's copy of an item.",
        source="SDK conversation_item_retrieve_event.py",
        confidence="documented",
        when=f"{OPEN} and retrieves < RETRIEVES and (m >= OUTS or output[m] >= opened)",
        then={"retrieves": "retrieves + 1"},
        permitted="item[m] == present and deletes[m] == 0",
    ),
    Rule(
        id="server.conversation.item.retrieved",
        actor="server",
        event="conversation.item.retrieved",
        reads="conversation.item.retrieve",
        over={"m": "ITEMS"},
        address="m",
        why="The reply to a retrieval.",
        source="SDK conversation_item_retrieved_event.py; facts 6",
        confidence="documented",
        when=f"{LIVE} and item[m] == present",
    ),
    Rule(
        id="server.rejects.conversation.item.retrieve",
        actor="server",
        event="error",
        reads="conversation.item.retrieve",
        over={"m": "ITEMS"},
        address="m",
        error="item_retrieve_invalid_item_id",
        why="The item is not in the conversation, or no longer.",
        source="facts 6, 8 #9",
        confidence="observed",
        when=f"{LIVE} and item[m] != present",
    ),
    Rule(
        id="client.conversation.item.create",
        actor="client",
        event="conversation.item.create",
        sends=True,
        over={"c": "CREATES"},
        address="MADE + c",
        argument_limit="ITEMS + 2",
        why="The client puts an item of the app's context into the conversation, also while a "
        "response generates.",
        source="SDK conversation_item_create_event.py; facts 6",
        confidence="documented",
        when=f"{OPEN} and created == c",
        then={"created": "c + 1", "context": "max(context - 1, 0)", "sent[MADE + c]": "1"},
        permitted=PLACE_TO_BE,
        within="context > 0 and argument <= PLACES",
    ),
    Rule(
        id="client.conversation.item.create.again",
        actor="client",
        event="conversation.item.create",
        sends=True,
        over={"m": "ITEMS"},
        address="m",
        argument_limit="ITEMS + 2",
        why="On a new socket the client puts back what had been in the conversation; audio of the "
        "assistant as text, since it cannot be put back.",
        source="SDK conversation_item_create_event.py; facts 6, 7.4: no resume",
        confidence="inferred",
        when=f"{OPEN} and memory[m] == 1 and sent[m] == 0",
        then={"memory[m]": "0", "sent[m]": "1"},
        permitted=f"item[m] != present and {PLACE_TO_BE}",
        within="argument == 0 and all(p >= m or memory[p] == 0 for p in ITEMS)",
    ),
    Rule(
        id="client.conversation.item.create.duplicate",
        actor="client",
        event="conversation.item.create",
        sends=True,
        over={"m": "ITEMS"},
        address="m",
        argument_limit="ITEMS + 2",
        why="A client that does not mind what there is creates an item under the id of one that is "
        "final; the protocol does not allow it, and servers answer it in three ways.",
        source="livekit/agents #6964; facts 6, 8 #10, 9.11",
        confidence="observed",
        when=f"REPEATS == 1 and {OPEN} and item[m] == present and sent[m] == 0 and entry[m] == 0"
        " and (m >= OUTS or output[m] == closed) and argument != m + 2",
        then={"sent[m]": "1"},
        permitted="item[m] != present",
    ),
    Rule(
        id="client.conversation.item.create.anew",
        actor="client",
        event="conversation.item.create",
        sends=True,
        over={"m": "ITEMS"},
        address="m",
        argument_limit="ITEMS + 2",
        why="A client that has deleted an item creates it once more, under the id that is free "
        "again by then.",
        source="SDK conversation_item_create_event.py; livekit/agents 1.2.8, update_chat_ctx",
        confidence="inferred",
        when=f"{OPEN} and anew < ANEW and item[m] != absent and deletes[m] > 0 and sent[m] == 0"
        " and entry[m] == 0 and (m >= OUTS or output[m] == closed) and argument != m + 2",
        then={"sent[m]": "1", "anew": "anew + 1"},
        permitted=PLACE_TO_BE,
        within="item[m] == deleted and argument == 0",
    ),
    Rule(
        id="client.conversation.item.create.copy",
        actor="client",
        event="conversation.item.create",
        sends=True,
        over={"m": "COPIES"},
        address="COPY + m",
        argument_limit="ITEMS + 2",
        why="A client that has taken a call out of the conversation creates it anew, under another "
        "id, so that its output has a call.",
        source="SDK conversation_item_create_event.py; livekit/agents 1.2.9, update_chat_ctx",
        confidence="documented",
        when=f"{OPEN} and kind[m] == call and output[m] in (item_done, closed)"
        " and item[COPY + m] == absent and sent[COPY + m] == 0",
        then={"sent[COPY + m]": "1"},
        permitted=f"deletes[m] > 0 and {PLACE_TO_BE}",
        within="deletes[m] > 0 and argument == 0",
    ),
    Rule(
        id="client.conversation.item.create.output",
        actor="client",
        event="conversation.item.create",
        sends=True,
        over={"m": "ANSWERS"},
        address="ANSWER + m",
        argument_limit="ITEMS + 2",
        why="The client sends the output of a function call once it has it, and asks for a reply.",
        source="SDK conversation_item_create_event.py; GUIDE, function calling",
        confidence="documented",
        when=f"{OPEN} and tool[m] in (returned, raised, missing, cancelled)"
        " and output[m] in (item_done, closed) and whole[m] == 1",
        then={"tool[m]": "answered", "sent[ANSWER + m]": "1",
              "asked": "yes if tool[m] != cancelled and cut[m // OUTPUTS] == 0"
              " and begun < RESPONSES else asked"},
        permitted=f"item[m] == present and {PLACE_TO_BE}",
        within="argument == 0",
    ),
    Rule(
        id="server.conversation.item.added.created",
        actor="server",
        event="conversation.item.added",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        why="The item is in the conversation, where the client wanted it.",
        source="SDK conversation_item_create_event.py; facts 2.4, 6",
        confidence="documented",
        when=f"{LIVE} and {FREE} and {PLACE_FITS} and {HAS_CALL}",
        then={"item[m]": "present", "entry[m]": "CREATED_DONE", "sent[m]": "0",
              "again[*]": "1 if i == m else this"},
    ),
    Rule(
        id="server.conversation.item.added.replayed",
        actor="server",
        event="conversation.item.added",
        over={"m": "ITEMS"},
        why="One dialect puts items of an earlier session into the conversation, under new ids; "
        "they take slots of items that the client could create.",
        source="CAS xai_ws session_resumption_after_drop: 1 item on the second socket",
        confidence="observed",
        when=f"REPLAYS == 1 and {LIVE} and configured == 0 and MADE <= m and m < ANSWER"
        " and created == m - MADE and created + CONTEXTS < CREATES",
        then={"item[m]": "present", "created": "created + 1"},
    ),
    Rule(
        id="server.conversation.item.done.created",
        actor="server",
        event="conversation.item.done",
        over={"m": "ITEMS"},
        urgent=True,
        why="The item is final at once: 44 of 44 recorded items.",
        source="CAS; facts 2.4",
        confidence="observed",
        when="entry[m] == 1 and (m < OUTS or m >= MADE - NUDGES or turn != committed)",
        then={"entry[m]": "0"},
    ),
    Rule(
        id="server.rejects.conversation.item.create.duplicate",
        actor="server",
        event="error",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        error="item_create_duplicate_item_id",
        why="An item with this id is in the conversation; newer models reject it.",
        source="livekit/agents #6964, SonicAIDriveThru; facts 6, 8 #10, 9.11",
        confidence="observed",
        when=f"DUPLICATES == 0 and {LIVE} and sent[m] != 2 and item[m] == present",
        then={"sent[m]": "0"},
    ),
    Rule(
        id="server.ignores.conversation.item.create.duplicate",
        actor="server",
        event="",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        why="An item with this id is in the conversation; the oldest models say nothing.",
        source="speaches, gpt-4o-realtime-preview; facts 6, 9.11",
        confidence="inferred",
        when=f"DUPLICATES == 1 and {LIVE} and sent[m] != 2 and item[m] == present",
        then={"sent[m]": "0"},
    ),
    Rule(
        id="server.rejects.conversation.item.create.previous",
        actor="server",
        event="error",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        error="item_create_invalid_previous_item_id",
        why="The item that it should stand behind is unknown, or deleted; nothing is added.",
        source="SDK conversation_item_create_event.py; facts 6, 8 #11",
        confidence="documented",
        when=f"{LIVE} and {FREE} and not {PLACE_FITS}",
        then={"sent[m]": "0"},
    ),
    Rule(
        id="server.rejects.conversation.item.create.call",
        actor="server",
        event="error",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        error="invalid_tool_call_id",
        why="The call that the output answers is not in the conversation.",
        source="livekit/agents #3344; facts 6, 8 #15",
        confidence="observed",
        when=f"{LIVE} and {FREE} and {PLACE_FITS} and not {HAS_CALL}",
        then={"sent[m]": "0"},
    ),
    Rule(
        id="server.rejects.conversation.item.create.invalid",
        actor="server",
        event="error",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        error="string_above_max_length",
        variants=("invalid_value", "missing_required_parameter", "unknown_parameter"),
        disturbs="fault",
        why="An item can be refused for what it holds: too long, a bad id, a missing field.",
        source="CAS-F refused_text; facts 8 #12, #13, #14, #16",
        confidence="observed",
        when=f"{LIVE} and {FREE} and refused < REFUSED and {CALM}",
        then={"sent[m]": "0", "refused": "refused + 1", "faults": "faults + 1"},
    ),
    Rule(
        id="server.rejects.conversation.item.create.ahead",
        actor="server",
        event="error",
        over={"m": "ITEMS"},
        error="invalid_value",
        variants=("string_above_max_length", "missing_required_parameter", "unknown_parameter"),
        disturbs="fault",
        why="What is wrong in its form can be rejected before what was sent earlier is answered.",
        source="CAS message_history_seeding of 2026-07-07: the error about the second creation "
        "came before the first item was added",
        confidence="observed",
        when=f"{LIVE} and sent[m] == 1 and refused < REFUSED and {CALM}",
        then={"sent[m]": "2", "refused": "refused + 1", "faults": "faults + 1"},
    ),
    Rule(
        id="server.skips.conversation.item.create",
        actor="server",
        event="",
        reads="conversation.item.create",
        over={"m": "ITEMS"},
        address="m",
        why="What was rejected ahead is not looked at again.",
        source="CAS message_history_seeding of 2026-07-07",
        confidence="observed",
        when=f"{LIVE} and sent[m] == 2",
        then={"sent[m]": "0"},
    ),
)  # fmt: skip
