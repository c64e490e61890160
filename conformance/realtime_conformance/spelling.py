"""Templates of wire events as JSON, cut where names are to be filled in.

Laws:
- What a step says depends on the step alone, its names apart, so the text between them is written
  once, and each run writes nothing but the names.
- A filled text is, byte for byte, what `json.dumps` makes of the filled template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import attrs

from realtime_protocol.wire import Free, Maybe

written: Callable[[Any], str] = json.JSONEncoder().encode
"""A value as JSON; for a lone text far faster than `json.dumps`."""


Fill = Callable[[Any, Any], Any]
"""Given whoever fills in, and a part of a template: what stands there."""


class Hole(NamedTuple):
    """What is filled in anew each time: a leaf of a template, or a part with a key that may go."""

    fill: Fill
    part: Any


Piece = str | Hole
"""JSON that stays, or what is filled in between."""


def cut(template: Any, leaves: Mapping[type, Fill], whole: Fill) -> tuple[Piece, ...]:
    """The pieces of a template; `leaves` fill in its leaves by type, and `whole` any part of it."""
    pieces: list[Piece] = []
    parts = _Cut(leaves, whole).pieces(template)
    for kind, run in groupby(parts, type):
        alike = list(run)
        pieces += alike if kind is Hole else ["".join(map(str, alike))]
    return tuple(pieces)


def filled(pieces: Sequence[Piece], filler: Any) -> str:
    """The JSON of a template, its holes filled in from left to right."""
    return "".join(
        [
            piece if type(piece) is str else written(piece.fill(filler, piece.part))  # type: ignore[union-attr]
            for piece in pieces
        ]
    )


@attrs.frozen
class _Cut:
    """Cuts one template."""

    leaves: Mapping[type, Fill]
    whole: Fill

    def pieces(self, part: Any) -> Iterator[Piece]:
        """The text and the holes of a part, in small pieces."""
        part = self.settled(part)
        if isinstance(part, dict):
            yield from self.members(part)
        elif isinstance(part, list):
            yield "["
            for number, value in enumerate(part):
                yield ", " if number else ""
                yield from self.pieces(value)
            yield "]"
        else:
            fill = self.leaves.get(type(part))
            yield written(part) if fill is None else Hole(fill, part)

    def members(self, part: dict[str, Any]) -> Iterator[Piece]:
        """A part with keys; one that may be missing makes it a hole: then the commas are open."""
        values = {key: self.settled(value) for key, value in part.items()}
        if any(isinstance(value, Maybe) for value in values.values()):
            yield Hole(self.whole, part)
            return
        yield "{"
        for number, (key, value) in enumerate(values.items()):
            yield f"{', ' if number else ''}{written(key)}: "
            yield from self.pieces(value)
        yield "}"

    def settled(self, part: Any) -> Any:
        """What a leaf says in every run, if it always says the same; else the leaf."""
        if isinstance(part, Maybe):
            value = self.settled(part.value)
            return part if value is None or type(value) in self.leaves else value
        if isinstance(part, Free) and part.echo is None and not part.now:
            return part.default
        return part
