"""One run as a person reads it: who did what, what went over the wire, who knew what.

Laws:
- The same run gives the same bytes: ids that a client makes up are renamed in order of appearance.
- The trace holds every wire event whole, but for the samples of audio, which are counted.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from realtime_conformance.checks import CHECKS
from realtime_conformance.history import Entry, History
from realtime_conformance.runner import Outcome
from realtime_protocol.bounds import UNIT_MS

Json = dict[str, Any]

MADE_UP = re.compile(r"\b([a-z][a-z_]*_)([0-9a-f]{12}|[0-9A-Za-z]{16,})\b")
HEADER = f"{'time':>7}  {'who':<8} what"


class Renamer:
    """Renames what a client makes up: the same id, the same name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """`text` with every made-up id renamed."""
        return MADE_UP.sub(self._name, text)

    def _name(self, match: re.Match[str]) -> str:
        name = f"{match[1]}{len(self._names) + 1}"
        return self._names.setdefault(match[0], name)


def render(outcome: Outcome) -> Json:
    """Timeline, trace, digest of the trace, and findings of one run; plain data."""
    history = outcome.history
    breaches = _breaches(history)
    trace = "\n".join(_trace(history))
    return {
        "choices": list(outcome.choices),
        "timeline": _timeline(history, breaches),
        "trace": trace,
        "digest": hashlib.sha256(trace.encode()).hexdigest()[:16],
        "findings": [text for texts in breaches.values() for text in texts],
        "fingerprints": _fingerprints(history),
    }


def _hurry(entry: Entry) -> str:
    """How soon the next step comes, if it does not wait for the client to rest."""
    if entry.burst:
        return " (the next at once)"
    return f" (the next after {entry.ticks} ticks)" if entry.ticks else ""


def _breaches(history: History) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for check in CHECKS:
        for finding in check.judge(history).findings:
            text = f"{finding.verdict.upper()} {check.id}: {finding.text}"
            found.setdefault(finding.position, []).append(text)
    return found


def _fingerprints(history: History) -> Json:
    """The text of the first finding of each fingerprint."""
    texts: Json = {}
    for check in CHECKS:
        for finding in check.judge(history).findings:
            texts.setdefault(check.fingerprint(finding), finding.text)
    return texts


def _timeline(history: History, breaches: dict[int, list[str]]) -> str:
    lines = [HEADER]
    phase = "main"
    for position, entry in enumerate(history.entries):
        if entry.phase != phase:
            lines.append("         -- a fresh turn, to see whether the session goes on --")
            phase = entry.phase
        lines.append(f"{entry.time * 1000:>5.0f}ms  {_who(entry):<8} {_what(entry)}")
        if position in breaches or _is_rejection(entry):
            lines += [f"{'':>19}{line}" for line in _knowledge(entry)]
        lines += [f"{'':>7}  !! {text}" for text in breaches.get(position, ())]
    if history.hang:
        lines.append(f"{'':>7}  {history.hang}")
    return Renamer()("\n".join(lines))


def _is_rejection(entry: Entry) -> bool:
    return entry.rule is not None and bool(entry.rule.error)


def _who(entry: Entry) -> str:
    return "client" if entry.rule is None else entry.rule.actor


def _what(entry: Entry) -> str:
    rule = entry.rule
    if rule is None:
        return f"{entry.act}   (no rule allows this)"
    if rule.reads:
        answer = f"answers {_wire(entry)}" if rule.event else "accepts it"
        return f"reads {rule.reads} and {answer}"
    if rule.actor == "client":
        arrow = "=> server: " if rule.sends or entry.message is not None else "tells the speaker: "
        return arrow + _wire(entry)
    if rule.actor == "server":
        return "=> client: " + _wire(entry)
    if rule.actor == "user":
        return f"{rule.id.split('.')[1].replace('_', ' ')}; server => client: {_wire(entry)}"
    return rule.event.replace("_", " ") + _hurry(entry)


FIELDS = ("item_id", "audio_end_ms", "response_id")


def _wire(entry: Entry) -> str:
    message = entry.message
    if message is None:
        return entry.act
    body = json.loads(message) if isinstance(message, str) else message
    shown = [f"{key}={body[key]}" for key in FIELDS if key in body]
    error = body.get("error")
    if isinstance(error, dict):
        shown += [f"{error['type']} {error['code']}: {error['message']}"]
    response = body.get("response")
    if isinstance(response, dict) and "status" in response:
        shown += [f"{response['id']} {response['status']}"]
    return " ".join([body["type"], *shown]) + _hurry(entry)


def _knowledge(entry: Entry) -> list[str]:
    machine = entry.machine
    unit = machine.bounds["DELTA"] * UNIT_MS
    outputs = machine.bounds["OUTPUTS"]
    # the item that is spoken of, or the newest
    m = min(entry.slot, machine.bounds["OUTS"] - 1) if entry.slot else newest(entry) * outputs
    response = m // outputs
    said = {
        name: machine.member(f"{name}[{slot}]", entry.was(name, slot))
        for name, slot in (("response", response), ("ending", response), ("output", m), ("item", m))
    }
    audio, captured = entry.was("audio", m) * unit, entry.was("captured", m) * unit
    unread = ", ".join(machine.show(entry.before)["inbox"]) or "nothing"  # type: ignore[arg-type]
    return [
        f"server knows: response {said['response']}, ending {said['ending']}, message "
        f"{said['output']}, item {said['item']}, {audio} ms of audio sent",
        f"client could know: the same events, {audio} ms of audio delivered, {captured} ms handed "
        f"to the speaker, {entry.heard_ms:.0f} ms played; unread by the server: {unread}",
    ]


def newest(entry: Entry) -> int:
    """The slot of the newest response before a step."""
    return max(entry.was("begun") - 1, 0)


def _trace(history: History) -> list[str]:
    rename = Renamer()
    return [
        rename(
            json.dumps(
                {
                    "t": round(entry.time * 1000),
                    "who": _who(entry),
                    "rule": None if entry.rule is None else entry.rule.id,
                    "act": entry.act,
                    "event": _whole(entry.message),
                }
            )
        )
        for entry in history.entries
    ]


def _whole(message: Any) -> Any:
    body = json.loads(message) if isinstance(message, str) else message
    if not isinstance(body, dict):
        return body
    audio = {"response.output_audio.delta": "delta", "response.audio.delta": "delta"}
    key = audio.get(body["type"], "audio" if body["type"].endswith("append") else "")
    return {**body, key: f"<audio:{len(body[key])}>"} if key in body else body
