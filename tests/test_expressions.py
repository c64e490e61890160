"""The expression language: what it refuses, how names are found, and what an expression means.

The meaning is checked against Python itself: every generated expression is written twice, once in
the language and once with numbers in place of bounds and members.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_protocol.expressions import ExpressionError, Translator, names, parse, reads
from realtime_protocol.state import Field

# `open` and `none` stand at different places in the two enumerations, so context decides
DOOR = Field("door", "a door", ("none", "open", "shut"))
SHOP = Field("shop", "a shop", ("shut", "none", "open", "sold"))
COUNT = Field("count", "a counter", limit="MOST")
OTHER = Field("other", "another counter", limit="3")
FIELDS = (DOOR, SHOP, COUNT, OTHER)
BOUNDS = {"MOST": 4, "LEAST": 1}
TRANSLATOR = Translator(FIELDS, BOUNDS)

Values = Mapping[str, object]


def value(text: str, values: Values, target: str = "") -> object:
    """What `text` is worth under `values`, by way of its translation."""
    return eval(TRANSLATOR.python(text, target), {"__builtins__": {}}, {**CALLS, **values})


RELAXED = settings(deadline=None, max_examples=40)
CALLS: dict[str, object] = {"min": min, "max": max, "len": len}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot read"),
        ("count ==", "cannot read"),
        ("count = 1", "cannot read"),
        ("count; other", "cannot read"),
        ("count.real", "Attribute"),
        ("count[0]", "Subscript"),
        ("lambda: count", "Lambda"),
        ("[count]", "List"),
        ("{count}", "Set"),
        ("(count := 1)", "NamedExpr"),
        ("f'{count}'", "JoinedStr"),
        ("[one for one in inbox]", "ListComp"),
        ("count is other", "Is"),
        ("count / 2", "Div"),
        ("count // 2", "FloorDiv"),
        ("count % 2", "Mod"),
        ("count ** 2", "Pow"),
        ("count & 1", "BitAnd"),
        ("-count", "USub"),
        ("min(*inbox)", "Starred"),
        ("min(count, key=other)", "keyword"),
        ("sum(inbox)", "can be called"),
        ("count(1)", "can be called"),
        ("min(count, 1)(2)", "can be called"),
        ("__import__('os')", "can be called"),
    ],
)
def test_outside_the_language(text: str, why: str) -> None:
    """What is not in the language raises, and the error names the construct and shows the text."""
    with pytest.raises(ExpressionError, match=why) as raised:
        parse(text)
    assert repr(text) in str(raised.value)


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
        "min(count, max(other, 2))",
        "len(inbox) > 0",
        "argument == 0",
        "count if door == open else other",
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


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("cuont < 1", "cuont", "MOST"),
        ("door == opne", "opne", "('none', 'open', 'shut')"),
        ("door == sold", "sold", "('none', 'open', 'shut')"),
        ("open == 1", "open", "MOST"),
        ("open", "open", "MOST"),
        ("count == open", "open", "MOST"),
        ("event == open", "event", "MOST"),
        ("door == open and shut", "shut", "MOST"),
        ("min + 1", "min", "MOST"),
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
        ("door in (none, open)", "", "door in (0, 1)"),
        ("shop not in (none, open)", "", "shop not in (1, 2)"),
        ("open", "door", "1"),
        ("open", "shop", "2"),
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


def test_a_field_comes_before_a_bound_and_a_bound_before_a_member() -> None:
    """A name that could be several things is the first of local, field, bound and member."""
    light = Field("light", "a light", ("argument", "light", "LEVEL", "green"))
    translator = Translator((light,), {"light": 7, "LEVEL": 8, "argument": 9})
    assert translator.python("light == argument") == "light == argument"
    assert translator.python("light == light") == "light == light"
    assert translator.python("light == LEVEL") == "light == 8"
    assert translator.python("light == green") == "light == 3"


def test_translating_twice_gives_the_same() -> None:
    """Translation keeps nothing, so another target and another machine see the same text anew."""
    text = "open if door == open else none"
    shop, door = TRANSLATOR.python(text, "shop"), TRANSLATOR.python(text, "door")
    assert (shop, door) == ("2 if door == 1 else 1", "1 if door == 1 else 0")
    assert TRANSLATOR.python(text, "shop") == shop
    assert Translator(FIELDS, {"MOST": 9}).python("count < MOST") == "count < 9"


def test_names_and_reads() -> None:
    """Names are everything mentioned but calls; reads are those of them that are fields."""
    text = "min(count, MOST) if door in (open, shut) and argument > len(inbox) else LEAST"
    fields = [field.name for field in FIELDS]
    assert names(text) == {"count", "MOST", "door", "open", "shut", "argument", "inbox", "LEAST"}
    assert reads(text, fields) == {"count", "door"}
    assert reads("True", fields) == set()


# -- the meaning of every expression, against Python ------------------------------------------

Pair = tuple[str, str]
"""The same expression in the language and in plain Python."""


def _numbers() -> st.SearchStrategy[Pair]:
    same = ["count", "other", "argument", "len(inbox)", "0", "2"]
    leaves = st.sampled_from([*((text, text) for text in same), ("LEAST", "1"), ("MOST", "4")])

    def grow(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
        sums = st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", f"({t[0][1]} {t[1]} {t[2][1]})")
        )
        calls = st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda t: (f"{t[0]}({t[1][0]}, {t[2][0]})", f"{t[0]}({t[1][1]}, {t[2][1]})")
        )
        return sums | calls

    return st.recursive(leaves, grow, max_leaves=3)


def _member(field: Field) -> st.SearchStrategy[Pair]:
    return st.sampled_from([(name, str(n)) for n, name in enumerate(field.values)])


@st.composite
def _comparisons(draw: st.DrawFn) -> Pair:
    kind = draw(st.sampled_from(["numbers", "chain", "member", "turned", "in"]))
    if kind == "numbers":
        (a, x), (b, y) = draw(_numbers()), draw(_numbers())
        sign = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
        return f"{a} {sign} {b}", f"{x} {sign} {y}"
    if kind == "chain":
        (a, x), (b, y), (c, z) = draw(_numbers()), draw(_numbers()), draw(_numbers())
        return f"{a} < {b} <= {c}", f"{x} < {y} <= {z}"
    field = draw(st.sampled_from([DOOR, SHOP]))
    (a, x), (b, y) = draw(_member(field)), draw(_member(field))
    sign = draw(st.sampled_from(["==", "!=", "<", ">="]))
    if kind == "member":
        return f"{field.name} {sign} {a}", f"{field.name} {sign} {x}"
    if kind == "turned":
        return f"{a} {sign} {field.name}", f"{x} {sign} {field.name}"
    within = draw(st.sampled_from(["in", "not in"]))
    return f"{field.name} {within} ({a}, {b})", f"{field.name} {within} ({x}, {y})"


def _conditions() -> st.SearchStrategy[Pair]:
    def grow(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
        both = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", f"({t[0][1]} {t[1]} {t[2][1]})")
        )
        return both | inner.map(lambda t: (f"not {t[0]}", f"not {t[1]}"))

    return st.recursive(_comparisons(), grow, max_leaves=3)


@st.composite
def _choices(draw: st.DrawFn) -> tuple[str, str, str]:
    """An `a if c else b` of members, with the field that it is assigned to."""
    field = draw(st.sampled_from([DOOR, SHOP]))
    (a, x), (b, y) = draw(_member(field)), draw(_member(field))
    condition, plain = draw(_conditions())
    return f"{a} if {condition} else {b}", f"{x} if {plain} else {y}", field.name


VALUES = st.fixed_dictionaries(
    {
        "door": st.integers(0, 2),
        "shop": st.integers(0, 3),
        "count": st.integers(0, 4),
        "other": st.integers(0, 3),
        "argument": st.integers(0, 3),
        "inbox": st.lists(st.just("message"), max_size=3).map(tuple),
    }
)


@RELAXED
@given(_numbers() | _conditions(), VALUES)
def test_an_expression_means_what_it_means_in_python(pair: Pair, values: Values) -> None:
    """Numbers and conditions are worth what Python makes of them."""
    text, plain = pair
    assert value(text, values) == eval(plain, {}, {**CALLS, **values})


@RELAXED
@given(_choices(), VALUES)
def test_an_effect_means_what_it_means_in_python(
    choice: tuple[str, str, str], values: Values
) -> None:
    """An effect finds its members in the field it is assigned to, its condition in its own."""
    text, plain, target = choice
    assert value(text, values, target) == eval(plain, {}, {**CALLS, **values})


@RELAXED
@given(_numbers() | _conditions(), VALUES, VALUES)
def test_an_expression_depends_on_nothing_but_what_it_reads(
    pair: Pair, values: Values, others: Values
) -> None:
    """Fields outside of reads() can be anything: the value stays."""
    text = pair[0]
    read = reads(text, values) | {"argument", "inbox"}
    mixed = {name: values[name] if name in read else others[name] for name in values}
    assert value(text, mixed) == value(text, values)
