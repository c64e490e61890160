"""What a client's message is to the model: its event, the slot it names and its argument.

Laws:
- Only ids that were delivered are known; a message about anything else fits no rule.
- Nothing is decided here: whether the client may send it is for the rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs

from realtime_protocol.bounds import UNIT_MS
from realtime_protocol.machine import Machine
from realtime_protocol.names import Names, at
from realtime_protocol.state import State
from realtime_protocol.wire import Wire

VOICES = ("session.audio.output.voice", "session.voice")
"""Where a voice stands in an update, in GA and in beta."""
ITEMS = ("conversation.item.truncate", "conversation.item.delete", "conversation.item.retrieve")


@attrs.frozen
class Addressed:
    """One reading of a message: the slot and the argument."""

    slot: int
    argument: int


def readings(
    machine: Machine, names: Names, state: State, message: Wire, *, exact: bool = True
) -> Iterator[Addressed]:
    """Every way to read a client message; none if it is malformed or names something unknown.

    `exact` takes a truncation by the length of the deltas that the model sends; without it their
    length is not known, and any cut past 0 may lie within the audio or beyond it.
    """
    event = message.get("type")
    if event in ITEMS:
        slot = names.slot("item", message.get("item_id"))
        if slot is None:
            return
        if event != "conversation.item.truncate":
            yield Addressed(slot, 0)
            return
        for argument in _cuts(machine, message, exact=exact):
            yield Addressed(slot, argument)
    elif event == "response.cancel":
        yield from _cancel(names, message)
    elif event == "response.create":
        aside = at(message, "response.conversation") == "none"
        yield Addressed(int(aside), 0)
    elif event == "conversation.item.create":
        yield from _creation(machine, names, state, message)
    elif event == "session.update":
        yield from _update(machine, message, exact=exact)
    else:
        yield Addressed(0, 0)


def _update(machine: Machine, message: Wire, *, exact: bool) -> Iterator[Addressed]:
    voice = any(at(message, path) is not None for path in VOICES)
    named = int(voice and machine.bounds["VOICES"] > 0)
    yield Addressed(0, named)
    if named and not exact:
        yield Addressed(0, 0)  # it may be the voice that the session has


def _cuts(machine: Machine, message: Wire, *, exact: bool) -> Iterator[int]:
    asked = message.get("audio_end_ms")
    # whole milliseconds on the wire, and the one content part that a message has: facts 5
    if type(asked) is not int or asked < 0 or message.get("content_index") != 0:
        return
    most = machine.bounds["AUDIO"] + 1
    if exact:
        yield min(math.ceil(asked / (machine.bounds["DELTA"] * UNIT_MS)), most)
    elif asked == 0:
        yield 0
    else:
        yield from (1, most)


def _cancel(names: Names, message: Wire) -> Iterator[Addressed]:
    name = message.get("response_id")
    if name is None:
        yield Addressed(0, 0)
        return
    slot = names.slot("response", name)
    if slot is not None:
        yield Addressed(slot + 1, 0)


def _creation(machine: Machine, names: Names, state: State, message: Wire) -> Iterator[Addressed]:
    place = _place(machine, names, message.get("previous_item_id"))
    known = names.slot("item", at(message, "item.id"))
    if known is not None:
        yield Addressed(known, place)
        return
    call = names.slot("call", at(message, "item.call_id"))
    kind = at(message, "item.type")
    if kind == "function_call_output" and call is not None:
        yield Addressed(machine.bounds["ANSWER"] + call, place)
        return
    if kind == "function_call" and call is not None and call < machine.bounds["COPIES"]:
        yield Addressed(machine.bounds["COPY"] + call, place)
        return
    made = machine.value(state, "created")
    if made < machine.bounds["CREATES"]:
        yield Addressed(machine.bounds["MADE"] + made, place)


def _place(machine: Machine, names: Names, previous: Any) -> int:
    if previous in (None, ""):
        return 0
    if previous == "root":
        return 1
    slot = names.slot("item", previous)
    return machine.bounds["ITEMS"] + 2 if slot is None else slot + 2
