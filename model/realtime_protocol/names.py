"""What the templates of `wire` stand for in one session: ids, texts, and the order of the items.

Laws:
- Every id stands for one slot of its kind at a time; a slot gets a new id only where an event
  introduces one.
- A deleted item keeps its place in the order: a server may name it as the one before (facts 6).
- Filling in never fails; fitting says no by returning False, and what it learned is then void.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from realtime_protocol.errors import matches
from realtime_protocol.vocabulary import ERRORS
from realtime_protocol.wire import (
    Before,
    Called,
    Echo,
    Free,
    Heard,
    Id,
    Kind,
    Maybe,
    Metadata,
    Said,
    Say,
    Sound,
    Wire,
    Wrong,
)

LEFT_OUT = "[Object]"
"""What some recordings print instead of what is nested deep."""
Key = tuple[Kind, int]


@attrs.define
class Names:
    """The names of one session, as far as they are known."""

    ids: dict[Key, str] = attrs.field(factory=dict)
    said: dict[tuple[int, int], tuple[str, ...]] = attrs.field(factory=dict)
    """Pieces of text by item and part."""
    order: tuple[int, ...] = ()
    """Slots of the conversation's items, deleted ones included."""
    deleted: frozenset[int] = frozenset()
    metadata: dict[int, Any] = attrs.field(factory=dict)
    """Metadata of responses, where it is known."""
    called: dict[int, str] = attrs.field(factory=dict)
    """What calls name, by item."""
    created: dict[int, Wire] = attrs.field(factory=dict)
    """The client's messages that created items."""
    torn: frozenset[int] = frozenset()
    """Items that began before the recording did: the beginning of their text is not known."""
    whole: bool = True
    """The session is known from its beginning, and so is every item."""

    def copy(self) -> Names:
        """The same names, to go on from."""
        return attrs.evolve(
            self,
            ids=dict(self.ids),
            said=dict(self.said),
            metadata=dict(self.metadata),
            called=dict(self.called),
            created=dict(self.created),
        )

    def moved(self, item: Callable[[int], int]) -> Names:
        """The same names where items have other slots; a slot below 0 is no rule's, and stays."""

        def to(slot: int) -> int:
            return slot if slot < 0 else item(slot)

        return attrs.evolve(
            self,
            ids={
                (kind, slot if kind == "response" else to(slot)): name
                for (kind, slot), name in self.ids.items()
            },
            said={(to(slot), part): said for (slot, part), said in self.said.items()},
            order=tuple(map(to, self.order)),
            deleted=frozenset(map(to, self.deleted)),
            metadata=dict(self.metadata),
            called={to(slot): name for slot, name in self.called.items()},
            created={to(slot): message for slot, message in self.created.items()},
            torn=frozenset(map(to, self.torn)),
        )

    def slot(self, kind: Kind, name: object) -> int | None:
        """The slot that an id stands for; None if it is not known, or stands for none any more."""
        slots = (s for (k, s), known in self.ids.items() if k == kind and known == name and s >= 0)
        return next(slots, None)

    def name(self, wanted: Id, name: str) -> None:
        """Give a slot an id; what had the slot before keeps its own id, and its place.

        It goes on in a slot below 0, which no rule has.
        """
        slot, key = wanted.slot, (wanted.kind, wanted.slot)
        before = self.ids.get(key, name)
        self.ids[key] = name
        if before == name or wanted.kind != "item":
            return
        self.said = {place: said for place, said in self.said.items() if place[0] != slot}
        gone = min((0, *(known for _, known in self.ids))) - 1
        self.ids["item", gone] = before
        if slot in self.order and not wanted.instead:
            self.order = tuple(gone if item == slot else item for item in self.order)
            if slot in self.deleted:
                self.deleted = self.deleted - {slot} | {gone}

    def text(self, item: int, part: int) -> str:
        """What was said of a part so far."""
        return "".join(self.said.get((item, part), ()))

    def message(self, echo: Echo, message: Wire | None) -> Wire | None:
        """The client's message that an echo is of: the one that is answered, or was answered."""
        if echo.item is None:
            return message
        if message is not None and at(message, "item") is not None:
            self.created[echo.item] = message
        return self.created.get(echo.item)

    def place(self, item: int, behind: int | None = None, *, first: bool = False) -> None:
        """Put an item into the order: behind another, first, or at the end."""
        rest = tuple(other for other in self.order if other != item)
        position = len(rest)
        if first:
            position = 0
        elif behind in rest:
            position = rest.index(behind) + 1
        self.order = (*rest[:position], item, *rest[position:])
        self.deleted -= {item}

    def before(self, item: int) -> list[str | None]:
        """Ids that may be given as the one before `item`, the usual one first."""
        position = self.order.index(item) if item in self.order else len(self.order)
        found: list[str | None] = []
        gone: list[str | None] = []
        for other in reversed(self.order[:position]):
            name = self.ids.get(("item", other))
            if other not in self.deleted:
                found.append(name)
                break
            gone.append(name)
        return [*(found or [None]), *gone]

    # fitting

    def fits(self, template: Any, value: Any, message: Wire | None) -> bool:
        """Whether a recorded value is what a template says; learns the names that it gives."""
        if value == LEFT_OUT:
            return True
        fit: Callable[[Names, Any, Any, Wire | None], bool] | None = _FITS.get(type(template))
        if fit is None:
            return bool(template == value)
        return fit(self, template, value, message)


def _fit_wire(names: Names, template: Mapping[str, Any], value: Any, message: Wire | None) -> bool:
    if not isinstance(value, dict):
        return False
    for key, part in template.items():
        if isinstance(part, Maybe):
            if (
                key in value
                and value[key] is not None
                and not names.fits(part.value, value[key], message)
            ):
                return False
        elif isinstance(part, Free):
            continue
        elif not names.fits(part, value.get(key), message):
            return False
    return True


def _fit_list(names: Names, template: list[Any], value: Any, message: Wire | None) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(template)
        and all(
            names.fits(part, other, message) for part, other in zip(template, value, strict=True)
        )
    )


def _fit_id(names: Names, template: Id, value: Any, _: Wire | None) -> bool:
    if not isinstance(value, str):
        return False
    key = (template.kind, template.slot)
    known = names.ids.get(key)
    if known == value:
        return True
    if known is not None and not template.new:
        return False
    if value in names.ids.values():
        return False  # it stands for something else
    names.name(template, value)
    return True


def _fit_say(names: Names, template: Say, value: Any, _: Wire | None) -> bool:
    key = (template.item, template.part)
    names.said[key] = (*names.said.get(key, ()), value)
    return isinstance(value, str)


def _fit_said(names: Names, template: Said, value: Any, _: Wire | None) -> bool:
    key = (template.item, template.part)
    if template.alone and key not in names.said:
        names.said[key] = (value,)
        return isinstance(value, str)
    text = names.text(*key)
    if template.item in names.torn:
        return isinstance(value, str) and value.endswith(text)
    return bool(value == text)


def _fit_called(names: Names, template: Called, value: Any, _: Wire | None) -> bool:
    return isinstance(value, str) and names.called.setdefault(template.item, value) == value


def _fit_heard(names: Names, template: Heard, value: Any, _: Wire | None) -> bool:
    if not isinstance(value, str):
        return False
    key = (template.item, 0)
    if not template.whole:
        names.said[key] = (*names.said.get(key, ()), value)
        return True
    # some servers send no pieces at all
    return key not in names.said or names.text(*key).strip() == value.strip()


def _fit_before(names: Names, template: Before, value: Any, _: Wire | None) -> bool:
    if value in names.before(template.item):
        return True
    if value is None:
        # a recorded server leaves it out where the one before is the first of all (facts 2.3)
        return template.final and names.order[1:2] == (template.item,)
    return not names.whole and value not in names.ids.values()


def _fit_echo(names: Names, template: Echo, value: Any, message: Wire | None) -> bool:
    message = names.message(template, message)
    return message is None or bool(at(message, template.key) == value)


def _fit_wrong(_: Names, template: Wrong, value: Any, __: Wire | None) -> bool:
    return isinstance(value, dict) and any(matches(ERRORS[key], value) for key in template.keys)


def _fit_text(_: Names, __: Any, value: Any, ___: Wire | None) -> bool:
    return isinstance(value, str)


def _fit_anything(_: Names, __: Any, ___: Any, ____: Wire | None) -> bool:
    return True


def _fit_maybe(names: Names, template: Maybe, value: Any, message: Wire | None) -> bool:
    return value is None or names.fits(template.value, value, message)


_FITS: dict[type, Callable[[Names, Any, Any, Wire | None], bool]] = {
    dict: _fit_wire,
    list: _fit_list,
    Id: _fit_id,
    Say: _fit_say,
    Said: _fit_said,
    Called: _fit_called,
    Before: _fit_before,
    Echo: _fit_echo,
    Heard: _fit_heard,
    Wrong: _fit_wrong,
    Sound: _fit_text,
    Free: _fit_anything,
    Maybe: _fit_maybe,
    Metadata: _fit_anything,
}


def at(message: Mapping[str, Any], path: str) -> Any:
    """What stands in a message at a path such as `item.role`; None if nothing does."""
    found: Any = message
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
