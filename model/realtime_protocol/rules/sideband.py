"""The socket beside a WebRTC or SIP call: the audio goes another way, and its playout is told of.

Laws:
- `output_audio_buffer.started` comes once for each audio message, while it is made.
- What has started stops once, at its end or because it was cleared.
"""

from realtime_protocol.rule import Rule
from realtime_protocol.rules.response import R
from realtime_protocol.rules.words import LIVE
from realtime_protocol.state import Field

FIELDS = (
    Field("sounding", "playout of a message on the call", ("no", "started", "ended"),
          over=("OUTS",)),
)  # fmt: skip

RULES = (
    Rule(
        id="server.output_audio_buffer.started",
        actor="server",
        event="output_audio_buffer.started",
        over={"m": "OUTS"},
        why="The call begins to play a message; in every recording after its first words.",
        source="SDK output_audio_buffer started; facts 2.6; CAS sideband, semantic-kernel",
        confidence="observed",
        when=f"SIDEBAND == 1 and {LIVE} and response[{R}] == active and kind[m] == audio"
        " and output[m] == streaming and transcript[m] > 0 and sounding[m] == no",
        then={"sounding[m]": "started"},
    ),
    Rule(
        id="server.output_audio_buffer.stopped",
        actor="server",
        event="output_audio_buffer.stopped",
        over={"m": "OUTS"},
        why="The call has played a message to its end, after its response was done.",
        source="SDK output_audio_buffer stopped; facts 2.6; CAS sideband, semantic-kernel",
        confidence="observed",
        when=f"SIDEBAND == 1 and {LIVE} and sounding[m] == started and response[{R}] == done",
        then={"sounding[m]": "ended"},
    ),
    Rule(
        id="server.output_audio_buffer.cleared",
        actor="server",
        event="output_audio_buffer.cleared",
        over={"m": "OUTS"},
        why="The user interrupts a message that the call plays.",
        source="SDK output_audio_buffer cleared; facts 3.4",
        confidence="documented",
        when=f"SIDEBAND == 1 and {LIVE} and sounding[m] == started and cut[{R}] == 1",
        then={"sounding[m]": "ended"},
    ),
)
