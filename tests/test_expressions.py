"""The expression language: what it refuses, how names are found, what is folded, what it means.

The meaning is checked against Python itself: every generated expression is written twice, once in
the language and once with numbers in place of bounds and members, and lists in place of slots.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from realtime_protocol.expressions import (
    ExpressionError,
    Translator,
    names,
    parse,
    reads,
    variable,
)
from realtime_protocol.state import Field, slotted

# `open` and `none` stand at different places in the two enumerations, so context decides
DOOR = Field("door", "a door", ("none", "open", "shut"))
SHOP = Field("shop", "a shop", ("shut", "none", "open", "sold"))
COUNT = Field("count", "a counter", limit="MOST")
OTHER = Field("other", "another counter", limit="3")
LIGHT = Field("light", "a light in each room", ("off", "on", "open"), over=("ROOMS",))
SEAT = Field("seat", "a seat in each row of each room", limit="3", over=("ROOMS", "ROWS"))
FIELDS = (DOOR, SHOP, COUNT, OTHER, LIGHT, SEAT)
BOUNDS = {"MOST": 4, "LEAST": 1, "ROOMS": 3, "ROWS": 2, "NONE": 0}
TRANSLATOR = Translator(FIELDS, BOUNDS)

Values = Mapping[str, Any]
"""Values of the fields by name; a list of them for a field with slots, of lists for two sizes."""

CALLS: dict[str, object] = {"min": min, "max": max, "len": len}
QUANTIFIED: dict[str, object] = {**CALLS, "any": any, "all": all, "sum": sum, "range": range}


def unrolled(values: Values) -> dict[str, object]:
    """The same values by the names of variables, as the translation has them."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if name == "light":
            found.update((f"light_{q}", value[q]) for q in range(3))
        elif name == "seat":
            found.update((f"seat_{q}_{r}", value[q][r]) for q in range(3) for r in range(2))
        else:
            found[name] = value
    return found


def value(text: str, values: Values, target: str = "", **slots: int) -> object:
    """What `text` is worth under `values`, by way of its translation."""
    python = TRANSLATOR.python(text, target, slots)
    return eval(python, {"__builtins__": {}, **CALLS, **unrolled(values)})


def plain_value(text: str, values: Values, **slots: int) -> object:
    """What Python makes of the second writing of an expression."""
    return eval(text, {**QUANTIFIED, **values, **slots})


# -- what is in the language ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot read"),
        ("count ==", "cannot read"),
        ("count = 1", "cannot read"),
        ("count; other", "cannot read"),
        ("light[", "cannot read"),
        ("any(light[q] == on for q)", "cannot read"),
        ("count.real", "Attribute"),
        ("light[0:1]", "Slice"),
        ("lambda: count", "Lambda"),
        ("[count]", "List"),
        ("{count}", "Set"),
        ("{count: 1}", "Dict"),
        ("(count := 1)", "NamedExpr"),
        ("f'{count}'", "JoinedStr"),
        ("[one for one in inbox]", "ListComp"),
        ("{q for q in ROOMS}", "SetComp"),
        ("count is other", "Is"),
        ("count / 2", "Div"),
        ("count ** 2", "Pow"),
        ("count & 1", "BitAnd"),
        ("count << 1", "LShift"),
        ("-count", "USub"),
        ("~count", "Invert"),
        ("min(*inbox)", "Starred"),
        ("min(count, key=other)", "keyword"),
        ("sum(inbox)", "can be called"),
        ("any(count)", "can be called"),
        ("all((count, other))", "can be called"),
        ("min(light[q] for q in ROOMS)", "can be called"),
        ("len(q for q in ROOMS)", "can be called"),
        ("sum((q for q in ROOMS), 1)", "can be called"),
        ("range(3)", "can be called"),
        ("count(1)", "can be called"),
        ("min(count, 1)(2)", "can be called"),
        ("__import__('os')", "can be called"),
        ("any(light[q] == on for q in ROOMS if q)", "for name in size"),
        ("any(q == r for q, r in ROOMS)", "for name in size"),
        ("any(light[0] for light[0] in ROOMS)", "for name in size"),
        ("any(light[q] == on async for q in ROOMS)", "for name in size"),
    ],
)
def test_outside_the_language(text: str, why: str) -> None:
    """What is not in the language raises, and the error names the construct and shows the text."""
    with pytest.raises(ExpressionError, match=why) as raised:
        parse(text)
    assert repr(text) in str(raised.value)


def test_a_quantifier_runs_over_one_kind_of_slot() -> None:
    """Two loops in one quantifier are outside of the language: nest two quantifiers."""
    with pytest.raises(ExpressionError):
        parse("any(light[q] == on for q in ROOMS for r in NONE)")


@pytest.mark.parametrize(
    "text",
    [
        "count",
        "17",
        "True",
        "not door == open",
        "door == open and shop != shut or count < 3",
        "LEAST <= count <= MOST",
        "door in (open, shut)",
        "door not in (open, shut)",
        "count + 1 - other * 2",
        "count // 2 + other % 2",
        "min(count, max(other, 2))",
        "len(inbox) > 0",
        "argument == 0 and slot == 1",
        "count if door == open else other",
        "light[0] == on",
        "light[ROOMS - 1] == on",
        "seat[0, 1] + seat[ROOMS - 1, LEAST]",
        "any(light[q] == on for q in ROOMS)",
        "all(q < 3 for q in 3)",
        "sum(light[q] == on for q in ROOMS) > 1",
        "all(any(seat[q, r] > 0 for r in ROWS) for q in ROOMS)",
    ],
)
def test_inside_the_language(text: str) -> None:
    """What the laws list is accepted and translated to Python that compiles."""
    parse(text)
    compile(TRANSLATOR.python(text), "expression", "eval")


@pytest.mark.parametrize("text", ["count < 1.5", "'open'", "None", "b'open'", "...", "2j"])
def test_only_whole_numbers_are_constants(text: str) -> None:
    """A constant is a whole number, or the guard that always holds."""
    with pytest.raises(ExpressionError):
        parse(text)


# -- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("cuont < 1", "cuont", "MOST"),
        ("door == opne", "opne", "('none', 'open', 'shut')"),
        ("door == sold", "sold", "('none', 'open', 'shut')"),
        ("light[0] == shut", "shut", "('off', 'on', 'open')"),
        ("any(light[q] == shut for q in ROOMS)", "shut", "('off', 'on', 'open')"),
        ("open == 1", "open", "MOST"),
        ("open", "open", "MOST"),
        ("count == open", "open", "MOST"),
        ("event == open", "event", "MOST"),
        ("door == open and shut", "shut", "MOST"),
        ("min + 1", "min", "MOST"),
        ("any(light[q] == on for q in ROOM)", "ROOM", "MOST"),
        ("any(light[q] == on for q in ROOMS) and q", "q", "MOST"),
        ("light[shelf] == on", "shelf", "MOST"),
        ("light[on] == on", "on", "MOST"),
    ],
)
def test_unknown_names(text: str, name: str, expected: str) -> None:
    """A name that is none of ours raises, saying which, where, and what was expected."""
    with pytest.raises(ExpressionError) as raised:
        TRANSLATOR.python(text)
    message = str(raised.value)
    assert repr(name) in message
    assert repr(text) in message
    assert expected in message


def test_a_condition_has_no_context_of_its_own() -> None:
    """The field that is assigned to lends its members to the values, not to the condition."""
    assert TRANSLATOR.python("shut if count else none", "door") == "2 if count else 0"
    with pytest.raises(ExpressionError, match="'open'"):
        TRANSLATOR.python("shut if open else none", "door")


@pytest.mark.parametrize(
    ("text", "target", "python"),
    [
        ("door == open", "", "door == 1"),
        ("shop == open", "", "shop == 2"),
        ("open == shop", "", "2 == shop"),
        ("light[1] == open", "", "light_1 == 2"),
        ("open == light[1]", "", "2 == light_1"),
        ("door in (none, open)", "", "door in (0, 1)"),
        ("shop not in (none, open)", "", "shop not in (1, 2)"),
        ("light[0] in (off, open)", "", "light_0 in (0, 2)"),
        ("open", "door", "1"),
        ("open", "shop", "2"),
        ("open", "light[2]", "2"),
        ("open", "light[q]", "2"),
        ("max(open, shut)", "door", "2"),
        ("max(open, door)", "door", "max(1, door)"),
        ("open if count == MOST else shop", "shop", "2 if count == 4 else shop"),
        ("open if door == open else none", "shop", "2 if door == 1 else 1"),
        ("shop == (open if door == open else none)", "", "shop == (2 if door == 1 else 1)"),
        ("LEAST < count <= MOST", "", "1 < count <= 4"),
        ("len(inbox) > argument", "", "len(inbox) > argument"),
    ],
)
def test_context_finds_the_member(text: str, target: str, python: str) -> None:
    """A member is looked up in the enumeration that it is compared with or assigned to."""
    assert TRANSLATOR.python(text, target) == python


def test_the_order_in_which_a_name_is_looked_up() -> None:
    """A name that could be several things is the first of local, slot, member, field and bound."""
    light = Field("light", "a light", ("argument", "place", "level", "LEVEL", "green"))
    level = Field("level", "a field", limit="9")
    bounds = {"LEVEL": 8, "argument": 9, "place": 6, "level": 5, "green": 4}
    translator = Translator((light, level), bounds)
    assert translator.python("light == argument") == "light == argument"
    assert translator.python("light == place", "", {"place": 7}) == "light == 7"
    assert translator.python("light == place") == "light == 1"
    assert translator.python("light == level") == "light == 2"
    assert translator.python("light == LEVEL") == "light == 3"
    # out of its context a member is none, and a field comes before a bound
    assert translator.python("level > place + LEVEL") == "level > 14"
    assert translator.python("green") == "4"


def test_translating_twice_gives_the_same() -> None:
    """Translation keeps nothing, so another target and another machine see the same text anew."""
    text = "open if door == open else none"
    shop, door = TRANSLATOR.python(text, "shop"), TRANSLATOR.python(text, "door")
    assert (shop, door) == ("2 if door == 1 else 1", "1 if door == 1 else 0")
    assert TRANSLATOR.python(text, "shop") == shop
    assert Translator(FIELDS, {"MOST": 9}).python("count < MOST") == "count < 9"
    slotwise = [TRANSLATOR.python("light[q] == on", "", {"q": q}) for q in (0, 1, 0)]
    assert slotwise == ["light_0 == 1", "light_1 == 1", "light_0 == 1"]


def test_names_and_reads() -> None:
    """Names are everything mentioned but calls and own slots; reads are what is left resolved."""
    text = "min(count, MOST) if door in (open, shut) and argument > len(inbox) else LEAST"
    assert names(text) == {"count", "MOST", "door", "open", "shut", "argument", "inbox", "LEAST"}
    assert reads(TRANSLATOR.resolve(text)) == {"count", "door", "argument", "inbox"}
    assert reads(TRANSLATOR.resolve("True")) == set()
    over = "any(light[q] == on and seat[q, r] > 0 for q in ROOMS) and sum(q for q in ROWS) > count"
    assert names(over) == {"light", "on", "seat", "r", "ROOMS", "ROWS", "count"}
    assert reads(TRANSLATOR.resolve(over, "", {"r": 1})) == {
        "light_0", "light_1", "light_2", "seat_0_1", "seat_1_1", "seat_2_1", "count",
    }  # fmt: skip


def test_what_is_folded_away_is_not_read() -> None:
    """A part that the bounds switch off reads nothing."""
    assert reads(TRANSLATOR.resolve("(NONE == 1 and door == open) or count > 0")) == {"count"}


# -- slots ------------------------------------------------------------------------------------


def test_a_variable_is_named_after_its_field_and_slot() -> None:
    """The name that is shown has brackets, the one in Python has none, and both are distinct."""
    shown = [slotted("light", (2,)), slotted("seat", (2, 1)), "count"]
    assert shown == ["light[2]", "seat[2,1]", "count"]
    assert [variable(name) for name in shown] == ["light_2", "seat_2_1", "count"]
    every = [slot.name for field in FIELDS for slot in field.unrolled(BOUNDS)]
    assert len({variable(name) for name in every}) == len(every) == 4 + 3 + 6


def test_a_field_is_unrolled_in_the_order_of_its_slots() -> None:
    """Slots are counted with the last size fastest; a field without slots is itself."""
    assert [slot.name for slot in SEAT.unrolled(BOUNDS)] == [
        "seat[0,0]", "seat[0,1]", "seat[1,0]", "seat[1,1]", "seat[2,0]", "seat[2,1]",
    ]  # fmt: skip
    assert all(slot.over == () and slot.limit == "3" for slot in SEAT.unrolled(BOUNDS))
    assert list(COUNT.unrolled(BOUNDS)) == [COUNT]
    assert list(LIGHT.unrolled({**BOUNDS, "ROOMS": 0})) == []


@pytest.mark.parametrize(
    ("text", "slots", "python"),
    [
        ("light[0] == on", {}, "light_0 == 1"),
        ("light[q] == on", {"q": 2}, "light_2 == 1"),
        ("light[q - 1] == on", {"q": 2}, "light_1 == 1"),
        ("light[q // ROWS] == on", {"q": 5}, "light_2 == 1"),
        ("seat[q, r]", {"q": 1, "r": 0}, "seat_1_0"),
        ("seat[q, q % 2] + q", {"q": 1}, "seat_1_1 + 1"),
        ("light[0 if q == 1 else 2] == on", {"q": 1}, "light_0 == 1"),
        ("q == 1 and count > q", {"q": 1}, "count > 1"),
    ],
)
def test_a_slot_is_computed(text: str, slots: dict[str, int], python: str) -> None:
    """What stands between brackets is a number under bounds and slots, and picks the variable."""
    assert TRANSLATOR.python(text, "", slots) == python


@pytest.mark.parametrize(
    ("text", "slots", "why"),
    [
        ("light[3] == on", {}, r"light\[3\] does not exist"),
        ("light[q - 1] == on", {"q": 0}, r"light\[-1\] does not exist"),
        ("light[0, 0] == on", {}, r"light\[0,0\] does not exist"),
        ("seat[0] > 0", {}, r"seat\[0\] does not exist"),
        ("seat[0, 2] > 0", {}, r"seat\[0,2\] does not exist"),
        ("door[0] == open", {}, r"door\[0\] does not exist"),
        ("light == on", {}, "'light' needs a slot"),
        ("count + seat", {}, "'seat' needs a slot"),
        ("any(light == on for q in ROOMS)", {}, "'light' needs a slot"),
        ("argument[0] == 1", {}, "only a field has slots"),
        ("ROOMS[0] == 1", {}, "only a field has slots"),
        ("(light)[0][0] == 1", {}, "only a field has slots"),
        ("light[count] == on", {}, "a slot must be a number"),
        ("light[argument] == on", {}, "a slot must be a number"),
        ("light[light[0]] == on", {}, "a slot must be a number"),
        ("any(light[q + 1] == on for q in ROOMS)", {}, r"light\[3\] does not exist"),
    ],
)
def test_a_slot_that_does_not_exist(text: str, slots: dict[str, int], why: str) -> None:
    """A slot out of range, missing or not known under the bounds raises, and shows the text."""
    with pytest.raises(ExpressionError, match=why) as raised:
        TRANSLATOR.python(text, "", slots)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("any(light[q] == on for q in ROOMS)", "light_0 == 1 or light_1 == 1 or light_2 == 1"),
        ("all(light[q] == on for q in ROWS)", "light_0 == 1 and light_1 == 1"),
        ("sum(seat[0, r] for r in ROWS)", "0 + seat_0_0 + seat_0_1"),
        ("any(q == 1 and light[q] == on for q in ROOMS)", "light_1 == 1"),
        ("all(q < 1 or light[q] == on for q in ROOMS)", "light_1 == 1 and light_2 == 1"),
        ("sum(q for q in MOST)", "6"),
        ("any(light[q] == on for q in LEAST)", "light_0 == 1"),
        ("any(light[q] == on for q in NONE)", "False"),
        ("all(light[q] == on for q in NONE)", "True"),
        ("sum(light[q] for q in NONE)", "0"),
        ("any(light[q] == on for q in ROOMS - 1)", "light_0 == 1 or light_1 == 1"),
        (
            "all(any(seat[q, r] > q for r in ROWS) for q in ROWS)",
            "(seat_0_0 > 0 or seat_0_1 > 0) and (seat_1_0 > 1 or seat_1_1 > 1)",
        ),
        (
            "any(light[q] == on for q in LEAST) and all(light[q] == off for q in LEAST)",
            "light_0 == 1 and light_0 == 0",
        ),
    ],
)
def test_a_quantifier_is_written_out(text: str, python: str) -> None:
    """It runs over the numbers below its size; its name is known inside of it only."""
    assert TRANSLATOR.python(text) == python


def test_the_name_of_a_quantifier_hides_a_slot_of_the_rule() -> None:
    """Inside of it the name is its own, outside it is the rule's again."""
    text = "light[q] == on and any(seat[q, 0] > 0 for q in ROWS) and light[q] != off"
    assert TRANSLATOR.python(text, "", {"q": 2}) == (
        "light_2 == 1 and (seat_0_0 > 0 or seat_1_0 > 0) and (light_2 != 0)"
    )


@pytest.mark.parametrize("size", ["count", "(1, 2)", "(count, 1)"])
def test_the_size_of_a_quantifier_is_no_field(size: str) -> None:
    """How often it runs is known under the bounds, or the error shows the text."""
    with pytest.raises(ExpressionError, match=re.escape(f"for q in {size}")):
        TRANSLATOR.python(f"any(light[q] == on for q in {size})")


# -- folding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("LEAST == 1 and door == open", "door == 1"),
        ("LEAST == 2 and door == open", "False"),
        ("LEAST == 1 or door == open", "True"),
        ("LEAST == 2 or door == open", "door == 1"),
        ("door == open and LEAST == 2", "False"),
        ("not LEAST == 2 and count > 0", "count > 0"),
        ("LEAST == 1 and MOST == 4", "True"),
        ("MOST - LEAST * 2", "2"),
        ("MOST // 3 + MOST % 3", "2"),
        ("min(MOST, 2) + count", "2 + count"),
        ("1 < MOST < 9", "True"),
        ("MOST in (LEAST, 4)", "True"),
        ("MOST not in (LEAST, 4)", "False"),
        ("count if MOST == 4 else other", "count"),
        ("count if NONE else other", "other"),
        ("count > (1 if LEAST else 2)", "count > 1"),
    ],
)
def test_constants_are_folded(text: str, python: str) -> None:
    """What the bounds alone decide is decided, so a part that is switched off costs nothing."""
    assert TRANSLATOR.python(text) == python


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("NONE == 1 and light[9] == on", "False"),
        ("NONE == 0 or light[9] == on", "True"),
        ("count > 0 and NONE == 1 and light[9] == on", "False"),
        ("count > 0 or (NONE == 1 and nowhere[1])", "count > 0"),
        ("light[9] if NONE else count", "count"),
        ("count if LEAST else light[9]", "count"),
        ("all(q == 0 or light[q - 1] == on for q in ROOMS)", "light_0 == 1 and light_1 == 1"),
    ],
)
def test_what_stands_behind_a_decided_operand_is_not_resolved(text: str, python: str) -> None:
    """It may name a slot that does not exist: `m == 0 or output[m - 1] == closed`."""
    assert TRANSLATOR.python(text) == python


@pytest.mark.parametrize(
    "text",
    [
        "light[9] == on and NONE == 1",
        "NONE == 0 and light[9] == on",
        "NONE == 1 or light[9] == on",
        "count > 0 and light[9] == on",
        "light[9] if count else count",
    ],
)
def test_what_stands_before_it_is(text: str) -> None:
    """Only what stands behind is spared: the order of operands means something."""
    with pytest.raises(ExpressionError, match="does not exist"):
        TRANSLATOR.python(text)


def test_a_number_under_the_bounds() -> None:
    """An expression over bounds and slots has a value; one that reads a field has none."""
    assert TRANSLATOR.number("ROOMS * ROWS + 1") == 7
    assert TRANSLATOR.number("m // ROWS", {"m": 5}) == 2
    assert TRANSLATOR.number("sum(q for q in ROOMS)") == 3
    assert TRANSLATOR.number("17") == 17
    for text in ("count", "light[0]", "argument", "ROOMS + count"):
        with pytest.raises(ExpressionError, match="expected a number under the bounds") as raised:
            TRANSLATOR.number(text)
        assert repr(text) in str(raised.value)


# -- the meaning of every expression, against Python ------------------------------------------

Pair = tuple[str, str]
"""The same expression in the language and in plain Python."""

SIZES = {"ROOMS": 3, "ROWS": 2, "NONE": 0}
SIGNS = ("==", "!=", "<", "<=", ">", ">=")


class Author:
    """Writes expressions twice; the same seed, the same expressions.

    `own` are names of rooms that are known where an expression stands.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def number(self, depth: int = 2, own: tuple[str, ...] = ()) -> Pair:
        """A field, a slot, a bound, a local, or sums and calls of them."""
        kind = self.chance.choice(["leaf", "leaf", "sum", "part", "call"]) if depth else "leaf"
        if kind == "leaf":
            return self._leaf(own)
        (a, x), (b, y) = self.number(depth - 1, own), self.number(depth - 1, own)
        if kind == "call":
            name = self.chance.choice(["min", "max"])
            return f"{name}({a}, {b})", f"{name}({x}, {y})"
        if kind == "part":
            sign, by = self.chance.choice(["//", "%"]), self.chance.choice("23")
            return f"({a} {sign} {by})", f"({x} {sign} {by})"
        sign = self.chance.choice("+-*")
        return f"({a} {sign} {b})", f"({x} {sign} {y})"

    def _leaf(self, own: tuple[str, ...]) -> Pair:
        same = ["count", "other", "argument", "slot", "len(inbox)", "0", "2", "light[0]", *own]
        same += [f"light[{name}]" for name in own]
        pairs = [(text, text) for text in same]
        pairs += [("LEAST", "1"), ("MOST", "4"), ("light[ROOMS - 1]", "light[2]")]
        pairs += [("seat[1, LEAST]", "seat[1][1]"), ("seat[ROWS, 0]", "seat[2][0]")]
        pairs += [(f"seat[{name}, {name} % ROWS]", f"seat[{name}][{name} % 2]") for name in own]
        return self.chance.choice(pairs)

    def comparison(self, own: tuple[str, ...] = ()) -> Pair:
        """Two or three numbers, or an enumeration and its members."""
        kind = self.chance.choice(["numbers", "chain", "member", "turned", "in"])
        if kind == "numbers":
            (a, x), (b, y) = self.number(own=own), self.number(own=own)
            sign = self.chance.choice(SIGNS)
            return f"{a} {sign} {b}", f"{x} {sign} {y}"
        if kind == "chain":
            (a, x), (b, y), (c, z) = (self.number(1, own) for _ in range(3))
            return f"{a} < {b} <= {c}", f"{x} < {y} <= {z}"
        field, shown = self.enumeration(own)
        (a, x), (b, y) = self.member(field), self.member(field)
        if kind == "in":
            within = self.chance.choice(["in", "not in"])
            return f"{shown} {within} ({a}, {b})", f"{shown} {within} ({x}, {y})"
        sign = self.chance.choice(SIGNS)
        if kind == "turned":
            return f"{a} {sign} {shown}", f"{x} {sign} {shown}"
        return f"{shown} {sign} {a}", f"{shown} {sign} {x}"

    def enumeration(self, own: tuple[str, ...] = ()) -> tuple[Field, str]:
        """A field with members, and how it is written."""
        place = self.chance.choice(["0", "1", *own])
        return self.chance.choice([(DOOR, "door"), (SHOP, "shop"), (LIGHT, f"light[{place}]")])

    def member(self, field: Field) -> Pair:
        """A member of an enumeration and its number."""
        number = self.chance.randrange(len(field.values))
        return field.values[number], str(number)

    def condition(self, depth: int = 2, own: tuple[str, ...] = ()) -> Pair:
        """Comparisons and quantifiers, joined and turned round."""
        kinds = ["comparison", "quantifier", "and", "or", "not"] if depth else ["comparison"]
        kind = self.chance.choice(kinds)
        if kind == "comparison":
            return self.comparison(own)
        if kind == "quantifier":
            return self.quantifier(depth, own)
        a, x = self.condition(depth - 1, own)
        if kind == "not":
            return f"not ({a})", f"not ({x})"
        b, y = self.condition(depth - 1, own)
        return f"({a} {kind} {b})", f"({x} {kind} {y})"

    def quantifier(self, depth: int, own: tuple[str, ...]) -> Pair:
        """A quantifier over rooms, rows or nothing; a sum is compared with a number."""
        name, size = f"q{len(own)}", self.chance.choice(sorted(SIZES))
        inner, kind = (*own, name), self.chance.choice(["any", "all", "sum"])
        body = self.number(1, inner) if kind == "sum" else self.condition(depth - 1, inner)
        more = " > 1" if kind == "sum" else ""
        return (
            f"{kind}({body[0]} for {name} in {size}){more}",
            f"{kind}({body[1]} for {name} in range({SIZES[size]})){more}",
        )

    def values(self) -> Values:
        """A value for everything that an expression can read."""
        chance = self.chance
        return {
            "door": chance.randrange(3),
            "shop": chance.randrange(4),
            "count": chance.randrange(5),
            "other": chance.randrange(4),
            "light": [chance.randrange(3) for _ in range(3)],
            "seat": [[chance.randrange(4) for _ in range(2)] for _ in range(3)],
            "argument": chance.randrange(4),
            "slot": chance.randrange(3),
            "inbox": ("message",) * chance.randrange(4),
        }


SEEDS = range(300)


def test_an_expression_means_what_it_means_in_python() -> None:
    """Numbers, conditions and quantifiers are worth what Python makes of them."""
    found = set()
    for seed in SEEDS:
        author = Author(seed)
        for text, plain in (author.number(), author.condition()):
            values = author.values()
            expected = plain_value(plain, values)
            assert value(text, values) == expected, (text, values)
            found.add(expected)
    assert len(found) > 10  # many numbers, and both truths among them


def test_a_slot_of_a_rule_means_its_number() -> None:
    """In a rule that is unrolled over `q`, every `q` is the number of the slot."""
    for seed in SEEDS:
        author = Author(seed)
        text, plain = author.condition(own=("q",))
        values, place = author.values(), author.chance.randrange(3)
        assert value(text, values, q=place) == plain_value(plain, values, q=place), (text, values)


def test_an_effect_means_what_it_means_in_python() -> None:
    """An effect finds its members in the field it is assigned to, its condition in its own."""
    for seed in SEEDS:
        author = Author(seed)
        field, target = author.enumeration()
        (a, x), (b, y), (c, z) = author.member(field), author.member(field), author.condition()
        values = author.values()
        expected = plain_value(f"{x} if {z} else {y}", values)
        assert value(f"{a} if {c} else {b}", values, target) == expected, (target, a, b, c)


def test_an_expression_depends_on_nothing_but_what_it_reads() -> None:
    """Variables outside of reads() can be anything: the value stays."""
    for seed in SEEDS:
        author = Author(seed)
        text, _ = author.condition()
        read = reads(TRANSLATOR.resolve(text))
        python = TRANSLATOR.python(text)
        mine, theirs = unrolled(author.values()), unrolled(author.values())
        mixed = {name: mine[name] if name in read else theirs[name] for name in mine}
        assert eval(python, {**CALLS, **mixed}) == eval(python, {**CALLS, **mine}), text


def test_another_meaning_is_noticed() -> None:
    """With one member for another in the enumerations, some expression is worth something else."""
    turned = attrs.evolve(DOOR, values=DOOR.values[::-1])
    translator = Translator((turned, *FIELDS[1:]), BOUNDS)
    wrong = 0
    for seed in SEEDS:
        author = Author(seed)
        text, plain = author.condition()
        values = author.values()
        found = eval(translator.python(text), {**CALLS, **unrolled(values)})
        wrong += found != plain_value(plain, values)
    assert wrong > 0
