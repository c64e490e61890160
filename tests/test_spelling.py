"""Templates cut into pieces say what they said whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_conformance.spelling import Hole, cut, filled
from realtime_protocol.wire import NOW, Echo, Free, Id, Maybe

ID = Id("item", 0)

CASES: list[tuple[str, Any]] = [
    ("text, numbers and nothing", {"a": 'say "é"', "b": 1, "c": None, "d": True}),
    ("an empty object and an empty list", {"a": {}, "b": []}),
    ("a leaf", {"a": ID, "b": [ID, "x", ID]}),
    ("a leaf that says the same in every run", {"a": Free({"type": "duration"}), "b": [Free()]}),
    ("a leaf that says the time", {"a": NOW}),
    ("a key that is there in every run", {"a": Maybe("x"), "b": Maybe(Free("y"))}),
    ("a key that may be missing, first", {"a": Maybe(Echo("gone")), "b": 1}),
    ("a key that may be missing, last", {"b": 1, "a": Maybe(Echo("gone"))}),
    ("a key that may be missing and is there", {"a": Maybe(Echo("here")), "b": ID}),
    ("a key with nothing", {"a": Maybe(None), "b": {"c": Maybe(Free())}}),
    ("only keys that may be missing", {"a": {"b": Maybe(Echo("gone"))}}),
    ("a part with leaves that may be missing and is there", {"a": Maybe({"b": ID, "c": [1]})}),
]


class Filler:
    """Says the number of what it was asked before, so that the order is seen."""

    def __init__(self) -> None:
        self.asked = 0

    def name(self, part: Any) -> str:
        self.asked += 1
        return f'{part.kind} "{self.asked}"'

    def echo(self, part: Echo) -> Any:
        return {"x": 1} if part.key == "here" else None

    def free(self, part: Free) -> Any:
        return 7 if part.now else part.default

    def maybe(self, part: Maybe) -> Any:
        return self.whole(part.value)

    def whole(self, part: Any) -> Any:
        """What stands there, made without cutting anything."""
        if isinstance(part, dict):
            said = {key: self.whole(value) for key, value in part.items()}
            return {k: v for k, v in said.items() if v is not None or not is_maybe(part[k])}
        if isinstance(part, list):
            return [self.whole(value) for value in part]
        fill = LEAVES.get(type(part))
        return part if fill is None else fill(self, part)


def is_maybe(part: Any) -> bool:
    """Whether a key may be missing."""
    return isinstance(part, Maybe)


LEAVES: dict[type, Any] = {
    Id: Filler.name,
    Echo: Filler.echo,
    Free: Filler.free,
    Maybe: Filler.maybe,
}


@pytest.mark.parametrize(("about", "template"), CASES, ids=[about for about, _ in CASES])
def test_pieces_say_what_the_whole_says(about: str, template: Any) -> None:
    """Byte for byte, holes filled in from left to right."""
    pieces = cut(template, LEAVES, Filler.whole)
    assert filled(pieces, Filler()) == json.dumps(Filler().whole(template))


def test_what_never_changes_is_text() -> None:
    """Only what has to be filled in anew is a hole, and no two texts stand side by side."""
    pieces = cut({"a": Free("x"), "b": [Maybe(1), ID], "c": {"d": 2}}, LEAVES, Filler.whole)
    assert [type(piece) for piece in pieces] == [str, Hole, str]
    assert pieces[0] == '{"a": "x", "b": [1, '
