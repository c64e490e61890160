"""The input buffer and turn detection: from the first sound to the user's item and its transcript.

Server VAD and semantic VAD have the same events (facts 3.2); `VAD` is 0 for manual turns.
`CREATE_RESPONSE` and `INTERRUPT_RESPONSE` are the flags of turn detection, both on by default.

Laws:
- A turn has one item, whose id `speech_started` announces or the commit gives.
- `added` and `done` of the item follow the commit with nothing between, or, in a dialect, `added`
  follows `speech_started`.
- Transcription runs beside everything else and ends once: completed or failed.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.words import (
    ACTIVE,
    BARGED_NO_MORE,
    CALM,
    LIVE,
    NEW_REPLY,
    OPEN,
)
from realtime_protocol.state import Field

FIELDS = (
    Field("speech", "what turn detection hears", ("silent", "speaking")),
    Field(
        "turn",
        "how far the server is with the turn it hears",
        ("none", "open", "stopped", "committed", "due"),
    ),
    Field("spoken", "user items whose id is known", limit="USERS", budget=True),
    Field("buffer", "audio since the last commit; `enough` is 100 ms or more",
          ("empty", "short", "enough")),
    Field("commits", "commits that the server has not answered", limit="COMMITS"),
    Field("asr", "transcription of a user item: 0 none, 1 under way, 2 and more by deltas sent",
          limit="ASR", over=("USERS",)),
    Field("heard", "a user item was transcribed, or that failed", limit="1", over=("USERS",)),
    Field("nudges", "idle timeouts", limit="NUDGES", budget=True),
    Field("nudged", "the system item of an idle timeout is to be added (1) or done (2)", limit="2"),
    Field("manual", "the item that was committed last was committed by the client", limit="1"),
    Field("barged", "the speech that is heard began as a barge-in", limit="1"),
    Field("early", "the turn that is heard has its response already", limit="1"),
    Field("entered", "whether the item of the turn that is heard was added before its commit",
          ("no", "due", "yes")),
    Field("clears", "input_audio_buffer.clear messages sent", limit="CLEARS", budget=True),
    Field("emptying", "those of them that the server has not answered", limit="CLEARS"),
    Field("unanswered", "a turn that the server makes no reply to waits for the app to ask for one",
          limit="1"),
)  # fmt: skip

ROOM = "(TRACK_USERS == 0 or RECORDED == 1 or spoken + commits < USERS)"
"""A slot is left for one more item of the user, beside those of the commits on their way."""
KEPT = "(TRACK_USERS == 0 or RECORDED == 1 or spoken + commits <= USERS)"
"""No commit on its way needs the slot of the turn that is heard."""

ANNOUNCES = {
    "speech": "speaking",
    "turn": "open",
    "spoken": "spoken + 1",
    "entered": "due if EARLY_ITEM == 1 else no",
}
"""Turn detection announces a turn and the id of its item."""

COMMITTED = {
    "turn": "committed",
    "buffer": "empty",
    "item[OUTS + u]": "present if TRACK_USERS == 1 else absent",
    "asr[u]": "asr[u] if heard[u] == 1 else max(asr[u], TRANSCRIPTION)",
    "entered": "no",
}
"""The buffer becomes the item in slot `u`, and its transcription begins."""
GOES_ON = (
    f"{LIVE} and TRANSCRIPTION == 1 and heard[u] == 0 and asr[u] < ASR and (asr[u] > 0"
    " or (spoken == u + 1 and turn == open and EARLY_ASR == 1))"
)
"""The transcription of a user item is under way, or may begin early."""
TAKEN = {
    "turn": "due if CREATE_RESPONSE == 1 and manual == 0 and early == 0 else none",
    "manual": "0",
    "early": "0",
    "spoken": "spoken if TRACK_USERS == 1 else 0",
    "unanswered": "1 if CREATE_RESPONSE == 0 and manual == 0 else unanswered",
}
"""The turn is taken up: a reply is due, where the server is to make one and has not begun it."""
ENTERED = "entered == yes"
FINAL = f"{ENTERED} and USER_DONE == 0"
"""Nothing of the item is left to be said behind its commit."""

RULES = (
    Rule(
        id="client.input_audio_buffer.append",
        actor="client",
        event="input_audio_buffer.append",
        why="Audio may be appended at any time and has no acknowledgement.",
        source="SDK input_audio_buffer_append_event.py",
        confidence="documented",
        when=OPEN,
        then={"buffer": "buffer if TRACK_BUFFER == 0 else (short if buffer == empty else enough)"},
        within="TRACK_BUFFER == 1 and turns > 0 and turn == none and buffer != enough",
    ),
    Rule(
        id="client.input_audio_buffer.commit",
        actor="client",
        event="input_audio_buffer.commit",
        sends=True,
        why="The client ends a manual turn; a commit of less than 100 ms is rejected, and a clear "
        "that was sent before leaves nothing to commit.",
        source="SDK input_audio_buffer_commit_event.py; facts 3.2, 8 #21",
        confidence="documented",
        when=f"{OPEN} and commits < COMMITS and ({ROOM} or (turn == open and commits == 0))",
        then={"commits": "commits + 1", "committing": "max(committing - 1, 0)"},
        permitted="buffer == enough and emptying == 0",
        within="committing > 0 and commits == 0",
    ),
    Rule(
        id="server.input_audio_buffer.committed.manual",
        actor="server",
        event="input_audio_buffer.committed",
        reads="input_audio_buffer.commit",
        over={"u": "USERS"},
        why="The buffer becomes a user item; a commit by itself begins no response. "
        "Speech that was heard ends with it, unannounced.",
        source="SDK input_audio_buffer_commit_event.py; facts 3.1, 3.2; during speech: facts 9.18 "
        "(open)",
        confidence="documented",
        when=f"{LIVE} and buffer == enough and turn in (none, open)"
        " and spoken - (1 if turn == open else 0) == u",
        then={
            **COMMITTED,
            "spoken": "u + 1",
            "commits": "commits - 1",
            "manual": "1",
            "speech": "silent",
        },
    ),
    Rule(
        id="server.rejects.input_audio_buffer.commit",
        actor="server",
        event="error",
        reads="input_audio_buffer.commit",
        error="input_audio_buffer_commit_empty",
        why="Less than 100 ms were appended since the last commit, by client or turn detection.",
        source="facts 3.2, 8 #21",
        confidence="observed",
        when=f"{LIVE} and buffer != enough",
        then={"commits": "commits - 1"},
    ),
    Rule(
        id="client.input_audio_buffer.clear",
        actor="client",
        event="input_audio_buffer.clear",
        sends=True,
        why="Audio that was not committed is dropped.",
        source="SDK input_audio_buffer_clear_event.py",
        confidence="documented",
        when=f"{OPEN} and clears < CLEARS",
        then={"clears": "clears + 1", "clearing": "max(clearing - 1, 0)",
              "emptying": "emptying + 1"},
        within="clearing > 0",
    ),
    Rule(
        id="server.input_audio_buffer.cleared",
        actor="server",
        event="input_audio_buffer.cleared",
        reads="input_audio_buffer.clear",
        why="The reply to a clear.",
        source="SDK input_audio_buffer_cleared_event.py",
        confidence="documented",
        when=LIVE,
        then={"buffer": "empty", "emptying": "emptying - 1"},
    ),
    Rule(
        id="server.input_audio_buffer.speech_stopped",
        actor="server",
        event="input_audio_buffer.speech_stopped",
        why="Turn detection hears the end of the speech it has announced.",
        source="SDK input_audio_buffer_speech_stopped_event.py; CAS, every VAD turn",
        confidence="documented",
        when=f"{LIVE} and speech == speaking and turn == open and (barged == 0 or turns < TURNS)"
        f" and {KEPT}",
        then={
            "speech": "silent",
            "turn": "stopped",
            **BARGED_NO_MORE,
        },
    ),
    Rule(
        id="server.input_audio_buffer.committed",
        actor="server",
        event="input_audio_buffer.committed",
        over={"u": "USERS"},
        urgent=True,
        why="Turn detection commits the turn under the item id that speech_started announced.",
        source="CAS, every VAD turn; facts 3.1",
        confidence="observed",
        when=f"{LIVE} and turn == stopped and nudged == 0 and spoken == u + 1",
        then={
            **COMMITTED,
            **{field: f"({text}) if {FINAL} else {field}" for field, text in TAKEN.items()},
            "turn": f"({TAKEN['turn']}) if {FINAL} else committed",
            "item[OUTS + u]": f"item[OUTS + u] if {ENTERED}"
            f" else ({COMMITTED['item[OUTS + u]']})",
            "entry[OUTS + u]": f"USER_DONE if {ENTERED} else entry[OUTS + u]",
        },
    ),
    Rule(
        id="server.conversation.item.added.speech",
        actor="server",
        event="conversation.item.added",
        over={"m": "ITEMS"},
        urgent=True,
        why="One dialect adds the user's item as soon as it hears speech, in progress, and not "
        "behind the commit.",
        source="CAS xai_ws, CAS-F xai_ws: 3 of 3 spoken items",
        confidence="observed",
        when="EARLY_ITEM == 1 and entered == due and OUTS <= m and m < OUTS + USERS"
        " and spoken == m - OUTS + 1",
        then={"entered": "yes", "item[m]": "present if TRACK_USERS == 1 else absent"},
    ),
    Rule(
        id="server.conversation.item.added.user",
        actor="server",
        event="conversation.item.added",
        over={"u": "USERS"},
        urgent=True,
        why="The committed audio becomes a user item.",
        source="SDK conversation_item_added.py; facts 3.1",
        confidence="documented",
        when="turn == committed and spoken == u + 1 and entry[OUTS + u] == 0",
        then={
            "entry[OUTS + u]": "USER_DONE",
            **{field: f"({text}) if USER_DONE == 0 else {field}" for field, text in TAKEN.items()},
        },
    ),
    Rule(
        id="server.conversation.item.done.user",
        actor="server",
        event="conversation.item.done",
        over={"u": "USERS"},
        urgent=True,
        why="The user item is final at once: 44 of 44 recorded items.",
        source="CAS; facts 2.4, 3.1",
        confidence="observed",
        when="turn == committed and entry[OUTS + u] == 1",
        then={
            "entry[OUTS + u]": "0",
            **TAKEN,
        },
    ),
    Rule(
        id="server.rejects.turn",
        actor="server",
        event="error",
        error="conversation_already_has_active_response",
        disturbs="fault",
        why="A turn has ended while a response is active: creating its reply may fail.",
        source="SDK realtime_audio_input_turn_detection.py; facts 3.2, 9.19 (open)",
        confidence="inferred",
        when=f"{LIVE} and turn == due and ({ACTIVE} or pending > 0) and refused < REFUSED"
        f" and {CALM}",
        then={"turn": "none", "refused": "refused + 1", "faults": "faults + 1"},
    ),
    Rule(
        id="server.input_audio_buffer.timeout_triggered",
        actor="server",
        event="input_audio_buffer.timeout_triggered",
        over={"u": "USERS"},
        disturbs="fault",
        why="Nothing was said for idle_timeout_ms after a reply: the server takes a turn for the "
        "user, and tells the model so in a system item.",
        source="SDK input_audio_buffer_timeout_triggered.py; facts 3.1",
        confidence="observed",
        when=f"{LIVE} and speech == silent and turn == none and spoken == u and {ROOM}"
        f" and nudges < NUDGES and turns > 0 and turns < TURNS and not {ACTIVE} and pending == 0"
        f" and {CALM}",
        then={"turn": "stopped", "nudges": "nudges + 1", "turns": "turns + 1", "nudged": "1",
              "spoken": "u + 1", "faults": "faults + 1", **NEW_REPLY},
    ),
    Rule(
        id="server.conversation.item.added.system",
        actor="server",
        event="conversation.item.added",
        over={"n": "NUDGES"},
        urgent=True,
        why="The system item of an idle timeout comes before the user's; it is not documented.",
        source="facts 3.1, idle timeout",
        confidence="observed",
        when="nudged == 1 and nudges == n + 1",
        then={"nudged": "2", "item[OUTS + USERS + n]": "present"},
    ),
    Rule(
        id="server.conversation.item.done.system",
        actor="server",
        event="conversation.item.done",
        over={"n": "NUDGES"},
        urgent=True,
        why="The system item is final at once.",
        source="facts 3.1, idle timeout",
        confidence="observed",
        when="nudged == 2 and nudges == n + 1",
        then={"nudged": "0"},
    ),
    Rule(
        id="server.conversation.item.input_audio_transcription.delta",
        actor="server",
        event="conversation.item.input_audio_transcription.delta",
        over={"u": "USERS"},
        why="Some models transcribe while the user speaks, others from the commit.",
        source="SDK conversation_item_input_audio_transcription_delta_event.py; facts 3.2",
        confidence="observed",
        when=f"INTERIMS == 0 and {GOES_ON}",
        then={"asr[u]": "max(asr[u], 1) + 1"},
    ),
    Rule(
        id="server.conversation.item.input_audio_transcription.completed.so_far",
        actor="server",
        event="conversation.item.input_audio_transcription.completed",
        over={"u": "USERS"},
        why="One dialect has no deltas: it says again and again what it has understood so far, and "
        "that it is not final.",
        source="CAS xai_ws, CAS-F xai_ws: 6 events, and a final one for each of 3 spoken items",
        confidence="observed",
        when=f"INTERIMS == 1 and {GOES_ON}",
        then={"asr[u]": "max(asr[u], 1) + 1"},
    ),
    Rule(
        id="server.conversation.item.input_audio_transcription.segment",
        actor="server",
        event="conversation.item.input_audio_transcription.segment",
        over={"u": "USERS"},
        why="A model that tells speakers apart sends segments instead of deltas.",
        source="SDK conversation_item_input_audio_transcription_segment.py",
        confidence="documented",
        when=f"{LIVE} and SEGMENTS == 1 and INTERIMS == 0 and heard[u] == 0 and 0 < asr[u]"
        " and asr[u] < ASR",
        then={"asr[u]": "asr[u] + 1"},
    ),
    Rule(
        id="server.conversation.item.input_audio_transcription.completed",
        actor="server",
        event="conversation.item.input_audio_transcription.completed",
        over={"u": "USERS"},
        why="The transcript is final, in no order with the response or with other items.",
        source="SDK conversation_item_input_audio_transcription_completed_event.py; facts 3.2",
        confidence="documented",
        when=f"{LIVE} and asr[u] > 0 and heard[u] == 0"
        " and not (spoken == u + 1 and turn in (open, stopped)) and (FULL == 0 or asr[u] == ASR)",
        then={"heard[u]": "1", "asr[u]": "0"},
    ),
    Rule(
        id="server.conversation.item.input_audio_transcription.failed",
        actor="server",
        event="conversation.item.input_audio_transcription.failed",
        over={"u": "USERS"},
        error="transcription_failed",
        why="The item could not be transcribed; the response is not affected. There is no item "
        "before its commit.",
        source="CAS test_azure_ws requires_deployment; facts 3.2, 8 #34",
        confidence="observed",
        when=f"{LIVE} and asr[u] > 0 and heard[u] == 0 and DEAF == 1"
        " and not (spoken == u + 1 and turn in (open, stopped))",
        then={"heard[u]": "1", "asr[u]": "0"},
    ),
)  # fmt: skip
