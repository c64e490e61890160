"""Playout: what the user hears of a reply that nobody interrupted."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.checks.moments import end_of_main
from realtime_conformance.history import Entry, History
from realtime_protocol.bounds import UNIT_MS


def _whole_replies(last: Entry) -> Iterator[int]:
    """Slots of the spoken messages that are complete and were not interrupted."""
    machine, state = last.machine, last.after
    bounds = machine.bounds
    audio = machine.code("kind[0]", "audio")
    for slot in range(bounds["OUTS"] if bounds["SPEAKER"] else 0):
        cut = machine.value(state, f"cut[{slot // bounds['OUTPUTS']}]")
        whole = machine.value(state, f"whole[{slot}]")
        if machine.value(state, f"kind[{slot}]") == audio and whole and not cut:
            yield slot


def _reply_is_heard(history: History) -> Judgement:
    end = end_of_main(history)
    if end is None:
        return judged(0, ())
    position, last = end
    slots = list(_whole_replies(last))
    return judged(len(slots), (f for slot in slots for f in _unheard(history, position, slot)))


def _unheard(history: History, position: int, slot: int) -> Iterator[Finding]:
    last = history.entries[position]
    machine, state = last.machine, last.after
    unit = machine.bounds["DELTA"]
    made = machine.value(state, f"audio[{slot}]") * unit * UNIT_MS
    played = machine.value(state, f"played[{slot}]") * UNIT_MS
    if played < made:
        yield Finding(
            "violation",
            position,
            "speaker.play",
            enabling(history.disturbance(position + 1)),
            f"message {slot + 1} was not interrupted, and the user hears {played} of its {made} ms",
        )


CHECKS = (
    Check(
        "reply-is-heard",
        "A spoken message that is complete and was not interrupted is played to its end.",
        "a spoken message was complete and not interrupted when the run was at rest",
        "GUIDE, handling audio; livekit AgentSession: a speech is played unless interrupted",
        _reply_is_heard,
        subject=("SPEAKER",),
    ),
)
