"""Requests: well formed, nothing that the server rejects, nothing twice, nothing unexplained."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import Entry, History
from realtime_conformance.schema import wrong

CANCEL = "response.cancel"


def is_repeat(entry: Entry) -> bool:
    """Whether a cancel follows another for the same response that the server has not rejected."""
    return entry.act == CANCEL and any(entry.was("cancelling", r) for r in meant(entry))


def meant(entry: Entry) -> list[int]:
    """The responses that a cancel is about: the one that it names, or the active one.

    Without either it is the one to come, and where none was requested also the newest.
    """
    if entry.slot:
        return [entry.slot - 1]
    active = active_responses(entry)
    if active:
        return active
    begun = entry.was("begun")
    newest = [] if entry.was("requested") else [begun - 1]
    return [r for r in (*newest, begun) if 0 <= r < entry.machine.bounds["RESPONSES"]]


def active_responses(entry: Entry) -> list[int]:
    """The responses of the default conversation that were active before the step."""
    active = entry.machine.code("response[0]", "active")
    return [
        r
        for r in range(entry.machine.bounds["RESPONSES"])
        if entry.was("response", r) == active and not entry.was("oob", r)
    ]


def _rejected(history: History, answer: Entry) -> bool:
    """Whether an answer is an error that the client could have known to come."""
    if answer.rule is None or not answer.rule.error or answer.answers is None:
        return False
    sent = history.entries[answer.answers]
    if is_repeat(sent):
        return False
    assert sent.step is not None
    return not sent.machine.permitted(sent.before, sent.step)


def _no_rejected_event(history: History) -> Judgement:
    answers = [entry for entry in history.entries if entry.answers is not None]
    return judged(len(answers), (_rejection(history, a) for a in answers if _rejected(history, a)))


def _rejection(history: History, answer: Entry) -> Finding:
    assert answer.answers is not None
    assert answer.rule is not None
    sent = history.entries[answer.answers]
    assert sent.rule is not None
    return Finding(
        "violation",
        answer.answers,
        sent.rule.id,
        enabling(history.disturbance(answer.answers), answer.rule.id),
        f"the server answers {answer.rule.error} to {sent.act}, which what had been delivered "
        "ruled out",
    )


def _redundant_cancel(history: History) -> Judgement:
    cancels = list(history.client_messages(CANCEL))
    return judged(len(cancels), _repeats(history, cancels))


def _repeats(history: History, cancels: list[tuple[int, Entry]]) -> Iterator[Finding]:
    for position, entry in cancels:
        if not is_repeat(entry):
            continue
        answer = history.answer(position)
        applied = answer is not None and answer.rule is not None and not answer.rule.error
        # a cancel sent while a request is pending means the response that is still to come
        meant = entry.response + entry.was("requested")
        later = applied and answer is not None and answer.response > meant
        yield Finding(
            "violation" if later else "advisory",
            position,
            CANCEL_RULE,
            enabling(history.disturbance(position), "later response" if later else ""),
            "a second response.cancel for the same response"
            + (" cuts a later one" if later else ""),
        )


CANCEL_RULE = "client.response.cancel"


def _permitted_message(history: History) -> Judgement:
    acts = [entry for entry in history.entries if entry.rule is None or entry.rule.is_client]
    return judged(len(acts), _unexplained(history))


def _of_item(entry: Entry) -> str:
    """What an item is that is created, as ` of message`; empty for any other act."""
    item = entry.message.get("item") if isinstance(entry.message, dict) else None
    kind = item.get("type") if isinstance(item, dict) else None
    return f" of {kind}" if entry.act == "conversation.item.create" and kind else ""


def _unexplained(history: History) -> Iterator[Finding]:
    for position, entry in enumerate(history.entries):
        if entry.rule is None:
            yield Finding(
                "violation",
                position,
                f"no rule for {entry.act}{_of_item(entry)}",
                enabling(history.disturbance(position)),
                f"the client does {entry.act}, which no rule allows in "
                f"{entry.machine.show(entry.before)}",
            )


def _well_formed(history: History) -> Judgement:
    sent = [
        (position, entry)
        for position, entry in enumerate(history.entries)
        if entry.message is not None and (entry.rule is None or entry.rule.is_client)
    ]
    return judged(len(sent), _malformed(history, sent))


def _malformed(history: History, sent: list[tuple[int, Entry]]) -> Iterator[Finding]:
    for position, entry in sent:
        fault = wrong(entry.message, beta=history.beta)
        if fault is not None:
            yield Finding(
                "violation",
                position,
                f"{entry.act} {fault.path}",
                enabling(history.disturbance(position)),
                f"{entry.act} is malformed at {fault.path}: {fault.text}",
            )


CHECKS = (
    Check(
        "well-formed-event",
        "Every event that the client sends has the shape that its type has, and no key besides.",
        "the client sent an event",
        "SDK RealtimeClientEvent; facts 8 #18: an unknown key is rejected",
        _well_formed,
    ),
    Check(
        "permitted-message",
        "Everything the client sends, and everything it tells the speaker, is a step that some "
        "rule allows there.",
        "the client acted",
        "the rules of the client",
        _permitted_message,
    ),
    Check(
        "no-rejected-event",
        "The server never has to answer with an error, crossings apart: a crossing is rejected "
        "though nothing delivered told the client so when it sent the message.",
        "the server read a message of the client",
        "SDK realtime_error_event.py; facts 8",
        _no_rejected_event,
    ),
    Check(
        "redundant-cancel",
        "A response is cancelled once: a repeat is wasteful, and a violation where it cuts a "
        "later response.",
        "a response.cancel was sent",
        "facts 4: a second cancel is rejected; a late one was applied to the next response",
        _redundant_cancel,
        subject=("DISTURBANCES", "INTERRUPTIONS"),
    ),
)
