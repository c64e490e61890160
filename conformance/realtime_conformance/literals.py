"""Plain data written as Python that a person can read, within a width.

Laws:
- What is written evaluates to the data, and no line is longer than the width unless a single name
  or an expression is.
- What fits on one line stands on one line; of what does not, as much as fits stands on each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

INDENT = 4
SHORTEST = 20
"""Characters of a text that are written on a line even where that is too narrow."""


@attrs.frozen
class Raw:
    """An expression, to be written as it is."""

    code: str


def literal(value: Any, width: int, first: int) -> str:
    """Plain data as Python.

    `width` is how many characters a line may have, `first` how many are left of the first one.
    Further lines are indented by what is inside of a bracket.
    """
    line = _flat(value)
    if len(line) <= first:
        return line
    if isinstance(value, dict):
        items = [_item(key, part, width - INDENT) for key, part in value.items()]
        return _bracketed("{", items, "}", width)
    if isinstance(value, list):
        return _bracketed(
            "[", [literal(p, width - INDENT, width - INDENT - 1) for p in value], "]", width
        )
    if isinstance(value, str) and len(value) > SHORTEST:
        room = max(width - INDENT - len('""'), SHORTEST)
        return "\n".join(["(", *(f"{' ' * INDENT}{piece}" for piece in _pieces(value, room)), ")"])
    return line


def _item(key: str, value: Any, width: int) -> str:
    name = f"{_flat(key)}: "
    return name + literal(value, width, width - len(name) - len(","))


def _bracketed(begin: str, items: Sequence[str], end: str, width: int) -> str:
    """Items between brackets, as many on a line as fit."""
    lines = [""]
    for item in items:
        joined = f"{lines[-1]} {item}," if lines[-1] else f"{item},"
        fits = "\n" not in joined and len(joined) <= width - INDENT
        if lines[-1] and not fits:
            lines.append(f"{item},")
        else:
            lines[-1] = joined
    body = "\n".join(lines).splitlines()
    return "\n".join([begin, *(" " * INDENT + line for line in body), end])


def _flat(value: Any) -> str:
    """Plain data on one line."""
    if isinstance(value, Raw):
        return value.code
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flat(k)}: {_flat(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flat(part) for part in value) + "]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A text in double quotes."""
    inside = repr("'" + text)[2:-1]
    return '"' + inside + '"' if '"' not in text else repr(text)


def _pieces(text: str, room: int) -> list[str]:
    """A text in pieces that are put together again side by side."""
    pieces = []
    while text:
        # what has to be escaped takes more room than it has characters
        length = min(len(text), room)
        while length > 1 and len(_quoted(text[:length])) > room:
            length -= 1
        pieces.append(_quoted(text[:length]))
        text = text[length:]
    return pieces
