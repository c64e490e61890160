"""Memory: what the server, the client's mirror and the agent hold at rest is one conversation.

Laws:
- Only what both sides can hold is compared, and only words that are known; what may differ is
  declared in `LOCAL` and `EXCUSES`, each with its reason.
- The server is the measure: the model answers out of what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from realtime_conformance.accounts import KINDS, Account, Item, Utterance
from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import Entry, History

LOCAL: Mapping[str, tuple[str, ...]] = {
    "context": ("system", "developer"),
    "history": ("system", "developer"),
}
"""Roles of the messages that a place leaves out of the comparison: an agent's instructions are a
field of the session and no item, and a note of the server to the model is none of the agent's."""

WORDLESS = "it has no words, and sound cannot be put back on a new connection"
REFUSED = "the server refused it as it was, and the app, which put it there, has not taken it back"


@attrs.frozen
class Excuse:
    """Why a place may hold an item that the server does not."""

    why: str
    applies: Callable[[History, Item], bool]


def _was_lost(history: History, item: Item) -> bool:
    """Whether an item without words was in a conversation that ended with its connection."""
    held = (kept for lost in history.account("lost") for kept in lost.conversation)
    return not item.text and any(kept.id == item.id for kept in held)


def _was_refused(history: History, item: Item) -> bool:
    """Whether a fault has kept an item out of the conversation."""
    refused = filter(_is_fault_of_creation, history.entries)
    return any(_named(history, entry) == item.id for entry in refused)


def _is_fault_of_creation(entry: Entry) -> bool:
    rule = entry.rule
    return rule is not None and rule.disturbs == "fault" and rule.id.startswith(REFUSES)


REFUSES = "server.rejects.conversation.item.create"


def _named(history: History, refusal: Entry) -> str:
    """The id of the item that a refused creation was about."""
    if refusal.answers is not None:
        return id_in(history.entries[refusal.answers])
    assert refusal.rule is not None
    slot = refusal.rule.at["m"]
    made = (e for e in history.entries if e.act == "conversation.item.create" and e.slot == slot)
    return next(map(id_in, made), "")


def id_in(entry: Entry) -> str:
    """The id that a client gives to an item that it creates."""
    return str(entry.message["item"].get("id", ""))


EXCUSES = (Excuse(WORDLESS, _was_lost), Excuse(REFUSED, _was_refused))

Difference = tuple[str, str]
"""A clause, and a text for a person."""


# -- what is compared --------------------------------------------------------------------------


def _common(items: Iterable[Item], roles: Sequence[str] = ()) -> list[Item]:
    """What both sides can hold, but for messages of some roles."""
    return [item for item in items if item.kind in KINDS and item.role not in roles]


def _what(item: Item) -> str:
    return f"{item.role} {item.kind}".strip()


def _differences(place: str, held: Sequence[Item], kept: Sequence[Item]) -> Iterator[Difference]:
    """Where a place differs from what the server holds; `held` and `kept` as they are compared."""
    own, other = {item.id: item for item in kept}, {item.id: item for item in held}
    if len(own) < len(kept):
        yield f"{place}: an item twice", f"the {place} holds {_twice(kept)} twice"
    for item in held:
        if item.id not in own:
            yield f"{place}: lacks {_what(item)}", f"the {place} lacks {item.id}"
    for item in kept:
        if item.id not in other:
            text = f"the {place} holds {item.id}, which the server does not"
            yield f"{place}: more {_what(item)}", text
    yield from _disorder(place, list(other), [item for item in own.values() if item.id in other])
    for name, item in own.items():
        if name in other:
            yield from _other_words(place, other[name], item)


def _twice(items: Sequence[Item]) -> str:
    ids = [item.id for item in items]
    return next(name for name in ids if ids.count(name) > 1)


def _disorder(place: str, held: list[str], kept: Sequence[Item]) -> Iterator[Difference]:
    found = [item.id for item in kept]
    wanted = [name for name in held if name in found]
    if all(item.date is not None for item in kept):
        # time stands still between steps, so what is of one date may stand in any order
        kept = sorted(kept, key=lambda item: (item.date, wanted.index(item.id)))
    if wanted != [item.id for item in kept]:
        text = f"the {place} holds {', '.join(found)}, and the server {', '.join(wanted)}"
        yield f"{place}: order", text


def _other_words(place: str, held: Item, kept: Item) -> Iterator[Difference]:
    if held.text is not None and held.text.strip() != (kept.text or "").strip():
        text = f"the {place} has {kept.text!r} for {held.id}, and the server {held.text!r}"
        yield f"{place}: words of {_what(held)}", text


def _excused(history: History, account: Account, items: Sequence[Item]) -> list[Item]:
    """Items of a place, but for those that the server need not hold."""
    held = {item.id for item in account.conversation}
    return [
        item
        for item in items
        if item.id in held or not any(e.applies(history, item) for e in EXCUSES)
    ]


# -- the checks --------------------------------------------------------------------------------


def _at_rest(history: History, place: str) -> list[Account]:
    """Accounts of a client that told what a place holds, beside a server that holds something."""
    return [
        account
        for account in history.account("main", "fresh")
        if account.memory is not None and place in account.memory and is_connected(history, account)
    ]


def is_connected(history: History, account: Account) -> bool:
    """Whether there was a session on the server when an account was taken."""
    last = history.last(account)
    return last.machine.value(last.after, "connection") == last.machine.code("connection", "ready")


def amiss(
    history: History, account: Account, differences: Iterable[Difference]
) -> Iterator[Finding]:
    """A finding for each clause; the first of its kind says enough."""
    seen: set[str] = set()
    for clause, text in differences:
        if clause not in seen:
            seen.add(clause)
            position = account.position - 1
            by = enabling(history.disturbance(account.position))
            yield Finding("violation", position, clause, by, text)


def once(found: Iterable[Finding]) -> list[Finding]:
    """What was wrong before the fresh turn is not wrong once more behind it."""
    first: dict[str, Finding] = {}
    for finding in found:
        first.setdefault(finding.clause, finding)
    return list(first.values())


def _mirror_agrees(history: History) -> Judgement:
    accounts = _at_rest(history, "mirror")
    return judged(len(accounts), once(f for a in accounts for f in _mirrored(history, a)))


def _mirrored(history: History, account: Account) -> Iterator[Finding]:
    assert account.memory is not None
    held, kept = _common(account.conversation), _common(account.memory["mirror"])
    return amiss(history, account, _differences("mirror", held, kept))


def _context_agrees(history: History) -> Judgement:
    accounts = _at_rest(history, "context")
    return judged(len(accounts), once(f for a in accounts for f in _agreed(history, a)))


def _agreed(history: History, account: Account) -> Iterator[Finding]:
    assert account.memory is not None
    held = _common(account.conversation, LOCAL["context"])
    kept = _excused(history, account, _common(account.memory["context"], LOCAL["context"]))
    yield from amiss(history, account, _differences("context", held, kept))
    if "history" in account.memory:
        told = _common(account.memory["history"], LOCAL["history"])
        yield from amiss(history, account, _told(held, told))


def _told(held: Sequence[Item], told: Sequence[Item]) -> Iterator[Difference]:
    """Where a history is another than the conversation, as far as it goes.

    It tells what was said: it need not hold what nobody said, and keeps what was deleted later.
    """
    now, ever = {item.id for item in held}, {item.id for item in told}
    return _differences(
        "history",
        [item for item in held if item.id in ever],
        [item for item in told if item.id in now],
    )


# what a new connection begins with


def _reconnection_keeps(history: History) -> Judgement:
    found = [(lost, now) for now in history.account("main") if is_connected(history, now)
             for lost in _losses(history, now)[-1:] if _owed(history, lost, now)]  # fmt: skip
    return judged(len(found), (f for lost, now in found for f in _forgotten(history, lost, now)))


def _losses(history: History, now: Account) -> list[Account]:
    return [lost for lost in history.account("lost") if lost.position < now.position]


def _owed(history: History, lost: Account, now: Account) -> list[Item]:
    """What has to be in the new conversation: what has words, and neither was interrupted, nor
    deleted since, nor refused by a fault."""
    entries = history.entries[lost.position : now.position]
    gone = {entry.message["item_id"] for entry in entries if entry.act == DELETE}
    gone |= {said.id for said in now.said if is_cut(history.last(now), said)}
    return [
        item
        for item in _common(lost.conversation)
        if item.text and item.id not in gone and not _was_refused(history, item)
    ]


DELETE = "conversation.item.delete"


def is_cut(entry: Entry, said: Utterance) -> bool:
    """Whether the reply of a message is interrupted behind a step."""
    machine = entry.machine
    return bool(machine.value(entry.after, f"cut[{said.slot // machine.bounds['OUTPUTS']}]"))


def _forgotten(history: History, lost: Account, now: Account) -> Iterator[Finding]:
    back = {item.id: item for item in now.conversation}
    return amiss(history, now, _lacking(_owed(history, lost, now), back))


def _lacking(owed: Sequence[Item], back: Mapping[str, Item]) -> Iterator[Difference]:
    for item in owed:
        found = back.get(item.id)
        if found is None:
            yield f"lost {_what(item)}", f"{item.id} is not in the conversation any more"
        elif found.text is not None and found.text.strip() != (item.text or "").strip():
            text = f"{item.id} comes back as {found.text!r}, and was {item.text!r}"
            yield f"changed {_what(item)}", text


MEMORY = ("memory",)

CHECKS = (
    Check(
        "mirror-agrees",
        "At rest the client takes the server's conversation for what it is: the same items, in the "
        "same order, with the same words.",
        "the client told at rest what it takes the conversation to be, and was connected",
        "livekit RealtimeSession.chat_ctx; SDK conversation_item_added.py and "
        "conversation_item_deleted_event.py",
        _mirror_agrees,
        needs=MEMORY,
    ),
    Check(
        "context-agrees",
        "At rest the agent goes on from the conversation that the server holds, and tells the app "
        "the same, save for what is declared to differ.",
        "the client told at rest what its agent goes on from, and was connected",
        "livekit Agent.chat_ctx, AgentSession.history; GUIDE, interruption and truncation",
        _context_agrees,
        needs=MEMORY,
    ),
    Check(
        "reconnection-keeps",
        "What was final in the conversation when its connection ended is in the next one, with the "
        "same words.",
        "the client was connected anew, and the conversation before held something final with "
        "words",
        "facts 7.4: no resume, so the client puts the conversation back",
        _reconnection_keeps,
        subject=("DROPS", "TRACK_USERS"),
    ),
)
