"""Truncation: only what has audio, never at 0, never past it, and as far as the user heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import Entry, History
from realtime_protocol.bounds import UNIT_MS

TRUNCATE = "conversation.item.truncate"

SPOKEN = ("SPEAKER", "INTERRUPTIONS")
"""Bounds of scopes in which something that is heard can be cut."""

Breach = Callable[[History, int, Entry], Iterator[Finding]]


def _each(breach: Breach, premise: Callable[[History, Entry], bool]) -> Callable[..., Judgement]:
    def judge(history: History) -> Judgement:
        sent = [
            (position, entry)
            for position, entry in history.client_messages(TRUNCATE)
            if premise(history, entry)
        ]
        found = (
            finding for position, entry in sent for finding in breach(history, position, entry)
        )
        return judged(len(sent), found)

    return judge


def _always(history: History, entry: Entry) -> bool:  # noqa: ARG001
    return True


def _has_audio(history: History, entry: Entry) -> bool:
    return delivered_ms(history, entry) > 0


def delivered_ms(history: History, entry: Entry) -> int:
    """Milliseconds of audio of the reply that had been delivered before the step."""
    deltas = entry.was("audio", entry.slot)
    return deltas * history.machine.bounds["DELTA"] * UNIT_MS


def _rule(entry: Entry) -> str:
    assert entry.rule is not None
    return entry.rule.id


def _answer(history: History, position: int) -> str:
    answer = history.answer(position)
    return "" if answer is None or answer.rule is None else answer.rule.id


def _needs_audio(history: History, position: int, entry: Entry) -> Iterator[Finding]:
    if delivered_ms(history, entry) == 0:
        yield Finding(
            "violation",
            position,
            _rule(entry),
            enabling(history.disturbance(position), _answer(history, position)),
            f"{entry.message['item_id']} is truncated at {entry.message['audio_end_ms']} ms, "
            "but no audio of it has been delivered",
        )


def _positive(history: History, position: int, entry: Entry) -> Iterator[Finding]:
    if entry.message["audio_end_ms"] > 0:
        return
    answer = history.answer(position)
    has_audio = (answer or entry).was("audio", entry.slot) > 0
    yield Finding(
        "advisory" if has_audio else "violation",
        position,
        _rule(entry),
        enabling(history.disturbance(position), _answer(history, position)),
        f"{entry.message['item_id']} is truncated at {entry.message['audio_end_ms']} ms, and the "
        + ("server has audio of it" if has_audio else "server has no audio of it"),
    )


def _within_audio(history: History, position: int, entry: Entry) -> Iterator[Finding]:
    asked, produced = entry.message["audio_end_ms"], delivered_ms(history, entry)
    if asked > produced:
        yield Finding(
            "violation",
            position,
            _rule(entry),
            enabling(history.disturbance(position), _answer(history, position)),
            f"truncated at {asked} ms, but only {produced} ms were produced",
        )


def _matches_heard(history: History, position: int, entry: Entry) -> Iterator[Finding]:
    asked = entry.message["audio_end_ms"]
    # of this very message: by now the speaker may have begun with another
    heard = entry.was("played", entry.slot) * UNIT_MS
    step = history.machine.bounds["STEP"] * UNIT_MS
    if abs(asked - heard) > step:
        yield Finding(
            "violation",
            position,
            _rule(entry),
            enabling(history.disturbance(position), _answer(history, position)),
            f"truncated at {asked} ms, but the speaker played {heard} ms "
            f"(one playout step is {step} ms)",
        )


def _redundant(history: History) -> Judgement:
    sent = [(p, e) for p, e in history.client_messages(TRUNCATE) if _has_audio(history, e)]
    return judged(len(sent), _repeats(history, sent))


def _repeats(history: History, sent: list[tuple[int, Entry]]) -> Iterator[Finding]:
    """Truncations that cut nothing more than one before that was not rejected."""
    for number, (position, entry) in enumerate(sent):
        asked = entry.message["audio_end_ms"]
        if any(
            one.slot == entry.slot and one.message["audio_end_ms"] <= asked and _holds(history, at)
            for at, one in sent[:number]
        ):
            yield Finding(
                "advisory",
                position,
                _rule(entry),
                enabling(history.disturbance(position)),
                f"{entry.message['item_id']} was truncated at {asked} ms or before already",
            )


def _holds(history: History, position: int) -> bool:
    """Whether a truncation was applied, or is still to be read."""
    answer = history.answer(position)
    return answer is None or answer.rule is None or not answer.rule.error


CHECKS = (
    Check(
        "truncate-needs-audio",
        "An item of which no audio has been delivered is never truncated.",
        "a conversation.item.truncate was sent",
        "SDK conversation_item_truncate_event.py; livekit/agents #6157; facts 5",
        _each(_needs_audio, _always),
        subject=SPOKEN,
    ),
    Check(
        "truncate-positive",
        "No item is truncated at 0 ms: a violation where the server has no audio of it, an "
        "advisory where it has, since a recorded server accepted that.",
        "a conversation.item.truncate was sent",
        "facts 5; CAS-F interrupt_after_the_reply, handle_barge_in",
        _each(_positive, _always),
        subject=SPOKEN,
    ),
    Check(
        "truncate-within-audio",
        "No item is truncated past the audio that was produced.",
        "a conversation.item.truncate was sent of an item with audio",
        "SDK conversation_item_truncate_event.py; facts 5, 8 #6",
        _each(_within_audio, _has_audio),
        subject=SPOKEN,
    ),
    Check(
        "truncate-matches-heard",
        "An item is truncated where the speaker stopped, within one playout step: the position is "
        "compared in milliseconds, unrounded, with what was asked for.",
        "a conversation.item.truncate was sent",
        "GUIDE, interruption and truncation",
        _each(_matches_heard, _always),
        subject=SPOKEN,
    ),
    Check(
        "redundant-truncate",
        "An item is truncated once: again at the same place, or behind it, is wasteful.",
        "a conversation.item.truncate was sent of an item with audio",
        "SDK conversation_item_truncate_event.py: what is behind the place is gone",
        _redundant,
        subject=SPOKEN,
    ),
)
