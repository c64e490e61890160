"""The user, the app and the clock: who begins a reply, who interrupts it, and what falls due.

Barge-in while the server is still taking up a turn is left out: in 20 of 21 recorded turns the
events from `speech_stopped` to `response.created` are adjacent on the server.

Laws:
- A reply is begun only when nothing is under way; everything else is a disturbance, and the budget
  of them is a bound.
- What the app asks for, the client has to carry out: the act only notes that it was asked.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.input_audio import ANNOUNCES, ROOM
from realtime_protocol.rules.words import ACTIVE, BUSY, CALM, IDLE, LIVE, NEW_REPLY, RUNS
from realtime_protocol.state import Field

RUNNING = f"(turns > 0 or RECORDED == 1) and {BUSY} and {CALM}"
CUTS = {
    "cut[*]": "1 if response[i] in (active, done) and oob[i] == 0 else this",
    "recalled": "1 if requested > 0 else recalled",
    "asked": "withdrawn if asked == yes else asked",
}
"""The replies that are under way are interrupted, and so is one that is only asked for."""

FIELDS = (
    Field("turns", "replies that were begun", limit="TURNS", budget=True),
    Field("interruptions", "interruptions so far", limit="INTERRUPTIONS", budget=True),
    Field("ticks", "deadlines that fell due by a step of the clock", limit="TICKS", budget=True),
    Field("waits", "deadlines that fell due while nothing else could happen", limit="WAITS",
          budget=True),
    Field("changes", "other things that the app did meanwhile", limit="DISTURBANCES", budget=True),
    Field("faults", "faults so far", limit="DISTURBANCES", budget=True),
    Field("committing", "manual commits that the app has asked for", limit="COMMITS"),
    Field("clearing", "manual clears that the app has asked for", limit="CLEARINGS"),
    Field("refusals", "handshakes refused", limit="REFUSALS", budget=True),
    Field("drops", "sockets dropped", limit="DROPS", budget=True),
    Field("expiries", "sessions expired", limit="EXPIRIES", budget=True),
    Field("rotations", "planned reconnections", limit="ROTATIONS", budget=True),
    Field("troubles", "errors of the server that no request caused", limit="TROUBLES", budget=True),
    Field("raises", "tools that ended with an error", limit="RAISES", budget=True),
    Field("hangs", "tools that never end", limit="HANGS", budget=True),
)  # fmt: skip


def asks(act: str, bound: str, why: str, then: dict[str, str], source: str) -> Rule:
    """A disturbance by the app: something that it asks for while a reply is under way."""
    return Rule(
        id=f"app.{act}",
        actor="app",
        event=act,
        disturbs="app",
        why=why,
        source=source,
        confidence="documented",
        when=f"{bound} == 1 and {RUNNING} and connection == ready and leaving == no",
        then={"changes": "changes + 1", **then},
    )


RULES = (
    Rule(
        id="app.generate_reply",
        actor="app",
        event="generate_reply",
        why="Agent code asks for a reply.",
        source="livekit AgentSession.generate_reply",
        confidence="documented",
        when=f"{IDLE} and unanswered == 0 and turns < TURNS and begun < RESPONSES",
        then={"asked": "yes", "turns": "turns + 1", **NEW_REPLY},
    ),
    Rule(
        id="app.answers_turn",
        actor="app",
        event="generate_reply",
        why="Where turn detection creates no response, agent code asks for the reply to a turn.",
        source="SDK realtime_audio_input_turn_detection.py, create_response; facts 3.2; livekit "
        "AgentSession.generate_reply",
        confidence="documented",
        when=f"{LIVE} and unanswered == 1 and turn == none and speech == silent and leaving == no"
        f" and asked != yes and requested + pending == 0 and not {ACTIVE} and begun < RESPONSES",
        then={"asked": "yes", "unanswered": "0", **NEW_REPLY},
    ),
    Rule(
        id="user.takes_turn",
        actor="user",
        event="input_audio_buffer.speech_started",
        over={"u": "USERS"},
        why="The user speaks while nothing is going on; VAD announces the id of the item to come.",
        source="SDK input_audio_buffer_speech_started_event.py; facts 3.1",
        confidence="documented",
        when=f"VAD == 1 and {IDLE} and turns < TURNS and spoken == u"
        " and (begun < RESPONSES or CREATE_RESPONSE == 0)",
        then={**ANNOUNCES, "turns": "turns + 1", **NEW_REPLY},
    ),
    Rule(
        id="user.speaks",
        actor="user",
        event="speak",
        why="The user speaks while turns are taken by hand: the server hears, and says nothing.",
        source="SDK realtime_audio_input_turn_detection.py: null turns detection off",
        confidence="documented",
        when=f"VAD == 0 and {IDLE} and turns < TURNS and buffer != enough and begun < RESPONSES",
        then={"turns": "turns + 1", **NEW_REPLY},
    ),
    Rule(
        id="app.commit_user_turn",
        actor="app",
        event="commit_user_turn",
        why="The app ends a manual turn: the client commits it, unless it was cleared just before, "
        "and asks for a reply.",
        source="livekit AgentSession.commit_user_turn",
        confidence="documented",
        when=f"VAD == 0 and COMMITS > 0 and {LIVE} and turns > 0 and committing == 0"
        " and commits == 0 and buffer == enough and clearing == 0 and leaving == no"
        " and asked != yes"
        " and spoken < USERS and begun + requested < RESPONSES",
        then={"committing": "1 if emptying == 0 else 0", "asked": "yes"},
    ),
    Rule(
        id="app.clear_user_turn",
        actor="app",
        event="clear_user_turn",
        disturbs="app",
        why="The app drops what was said since the last turn.",
        source="livekit AgentSession.clear_user_turn",
        confidence="documented",
        when=f"{LIVE} and turns > 0 and CLEARINGS == 1 and clears + clearing < CLEARS and {CALM}",
        then={"clearing": "clearing + 1", "changes": "changes + 1"},
    ),
    Rule(
        id="user.barges_in",
        actor="user",
        event="input_audio_buffer.speech_started",
        disturbs="interruption",
        over={"u": "USERS"},
        why="The user speaks during a reply; with interrupt_response the server cuts a response "
        "that is running, and has nothing to cut otherwise.",
        source="SDK realtime_audio_input_turn_detection.py; CAS-F barge-in; facts 3.3",
        confidence="documented",
        when=f"VAD == 1 and {LIVE} and {RUNNING} and speech == silent and turn == none"
        f" and spoken == u and {ROOM} and interruptions < INTERRUPTIONS"
        f" and (CUT_UNCLOSED == 0 or INTERRUPT_RESPONSE == 0 or not {RUNS})",
        then={
            **ANNOUNCES,
            "barged": "1",
            "interruptions": "interruptions + 1",
            "cut[*]": "1 if INTERRUPT_RESPONSE == 1 and response[i] in (active, done)"
            " and oob[i] == 0 else this",
            "recalled": "1 if INTERRUPT_RESPONSE == 1 and requested > 0 else recalled",
            "asked": "withdrawn if INTERRUPT_RESPONSE == 1 and asked == yes else asked",
            "ending[*]": "turn_detected if INTERRUPT_RESPONSE == 1 and response[i] == active"
            " and oob[i] == 0 and this == running else this",
        },
    ),
    Rule(
        id="user.barges_in.unclosed",
        actor="user",
        event="response.done",
        disturbs="interruption",
        over={"r": "RESPONSES"},
        why="The user speaks during a reply, and one dialect ends the response before it says so: "
        "as if it had completed, with nothing of what was open, which is not closed and is gone.",
        source="CAS-F xai_ws handle_barge_in: the 1 barge-in there",
        confidence="observed",
        when=f"CUT_UNCLOSED == 1 and INTERRUPT_RESPONSE == 1 and VAD == 1 and {LIVE} and {RUNNING}"
        " and speech == silent and turn == none and spoken < USERS"
        " and interruptions < INTERRUPTIONS"
        " and response[r] == active and oob[r] == 0 and ending[r] == running",
        then={
            **CUTS,
            "speech": "speaking",
            "interruptions": "interruptions + 1",
            "response[r]": "done",
            "ending[r]": "turn_detected",
            "item[*]": "deleted if i < OUTS and i // OUTPUTS == r and this == present"
            " and output[i] != closed else this",
        },
    ),
    Rule(
        id="server.input_audio_buffer.speech_started.unclosed",
        actor="server",
        event="input_audio_buffer.speech_started",
        over={"u": "USERS"},
        urgent=True,
        why="The speech that has ended a response is announced directly behind it.",
        source="CAS-F xai_ws handle_barge_in: the 1 barge-in there",
        confidence="observed",
        when=f"CUT_UNCLOSED == 1 and {LIVE} and speech == speaking and turn == none"
        " and spoken == u",
        then={**ANNOUNCES, "barged": "1"},
    ),
    Rule(
        id="app.interrupt",
        actor="app",
        event="interrupt",
        disturbs="interruption",
        why="Agent code calls session.interrupt().",
        source="livekit AgentSession.interrupt",
        confidence="documented",
        when=f"{RUNNING} and interruptions < INTERRUPTIONS",
        then={"interruptions": "interruptions + 1", **CUTS},
    ),
    Rule(
        id="app.interrupt.handle",
        actor="app",
        event="interrupt_handle",
        disturbs="interruption",
        why="Agent code interrupts one speech: the one that is heard, queued or pending.",
        source="livekit SpeechHandle.interrupt",
        confidence="documented",
        when=f"HANDLES == 1 and {RUNNING} and interruptions < INTERRUPTIONS",
        then={"interruptions": "interruptions + 1", **CUTS},
    ),
    Rule(
        id="clock.deadline",
        actor="clock",
        event="deadline",
        disturbs="clock",
        why="The next deadline of the client falls due before anything else happens.",
        source="by definition: time moves only by a step of the clock or of the speaker",
        confidence="documented",
        when=f"{RUNNING} and ticks < TICKS",
        then={"ticks": "ticks + 1"},
    ),
    Rule(
        id="clock.passes",
        actor="clock",
        event="deadline",
        why="Without a connection nothing happens but what the client has put off.",
        source="by definition: time moves only by a step of the clock or of the speaker",
        confidence="documented",
        when="connection == closed and leaving != closing and fatal == 0 and sockets < SOCKETS"
        " and waits < WAITS",
        then={"waits": "waits + 1"},
    ),
    Rule(
        id="app.generate_reply.again",
        actor="app",
        event="generate_reply_again",
        disturbs="app",
        why="Agent code asks for another reply while one is under way.",
        source="livekit AgentSession.generate_reply",
        confidence="documented",
        when=f"AGAIN == 1 and {RUNNING} and {LIVE} and asked != yes"
        " and begun + requested + (1 if turn != none else 0) < RESPONSES",
        then={"asked": "yes", "changes": "changes + 1"},
    ),
    asks("update_chat_ctx", "CONTEXTS", "Agent code adds an item to the context.",
         {"context": "min(context + 1, CREATES)"}, "livekit Agent.update_chat_ctx"),
    asks("update_chat_ctx.remove", "REMOVALS", "Agent code takes an item out of the context.",
         {"removal": "1"}, "livekit Agent.update_chat_ctx"),
    asks("update_instructions", "CHANGES", "Agent code changes the instructions.",
         {"wanted": "min(wanted + 1, CHANGES)"}, "livekit Agent.update_instructions"),
    asks("update_tools", "TOOLS", "Agent code changes the tools.",
         {"wanted": "min(wanted + 1, CHANGES)"}, "livekit Agent.update_tools"),
    asks("update_options", "OPTIONS", "Agent code changes options of the session.",
         {"wanted": "min(wanted + 1, CHANGES)"}, "livekit RealtimeSession.update_options"),
    asks("hand_over", "HANDOVERS", "Agent code hands over to another agent, which brings "
         "instructions and tools of its own; what is said is heard to its end.",
         {"wanted": "min(wanted + 1, CHANGES)"}, "livekit AgentSession.update_agent"),
    asks("close", "CLOSES", "Agent code closes the session.",
         {"leaving": "closing", **CUTS}, "livekit AgentSession.aclose"),
)  # fmt: skip
