"""Named answers to what the sources leave open, so that a verdict can say what it rests on.

Laws:
- An assumption sets bounds that the rules read, or says what a recording lacks; it is off unless
  it is named.
- Each cites the open question that it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from realtime_protocol import recordings


class UnknownAssumption(ValueError):
    """An assumption that is not known, with the choices."""


@attrs.frozen
class Assumption:
    """One answer: the bounds that it sets, and what it says."""

    name: str
    bounds: Mapping[str, int]
    about: str
    source: str


OPEN_QUESTIONS = (
    Assumption(
        "conversation_created",
        {"CONVERSATION_CREATED": 1},
        "conversation.created follows session.created",
        "facts 9.16",
    ),
    Assumption(
        "silent_expiry",
        {"SILENT_EXPIRY": 1},
        "an expired session is closed without an error event",
        "facts 9.23",
    ),
    Assumption(
        "cancel_hits_next",
        {"CANCEL_HITS_NEXT": 1},
        "a cancel that finds its response cut by turn detection cuts the next one",
        "facts 9.6",
    ),
    Assumption(
        "late_deltas",
        {"LATE_DELTAS": 1},
        "audio deltas may come between a cancel and the closing chain",
        "facts 9.2",
    ),
    Assumption(
        "duplicates_ignored",
        {"DUPLICATES": 1},
        "an item with an id that exists is silently ignored",
        "facts 9.11",
    ),
    Assumption(
        "duplicates_appended",
        {"DUPLICATES": 2},
        "an item with an id that exists is added again",
        "facts 9.11",
    ),
)
"""Answers to what the sources leave open."""

DIFFERENCES = {
    "no_session_created": {},
    "no_item_done": {"ITEM_DONE": 0, "USER_DONE": 0, "CREATED_DONE": 0},
    "item_done_for_input_audio_only": {"ITEM_DONE": 0, "CREATED_DONE": 0},
    "rate_limits_after_created": {"LIMITS_EARLY": 1},
    "no_audio_deltas": {"AUDIO_DELTAS": 0},
    "part_done_without_text": {"PART_TEXT": 0},
    "output_audio_buffer": {"SIDEBAND": 1},
    "items_replayed": {"REPLAYS": 1},
    "item_at_speech_started": {"EARLY_ITEM": 1},
    "transcription_repeats": {"INTERIMS": 1},
    "response_before_commit": {"EARLY_RESPONSE": 1},
    "cut_without_closing": {"CUT_UNCLOSED": 1},
    "transcript_closed_first": {"TRANSCRIPT_FIRST": 1},
    "items_one_by_one": {"BURST": 0, "INDEXES": 0},
    "previous_item_id_unreliable": {"CALLS_PLACED": 0},
    "contents_left_out": {"CONTENTS": 0},
    "bare_responses": {"DETAILS": 0},
}
"""What the dialects of recordings differ in, beside answers to open questions."""

ASSUMPTIONS: dict[str, Assumption] = {
    **{assumption.name: assumption for assumption in OPEN_QUESTIONS},
    **{
        name: Assumption(name, bounds, recordings.ASSUMPTIONS[name], "recordings of the dialect")
        for name, bounds in DIFFERENCES.items()
    },
}


def assumed(names: Iterable[str]) -> dict[str, int]:
    """The bounds that a set of assumptions sets.

    Raises:
        UnknownAssumption: one of them is not known.
    """
    bounds: dict[str, int] = {}
    for name in names:
        if name not in ASSUMPTIONS:
            expected = ", ".join(ASSUMPTIONS)
            raise UnknownAssumption(f"unknown assumption {name!r}; expected one of {expected}")
        bounds.update(ASSUMPTIONS[name].bounds)
    return bounds
