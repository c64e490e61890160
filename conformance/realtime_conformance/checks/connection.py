"""Connection: each session is set up, and none is opened that is not to be had."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.checks.moments import end_of_main
from realtime_conformance.history import Entry, History

UPDATE_RULE = "client.session.update"

# -- whether there is to be a session -----------------------------------------------------------


def _is_over(entry: Entry) -> bool:
    """Whether no other session was to follow, as the client knew before the step."""
    return bool(entry.was("fatal")) or entry.was("leaving") == entry.machine.code(
        "leaving", "closing"
    )


def _fatal_is_final(history: History) -> Judgement:
    ends = sum(
        entry.rule is not None and entry.rule.clears and _is_over(entry)
        for entry in history.entries
    )
    return judged(ends, _hopeless(history) if ends else ())


def _hopeless(history: History) -> Iterator[Finding]:
    for position, entry in enumerate(history.entries):
        if entry.act == "connect" and entry.rule is not None and _is_over(entry):
            why = "was closed" if entry.was("leaving") else "was told that there is none"
            yield Finding(
                "violation",
                position,
                entry.rule.id,
                enabling(history.disturbance(position)),
                f"the client opens another session though it {why}",
            )


# -- whether it is set up -----------------------------------------------------------------------


def _session_is_configured(history: History) -> Judgement:
    begun = sum(entry.act == "session.created" for entry in history.entries)
    return judged(begun, _unconfigured(history))


def _unconfigured(history: History) -> Iterator[Finding]:
    """Sessions that make a response, or are at rest, before the client has said how they are to be.

    Each is found once.
    """
    end = end_of_main(history)
    waits = False
    for position, entry in enumerate(history.entries):
        rule = entry.rule
        if rule is None:
            continue
        if rule.event == "open" or rule.clears:
            waits = rule.event == "open"
        elif rule.id == UPDATE_RULE:
            waits = False
        rests = end is not None and end[0] == position
        if waits and (rule.event == "response.created" or rests):
            waits = False
            yield Finding(
                "violation",
                position,
                UPDATE_RULE,
                enabling(history.disturbance(position + 1)),
                "the session has begun, and the client never says how it is to be",
            )


CHECKS = (
    Check(
        "fatal-is-final",
        "After an error that says that no session is to be had, and once it was closed, the "
        "client opens no other connection.",
        "a connection ended behind a fatal error, or because the app closed the session",
        "facts 7.4, 8 #26, #27, #36; livekit/agents 1.6.6",
        _fatal_is_final,
        subject=("FATALS",),
    ),
    Check(
        "session-is-configured",
        "On each connection the client says how the session is to be, before a response is made "
        "there.",
        "a session was begun",
        "SDK session_update_event.py; facts 7.4: no resume",
        _session_is_configured,
    ),
)
