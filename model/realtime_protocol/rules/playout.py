"""Playout: what the client hands to the speaker, and what the speaker plays and reports.

One audio delta is DELTA units long and one playout step plays STEP units, or what is left of what
the client has handed over. A segment is finished once: drained after a flush, or cleared.
Where SPEAKER is 0 the agent has no audio output, and nothing is handed over.
On a WebSocket the server knows nothing of playout (facts 3.4).
"""

from realtime_protocol.rule import Rule
from realtime_protocol.state import Field

FIELDS = (
    Field("captured", "audio deltas that the client handed to the speaker", limit="AUDIO"),
    Field("played", "units that the speaker has played of the reply", limit="LENGTH"),
    Field(
        "segment",
        "the playback segment of the reply",
        ("none", "open", "flushed", "cleared", "finished"),
    ),
)

RULES = (
    Rule(
        id="client.speaker.capture",
        actor="client",
        event="capture",
        why="The client hands over audio that was delivered to it, in order and once, and none of "
        "a reply that was interrupted.",
        source="livekit AudioOutput.capture_frame; GUIDE, handling audio",
        confidence="documented",
        when="SPEAKER == 1 and cut == 0 and captured < audio and segment in (none, open)",
        then={"captured": "captured + 1", "segment": "open"},
    ),
    Rule(
        id="client.speaker.flush",
        actor="client",
        event="flush",
        why="The client marks the end of the segment.",
        source="livekit AudioOutput.flush",
        confidence="documented",
        then={"segment": "flushed if segment == open else segment"},
        within="segment != open or output > streaming or cut == 1",
    ),
    Rule(
        id="client.speaker.clear",
        actor="client",
        event="clear",
        why="On an interruption the client stops playout at once and drops what is buffered.",
        source="GUIDE, interruption and truncation; livekit AudioOutput.clear_buffer",
        confidence="documented",
        when="cut == 1 or segment in (none, finished)",
        then={"segment": "cleared if segment in (open, flushed) else segment"},
    ),
    Rule(
        id="speaker.play",
        actor="speaker",
        event="play",
        why="Playout advances by one step, or to the end of what is buffered.",
        source="livekit AudioOutput",
        confidence="documented",
        when="segment in (open, flushed) and played < DELTA * captured",
        then={"played": "min(played + STEP, DELTA * captured)"},
    ),
    Rule(
        id="speaker.drained",
        actor="speaker",
        event="drained",
        why="A flushed segment that is played to its end is reported as finished.",
        source="livekit AudioOutput.on_playback_finished",
        confidence="documented",
        when="segment == flushed and played == DELTA * captured",
        then={"segment": "finished"},
    ),
    Rule(
        id="speaker.cleared",
        actor="speaker",
        event="cleared",
        why="A cleared segment is reported as interrupted, with the position it reached.",
        source="livekit AudioOutput.on_playback_finished",
        confidence="documented",
        when="segment == cleared",
        then={"segment": "finished"},
    ),
)
