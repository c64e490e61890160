"""Readings: what each message of a client is to the model, and what is none at all."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from realtime_protocol.bounds import BRIEF, scope, sizes
from realtime_protocol.machine import Machine
from realtime_protocol.messages import Addressed, readings
from realtime_protocol.names import Names
from realtime_protocol.wire import Wire


@cache
def machine(voices: int = 1) -> Machine:
    """Two responses of one item, a user's item, two created ones, and an output for each call."""
    bounds = {"RESPONSES": 2, "CALL_OUT": 1, "CREATES": 2, "VOICES": voices, "SOCKETS": 2}
    bounds |= {"DROPS": 1, "TRACK_USERS": 1, "AUDIO": 3, "DELTA": 2, "CONTEXTS": 1}
    return Machine(scope("messages", "messages of every kind", **{**BRIEF, **bounds}).bounds)


NAMES = Names(
    ids={
        ("response", 0): "resp_1",
        ("response", 1): "resp_2",
        ("item", 0): "item_reply",
        ("item", 1): "item_call",
        ("item", 2): "item_user",
        ("item", 3): "item_made",
        ("call", 1): "call_1",
    }
)
"""Slots 0 and 1 are output items, 2 is the user's, 3 and 4 are made, 5 and 6 answers to calls."""


def read(message: Wire, *, exact: bool = True, created: int = 1) -> list[tuple[int, int]]:
    """Slot and argument of every reading, after so many items were created."""
    state = list(machine().initial)
    state[machine().at["created"]] = created
    found = list(readings(machine(), NAMES, tuple(state), message, exact=exact))
    assert all(isinstance(reading, Addressed) for reading in found)
    return [(reading.slot, reading.argument) for reading in found]


def test_the_slots_are_those_of_the_machine() -> None:
    """The numbers in this module are the machine's."""
    bounds = machine().bounds
    assert [bounds[name] for name in ("OUTS", "MADE", "ANSWER", "ITEMS")] == [2, 3, 5, 7]
    assert (bounds["AUDIO"], bounds["DELTA"]) == (3, 2)


# -- requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "slot"),
    [
        ({"type": "response.create"}, 0),
        ({"type": "response.create", "response": {}}, 0),
        ({"type": "response.create", "response": None}, 0),
        ({"type": "response.create", "response": {"conversation": "auto"}}, 0),
        ({"type": "response.create", "response": {"conversation": "none"}}, 1),
        ({"type": "response.cancel"}, 0),
        ({"type": "response.cancel", "response_id": None}, 0),
        ({"type": "response.cancel", "response_id": "resp_1"}, 1),
        ({"type": "response.cancel", "response_id": "resp_2"}, 2),
        ({"type": "input_audio_buffer.append", "audio": ""}, 0),
        ({"type": "input_audio_buffer.commit"}, 0),
        ({"type": "input_audio_buffer.clear"}, 0),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_a_request_is_read_in_one_way(message: Wire, slot: int, exact: bool) -> None:
    """A request about a response, the buffer or the session addresses one slot."""
    assert read(message, exact=exact) == [(slot, 0)]


@pytest.mark.parametrize("name", ["resp_3", "item_reply", "", 7])
def test_a_cancel_of_an_unknown_response_is_none(name: Any) -> None:
    """Only a response whose id was delivered can be named."""
    assert read({"type": "response.cancel", "response_id": name}) == []


@pytest.mark.parametrize(
    ("session", "named"),
    [
        ({"type": "realtime", "instructions": "Be brief."}, False),
        ({"type": "realtime", "audio": {"output": {"voice": "cedar"}}}, True),
        ({"type": "realtime", "audio": {"output": {"voice": None, "speed": 1}}}, False),
        ({"type": "realtime", "audio": None}, False),
        ({"voice": "alloy"}, True),
        (None, False),
    ],
)
def test_an_update_may_change_the_voice(session: Any, named: bool) -> None:
    """Argument 1 is a voice, in GA or beta; whether it is another one a recording does not say."""
    message = {"type": "session.update", "session": session}
    assert read(message) == [(0, int(named))]
    assert read(message, exact=False) == ([(0, 1), (0, 0)] if named else [(0, 0)])


def test_a_voice_is_nothing_where_the_bounds_have_none() -> None:
    """A machine without voices takes every update alike."""
    silent = machine(voices=0)
    message = {"type": "session.update", "session": {"voice": "alloy"}}
    assert list(readings(silent, Names(), silent.initial, message)) == [Addressed(0, 0)]


# -- items ------------------------------------------------------------------------------------

ABOUT = ["conversation.item.delete", "conversation.item.retrieve"]


@pytest.mark.parametrize("event", ABOUT)
@pytest.mark.parametrize(
    ("name", "slot"), [("item_reply", 0), ("item_call", 1), ("item_user", 2), ("item_made", 3)]
)
def test_an_item_is_named_by_its_id(event: str, name: str, slot: int) -> None:
    """Every item whose id is known can be named, whatever it is."""
    assert read({"type": event, "item_id": name}) == [(slot, 0)]


@pytest.mark.parametrize("event", [*ABOUT, "conversation.item.truncate"])
@pytest.mark.parametrize("name", ["item_nobody", "resp_1", "call_1", "", None, 7])
def test_an_unknown_item_is_none(event: str, name: Any) -> None:
    """A message about an item that nobody has heard of fits no rule."""
    message = {"type": event, "item_id": name, "content_index": 0, "audio_end_ms": 0}
    assert read(message) == []
    assert read({"type": event, "content_index": 0, "audio_end_ms": 0}) == []


def cut(audio_end_ms: Any, **changes: Any) -> Wire:
    """A truncation of the reply."""
    body = {"item_id": "item_reply", "content_index": 0, "audio_end_ms": audio_end_ms, **changes}
    return {"type": "conversation.item.truncate", **body}


@pytest.mark.parametrize(
    ("asked", "argument"),
    [(0, 0), (1, 1), (199, 1), (200, 1), (201, 2), (400, 2), (600, 3), (601, 4), (60_000, 4)],
)
def test_an_exact_cut_is_counted_in_deltas(asked: int, argument: int) -> None:
    """Its length is in deltas of 200 ms, rounded up; one more than three is any that is longer."""
    assert read(cut(asked)) == [(0, argument)]


@pytest.mark.parametrize(("asked", "arguments"), [(0, [0]), (1, [1, 4]), (60_000, [1, 4])])
def test_an_inexact_cut_lies_within_or_beyond(asked: int, arguments: list[int]) -> None:
    """Where the deltas are of unknown length, any cut past 0 may be both."""
    assert read(cut(asked), exact=False) == [(0, argument) for argument in arguments]


@pytest.mark.parametrize(
    "message",
    [cut(-1), cut(1.5), cut("100"), cut(None), cut(True), cut(100, content_index=1),
     cut(100, content_index=None), cut(100, content_index="0"),
     {"type": "conversation.item.truncate", "item_id": "item_reply"}],
)  # fmt: skip
@pytest.mark.parametrize("exact", [True, False])
def test_a_malformed_cut_is_none(message: Wire, exact: bool) -> None:
    """Lengths are whole and not negative, and the part is the first (facts 5)."""
    assert read(message, exact=exact) == []


# -- creations --------------------------------------------------------------------------------


def creation(item: Any, **changes: Any) -> Wire:
    """A creation of an item."""
    return {"type": "conversation.item.create", "item": item, **changes}


MESSAGE = {"type": "message", "role": "user", "content": []}
OUTPUT = {"type": "function_call_output", "output": "sunny"}


@pytest.mark.parametrize(
    ("previous", "place"),
    [(None, 0), ("", 0), ("root", 1), ("item_reply", 2), ("item_user", 4), ("item_made", 5),
     ("item_nobody", 9), ("resp_1", 9), (7, 9)],
)  # fmt: skip
def test_an_item_is_created_in_its_place(previous: Any, place: int) -> None:
    """At the end, first, behind an item that is known, or behind one that is not."""
    assert read(creation(MESSAGE, previous_item_id=previous)) == [(4, place)]


def test_a_creation_without_a_place_is_at_the_end() -> None:
    """The key may be left out."""
    assert read(creation(MESSAGE)) == [(4, 0)]


@pytest.mark.parametrize(("created", "slots"), [(0, [3]), (1, [4]), (2, [])])
def test_items_take_their_slots_in_turn(created: int, slots: list[int]) -> None:
    """The next free slot is taken; when all are, nothing can be created."""
    for item in (MESSAGE, {**MESSAGE, "id": "item_new"}):
        assert read(creation(item), created=created) == [(slot, 0) for slot in slots]


@pytest.mark.parametrize(("name", "slot"), [("item_reply", 0), ("item_user", 2), ("item_made", 3)])
def test_an_item_that_is_known_keeps_its_slot(name: str, slot: int) -> None:
    """An id that was given is put back under its slot, whatever the item claims to be."""
    for item in (MESSAGE, OUTPUT, {"type": "function_call"}):
        assert read(creation({**item, "id": name}), created=2) == [(slot, 0)]


def test_an_output_belongs_to_its_call() -> None:
    """The output of a known call has the slot of that call, at whatever place."""
    answer = {**OUTPUT, "call_id": "call_1"}
    assert read(creation(answer)) == [(6, 0)]
    assert read(creation({**answer, "id": "item_output"}), created=2) == [(6, 0)]
    assert read(creation(answer, previous_item_id="item_call")) == [(6, 3)]


@pytest.mark.parametrize("call", ["call_2", "item_call", None])
def test_an_output_of_an_unknown_call_is_an_item_like_others(call: Any) -> None:
    """It takes a slot of its own, as long as there is one."""
    assert read(creation({**OUTPUT, "call_id": call})) == [(4, 0)]
    assert read(creation({**OUTPUT, "call_id": call}), created=2) == []


CALL = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}


def test_only_an_output_answers_a_call() -> None:
    """The call itself, put back under another id, is not its own answer."""
    assert read(creation(CALL)) == [(4, 0)]


def test_a_call_that_is_created_anew_has_a_slot_of_its_own() -> None:
    """Under another id it is a copy of that call; one that nobody made is an item like others."""
    bounds = {**machine().bounds, "ANEW": 1}
    anew = Machine({**bounds, **sizes(bounds)})
    state = anew.initial

    def slots(item: Wire) -> list[int]:
        return [reading.slot for reading in readings(anew, NAMES, state, creation(item))]

    assert slots(CALL) == [anew.bounds["COPY"] + 1]
    assert slots({**CALL, "id": "item_again"}) == [anew.bounds["COPY"] + 1]
    assert slots({**CALL, "id": "item_call"}) == [1]
    assert slots({**CALL, "call_id": "call_9"}) == [anew.bounds["MADE"]]


@pytest.mark.parametrize("item", [None, "text", [], {}])
def test_an_item_without_form_is_an_item_all_the_same(item: Any) -> None:
    """What is wrong in its form is for the server to reject."""
    assert read(creation(item)) == [(4, 0)]


def test_what_a_message_was_lost_from_is_not_named() -> None:
    """An id whose slot another has taken over names nothing that a client can reach."""
    names = NAMES.copy()
    assert names.ids.pop(("item", 2)) == "item_user"
    names.ids["item", -1] = "item_user"
    message = {"type": "conversation.item.delete", "item_id": "item_user"}
    assert list(readings(machine(), names, machine().initial, message)) == []
