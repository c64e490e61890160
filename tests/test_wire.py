"""The templates: what fills one in fits it, and what says anything else does not.

The runs are those of `test_server`: in every scope a way to each rule that speaks. A reader goes
along with each, and knows only what went over the wire.

What fitting cannot check is listed in `UNCHECKED`, with an example that does fit:
- what a template leaves `Free`, and the metadata of a response, which a recording may not show;
- text as such: a piece, the audio, and a whole of which no piece was sent;
- which new id, or which function, an event introduces, as long as it is not taken;
- the one before an item: a deleted one may be named, and `done` may leave out the first of all;
- whom an error's message names, its `param` and its `event_id`;
- what is missing where it may be: `object` everywhere, the name in `arguments.done`, and of what
  the client created all but the type.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import attrs
import pytest

from realtime_protocol.acceptance import arrange
from realtime_protocol.machine import Machine
from realtime_protocol.names import Names, at
from realtime_protocol.wire import (
    SPELLINGS,
    Before,
    Called,
    Echo,
    Free,
    Heard,
    Id,
    Maybe,
    Metadata,
    Moment,
    Said,
    Say,
    Sound,
    Wire,
    Wrong,
    template,
)
from test_server import CASES, EVERY_CASE, Drive, Taken, drives, explored, speaks

Path = tuple[str | int, ...]


@attrs.frozen
class Leaf:
    """One thing that an event says: where, by which template, and what."""

    path: Path
    part: Any
    value: Any
    optional: bool = False
    """It may be missing."""


@attrs.frozen
class Reading:
    """One event of a run, and all that is known when it comes."""

    said: Wire
    event: Wire
    message: Wire | None
    names: Names

    def fits(self, event: Wire) -> bool:
        """Whether an event would have fitted in its place."""
        return self.names.copy().fits(self.said, event, self.message)

    def leaves(self) -> Iterator[Leaf]:
        """Everything that the event says."""
        return leaves_of(self.said, self.event, ())


def leaves_of(part: Any, value: Any, path: Path) -> Iterator[Leaf]:
    """Each leaf of a template and of what it stands for; a list is one too, for its length."""
    if isinstance(part, Maybe):
        if value is not None:
            yield Leaf(path, part.value, value, optional=True)
    elif isinstance(part, dict):
        for key, inner in part.items():
            yield from leaves_of(inner, value.get(key), (*path, key))
    else:
        yield Leaf(path, part, value)
        if isinstance(part, list):
            for place, (inner, other) in enumerate(zip(part, value, strict=True)):
                yield from leaves_of(inner, other, (*path, place))


def changed(event: Any, path: Path, value: Any) -> Any:
    """The event with something else at a path."""
    if not path:
        return value
    found = copy.copy(event)
    found[path[0]] = changed(event[path[0]], path[1:], value)
    return found


def read(drive: Drive) -> tuple[list[Reading], Names]:
    """Fit every event of a run in turn; fails if one does not."""
    names, readings = Names(), []
    for taken in drive.taken:
        learn(drive.machine, names, taken)
        if taken.rule.actor not in ("server", "user"):
            continue
        arrange(drive.machine, names, taken.rule, taken.read, taken.after)
        said = template(Moment(drive.machine, taken.rule, taken.before, taken.after))
        assert (said is None) == (taken.event is None)
        if said is None or taken.event is None:
            continue
        readings.append(Reading(said, taken.event, taken.read, names.copy()))
        assert names.fits(said, taken.event, taken.read), (taken.rule.label, said, taken.event)
    return readings, names


def learn(machine: Machine, names: Names, taken: Taken) -> None:
    """The id that a client gives to its item, which is known when it was sent."""
    name = at(taken.sent or {}, "item.id")
    if isinstance(name, str):
        names.ids.setdefault(("item", machine.resolved[taken.step.rule].address or 0), name)


@cache
def last(case: str) -> tuple[Reading, ...]:
    """The last event on the way to each rule, and every event of the long walks."""
    found = []
    for drive in drives(case):
        readings, _ = read(drive)
        walk = len(drive.taken) > 60
        found += readings if walk else readings[-1:]
    return tuple(found)


# -- what fits --------------------------------------------------------------------------------


@EVERY_CASE
def test_what_was_filled_in_fits(case: str) -> None:
    """Every event fits its template, and its reader knows what the server knows."""
    for drive in drives(case):
        _, names = read(drive)
        assert attrs.evolve(names, metadata=drive.server.names.metadata) == drive.server.names


@EVERY_CASE
def test_every_rule_that_speaks_has_a_template(case: str) -> None:
    """A template names the event of its rule; a rule that says nothing on the wire has none."""
    machine = explored(case).machine
    for rule in machine.rules:
        moment = Moment(machine, rule, machine.initial, machine.initial)
        if not speaks(rule):
            assert rule.actor == "client" or template(moment) is None
        assert (rule.event in SPELLINGS) == speaks(rule)


# -- what does not ----------------------------------------------------------------------------


def others(value: Any) -> list[Any]:
    """Something else of the same kind, and of another."""
    if isinstance(value, str):
        return [value + "x", None, 7]
    if isinstance(value, int):
        return [value + 1, None, "x"]
    return ["x"] if value is None else [None]


def other_constants(part: Any, value: Any, reading: Reading) -> list[Any]:
    return others(value)


def other_ids(part: Id, _: Any, reading: Reading) -> list[Any]:
    known = reading.names.ids.get((part.kind, part.slot))
    taken = [name for key, name in reading.names.ids.items() if key != (part.kind, part.slot)]
    return [None, 7, *taken, *([] if part.new or known is None else ["id_nobody"])]


def other_places(part: Before, value: Any, reading: Reading) -> list[Any]:
    allowed = reading.names.before(part.item)
    wrong = [name for name in reading.names.ids.values() if name not in allowed]
    first = part.final and reading.names.order[1:2] == (part.item,)
    nothing = [] if None in allowed or first else [None]
    return ["item_nobody", *wrong, *nothing]


def other_texts(part: Said, value: str, reading: Reading) -> list[Any]:
    alone = part.alone and (part.item, part.part) not in reading.names.said
    return [7, None] if alone else [value + "x", value[:-1] or "x", None]


def other_hearings(part: Heard, value: str, reading: Reading) -> list[Any]:
    pieces = part.whole and (part.item, 0) in reading.names.said
    return [7, None, *([value + " x", value[1:]] if pieces else [])]


def other_echoes(part: Echo, value: Any, reading: Reading) -> list[Any]:
    return others(value) if isinstance(value, str | int) or value is None else []


def other_functions(part: Called, value: str, reading: Reading) -> list[Any]:
    return [None, 7, *([value + "x"] if part.item in reading.names.called else [])]


def other_errors(part: Wrong, value: Wire, reading: Reading) -> list[Any]:
    wrong = [{**value, "type": other} for other in others(value["type"])]
    # an old form of the error may have had no code
    wrong += [{**value, "code": other} for other in others(value["code"]) if other is not None]
    wrong.append({**value, "message": None})
    if value["message"] != "<wording>":  # it is not public
        wrong.append({**value, "message": f"No: {value['message']}"})
    return [None, *wrong]


OTHERS: dict[type, Callable[[Any, Any, Reading], list[Any]]] = {
    Id: other_ids,
    Before: other_places,
    Said: other_texts,
    Heard: other_hearings,
    Echo: other_echoes,
    Called: other_functions,
    Wrong: other_errors,
    Say: lambda part, value, reading: [7, None],
    Sound: lambda part, value, reading: [7, None],
    list: lambda part, value, reading: [[*value, {}], value[:-1] if value else None, None],
    Free: lambda part, value, reading: [],
    Metadata: lambda part, value, reading: [],
}


@cache
def refused(case: str) -> Counter[str]:
    """How many changes of each kind of leaf are refused in a case; fails if one is not."""
    count: Counter[str] = Counter()
    for reading in last(case):
        assert reading.fits(reading.event)
        for leaf in reading.leaves():
            other = OTHERS.get(type(leaf.part), other_constants)
            for wrong in other(leaf.part, leaf.value, reading):
                if wrong == leaf.value or (wrong is None and leaf.optional):
                    continue
                assert not reading.fits(changed(reading.event, leaf.path, wrong)), (leaf, wrong)
                count[type(leaf.part).__name__] += 1
    return count


@EVERY_CASE
def test_what_was_changed_does_not_fit(case: str) -> None:
    """Every leaf that is not free, changed alone, makes the whole event unfit."""
    assert refused(case)["Id"] > 0
    assert refused(case)["str"] > 0


def test_every_kind_of_leaf_was_changed() -> None:
    """The cases hold every kind of leaf that can be checked, many times over."""
    total: Counter[str] = sum((refused(case) for case in CASES), Counter())
    kinds = {kind.__name__ for kind in OTHERS} - {"Free", "Metadata"} | {"str", "int", "NoneType"}
    assert set(total) == kinds
    assert min(total.values()) >= 20


@EVERY_CASE
def test_an_event_that_leaves_something_out_does_not_fit(case: str) -> None:
    """A key that a template determines must be there, unless it says that nothing is."""
    count = 0
    for reading in last(case):
        for key, part in reading.said.items():
            if isinstance(part, Maybe | Free) or reading.event[key] is None:
                continue
            if isinstance(part, Before) and None in other_befores(part, None, reading):
                continue
            count += 1
            assert not reading.fits({k: v for k, v in reading.event.items() if k != key})
    assert count > 0


@EVERY_CASE
def test_another_event_does_not_fit(case: str) -> None:
    """No event fits the template of an event of another type."""
    for reading, other in pairwise(last(case)):
        if reading.event["type"] != other.event["type"]:
            assert not reading.fits(other.event)


# -- what cannot be checked -------------------------------------------------------------------


def free(part: Any, value: Any, reading: Reading) -> list[Any]:
    return [None, "anything", 7, {}]


def new_ids(part: Id, value: Any, reading: Reading) -> list[Any]:
    unknown = (part.kind, part.slot) not in reading.names.ids
    return ["id_nobody"] if part.new or unknown else []


def first_texts(part: Said, value: str, reading: Reading) -> list[Any]:
    alone = part.alone and (part.item, part.part) not in reading.names.said
    return ["anything"] if alone else []


def first_hearings(part: Heard, value: str, reading: Reading) -> list[Any]:
    if not part.whole:
        return ["anything"]
    return [f" {value} "] if (part.item, 0) in reading.names.said else ["anything"]


def first_functions(part: Called, value: str, reading: Reading) -> list[Any]:
    return [] if part.item in reading.names.called else ["anything"]


def other_befores(part: Before, value: Any, reading: Reading) -> list[Any]:
    first = part.final and reading.names.order[1:2] == (part.item,)
    return [*reading.names.before(part.item), *([None] if first else [])]


def other_details(part: Wrong, value: Wire, reading: Reading) -> list[Any]:
    named = dict(value)
    for name in reading.names.ids.values():
        named["message"] = named["message"].replace(name, "nobody")
    return [{**value, "param": "anything", "event_id": "anything"}, named]


UNCHECKED: dict[type, Callable[[Any, Any, Reading], list[Any]]] = {
    Free: free,
    Metadata: free,
    Say: lambda part, value, reading: ["anything"],
    Sound: lambda part, value, reading: ["anything"],
    Id: new_ids,
    Said: first_texts,
    Heard: first_hearings,
    Called: first_functions,
    Before: other_befores,
    Wrong: other_details,
}


@pytest.mark.parametrize("kind", UNCHECKED, ids=lambda kind: kind.__name__)
def test_what_cannot_be_checked_fits(kind: type) -> None:
    """What this module says cannot be checked does fit, whatever it is: nothing else is left."""
    count = 0
    for case in CASES:
        for reading in last(case):
            for leaf in reading.leaves():
                if type(leaf.part) is not kind:
                    continue
                for other in UNCHECKED[kind](leaf.part, leaf.value, reading):
                    if other != leaf.value:
                        count += 1
                        assert reading.fits(changed(reading.event, leaf.path, other)), leaf
    assert count > 0
