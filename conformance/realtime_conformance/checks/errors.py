"""Honesty of errors: the app is told of every fault and of nothing else, and a fatal one ends it.

Laws:
- A fault is what the server or the network did, never an answer that a crossing brought about.
- A client may be silent about what it mends, and about what is told to whoever made the call.
"""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.accounts import Account
from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.checks.liveness import is_trouble
from realtime_conformance.history import Entry, History

FAULTS = ("server.error.recoverable", "server.error.fatal", "server.gives.up.failed")
"""Rules by which a server reports a fault that is no answer to a request."""

FATAL = "server.error.fatal"


def _faults(history: History) -> list[Entry]:
    return [e for e in history.entries if e.rule is not None and e.rule.id in FAULTS]


def _final(history: History) -> Account | None:
    """The last account of a client that tells of errors."""
    told = [a for a in history.account("main", "fresh", "closed") if a.errors is not None]
    return told[-1] if told else None


def _wrong(history: History, account: Account, clause: str, text: str) -> Finding:
    by = enabling(history.disturbance(account.position))
    return Finding("violation", account.position - 1, clause, by, text)


def _no_false_alarm(history: History) -> Judgement:
    account = _final(history)
    if account is None or any(map(is_trouble, history.entries)):
        return judged(0, ())
    return judged(1, _alarms(history, account))


def _alarms(history: History, account: Account) -> Iterator[Finding]:
    for told in account.errors or ():
        clause = f"error {told.text.partition(':')[0]}"
        yield _wrong(history, account, clause, f"without a fault the app is told: {told.text}")


def _fault_is_told(history: History) -> Judgement:
    account, faults = _final(history), _faults(history)
    if account is None or not faults:
        return judged(0, ())
    return judged(len(faults), _concealed(history, account, faults))


def _concealed(history: History, account: Account, faults: list[Entry]) -> Iterator[Finding]:
    errors = account.errors or ()
    fatal = any(entry.rule is not None and entry.rule.id == FATAL for entry in faults)
    if not errors:
        yield _wrong(history, account, "nothing told", "the app is told nothing of a fault")
    elif fatal and all(told.recoverable for told in errors):
        yield _wrong(history, account, "fatal as recoverable", "a fatal error is told as one that "
                     "the session recovers from")  # fmt: skip
    elif not fatal and not all(told.recoverable for told in errors):
        yield _wrong(history, account, "recoverable as fatal", "an error that the session recovers "
                     "from is told as a fatal one")  # fmt: skip


ERRORS = ("errors",)

CHECKS = (
    Check(
        "no-false-alarm",
        "The app is told of no error in a run without a fault.",
        "nothing went wrong in the run, and the client tells of errors",
        "livekit AgentSession, event error",
        _no_false_alarm,
        needs=ERRORS,
    ),
    Check(
        "fault-is-told",
        "The app is told of a fault that the server reports, and whether the session goes on.",
        "the server reported a fault that is no answer to a request, and the client tells of "
        "errors",
        "SDK realtime_error_event.py; livekit RealtimeModelError.recoverable",
        _fault_is_told,
        needs=ERRORS,
        subject=("FAILURES",),
    ),
)
