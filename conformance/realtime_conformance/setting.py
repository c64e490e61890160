"""How a client is set up for a scope: its options, read off the bounds.

Laws:
- A setting says what the scope needs of any client, in the protocol's own terms.
- What a client cannot be set to is a missing seam, never another run.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

SESSION_SECONDS = 30.0
"""The client's own limit for a session, where the scope has planned reconnections."""


@attrs.frozen(kw_only=True)
class Setting:
    """The options of one client.

    `audio` says whether replies are spoken or written. A `muted` agent is given no audio output and
    hands nothing over. Where the server does not detect turns they are taken by hand. A speaker
    that `pauses` can hold playout, and false interruptions are resumed. `session_seconds` is when
    the client is to reconnect as planned; None for never.
    """

    audio: bool = True
    muted: bool = False
    detects_turns: bool = True
    create_response: bool = True
    interrupt_response: bool = True
    transcribes: bool = False
    tools: bool = False
    pauses: bool = False
    session_seconds: float | None = None


def setting_of(bounds: Mapping[str, int]) -> Setting:
    """The options that the bounds of a scope ask for."""
    return Setting(
        audio=bool(bounds["AUDIO_OUT"]),
        muted=not bounds["SPEAKER"],
        detects_turns=bool(bounds["VAD"]),
        create_response=bool(bounds["CREATE_RESPONSE"]),
        interrupt_response=bool(bounds["INTERRUPT_RESPONSE"]),
        transcribes=bool(bounds["TRANSCRIPTION"]),
        tools=bool(bounds["CALL_OUT"]),
        pauses=bool(bounds["PAUSES"]),
        session_seconds=SESSION_SECONDS if bounds["ROTATIONS"] else None,
    )
