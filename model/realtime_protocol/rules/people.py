"""The user, the app and the clock: who begins a reply, who interrupts it, and what falls due.

Barge-in while the server is still taking up a turn is left out: in 20 of 21 recorded turns the
events from `speech_stopped` to `response.created` are adjacent on the server.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

BUSY = (
    "(asked == 1 or requested == 1 or response != none or turn in (stopped, committed, added, due)"
    " or segment in (open, flushed, cleared) or len(inbox) > 0)"
)
IDLE = f"connection == ready and updates == configured and not {BUSY}"

NEW_REPLY = {"cancels": "0", "cancelling": "0", "truncates": "0", "deletes": "0"}
CALM = "interruptions + ticks < DISTURBANCES"

FIELDS = (
    Field("turns", "replies that were begun", limit="TURNS"),
    Field("interruptions", "interruptions so far", limit="INTERRUPTIONS"),
    Field("cut", "the current reply was interrupted", limit="1"),
    Field("ticks", "deadlines that fell due by a step of the clock", limit="TICKS"),
)

RULES = (
    Rule(
        id="app.generate_reply",
        actor="app",
        event="generate_reply",
        why="Agent code asks for a reply.",
        source="livekit AgentSession.generate_reply",
        confidence="documented",
        when=f"{IDLE} and speech == silent and turn == none and turns < TURNS",
        then={"asked": "1", "turns": "turns + 1", **NEW_REPLY},
    ),
    Rule(
        id="user.takes_turn",
        actor="user",
        event="input_audio_buffer.speech_started",
        why="The user speaks while nothing is going on; VAD announces the id of the item to come.",
        source="SDK input_audio_buffer_speech_started_event.py; facts 3.1",
        confidence="documented",
        when=f"{IDLE} and speech == silent and turn == none and turns < TURNS",
        then={
            "speech": "speaking",
            "turn": "open",
            "turns": "turns + 1",
            **NEW_REPLY,
        },
    ),
    Rule(
        id="user.barges_in",
        actor="user",
        event="input_audio_buffer.speech_started",
        disturbs="interruption",
        why="The user speaks during a reply; with interrupt_response the server cuts a response "
        "that is running, and has nothing to cut otherwise.",
        source="SDK realtime_audio_input_turn_detection.py; CAS-F barge-in; facts 3.3",
        confidence="documented",
        when=f"turns > 0 and {BUSY} and speech == silent and turn == none and {CALM}"
        " and interruptions < INTERRUPTIONS",
        then={
            "speech": "speaking",
            "interruptions": "interruptions + 1",
            "cut": "1",
            "ending": "turn_detected if response == active and ending == running else ending",
        },
    ),
    Rule(
        id="app.interrupt",
        actor="app",
        event="interrupt",
        disturbs="interruption",
        why="Agent code calls session.interrupt().",
        source="livekit AgentSession.interrupt",
        confidence="documented",
        when=f"turns > 0 and {BUSY} and {CALM} and interruptions < INTERRUPTIONS",
        then={"interruptions": "interruptions + 1", "cut": "1"},
    ),
    Rule(
        id="clock.deadline",
        actor="clock",
        event="deadline",
        disturbs="clock",
        why="The next deadline of the client falls due before anything else happens.",
        source="by definition: time moves only by a step of the clock or of the speaker",
        confidence="documented",
        when=f"turns > 0 and {BUSY} and {CALM} and ticks < TICKS",
        then={"ticks": "ticks + 1"},
    ),
)
