"""Whether a client's event has the shape that the `openai` package says it has.

Laws:
- The types are those of the package that is installed beside the client: the ones of GA, or of beta
  for a client that speaks beta.
- A key that no type has is wrong too: the server refuses it (facts 8 #18).
- Events that differ in ids alone have the same shape, so each is looked at once.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import attrs
from pydantic import BaseModel, TypeAdapter, ValidationError

MOST_SHAPES = 1 << 13
"""Of so many different events it is kept what is wrong with them."""

IDENTIFIER = re.compile(r'("\w*id": )"[^"]+"')


@attrs.frozen
class Wrong:
    """What is wrong with an event: the path of its first fault, without indices, and what it is."""

    path: str
    text: str


def wrong(event: Mapping[str, Any], *, beta: bool) -> Wrong | None:
    """What is wrong with a client event; None if nothing is, or if it has no type that is known.

    Raises:
        ImportError: no `openai` package with the types of the Realtime API is installed.
    """
    shape = (beta, *(_shape(key, value) for key, value in event.items()))
    if shape not in _FOUND:
        if len(_FOUND) >= MOST_SHAPES:
            _FOUND.clear()
        _FOUND[shape] = _wrong(event, beta)
    return _FOUND[shape]


_FOUND: dict[tuple[Any, ...], Wrong | None] = {}
"""What is wrong with the events that were looked at, by their shapes."""


def _shape(key: str, value: Any) -> tuple[str, type, Any]:
    """A key and its value, without ids."""
    if isinstance(value, (dict, list)):
        value = IDENTIFIER.sub(r'\1"x"', json.dumps(value))
    elif isinstance(value, str) and value and key.endswith("id"):
        value = "x"
    return key, type(value), value


def _wrong(event: Mapping[str, Any], beta: bool) -> Wrong | None:
    kind = _kinds(beta).get(str(event.get("type")))
    if kind is None:
        return None  # no rule allows it either
    try:
        # as the server reads it: a number in quotes is none
        read = kind.validate_json(json.dumps(event), strict=True)
    except ValidationError as error:
        # every member of a union says what it misses; the one that comes furthest was meant
        worst = max(error.errors(), key=lambda one: len(one["loc"]))
        return Wrong(_path(worst["loc"]), worst["msg"])
    return next(_unknown(read, ()), None)


@cache
def _kinds(beta: bool) -> Mapping[str, TypeAdapter[Any]]:
    """The type of each client event, by its name on the wire."""
    if beta:
        from openai.types.beta.realtime import RealtimeClientEvent as Event
    else:
        from openai.types.realtime import RealtimeClientEvent as Event
    union, *_ = typing.get_args(Event)
    return {
        typing.get_args(member.model_fields["type"].annotation)[0]: TypeAdapter(member)
        for member in typing.get_args(union)
    }


def _path(place: tuple[int | str, ...]) -> str:
    """The keys on the way to a place: no indices, and no names of types."""
    return ".".join(key for key in place if isinstance(key, str) and re.fullmatch("[a-z_]+", key))


def _unknown(part: Any, place: tuple[str, ...]) -> Iterator[Wrong]:
    """Keys that no type has, in an event that was read."""
    if isinstance(part, BaseModel):
        for key in part.model_extra or {}:
            path = ".".join((*place, key))
            yield Wrong(path, f"the server knows no {path}")
        for key in type(part).model_fields:
            yield from _unknown(getattr(part, key, None), (*place, key))
    elif isinstance(part, list):
        for value in part:
            yield from _unknown(value, place)
