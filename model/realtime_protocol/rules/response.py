"""One response of one audio message: created, opened, streamed, closed, done.

A response that is cut takes the same closing chain as one that completes, with what was open
left incomplete; one that is cut before its first item goes straight to `response.done`.
`transcript` and `audio` survive `response.done`: later client messages are judged against them.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

STREAMS = "response == active and output == streaming and ending == running"

FIELDS = (
    Field("response", "the response of the default conversation", ("none", "pending", "active")),
    Field(
        "output",
        "how far the message of the response is",
        (
            "nothing",
            "opened",
            "listed",
            "streaming",
            "audio_done",
            "transcript_done",
            "part_done",
            "item_done",
            "closed",
        ),
    ),
    Field(
        "ending",
        "how the response ends",
        ("running", "completed", "turn_detected", "client_cancelled"),
    ),
    Field("transcript", "transcript deltas sent for the message", limit="TRANSCRIPTS"),
    Field("audio", "audio deltas sent for the message", limit="AUDIO"),
)

NEW_RESPONSE = {
    "response": "active",
    "output": "nothing",
    "ending": "running",
    "transcript": "0",
    "audio": "0",
    "item": "absent",
    "captured": "0",
    "played": "0",
    "segment": "none",
    "cut": "0",
}

RULES = (
    Rule(
        id="server.response.created.requested",
        actor="server",
        event="response.created",
        why="A response.create that was read is answered by the first event of its response.",
        source="SDK response_created_event.py; facts 2.2",
        confidence="documented",
        when="response == pending",
        then={**NEW_RESPONSE, "requested": "0"},
    ),
    Rule(
        id="server.response.created.turn",
        actor="server",
        event="response.created",
        why="With create_response the server answers a turn by itself, after its item is done.",
        source="SDK realtime_audio_input_turn_detection.py; facts 3.1",
        confidence="documented",
        when="turn == due and response == none",
        then={**NEW_RESPONSE, "turn": "none"},
    ),
    Rule(
        id="server.response.output_item.added",
        actor="server",
        event="response.output_item.added",
        why="The message is opened; the client learns its id.",
        source="SDK response_output_item_added_event.py; facts 2.1 shape 1",
        confidence="documented",
        when="response == active and output == nothing and ending == running",
        then={"output": "opened", "item": "present"},
    ),
    Rule(
        id="server.conversation.item.added.reply",
        actor="server",
        event="conversation.item.added",
        why="The message enters the conversation, in progress and without content; a cut between "
        "the two `added` events still lists it.",
        source="SDK conversation_item_added.py; facts 2.1 shape 1, 2.3; the cut: facts 9.4 (open)",
        confidence="observed",
        when="response == active and output == opened",
        then={"output": "listed"},
    ),
    Rule(
        id="server.response.content_part.added",
        actor="server",
        event="response.content_part.added",
        why="The audio part is declared; no delta comes before it.",
        source="SDK response_content_part_added_event.py; facts 2.1 shape 1, 2.2",
        confidence="observed",
        when="response == active and output == listed and ending == running",
        then={"output": "streaming"},
    ),
    Rule(
        id="server.response.output_audio_transcript.delta",
        actor="server",
        event="response.output_audio_transcript.delta",
        why="Transcript and audio deltas interleave freely.",
        source="GUIDE; facts 2.3",
        confidence="documented",
        when=f"{STREAMS} and transcript < TRANSCRIPTS",
        then={"transcript": "transcript + 1"},
    ),
    Rule(
        id="server.response.output_audio.delta",
        actor="server",
        event="response.output_audio.delta",
        why="Transcript and audio deltas interleave freely.",
        source="GUIDE; facts 2.3",
        confidence="documented",
        when=f"{STREAMS} and audio < AUDIO",
        then={"audio": "audio + 1"},
    ),
    Rule(
        id="server.response.output_audio.done",
        actor="server",
        event="response.output_audio.done",
        why="Sent when the audio is complete, and also when it is cut; no delta follows.",
        source="SDK response_audio_done_event.py; facts 2.1 shape 1, 2.2, 3.3a",
        confidence="documented",
        when="response == active and output == streaming and (ending != running"
        " or (transcript == TRANSCRIPTS and audio == AUDIO))",
        then={"output": "audio_done", "ending": "completed if ending == running else ending"},
    ),
    Rule(
        id="server.response.output_audio_transcript.done",
        actor="server",
        event="response.output_audio_transcript.done",
        why="Follows output_audio.done in every recording.",
        source="SDK response_audio_transcript_done_event.py; facts 2.1 shape 1, 2.3",
        confidence="observed",
        when="response == active and output == audio_done",
        then={"output": "transcript_done"},
    ),
    Rule(
        id="server.response.content_part.done",
        actor="server",
        event="response.content_part.done",
        why="The part is closed.",
        source="SDK response_content_part_done_event.py; facts 2.1 shape 1",
        confidence="observed",
        when="response == active and output == transcript_done",
        then={"output": "part_done"},
    ),
    Rule(
        id="server.conversation.item.done.reply",
        actor="server",
        event="conversation.item.done",
        why="The item is final, incomplete if it was cut; a message that was cut before its part "
        "was declared is closed without part events.",
        source="SDK conversation_item_done.py; facts 2.1 shape 1, 3.3a; the empty item: facts 9.4 "
        "(open)",
        confidence="observed",
        when="response == active and (output == part_done"
        " or (output == listed and ending != running))",
        then={"output": "item_done"},
    ),
    Rule(
        id="server.response.output_item.done",
        actor="server",
        event="response.output_item.done",
        why="Also sent for a cut message; follows conversation.item.done in every recording.",
        source="SDK response_output_item_done_event.py; facts 2.2, 2.3",
        confidence="documented",
        when="response == active and output == item_done",
        then={"output": "closed"},
    ),
    Rule(
        id="server.response.done",
        actor="server",
        event="response.done",
        why="Always the last event of a response, whatever its final state; a response that was "
        "cut before its first item has no output.",
        source="SDK response_done_event.py; facts 2.2, 3.3b",
        confidence="documented",
        when="response == active and (output == closed"
        " or (output == nothing and ending != running))",
        then={"response": "none"},
    ),
)
