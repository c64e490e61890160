"""Interruption: what was interrupted is heard no further, ended, and remembered as it was heard."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.checks.moments import end_of_main, interrupts, is_member
from realtime_conformance.checks.requests import CANCEL, CANCEL_RULE, active_responses
from realtime_conformance.history import Entry, History
from realtime_protocol.bounds import UNIT_MS

COMMITTED = "input_audio_buffer.committed"
RUNNING = "running"
"""How a response ends of which something is still to be made."""

# -- silence ----------------------------------------------------------------------------------


def _sounds(entry: Entry) -> bool:
    """Whether something was being played before the step."""
    outs = range(entry.machine.bounds["OUTS"])
    heard = {entry.machine.code("segment[0]", name) for name in ("open", "flushed")}
    return any(entry.was("segment", m) in heard for m in outs)


def _interrupted_is_silent(history: History) -> Judgement:
    premises = sum(interrupts(entry) and _sounds(entry) for entry in history.entries)
    return judged(premises, _played_on(history) if premises else ())


@attrs.define
class _Silence:
    """What is to be heard no further: every response below a number, and why."""

    below: int = 0
    reason: str = ""
    doubtful: bool = False
    """The user may not have meant it, as far as anybody knows."""

    def take(self, entry: Entry) -> None:
        """Follow one step."""
        if interrupts(entry):
            assert entry.rule is not None
            self.below = entry.machine.value(entry.after, "begun")
            self.reason, self.doubtful = entry.rule.id, entry.rule.actor == "user"
        elif entry.act == COMMITTED:
            self.doubtful = False
        elif entry.act == "resume" and self.doubtful:
            self.below = 0


def _played_on(history: History) -> Iterator[Finding]:
    """The first step of playout after each interruption that goes on with what was interrupted.

    The client is at rest whenever the speaker plays.
    """
    silence = _Silence()
    for position, entry in enumerate(history.entries):
        silence.take(entry)
        rule = entry.rule
        if rule is None or rule.event != "play":
            continue
        message = rule.at["m"]
        if message // entry.machine.bounds["OUTPUTS"] < silence.below:
            silence.below = 0
            yield Finding(
                "violation",
                position,
                rule.id,
                (silence.reason,),
                f"message {message + 1} was interrupted, and the user goes on hearing it",
            )


# -- the response -----------------------------------------------------------------------------


def _cut_at(history: History, position: int, response: int) -> int:
    """Where a response was interrupted that was cut before `position`."""
    entries = history.entries
    while entries[position - 1].was("cut", response):
        position -= 1
    position -= 1
    cut_by = entries[position].rule
    if cut_by is not None and cut_by.event == "response.created":
        # it was interrupted before, while it was only requested
        while entries[position - 1].was("recalled"):
            position -= 1
        position -= 1
    return position


def _interrupted_is_cancelled(history: History) -> Judgement:
    ends = [
        (position, response, _cut_at(history, position, response))
        for position, response in _cut_responses(history)
    ]
    # nothing of the others was still to be made, or turn detection has cut them
    running = [end for end in ends if is_member(history.entries[end[2]], "ending", end[1], RUNNING)]
    return judged(len(running), _run_on(history, running))


def _cut_responses(history: History) -> Iterator[tuple[int, int]]:
    """Where a response was done that had been interrupted, and which."""
    for position, entry in enumerate(history.entries):
        if entry.rule is not None and entry.rule.id == "server.response.done":
            response = entry.rule.at["r"]
            if entry.was("cut", response) and not entry.was("oob", response):
                yield position, response


def _run_on(history: History, ends: list[tuple[int, int, int]]) -> Iterator[Finding]:
    for position, response, since in ends:
        entries = history.entries[since : position + 1]
        cancelled = any(e.act == CANCEL and e.slot in (0, response + 1) for e in entries)
        if is_member(entries[-1], "ending", response, "completed") and not cancelled:
            yield Finding(
                "advisory",
                position,
                CANCEL_RULE,
                enabling(history.disturbance(since + 1)),
                f"response {response + 1} was interrupted and runs to its end, and nobody "
                "cancels it",
            )


def _cancel_needs_interruption(history: History) -> Judgement:
    aimed = [
        (position, entry)
        for position, entry in history.client_messages(CANCEL)
        if entry.phase == "main" and _aims(entry) and not _given_up(entry)
    ]
    return judged(len(aimed), _unmeant(history, aimed))


def _targets(entry: Entry) -> list[int]:
    """The responses of the default conversation that a cancel can be about."""
    active = active_responses(entry)
    return [r for r in active if entry.slot in (0, r + 1)]


def _aims(entry: Entry) -> bool:
    """Whether there is a response that a cancel is about, or one that is to come."""
    return bool(_targets(entry) or (entry.slot == 0 and entry.was("requested")))


def _given_up(entry: Entry) -> bool:
    """Whether a client may end a reply by itself: it has waited too long, or the session ends."""
    return bool(entry.was("ticks") or entry.was("leaving") or entry.was("fatal"))


def _unmeant(history: History, aimed: list[tuple[int, Entry]]) -> Iterator[Finding]:
    for position, entry in aimed:
        targets = _targets(entry) or [entry.was("begun")]
        if any(entry.was("cut", r) or _recalled(history, position, r) for r in targets):
            continue
        assert entry.rule is not None
        yield Finding(
            "violation",
            position,
            entry.rule.id,
            enabling(history.disturbance(position)),
            "the client cancels a response that nobody has interrupted",
        )


def _recalled(history: History, position: int, response: int) -> bool:
    """Whether a request was interrupted that this response may answer.

    An app that asks again afterwards does not take that back: which request is answered, the
    client cannot tell.
    """
    entries = history.entries[: position + 1]
    return any(e.was("recalled") and e.was("begun") <= response for e in entries)


# -- the conversation -------------------------------------------------------------------------


def _unheard(last: Entry) -> Iterator[int]:
    """Slots of the interrupted messages of which the server was to hold more than was heard."""
    machine, state = last.machine, last.after
    bounds = machine.bounds
    for slot in range(bounds["OUTS"] if bounds["SPEAKER"] else 0):
        cut = machine.value(state, f"cut[{slot // bounds['OUTPUTS']}]")
        held = not is_member(last, "item", slot, "absent")
        text = machine.value(state, f"again[{slot}]")
        over = any(is_member(last, "segment", slot, name) for name in ("none", "finished"))
        unheard = _heard_ms(last, slot) < _made_ms(last, slot)
        if cut and held and over and unheard and not text:
            yield slot


def _heard_ms(entry: Entry, slot: int) -> int:
    return entry.machine.value(entry.after, f"played[{slot}]") * UNIT_MS


def _made_ms(entry: Entry, slot: int) -> int:
    """Milliseconds of audio that the server has made of a message."""
    deltas = entry.machine.value(entry.after, f"audio[{slot}]")
    return deltas * entry.machine.bounds["DELTA"] * UNIT_MS


def _interrupted_is_corrected(history: History) -> Judgement:
    end = end_of_main(history)
    if end is None:
        return judged(0, ())
    position, last = end
    slots = list(_unheard(last))
    return judged(len(slots), (f for slot in slots for f in _left(history, position, slot)))


def _left(history: History, position: int, slot: int) -> Iterator[Finding]:
    last = history.entries[position]
    machine, state = last.machine, last.after
    if any(machine.value(state, f"{name}[{slot}]") for name in ("truncates", "deletes")):
        return
    yield Finding(
        "violation",
        position,
        f"message {'heard in part' if _heard_ms(last, slot) else 'unheard'}",
        enabling(history.disturbance(position + 1)),
        f"message {slot + 1} was interrupted, the user has heard {_heard_ms(last, slot)} of its "
        f"{_made_ms(last, slot)} ms, and the conversation holds all of it",
    )


CHECKS = (
    Check(
        "interrupted-is-silent",
        "Once a reply was interrupted and the client has come to rest, the user hears no more of "
        "it, unless playout was held and goes on before the user's turn is committed.",
        "something was played when the user or the app interrupted, or the app closed the session",
        "GUIDE, interruption and truncation; livekit AgentSession.interrupt, "
        "resume_false_interruption",
        _interrupted_is_silent,
        subject=("SPEAKER", "INTERRUPTIONS"),
    ),
    Check(
        "interrupted-is-cancelled",
        "A response that was interrupted while the server was making it, and that the server does "
        "not cut by itself, is cancelled before it is done.",
        "a response was done that was interrupted while the server was making it",
        "SDK response_cancel_event.py; GUIDE, interruption and truncation; facts 4",
        _interrupted_is_cancelled,
        subject=("DISTURBANCES", "INTERRUPTIONS"),
    ),
    Check(
        "cancel-needs-interruption",
        "A response is cancelled only if the user or the app has interrupted it; or if it took "
        "too long, or the session ends.",
        "a response.cancel was sent while a response was active or requested",
        "SDK realtime_audio_input_turn_detection.py, interrupt_response; livekit AgentSession: a "
        "speech is played unless it is interrupted",
        _cancel_needs_interruption,
        subject=("DISTURBANCES", "INTERRUPTIONS"),
    ),
    Check(
        "interrupted-is-corrected",
        "An interrupted message of which the server holds more than the user has heard is "
        "truncated or deleted.",
        "an interrupted message had more audio than was heard when the run was at rest",
        "GUIDE, interruption and truncation; facts 5",
        _interrupted_is_corrected,
        subject=("SPEAKER", "INTERRUPTIONS"),
    ),
)
