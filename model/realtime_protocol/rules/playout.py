"""Playout: what the client hands to the speaker, and what the speaker plays and reports.

One audio delta is DELTA units long and one playout step plays STEP units, or what is left of what
the client has handed over. A segment is finished once: drained after a flush, or cleared.
Where SPEAKER is 0 the agent has no audio output, and nothing is handed over.
On a WebSocket the server knows nothing of playout (facts 3.4).
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.words import CALM
from realtime_protocol.state import Field

FIRST = "all(p >= m or segment[p] in (none, finished) for p in OUTS)"
"""Every segment before this one is finished."""
STOPS = "any(cut[r] == 1 for r in RESPONSES)"

FIELDS = (
    Field("captured", "audio deltas of a message that the client handed to the speaker",
          limit="AUDIO", over=("OUTS",)),
    Field("played", "units that the speaker has played of a message", limit="LENGTH",
          over=("OUTS",)),
    Field(
        "segment",
        "the playback segment of a message",
        ("none", "open", "flushed", "cleared", "finished"),
        over=("OUTS",),
    ),
    Field("paused", "playout is paused", limit="1"),
    Field("pauses", "pauses so far", limit="PAUSES", budget=True),
    Field("stuck", "the speaker will not report the end of anything", limit="STUCK"),
)  # fmt: skip

RULES = (
    Rule(
        id="client.speaker.capture",
        actor="client",
        event="capture",
        over={"m": "OUTS"},
        address="m",
        why="The client hands over audio that was delivered to it, in order and once, and none of "
        "a reply that was interrupted.",
        source="livekit AudioOutput.capture_frame; GUIDE, handling audio",
        confidence="documented",
        when="SPEAKER == 1 and cut[m // OUTPUTS] == 0 and captured[m] < audio[m]"
        " and segment[m] in (none, open) and all(p == m or segment[p] != open for p in OUTS)",
        then={"captured[m]": "captured[m] + 1", "segment[m]": "open"},
        within=FIRST,
    ),
    Rule(
        id="client.speaker.flush",
        actor="client",
        event="flush",
        why="The client marks the end of the segment.",
        source="livekit AudioOutput.flush",
        confidence="documented",
        then={"segment[*]": "flushed if this == open else this"},
        within="all(segment[m] != open or output[m] > streaming or cut[m // OUTPUTS] == 1"
        " for m in OUTS)",
    ),
    Rule(
        id="client.speaker.clear",
        actor="client",
        event="clear",
        why="On an interruption the client stops playout at once and drops what is buffered, and "
        "it may when the session is over.",
        source="GUIDE, interruption and truncation; livekit AudioOutput.clear_buffer",
        confidence="documented",
        when=f"{STOPS} or fatal == 1 or all(segment[m] in (none, finished) for m in OUTS)",
        then={"segment[*]": "cleared if this in (open, flushed) else this", "paused": "0"},
        within="all(segment[m] not in (open, flushed) or cut[m // OUTPUTS] == 1 for m in OUTS)",
    ),
    Rule(
        id="client.speaker.pause",
        actor="client",
        event="pause",
        why="While it is not clear whether the user means to interrupt, the client may hold "
        "playout.",
        source="livekit AudioOutput.pause; resume_false_interruption",
        confidence="documented",
        when="pauses < PAUSES and paused == 0 and speech == speaking"
        " and any(segment[m] in (open, flushed) for m in OUTS)",
        then={"paused": "1", "pauses": "pauses + 1"},
    ),
    Rule(
        id="client.speaker.resume",
        actor="client",
        event="resume",
        why="The interruption was a false one: playout goes on where it stopped.",
        source="livekit AudioOutput.resume; resume_false_interruption",
        confidence="documented",
        when="paused == 1",
        then={"paused": "0"},
    ),
    Rule(
        id="speaker.play",
        actor="speaker",
        event="play",
        over={"m": "OUTS"},
        why="Playout advances by one step, or to the end of what is buffered.",
        source="livekit AudioOutput",
        confidence="documented",
        when=f"segment[m] in (open, flushed) and played[m] < DELTA * captured[m] and paused == 0"
        f" and {FIRST}",
        then={"played[m]": "min(played[m] + STEP, DELTA * captured[m])"},
    ),
    Rule(
        id="speaker.drained",
        actor="speaker",
        event="drained",
        over={"m": "OUTS"},
        why="A flushed segment that is played to its end is reported as finished.",
        source="livekit AudioOutput.on_playback_finished",
        confidence="documented",
        when=f"segment[m] == flushed and played[m] == DELTA * captured[m] and paused == 0"
        f" and stuck == 0 and {FIRST}",
        then={"segment[m]": "finished"},
    ),
    Rule(
        id="speaker.cleared",
        actor="speaker",
        event="cleared",
        over={"m": "OUTS"},
        why="A cleared segment is reported as interrupted, with the position it reached.",
        source="livekit AudioOutput.on_playback_finished",
        confidence="documented",
        when=f"segment[m] == cleared and stuck == 0 and {FIRST}",
        then={"segment[m]": "finished"},
    ),
    Rule(
        id="speaker.sticks",
        actor="speaker",
        event="stick",
        disturbs="fault",
        why="A speaker that never reports the end of a segment.",
        source="livekit AudioOutput: a track that is lost reports nothing",
        confidence="inferred",
        when=f"stuck < STUCK and any(segment[m] in (open, flushed) for m in OUTS) and {CALM}",
        then={"stuck": "1", "faults": "faults + 1"},
    ),
)  # fmt: skip
