"""Names: which id stands for what, what was said, and the order of the conversation."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_protocol.names import LEFT_OUT, Names, at
from realtime_protocol.wire import (
    Before,
    Called,
    Echo,
    Free,
    Heard,
    Id,
    Maybe,
    Metadata,
    Said,
    Say,
    Sound,
    Wire,
    Wrong,
)


def conversation(*items: str, deleted: tuple[int, ...] = ()) -> Names:
    """Names of a conversation whose items stand in slots 0, 1, ... in this order."""
    names = Names(ids={("item", slot): name for slot, name in enumerate(items)})
    for slot in range(len(items)):
        names.place(slot)
    names.deleted = frozenset(deleted)
    return names


def fits(names: Names, part: Any, value: Any, message: Wire | None = None) -> bool:
    """Whether a value fits where nothing is to be learned."""
    return names.copy().fits(part, value, message)


# -- the order of the conversation ------------------------------------------------------------


def test_items_are_placed_at_the_end_behind_others_and_first() -> None:
    """An item goes where it is put, and behind one that is not there to the end."""
    names = conversation("a", "b")
    names.place(2)
    names.place(3, 0)
    names.place(4, first=True)
    names.place(5, 99)
    assert names.order == (4, 0, 3, 1, 2, 5)


def test_an_item_stands_once() -> None:
    """An item that is placed again leaves its place, also when it is put behind another."""
    names = conversation("a", "b", "c")
    names.place(0)
    assert names.order == (1, 2, 0)
    names.place(0, 1)
    assert names.order == (1, 0, 2)
    names.place(2, first=True)
    assert names.order == (2, 1, 0)


def test_an_item_that_is_placed_again_is_there_again() -> None:
    """Whatever was deleted counts as there once it is added."""
    names = conversation("a", "b", "c", deleted=(1,))
    assert names.before(2) == ["a", "b"]
    names.place(1, 0)
    assert names.before(2) == ["b"]


@pytest.mark.parametrize(
    ("deleted", "item", "before"),
    [
        ((), 0, [None]),
        ((), 2, ["b"]),
        ((1,), 2, ["a", "b"]),
        ((0, 1), 2, [None, "b", "a"]),
        ((0,), 1, [None, "a"]),
        ((2,), 2, ["b"]),
        ((), 9, ["c"]),
        ((2,), 9, ["b", "c"]),
    ],
)
def test_the_one_before_is_the_last_that_is_there(
    deleted: tuple[int, ...], item: int, before: list[str | None]
) -> None:
    """The usual one comes first, then the deleted ones in between; an unknown item is the last."""
    assert conversation("a", "b", "c", deleted=deleted).before(item) == before


def test_the_one_before_fits_if_it_is_there_or_was_deleted() -> None:
    """The one before fits, and a deleted one in between; another item does not, nor an unknown."""
    names = conversation("a", "b", "c", "d", deleted=(2,))
    for value, fit in (("b", True), ("c", True), ("a", False), ("d", False), ("x", False)):
        assert fits(names, Before(3), value) == fit
    assert not fits(names, Before(3), None)


def test_done_may_leave_out_the_first_of_all() -> None:
    """Only `done`, and only where the one before is the first, may say null (facts 2.3)."""
    names = conversation("a", "b", "c")
    assert fits(names, Before(1, final=True), None)
    assert not fits(names, Before(1), None)
    assert not fits(names, Before(2, final=True), None)
    assert fits(names, Before(0), None)
    assert fits(names, Before(0, final=True), None)
    assert not fits(names, Before(9, final=True), None)


def test_a_session_known_in_part_may_name_items_that_are_not() -> None:
    """An id from before the recording fits; one that stands elsewhere does not."""
    names = conversation("a", "b")
    assert not fits(names, Before(1), "earlier")
    names.whole = False
    assert fits(names, Before(1), "earlier")
    names.ids["item", 7] = "elsewhere"
    assert not fits(names, Before(1), "elsewhere")


# -- ids --------------------------------------------------------------------------------------


def test_an_id_stands_for_one_thing() -> None:
    """A slot keeps its id, and no other slot of any kind can have it."""
    names = Names()
    assert names.fits(Id("item", 0, new=True), "x", None)
    assert names.fits(Id("item", 0), "x", None)
    assert not names.fits(Id("item", 0), "y", None)
    for kind in ("item", "response", "call"):
        assert not names.fits(Id(kind, 1, new=True), "x", None)
        assert not names.fits(Id(kind, 1), "x", None)
    assert names.ids == {("item", 0): "x"}
    assert names.slot("item", "x") == 0
    assert names.slot("response", "x") is None
    assert names.slot("item", "y") is None
    assert names.slot("item", None) is None


def test_an_id_is_learned_when_it_is_first_named() -> None:
    """In a recording that began later an id may come without being introduced."""
    names = Names()
    assert names.fits(Id("response", 2), "r", None)
    assert names.ids == {("response", 2): "r"}


@pytest.mark.parametrize("value", [None, 7, ["x"], {}])
def test_an_id_is_text(value: Any) -> None:
    """Nothing else is an id, and nothing is learned from it."""
    names = Names()
    assert not names.fits(Id("item", 0, new=True), value, None)
    assert names.ids == {}


def test_a_new_id_takes_over_a_slot() -> None:
    """What had the slot before keeps its id and its place, but no message reaches it."""
    names = conversation("a", "b", "c")
    names.said = {(0, 0): ("Hello",), (1, 0): ("Well",)}
    assert not fits(names, Id("item", 0), "d")
    assert names.fits(Id("item", 0, new=True), "d", None)
    assert names.slot("item", "d") == 0
    assert names.slot("item", "a") is None
    assert names.before(1) == ["a"]
    assert names.before(0) == ["c"]
    assert names.text(0, 0) == ""
    assert names.text(1, 0) == "Well"
    assert not names.fits(Id("item", 5, new=True), "a", None)
    names.place(0)
    names.place(9)
    assert names.before(9) == ["d"]


def test_two_ids_that_lost_their_slot_stay_apart() -> None:
    """A slot may be taken over again and again; a deleted item stays deleted."""
    names = conversation("a", "b")
    for name in ("c", "d"):
        assert names.fits(Id("item", 0, new=True), name, None)
        names.place(0)
    assert names.before(0) == ["c"]
    assert names.before(1) == ["a"]
    names.deleted |= {0}
    assert names.fits(Id("item", 0, new=True), "e", None)
    names.place(0)
    assert names.before(0) == ["c", "d"]


def test_an_id_that_was_only_announced_leaves_nothing() -> None:
    """A commit by hand has an id of its own; the announced one is no item of the conversation."""
    names = conversation("a")
    assert names.fits(Id("item", 1, new=True), "announced", None)
    names.place(1)
    assert names.fits(Id("item", 1, new=True, instead=True), "own", None)
    names.place(2)
    assert names.before(1) == ["a"]
    assert names.before(2) == ["own"]
    assert names.slot("item", "announced") is None
    assert not names.fits(Id("item", 3, new=True), "announced", None)


def test_a_copy_goes_its_own_way() -> None:
    """Whatever a copy learns, the names it was made of do not."""
    names = conversation("a")
    other = names.copy()
    assert other == names
    learned = [
        (Id("item", 1, new=True), "b"),
        (Say(1, 0, 0), "Well"),
        (Called(1, "look_up"), "look_up"),
        (Echo("item.type", 1), "message"),
    ]
    for part, value in learned:
        assert other.fits(part, value, {"item": {"type": "message"}})
    other.place(1)
    other.deleted |= {0}
    other.metadata[0] = {}
    assert names == conversation("a")


# -- what was said ----------------------------------------------------------------------------


def test_the_whole_is_its_pieces() -> None:
    """A part is all of its pieces in order, and no other part's."""
    names = Names()
    for part, piece in ((0, "Cer"), (1, "other"), (0, "tainly")):
        assert names.fits(Say(4, part, 0), piece, None)
    assert names.text(4, 0) == "Certainly"
    assert fits(names, Said(4, 0), "Certainly")
    assert fits(names, Said(4, 1), "other")
    for wrong in ("Cer", "Certainly ", "tainly", "", None, 7):
        assert not fits(names, Said(4, 0), wrong)
    assert fits(names, Said(5, 0), "")
    assert not fits(names, Said(5, 0), "Certainly")


def test_a_piece_is_text() -> None:
    """Pieces and audio are text, and nothing else is."""
    for part in (Say(0, 0, 0), Heard(0), Heard(0, whole=True), Sound(0, 0), Called(0, "x")):
        assert fits(Names(), part, "text")
        assert not fits(Names(), part, None)
        assert not fits(Names(), part, 7)


def test_a_torn_beginning_is_not_held_against_the_end() -> None:
    """Of an item that began before the recording only the end of the text is known."""
    names = Names(torn=frozenset({0}))
    assert names.fits(Say(0, 0, 0), "tainly", None)
    assert fits(names, Said(0, 0), "Certainly")
    assert fits(names, Said(0, 0), "tainly")
    assert not fits(names, Said(0, 0), "Certain")
    assert not fits(names, Said(0, 0), None)
    assert not fits(names, Said(1, 0), "Certainly")


def test_a_whole_without_pieces_is_learned() -> None:
    """What is told alone may be anything, but only once; where pieces came it is those."""
    names = Names()
    assert not names.fits(Said(0, 0, alone="{}"), None, None)
    names = Names()
    assert names.fits(Said(0, 0, alone="{}"), '{"a": 1}', None)
    assert fits(names, Said(0, 0), '{"a": 1}')
    assert not fits(names, Said(0, 0, alone="{}"), "{}")
    assert names.fits(Say(1, 0, 0), "[]", None)
    assert not fits(names, Said(1, 0, alone="{}"), "{}")


def test_what_was_heard_is_stripped() -> None:
    """The whole is what the pieces were, but for the space around it; without pieces anything."""
    names = Names()
    assert fits(names, Heard(3, whole=True), "Good morning.")
    for piece in (" Good", " morning.", " "):
        assert names.fits(Heard(3), piece, None)
    for same in ("Good morning.", " Good morning.\n"):
        assert fits(names, Heard(3, whole=True), same)
    for wrong in ("Good  morning.", "Good", "", None):
        assert not fits(names, Heard(3, whole=True), wrong)


def test_a_call_keeps_its_name() -> None:
    """The function that a call names first is the one that it names."""
    names = Names()
    assert names.fits(Called(0, "look_up"), "search", None)
    assert fits(names, Called(0, "look_up"), "search")
    assert not fits(names, Called(0, "look_up"), "look_up")
    assert fits(names, Called(1, "look_up"), "look_up")


# -- the client's message ---------------------------------------------------------------------


def test_an_echo_is_what_the_message_said() -> None:
    """What is repeated must be the same; without the message anything may be."""
    message = {"audio_end_ms": 300, "item": {"role": "user"}}
    assert fits(Names(), Echo("audio_end_ms"), 300, message)
    assert not fits(Names(), Echo("audio_end_ms"), 301, message)
    assert fits(Names(), Echo("item.role"), "user", message)
    assert not fits(Names(), Echo("item.role"), None, message)
    assert fits(Names(), Echo("item.output"), None, message)
    assert fits(Names(), Echo("audio_end_ms"), 301, None)


def test_an_item_is_what_its_creation_said() -> None:
    """The message that created an item is remembered, and no other takes its place."""
    names = Names()
    assert fits(names, Echo("item.role", 3), "anybody", None)
    assert names.fits(Echo("item.role", 3), "user", {"item": {"role": "user"}})
    assert fits(names, Echo("item.role", 3), "user", None)
    assert not fits(names, Echo("item.role", 3), "system", None)
    assert names.fits(Echo("item.role", 3), "user", {"item_id": "x"})
    assert fits(names, Echo("item.role", 3), "user", None)
    assert fits(names, Echo("item.role", 4), "system", None)
    assert names.fits(Echo("item.role", 3), "system", {"item": {"role": "system"}})


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", {"b": {"c": 1}}), ("a.b.c", 1), ("a.b", {"c": 1}), ("b", None), ("a.b.c.d", None),
     ("a.x.c", None)],
)  # fmt: skip
def test_a_path_leads_into_a_message(path: str, found: Any) -> None:
    """What stands at a path, and None where nothing does."""
    assert at({"a": {"b": {"c": 1}}}, path) == found


# -- templates --------------------------------------------------------------------------------


def test_a_template_determines_its_keys() -> None:
    """Keys beyond the template are free, those in it must be there, unless they may be missing."""
    part = {"a": 1, "b": Maybe("x"), "c": Free(), "d": None}
    assert fits(Names(), part, {"a": 1})
    assert fits(Names(), part, {"a": 1, "b": None, "c": 7, "d": None, "e": 7})
    assert fits(Names(), part, {"a": 1, "b": "x"})
    assert not fits(Names(), part, {})
    assert not fits(Names(), part, {"a": 2})
    assert not fits(Names(), part, {"a": 1, "b": "y"})
    assert not fits(Names(), part, {"a": 1, "d": 7})
    assert not fits(Names(), part, [("a", 1)])


def test_a_list_has_its_length() -> None:
    """Every element fits its template, and none is left over."""
    part = [Id("item", 0), "b"]
    assert fits(Names(), part, ["a", "b"])
    for wrong in (["a"], ["a", "b", "c"], ["a", "c"], [], None, "ab"):
        assert not fits(Names(), part, wrong)


def test_an_element_may_be_missing_too() -> None:
    """`Maybe` by itself takes nothing, or what fits."""
    assert fits(Names(), Maybe("x"), None)
    assert fits(Names(), Maybe("x"), "x")
    assert not fits(Names(), Maybe("x"), "y")


def test_an_error_is_one_of_its_entries() -> None:
    """Type, code and message belong to one entry; param and event id are free."""
    part = Wrong(("response_cancel_not_active", "unknown_parameter"))
    error = {
        "type": "invalid_request_error",
        "code": "response_cancel_not_active",
        "message": "Cancellation failed: no active response found",
    }
    assert fits(Names(), part, {**error, "param": "x", "event_id": "y"})
    assert fits(
        Names(),
        part,
        {**error, "code": "unknown_parameter", "message": "Unknown parameter: 'item.x'."},
    )
    for key in error:
        assert not fits(Names(), part, {**error, key: "x"})
    assert not fits(Names(), part, {**error, "code": "unknown_parameter"})
    assert not fits(Names(), part, "response_cancel_not_active")


@pytest.mark.parametrize("part", [Free(), Free("x"), Metadata(0)])
def test_what_is_free_is_anything(part: Any) -> None:
    """Whatever stands there fits."""
    values: list[Any] = [None, 7, "x", {}]
    assert all(fits(Names(), part, value) for value in values)


def test_what_a_recording_leaves_out_fits() -> None:
    """Where something nested was not printed, nothing is known and nothing is learned."""
    names = Names()
    assert names.fits({"item": {"id": Id("item", 0)}}, {"item": LEFT_OUT}, None)
    assert names.fits([1, 2], LEFT_OUT, None)
    assert names == Names()
