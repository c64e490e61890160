"""One run as data that a person can read: who did what, what went over the wire, who knew what.

Laws:
- The same run gives the same bytes: ids that a client makes up are renamed in order of appearance.
- A step goes from one lane to another, or stays in one: `people` (user, agent code and speaker),
  `client`, `server`. The text of a timeline is a rendering of the steps, by `lanes`.
- What is known beside a step is what was known before it, since that is what it is judged by.
- The trace holds every wire event whole, but for the samples of audio, which are counted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from realtime_conformance.checks import CHECKS
from realtime_conformance.history import Entry, History
from realtime_conformance.lanes import drawn
from realtime_conformance.runner import Outcome
from realtime_protocol.bounds import UNIT_MS
from realtime_protocol.rule import Rule
from realtime_protocol.vocabulary import EVENTS

Json = dict[str, Any]

MADE_UP = re.compile(r"\b([a-z][a-z_]*_)([0-9a-f]{12}|[0-9A-Za-z]{16,})\b")

ENDS = {"user": "people", "app": "people", "speaker": "people", "network": "server"}
"""The lane in which an actor stands, if it has none of its own name."""

TO_SERVER = ("connect", "close")
"""Acts of the client that are no messages and yet go over the network; others go to people."""


class Renamer:
    """Renames what a client makes up: the same id, the same name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """`text` with every made-up id renamed."""
        return MADE_UP.sub(self._name, text)

    def within(self, data: Any) -> Any:
        """Plain data with every text in it renamed; the keys stay."""
        if isinstance(data, str):
            return self(data)
        if isinstance(data, list):
            return [self.within(part) for part in data]
        if isinstance(data, dict):
            return {key: self.within(part) for key, part in data.items()}
        return data

    def _name(self, match: re.Match[str]) -> str:
        name = f"{match[1]}{len(self._names) + 1}"
        return self._names.setdefault(match[0], name)


def render(outcome: Outcome) -> Json:
    """Steps, timeline, trace, digest of the trace, and findings of one run; plain data."""
    history = outcome.history
    breaches = _breaches(history)
    trace = "\n".join(_trace(history))
    steps = Renamer().within(list(_steps(history, breaches)))
    found = [finding for findings in breaches.values() for finding in findings]
    return {
        "choices": list(outcome.choices),
        "steps": steps,
        "timeline": drawn(steps),
        "trace": trace,
        "digest": hashlib.sha256(trace.encode()).hexdigest()[:16],
        "findings": [f"{one['verdict'].upper()} {one['check']}: {one['text']}" for one in found],
        "fingerprints": _fingerprints(history),
    }


def _breaches(history: History) -> dict[int, list[Json]]:
    """What the checks find, by the position where it happened."""
    found: dict[int, list[Json]] = {}
    for check in CHECKS:
        for finding in check.judge(history).findings:
            breach = {
                "check": check.id,
                "verdict": finding.verdict,
                "text": finding.text,
                "fingerprint": check.fingerprint(finding),
            }
            found.setdefault(finding.position, []).append(breach)
    return found


def _fingerprints(history: History) -> Json:
    """The text of the first finding of each fingerprint."""
    texts: Json = {}
    for check in CHECKS:
        for finding in check.judge(history).findings:
            texts.setdefault(check.fingerprint(finding), finding.text)
    return texts


# -- steps ------------------------------------------------------------------------------------


def _steps(history: History, breaches: dict[int, list[Json]]) -> Iterator[Json]:
    """Every step in order; what the user says to the server is one, and what it makes of it one."""
    for position, entry in enumerate(history.entries):
        *first, last = _moves(entry)
        common = {
            "at": round(entry.time * 1000),
            "phase": entry.phase,
            "rule": None if entry.rule is None else entry.rule.id,
            **_knowledge(entry),
        }
        nothing: Json = {"rejects": False, "changes": {}, "findings": []}
        yield from ({**common, **move, **nothing} for move in first)
        yield {
            **common,
            **last,
            "rejects": entry.rule is not None and bool(entry.rule.error),
            "changes": _changes(entry),
            "findings": breaches.get(position, []),
        }
    if history.hang:
        yield _hang(history)


def _hang(history: History) -> Json:
    """What stands where a run did not come to its end."""
    last = history.entries[-1]
    return {
        "at": round(last.time * 1000),
        "phase": last.phase,
        "rule": None,
        **_knowledge(last, after=True),
        **_move("client", "client", "client", history.hang),
        "rejects": False,
        "changes": {},
        "findings": [],
    }


def _move(
    who: str, start: str, end: str, label: str, detail: str = "", note: str = ""
) -> dict[str, str]:
    return {"who": who, "from": start, "to": end, "label": label, "detail": detail, "note": note}


def _moves(entry: Entry) -> list[dict[str, str]]:
    """From where to where a step goes, and what it says."""
    rule = entry.rule
    if rule is None:
        return [_acts(entry, entry.act, "no rule allows this")]
    if rule.actor == "client":
        return [_acts(entry, _tail(rule))]
    if rule.actor == "server":
        return [_serves(entry, rule)]
    note = _hurry(entry)
    if rule.actor == "user" and rule.event in EVENTS:
        says = _move("user", "people", "client", f"user: {_words(_tail(rule))}")
        return [says, _move("server", "server", "client", *_wire(entry), note)]
    start = ENDS.get(rule.actor, "client")
    return [_move(rule.actor, start, "client", f"{rule.actor}: {_act(entry, rule)}", "", note)]


def _act(entry: Entry, rule: Rule) -> str:
    """The name of an act; that of a call of the app as agent code spells it."""
    if rule.actor == "app":
        return rule.event
    if rule.event == "play":
        return f"play, {entry.machine.bounds['STEP'] * UNIT_MS} ms at most"
    return _words(rule.event)


def _acts(entry: Entry, name: str, note: str = "") -> dict[str, str]:
    """Something that the client does."""
    if entry.message is not None:
        return _move("client", "client", "server", *_wire(entry), note)
    end = "server" if entry.act in TO_SERVER else "people"
    return _move("client", "client", end, name.replace(".", ": "), "", note)


def _serves(entry: Entry, rule: Rule) -> dict[str, str]:
    """Something that the server does; what it does in silence stays in its lane."""
    if rule.event:
        notes = [f"answers {rule.reads}" if rule.reads else "", _hurry(entry)]
        return _move("server", "server", "client", *_wire(entry), ", ".join(filter(None, notes)))
    verb, _, rest = _tail(rule).partition(".")
    if rule.reads:
        verb = "accepts" if verb == "reads" else verb
        label = f"reads {rule.reads}, {verb} it"
    else:
        label = f"{verb} {rest if rest in EVENTS else _words(rest)}"
    return _move("server", "server", "server", label, "", _hurry(entry))


def _tail(rule: Rule) -> str:
    """The id of a rule without its actor."""
    return rule.id.partition(".")[2]


def _words(name: str) -> str:
    return re.sub(r"[._]", " ", name)


def _hurry(entry: Entry) -> str:
    """How soon the next step comes, if it does not wait for the client to rest."""
    if entry.burst:
        return "the next at once"
    return f"the next after {entry.ticks} ticks" if entry.ticks else ""


FIELDS = ("item_id", "audio_end_ms", "response_id")


def _wire(entry: Entry) -> tuple[str, str]:
    """The type of a wire event, and what it says that matters here."""
    message = entry.message
    if message is None:
        return entry.act, ""
    body = json.loads(message) if isinstance(message, str) else message
    shown = [f"{key}={body[key]}" for key in FIELDS if key in body]
    error = body.get("error")
    if isinstance(error, dict):
        shown += [f"{error['type']} {error['code']}: {error['message']}"]
    response = body.get("response")
    if isinstance(response, dict) and "status" in response:
        shown += [f"{response['id']} {response['status']}"]
    return body["type"], " ".join(shown)


# -- what is known ----------------------------------------------------------------------------


def _knowledge(entry: Entry, after: bool = False) -> Json:
    """What the server knows and what the client could know, before a step or after it.

    It is about the item that is spoken of, or else about the newest; times are in milliseconds.
    """
    machine, state = entry.machine, entry.after if after else entry.before
    unit = machine.bounds["DELTA"] * UNIT_MS
    outputs = machine.bounds["OUTPUTS"]
    m = min(entry.slot, machine.bounds["OUTS"] - 1) if entry.slot else newest(entry) * outputs

    def named(field: str, slot: int) -> str:
        return machine.member(field, machine.value(state, f"{field}[{slot}]"))

    audio = machine.value(state, f"audio[{m}]") * unit
    captured = machine.value(state, f"captured[{m}]") * unit
    inbox = machine.show(state)["inbox"]
    assert isinstance(inbox, list)
    return {
        "server": {
            "response": named("response", m // outputs),
            "ending": named("ending", m // outputs),
            "message": named("output", m),
            "item": named("item", m),
            "audio sent": f"{audio} ms",
        },
        "client": {
            "audio delivered": f"{audio} ms",
            "handed to the speaker": f"{captured} ms",
            "played": f"{entry.heard_ms:.0f} ms",
            "unread by the server": ", ".join(inbox) or "nothing",
        },
    }


def _changes(entry: Entry) -> Json:
    """What a step changes of the state, by field; what only counts is left out."""
    before, after = entry.machine.show(entry.before), entry.machine.show(entry.after)
    counts = {field.name for field in entry.machine.fields if field.budget}
    return {
        name: ", ".join(value) or "empty" if isinstance(value, list) else str(value)
        for name, value in after.items()
        if value != before[name] and name not in counts
    }


def newest(entry: Entry) -> int:
    """The slot of the newest response before a step."""
    return max(entry.was("begun") - 1, 0)


# -- the trace --------------------------------------------------------------------------------


def _trace(history: History) -> list[str]:
    rename = Renamer()
    return [
        rename(
            json.dumps(
                {
                    "t": round(entry.time * 1000),
                    "who": "client" if entry.rule is None else entry.rule.actor,
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
