"""Heard: what is remembered as said is what was heard of it.

Laws:
- What was heard of a spoken message is what the speaker played of it; a written one was read as it
  came.
- Nobody knows when each word is spoken, so of a message that was interrupted the words are the
  beginning of it, and no more is asked.
- Words that came behind an interruption may be dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

from realtime_conformance.accounts import Account, Item, Utterance
from realtime_conformance.checks.interface import Check, Finding, Judgement, judged
from realtime_conformance.checks.memory import Difference, amiss, id_in, is_cut, once
from realtime_conformance.checks.moments import is_member
from realtime_conformance.history import Entry, History

AGENTS = ("context", "history")
"""The places of the agent: what it goes on from, and what it tells the app was said."""


def _spoken(account: Account, last: Entry) -> Iterator[Utterance]:
    """The messages that are heard, not read."""
    machine, audio = last.machine, last.machine.code("kind[0]", "audio")
    for said in account.said if machine.bounds["SPEAKER"] else ():
        if machine.value(last.after, f"kind[{said.slot}]") == audio:
            yield said


def _kept_of(account: Account, said: Utterance) -> Iterator[tuple[str, Item]]:
    """What the agent's places hold of a message."""
    for place in AGENTS:
        for item in (account.memory or {}).get(place, ()):
            if item.id == said.id:
                yield place, item


def _unheard_not_said(history: History) -> Judgement:
    accounts = [account for account in history.account("main", "fresh") if account.memory]
    silent = [(a, said) for a in accounts for said in _silent(a, history.last(a))]
    return judged(len(silent), once(f for a, said in silent for f in _untrue(history, a, said)))


def _silent(account: Account, last: Entry) -> Iterator[Utterance]:
    """Messages that were interrupted before anything of them was played."""
    for said in _spoken(account, last):
        if is_cut(last, said) and _is_over(last, said) and not _played(last, said):
            yield said


def _is_over(last: Entry, said: Utterance) -> bool:
    """Whether the client was told how much was heard; what is held may still be played."""
    return any(is_member(last, "segment", said.slot, name) for name in ("none", "finished"))


def _untrue(history: History, account: Account, said: Utterance) -> Iterator[Finding]:
    kept = [(place, item) for place, item in _kept_of(account, said) if item.text]
    again = [("conversation", item) for item in account.conversation
             if item.id == said.id and item.text and _is_back(history, account, item)]  # fmt: skip
    differences = (
        (f"{place}: unheard", f"the {place} says {item.text!r} of {said.id}, and nobody heard it")
        for place, item in [*kept, *again]
    )
    return amiss(history, account, differences)


def _is_back(history: History, account: Account, item: Item) -> bool:
    """Whether the client has put an item into the conversation."""
    made = (e for e in history.entries[: account.position] if e.act == "conversation.item.create")
    return any(id_in(entry) == item.id for entry in made)


def _played(last: Entry, said: Utterance) -> int:
    return last.machine.value(last.after, f"played[{said.slot}]")


def _heard_is_said(history: History) -> Judgement:
    accounts = [account for account in history.account("main", "fresh") if account.memory]
    heard = [(a, said) for a in accounts for said in _heard(a, history.last(a))]
    return judged(len(heard), once(f for a, said in heard for f in _unsaid(history, a, said)))


def _heard(account: Account, last: Entry) -> Iterator[Utterance]:
    """Messages of which something was heard, or which were read."""
    spoken = {said.slot for said in _spoken(account, last)}
    silent = any(last.machine.value(last.after, name) for name in ("stuck", "fatal"))
    for said in account.said if not silent else ():
        heard = _played(last, said) and _is_over(last, said)
        if said.text and (heard if said.slot in spoken else _is_whole(last, said)):
            yield said


def _is_whole(last: Entry, said: Utterance) -> bool:
    """Whether a message is complete and nobody interrupted it."""
    whole = last.machine.value(last.after, f"whole[{said.slot}]")
    return bool(whole) and not is_cut(last, said)


def _unsaid(history: History, account: Account, said: Utterance) -> Iterator[Finding]:
    last, kept = history.last(account), dict(_kept_of(account, said))
    memory = account.memory or {}
    places = [p for p in AGENTS if p in memory and not _is_anothers(history, p, said)]
    whole = _is_whole(last, said)
    owed = whole or _was_worded(history, said)
    return amiss(
        history,
        account,
        (d for p in places for d in _unlike(p, kept.get(p), said, whole=whole, owed=owed)),
    )


def _is_anothers(history: History, place: str, said: Utterance) -> bool:
    """Whether a message is none of the agent's that is there now: it may begin with a context of
    its own, and the history of the session alone goes on."""
    handed = (entry for entry in history.entries if entry.act == "hand_over")
    response = said.slot // history.machine.bounds["OUTPUTS"]
    return place == "context" and any(entry.was("begun") > response for entry in handed)


def _was_worded(history: History, said: Utterance) -> bool:
    """Whether words of a message had come when it was interrupted: later ones may be dropped."""
    for entry in history.entries:
        if said.slot < entry.machine.bounds["OUTS"] and is_cut(entry, said):
            return bool(entry.was("transcript", said.slot))
    return False


def _unlike(
    place: str, kept: Item | None, said: Utterance, *, whole: bool, owed: bool
) -> Iterator[Difference]:
    text = (kept.text or "") if kept is not None else ""
    known = (
        text.strip() == said.text.strip() if whole else said.text.strip().startswith(text.strip())
    )
    if not text and owed:
        yield f"{place}: forgotten", f"the {place} says nothing of {said.id}, which was heard"
    elif not known:
        yield f"{place}: other words", f"the {place} says {text!r} of {said.id}: {said.text!r}"
    elif whole and kept is not None and kept.interrupted:
        yield f"{place}: interrupted", f"the {place} takes {said.id} for interrupted"


MEMORY = ("memory",)

CHECKS = (
    Check(
        "unheard-not-said",
        "A spoken message of which nothing was heard is not remembered as said.",
        "a spoken message was interrupted before anything of it was played, and the client told "
        "what it remembers",
        "GUIDE, interruption and truncation: the model must not believe that the user heard it",
        _unheard_not_said,
        needs=MEMORY,
        subject=("SPEAKER", "INTERRUPTIONS"),
    ),
    Check(
        "heard-is-said",
        "A message is remembered with the words that were heard: all of them if nobody interrupted "
        "it, and otherwise the beginning.",
        "something of a message was heard, or it was read to its end, and the client told what it "
        "remembers",
        "livekit ChatMessage.interrupted, AgentSession.history; GUIDE, interruption and truncation",
        _heard_is_said,
        needs=MEMORY,
    ),
)
