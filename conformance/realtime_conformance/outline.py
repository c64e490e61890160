"""One violating run, boiled down to what a reproduction of it needs; plain data.

Laws:
- The acts are those of the environment up to the violation, and none behind it.
- What the violation is about is told in terms of the wire, the speaker, the log and the clock: a
  reader who knows no model can see it.
- Only the first violation of a run that can be told is told, or the first of one check.
"""

from __future__ import annotations

from typing import Any

import attrs

from realtime_conformance.checks import CHECKS, errors, heard, memory, promises
from realtime_conformance.checks.interface import Check, Finding
from realtime_conformance.floor import Act, Echo, acts_until, is_message
from realtime_conformance.history import Entry, History
from realtime_conformance.runner import FRESH_SECONDS, Outcome
from realtime_conformance.setting import setting_of
from realtime_conformance.speaker import SAMPLE_RATE
from realtime_protocol.bounds import UNIT_MS

Json = dict[str, Any]


UNTOLD = (
    "well-formed-event",
    "reply-is-heard",
    "interrupted-is-silent",
    "call-is-answered",
    "session-is-configured",
    "call-is-kept",
    *(check.id for family in (memory, heard, promises, errors) for check in family.CHECKS),
)
"""Checks of the shape of a message, of what is heard, of what did not happen, and of what a client
says of itself, which no file looks at yet."""

CORRECTIONS = ["conversation.item.delete", "conversation.item.truncate"]
"""What a client sends so that the conversation holds no more than was heard."""


class NotShown(ValueError):
    """A run that has no violation of the wanted kind to be told."""


def outline(outcome: Outcome, wanted: str = "") -> Json:
    """Acts, set-up and violation of a run; plain data.

    `wanted` is the id of a check; empty for whatever is violated first.

    Raises:
        NotShown: the run violates nothing, or not that check, or in a way that cannot be told.
    """
    history = outcome.history
    check, finding = _first(history, wanted)
    return {
        "check": check.id,
        "about": check.about,
        "text": finding.text,
        "fingerprint": check.fingerprint(finding),
        "setting": attrs.asdict(setting_of(history.machine.bounds)),
        "offence": _offence(history, check, finding),
        "acts": _acts(history, _end(history, check, finding)),
    }


def _first(history: History, wanted: str) -> tuple[Check, Finding]:
    found = [
        (check.id in UNTOLD, finding.position, number, check, finding)
        for number, check in enumerate(CHECKS)
        if wanted in ("", check.id)
        for finding in check.judge(history).findings
        if finding.verdict == "violation"
    ]
    if not found:
        what = f"violation of {wanted}" if wanted else "violation"
        raise NotShown(f"expected a run that shows a {what}, got none")
    *_, check, finding = min(found, key=lambda one: one[:3])
    return check, finding


def _end(history: History, check: Check, finding: Finding) -> int:
    """How many entries of the run have to be made again."""
    at_the_end = check.id == "session-goes-on" or _is_of_closing(history, check)
    return len(history.entries) if at_the_end else finding.position + 1


def _is_of_closing(history: History, check: Check) -> bool:
    return check.id == "comes-to-rest" and history.hang.startswith("closing")


# -- what the violation is about ---------------------------------------------------------------


def _offence(history: History, check: Check, finding: Finding) -> Json:
    """What is to be looked for, and when."""
    entry = history.entries[finding.position]
    if check.id.startswith("truncate-"):
        return _truncation(history, check, entry)
    if check.id == "no-swallowed-exception":
        return {"kind": "escape", "text": finding.clause}
    if check.id == "comes-to-rest":
        return {"kind": "closing" if _is_of_closing(history, check) else "busy"}
    if check.id == "session-goes-on":
        return _standstill(history)
    if check.id == "interrupted-is-corrected":
        return _uncorrected(history, finding.position)
    if check.id in UNTOLD:
        raise NotShown(f"expected a violation that a file can look at, got one of {check.id}")
    return _deed(history, finding.position)


def _truncation(history: History, check: Check, entry: Entry) -> Json:
    return {
        "kind": check.id,
        "captured": bool(entry.was("captured", entry.slot)),
        "step_ms": history.machine.bounds["STEP"] * UNIT_MS,
    }


def _deed(history: History, position: int) -> Json:
    """A message, or an act upon the speaker, that should not come where it comes.

    `number` is which of its like it is since the last act of the environment.
    """
    entry = history.entries[position]
    wanted = _traits(entry)
    number = 0
    for earlier in reversed(history.entries[: position + 1]):
        if earlier.rule is not None and not earlier.rule.is_client:
            break
        number += _traits(earlier) == wanted
    answer = history.answer(position)
    error = None if answer is None or answer.rule is None or not answer.rule.error else answer
    return {"kind": "deed", "traits": wanted, "number": number, "answer": error and error.message}


def _traits(entry: Entry) -> Json:
    """What tells a message from others, but for what a client makes up."""
    if not isinstance(entry.message, dict):
        return {"type": entry.act}
    left_out = ("event_id", "audio")
    return {
        name: value
        for name, value in entry.message.items()
        if name not in left_out and isinstance(value, str | int | float)
    }


def _standstill(history: History) -> Json:
    """A fresh turn that does not go on.

    `expected` are the acts of the client one of which would let it go on, and `since` is the number
    of acts behind which one would be news: in the fresh turn, and behind the last one that came.
    """
    expected = _wanted_of_client(history.entries[-1])
    came = [
        number
        for number, entry in enumerate(history.entries, 1)
        if entry.phase == "main" or (entry.act in expected and entry.rule and entry.rule.is_client)
    ]
    since = len(acts_until(history, max(came, default=0)))
    return {"kind": "stuck", "expected": expected, "since": since}


def _uncorrected(history: History, position: int) -> Json:
    """A message that is corrected at no time behind what has cut it."""
    disturbed = [n for n in range(position + 1) if _disturbs(history.entries[n])]
    since = len(acts_until(history, max(disturbed, default=0)))
    return {"kind": "stuck", "expected": CORRECTIONS, "since": since}


def _disturbs(entry: Entry) -> bool:
    return entry.rule is not None and bool(entry.rule.disturbs)


def _wanted_of_client(last: Entry) -> list[str]:
    """The acts of a client that would let a turn go on that does not.

    A message is one only where nothing else is: the server reads whatever is sent.
    """
    machine, state = last.machine, last.after
    now = set(machine.progress(state))
    found = [
        machine.rules[step.rule]
        for step in machine.client(state)
        if machine.permitted(state, step)
        and set(machine.progress(machine.after(state, step))) - now
    ]
    if not found:
        raise NotShown(
            "expected a turn that an act of the client would let go on, got one that stands at "
            f"{machine.show(state)}"
        )
    silent = {rule.event for rule in found if not rule.sends}
    return sorted(silent or {rule.event for rule in found})


# -- the acts ----------------------------------------------------------------------------------


def _acts(history: History, end: int) -> list[Json]:
    acts = acts_until(history, end)
    whole = acts_until(history, len(history.entries))
    messages = [entry.act for entry in history.entries if is_message(entry)]
    found = []
    for number, act in enumerate(acts):
        # a step of the clock takes until whatever is done next
        after = whole[number + 1].at if number + 1 < len(whole) else act.at + FRESH_SECONDS
        seconds = after - act.at if act.kind == "deadline" else act.seconds
        found.append(_act(act, seconds, messages))
    return found


def _act(act: Act, seconds: float, messages: list[str]) -> Json:
    return {
        "kind": act.kind,
        "at": act.at,
        "name": act.name,
        "call": act.call,
        "seconds": seconds,
        "samples": round(act.seconds * SAMPLE_RATE),
        "rests": act.rests,
        "ticks": act.ticks,
        "text": act.text,
        "echoes": [_echo(echo, messages) for echo in act.echoes],
    }


def _echo(echo: Echo, messages: list[str]) -> Json:
    """A made-up name by the message that holds it: which one of its type, and where in it."""
    kind = messages[echo.message]
    number = messages[: echo.message].count(kind)
    return {"name": echo.name, "kind": kind, "number": number, "path": list(echo.path)}
