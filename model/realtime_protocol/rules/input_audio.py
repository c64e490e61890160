"""The input buffer and server VAD: one spoken turn, from `speech_started` to the reply being due.

`create_response` and `interrupt_response` are on, as they are by default.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

FIELDS = (
    Field("speech", "what server VAD hears", ("silent", "speaking")),
    Field(
        "turn",
        "how far the server is with the turn it hears",
        ("none", "open", "stopped", "committed", "added", "due"),
    ),
)

RULES = (
    Rule(
        id="client.input_audio_buffer.append",
        actor="client",
        event="input_audio_buffer.append",
        why="Audio may be appended at any time and has no acknowledgement.",
        source="SDK input_audio_buffer_append_event.py",
        confidence="documented",
        when="connection != closed",
    ),
    Rule(
        id="server.input_audio_buffer.speech_stopped",
        actor="server",
        event="input_audio_buffer.speech_stopped",
        why="VAD hears the end of the speech it has announced.",
        source="SDK input_audio_buffer_speech_stopped_event.py; CAS, every VAD turn",
        confidence="documented",
        when="speech == speaking and (turn == open or turns < TURNS)",
        then={
            "speech": "silent",
            "turns": "turns if turn == open else turns + 1",
            "turn": "stopped",
        },
    ),
    Rule(
        id="server.input_audio_buffer.committed",
        actor="server",
        event="input_audio_buffer.committed",
        why="VAD commits the turn under the item id that speech_started announced.",
        source="CAS, every VAD turn; facts 3.1",
        confidence="observed",
        when="turn == stopped",
        then={"turn": "committed"},
    ),
    Rule(
        id="server.conversation.item.added.user",
        actor="server",
        event="conversation.item.added",
        why="The committed audio becomes a user item.",
        source="SDK conversation_item_added.py; facts 3.1",
        confidence="documented",
        when="turn == committed",
        then={"turn": "added"},
    ),
    Rule(
        id="server.conversation.item.done.user",
        actor="server",
        event="conversation.item.done",
        why="The user item is final at once: 44 of 44 recorded items.",
        source="CAS; facts 2.4, 3.1",
        confidence="observed",
        when="turn == added",
        then={"turn": "due"},
    ),
)
