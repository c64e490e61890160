"""Conversation: what is put back on a new connection stands where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import attrs

from realtime_conformance.checks.interface import Check, Finding, Judgement, enabling, judged
from realtime_conformance.history import History
from realtime_protocol.acceptance import arrange
from realtime_protocol.adoption import moved
from realtime_protocol.machine import Machine
from realtime_protocol.names import Names

AGAIN_RULE = "client.conversation.item.create.again"

Items = tuple[int, ...]
"""Slots of items, in the order of the conversation."""


@attrs.define
class _Session:
    """The conversation of one connection, as the server has it."""

    machine: Machine
    names: Names
    before: Items = ()
    """What the last conversation held."""
    back: dict[int, tuple[int, Items]] = attrs.field(factory=dict)
    """What was put back: the position of the message, and what was there when it was sent."""

    @classmethod
    def begun(cls, machine: Machine, before: Items = ()) -> _Session:
        """An empty one."""
        return cls(machine, _plain_names(machine), before)

    @property
    def items(self) -> Items:
        """What is in the conversation."""
        return tuple(item for item in self.names.order if item not in self.names.deleted)

    def adopt(self, machine: Machine) -> None:
        """Go on under another machine, in which items can have other slots."""
        here, there = self.machine.bounds, machine.bounds

        def to(slot: int) -> int:
            found = moved("ITEMS", slot, here, there)
            assert found is not None
            return found

        order = self.names.moved(to)
        self.names = attrs.evolve(_plain_names(machine), order=order.order, deleted=order.deleted)
        self.before = tuple(map(to, self.before))
        self.back = {
            to(slot): (position, tuple(map(to, there)))
            for slot, (position, there) in self.back.items()
        }
        self.machine = machine

    def take(self, history: History, position: int) -> None:
        """Follow one step."""
        entry = history.entries[position]
        rule = entry.rule
        assert rule is not None
        if rule.id == AGAIN_RULE:
            self.back[entry.slot] = (position, self.items)
        elif rule.actor == "server":
            sent = None if entry.answers is None else history.entries[entry.answers]
            place = None if sent is None else {"previous_item_id": _named(sent.argument)}
            arrange(entry.machine, self.names, rule, place, entry.after)


def _plain_names(machine: Machine) -> Names:
    """Names by which each item is known from the beginning: an order needs no others."""
    items = range(machine.bounds["ITEMS"])
    return Names(ids={("item", slot): _named(slot + 2) for slot in items})


def _named(place: int) -> str:
    """What stands for a place among items, as the argument of a creation says it."""
    return ("", "root")[place] if place < 2 else f"item {place - 2}"


def _sessions(history: History) -> Iterator[_Session]:
    """Every session, as it was when its connection ended, or in the end."""
    session = _Session.begun(history.machine)
    for position, entry in enumerate(history.entries):
        if entry.rule is None:
            continue
        if entry.machine is not session.machine:
            session.adopt(entry.machine)
        if entry.rule.clears:
            yield session
            session = _Session.begun(entry.machine, session.items or session.before)
        session.take(history, position)
    yield session


def _order_is_kept(history: History) -> Judgement:
    if history.machine.bounds["SOCKETS"] == 1:
        return judged(0, ())
    sessions = [one for one in _sessions(history) if one.back and len(one.items) > 1]
    return judged(len(sessions), (f for one in sessions for f in _disorder(history, one)))


def _disorder(history: History, session: _Session) -> Iterator[Finding]:
    """The first item that was put back on the wrong side of another."""
    wrong = sorted(_misplaced(session))
    for position in wrong[:1]:
        yield Finding(
            "violation",
            position,
            AGAIN_RULE,
            enabling(history.disturbance(position)),
            "an item that is put back comes to stand on the wrong side of another",
        )


def _misplaced(session: _Session) -> Iterator[int]:
    """Positions of the messages that put an item on the wrong side of another."""
    items, back = session.items, session.back
    kept = [item for item in session.before if item in back and item in items]
    for first, second in combinations(kept, 2):
        if items.index(first) > items.index(second):
            yield max(back[first][0], back[second][0])
    for item in kept:
        position, there = back[item]
        new = [other for other in there if other in items and other not in back]
        if any(items.index(other) < items.index(item) for other in new):
            yield position


CHECKS = (
    Check(
        "order-is-kept",
        "What is put back on a new connection stands in the order that it had, and before "
        "whatever is new there.",
        "an item was put back on a new connection, and is not alone there",
        "SDK conversation_item_create_event.py; facts 6, 7.4: no resume",
        _order_is_kept,
        subject=("DROPS", "TRACK_USERS"),
    ),
)
