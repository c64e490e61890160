"""Range analysis: against every assignment of small expressions, and every state of small scopes.

An analysis that forgets a value would take a part of the protocol away without a word, so each
search for a forgotten value is shown to find one that is planted.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
import pytest

from realtime_protocol import unrolled
from realtime_protocol.bounds import Scope, rebounded, scope
from realtime_protocol.expressions import CALLS, Translator, reads, variable
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.ranges import MANY, UNKNOWN, Values, simplified, values_of
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import NOTHING, Field, State

Known = Mapping[str, Values]
Assignment = Mapping[str, Any]

TOP = 4
"""Values of a variable of which nothing is known run up to this."""


def tree(text: str) -> ast.expr:
    """A syntax tree as the analysis is given it: variables and numbers only."""
    return ast.parse(text, mode="eval").body


def code(node: ast.expr) -> Any:
    """An expression, compiled."""
    return compile(ast.unparse(node), "expression", "eval")


def worth(compiled: Any, assignment: Assignment) -> Any:
    """What a compiled expression is worth, by Python itself."""
    return eval(compiled, {"__builtins__": CALLS}, assignment)


def forgotten(
    node: ast.expr, known: Known, assignments: Iterable[Assignment]
) -> list[tuple[str, Assignment]]:
    """Assignments whose value the analysis leaves out, or that the simplified form gets wrong."""
    possible, simple = values_of(node, known), simplified(node, known)
    whole, short = code(node), code(simple)
    found = []
    for assignment in assignments:
        value = worth(whole, assignment)
        if possible is not None and value not in possible:
            found.append((f"{value} is not among {sorted(possible)}", assignment))
        elif worth(short, assignment) != value:
            found.append((f"{ast.unparse(simple)} is not {value}", assignment))
    return found


def assignments(known: Known) -> Iterator[Assignment]:
    """Every assignment of values that the variables can have."""
    ranges = [range(TOP + 1) if values is None else sorted(values) for values in known.values()]
    for values in itertools.product(*ranges):
        yield dict(zip(known, values, strict=True))


# -- what it finds out ------------------------------------------------------------------------

KNOWN: Known = {
    "a": frozenset({1}),
    "b": frozenset({0, 2}),
    "c": frozenset({0, 1, 2}),
    "x": UNKNOWN,
    "many": frozenset(range(MANY)),
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3", {3}),
        ("b", {0, 2}),
        ("x", None),
        ("nowhere", None),
        ("a + b", {1, 3}),
        ("b * c", {0, 2, 4}),
        ("c - b", {-2, -1, 0, 1, 2}),
        ("c // 2 + c % 2", {0, 1, 2}),
        ("a + x", None),
        ("min(b, 1)", {0, 1}),
        ("max(a, b)", {1, 2}),
        ("min(x, 1)", None),
        ("len(inbox)", None),
        ("many + a", set(range(1, MANY + 1))),
        ("many + c", None),
        ("a == 1", {True}),
        ("a == 2", {False}),
        ("b == 2", {True, False}),
        ("b == 1", {False}),
        ("b != c", {True, False}),
        ("x > 1", {True, False}),
        ("a < x", {True, False}),
        ("0 < a < 2", {True}),
        ("0 < a < b", {True, False}),
        ("2 < a < x", {False}),
        ("b in (0, 2)", {True}),
        ("b in (1, 3)", {False}),
        ("c not in (3, 4)", {True}),
        ("x in (0, 1)", {True, False}),
        ("a == 1 and b == 1", {False}),
        ("x > 0 and a == 2", {False}),
        ("a == 1 and b < 3", {True}),
        ("x > 0 or a == 1", {True}),
        ("x > 0 or a == 2", {True, False}),
        ("not a", {False}),
        ("not b", {True, False}),
        ("not x", {True, False}),
        ("b if a == 1 else x", {0, 2}),
        ("b if a == 2 else c", {0, 1, 2}),
        ("b if x else 3", {0, 2, 3}),
        ("x if b else 3", None),
        ("(a, b) == (1, 2)", {True, False}),
    ],
)
def test_what_an_expression_can_be(text: str, values: set[int] | None) -> None:
    """The possible values of each construct; None is anything."""
    found = values_of(tree(text), KNOWN)
    assert found == (None if values is None else frozenset(values))


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("a + 1", "2"),
        ("a == 1 and x > 0", "x > 0"),
        ("b == 1 or x > 0", "x > 0"),
        ("b == 1 and x > 0", "False"),
        ("x > 0 and b < 3 and c > 0", "x > 0 and c > 0"),
        ("x > 0 or a == 1", "True"),
        ("not (a == 1 and x > 0)", "not x > 0"),
        ("x if a == 1 else b", "x"),
        ("x if b == 1 else b + a", "b + 1"),
        ("(x + 1) if x > a else (b + a)", "x + 1 if x > 1 else b + 1"),
        ("x + a * 2", "x + 2"),
        ("x > a + 1", "x > 2"),
        ("x in (0, b)", "x in (0, b)"),
        ("min(x, a)", "min(x, a)"),
        ("b == 2", "b == 2"),
        ("x", "x"),
    ],
)
def test_what_is_decided_is_folded(text: str, simple: str) -> None:
    """One value only is a number; what does not decide anything is left out."""
    assert ast.unparse(simplified(tree(text), KNOWN)) == simple


def test_a_large_set_is_taken_as_unknown() -> None:
    """One value more than the limit, and nothing is known; the limit itself still is."""
    assert values_of(tree("many"), KNOWN) == frozenset(range(MANY))
    assert values_of(tree("many * 1"), KNOWN) == frozenset(range(MANY))
    assert values_of(tree("many + b"), KNOWN) is None


def test_what_is_given_is_not_changed() -> None:
    """Simplifying makes a new tree: the same one serves under other values."""
    node = tree("x if a == 1 and b == 2 else c + a")
    before = ast.unparse(node)
    first = ast.unparse(simplified(node, KNOWN))
    other = ast.unparse(simplified(node, {**KNOWN, "a": frozenset({0})}))
    assert (ast.unparse(node), first, other) == (before, "x if b == 2 else c + 1", "c + 0")


# -- soundness, by brute force ----------------------------------------------------------------

VARIABLES = ("a", "b", "c")


class Author:
    """Writes small expressions; the same seed, the same expressions."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def number(self, depth: int = 2) -> str:
        """A variable, a whole number, or one computed from others."""
        kinds = ["leaf", "sum", "part", "call", "choice"] if depth else ["leaf"]
        kind = self.chance.choice(kinds)
        if kind == "leaf":
            return self.chance.choice([*VARIABLES, *VARIABLES, "0", "1", "3"])
        if kind == "part":
            return f"({self.number(depth - 1)} {self.chance.choice(['//', '%'])} 2)"
        left, right = self.number(depth - 1), self.number(depth - 1)
        if kind == "call":
            return f"{self.chance.choice(['min', 'max'])}({left}, {right})"
        if kind == "choice":
            return f"({left} if {self.condition(depth - 1)} else {right})"
        return f"({left} {self.chance.choice('+-*')} {right})"

    def condition(self, depth: int = 2) -> str:
        """A comparison, or several of them joined and turned round."""
        kind = self.chance.choice(["compare", "and", "or", "not", "bare"]) if depth else "compare"
        if kind == "not":
            return f"(not {self.condition(depth - 1)})"
        if kind in ("and", "or"):
            parts = [self.condition(depth - 1) for _ in range(self.chance.choice([2, 2, 3]))]
            return f"({f' {kind} '.join(parts)})"
        if kind == "bare":
            return f"(not {self.number(depth - 1)})"
        left, right = self.number(1), self.number(1)
        shape = self.chance.choice(["two", "two", "three", "in"])
        if shape == "in":
            word = self.chance.choice(["in", "not in"])
            return f"({left} {word} ({right}, {self.number(0)}))"
        signs = [self.chance.choice(["==", "!=", "<", "<=", ">", ">="]) for _ in range(2)]
        more = f" {signs[1]} {self.number(0)}" if shape == "three" else ""
        return f"({left} {signs[0]} {right}{more})"

    def known(self) -> Known:
        """What each variable can be: one value, a few, or anything."""
        found: dict[str, Values] = {}
        for name in VARIABLES:
            some = self.chance.sample(range(TOP + 1), self.chance.choice([1, 1, 2, 3]))
            found[name] = UNKNOWN if self.chance.random() < 0.2 else frozenset(some)
        return found


SEEDS = range(350)


def test_no_value_is_forgotten() -> None:
    """Whatever the variables are, the value is among the possible ones, simplified or not."""
    decided = shorter = 0
    for seed in SEEDS:
        author = Author(seed)
        known = author.known()
        for node in (tree(author.number()), tree(author.condition())):
            assert forgotten(node, known, assignments(known)) == [], (ast.unparse(node), known)
            found = values_of(node, known)
            decided += found is not None and len(found) == 1
            shorter += len(ast.unparse(simplified(node, known))) < len(ast.unparse(node))
    assert decided > 100
    assert shorter > decided + 100  # not only what is decided as a whole


def test_a_forgotten_value_is_noticed() -> None:
    """With one value of a variable kept from the analysis, it gets some expressions wrong."""
    wrong = 0
    for seed in SEEDS:
        author = Author(seed)
        known = author.known()
        some = next((n for n, values in known.items() if values and len(values) > 1), None)
        if some is None:
            continue
        values = known[some]
        assert values is not None
        narrowed = {**known, some: values - {max(values)}}
        node = tree(author.number())
        wrong += bool(forgotten(node, narrowed, assignments(known)))
    assert wrong > 30


# -- soundness, on the rules ------------------------------------------------------------------

BRIEF = {
    "TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "CANCELS": 1,
    "CLEARS": 0, "TRUNCATES": 1, "DELETES": 0, "TICKS": 0,
}  # fmt: skip
TEXT = {**BRIEF, "AUDIO_OUT": 0, "TEXT_OUT": 1, "TEXTS": 1, "SPEAKER": 0}
CALL = {**TEXT, "TEXT_OUT": 0, "CALL_OUT": 1, "ARGUMENTS": 1, "VAD": 0, "CANCELS": 0}
SPOKEN = {"TURNS": 2, "RESPONSES": 2, "USERS": 2, "TRACK_USERS": 1, "TRANSCRIPTION": 1, "ASR": 1,
          "INTERRUPTIONS": 0}  # fmt: skip

SMALL: dict[str, Scope] = {
    "audio": scope("audio", "one audio message", **BRIEF),
    "text": scope("text", "a text that may fail", **TEXT, RATE_LIMITS=1, FAILURES=1),
    "call": scope("call", "a call that is answered", **CALL),
    "turns": scope("turns", "two spoken turns", **TEXT, **SPOKEN),
    "drop": scope("drop", "a drop", **TEXT, SOCKETS=2, DROPS=1, TRACK_USERS=1),
}
"""A few thousand states each; together they have most kinds of fields that change."""

EVERY_SCOPE = pytest.mark.parametrize("name", SMALL)


def lawless(rules: Sequence[Rule] = RULES) -> list[Rule]:
    """The rules with a client that does whatever is possible."""
    return [attrs.evolve(rule, permitted="True", within="True") for rule in rules]


@cache
def enumerated(name: str) -> tuple[Machine, list[State]]:
    """The states of a small scope; in half of the scopes with a client that knows no law."""
    bounds = SMALL[name].bounds
    rules = lawless() if name in ("text", "call") else RULES
    machine = Machine(bounds, rules)
    return machine, list(enumerate_graph(machine, limit=60_000).successors)


@cache
def analysed(name: str) -> tuple[list[unrolled.Resolved], Known]:
    """The rules of a small scope as they were before, and what the analysis says of variables."""
    machine, _ = enumerated(name)
    slots = {variable(slot.name): slot for slot in every_slot(machine)}
    translator = Translator(FIELDS, machine.bounds)
    found = [
        resolved
        for rule in RULES
        for place in unrolled.places(rule, translator)
        if (resolved := unrolled._resolve(rule, place, translator, slots))
    ]
    return found, unrolled._possible(found, slots, machine.bounds)[0]


def every_slot(machine: Machine) -> list[Field]:
    """Every field in every slot, those that never change included."""
    return [slot for field in FIELDS for slot in field.unrolled(machine.bounds)]


def overlooked(known: Known, machine: Machine, states: Iterable[State]) -> dict[str, int]:
    """Values that states hold and the analysis leaves out, by field."""
    found = {}
    for position, field in enumerate(machine.fields):
        possible = known[variable(field.name)]
        for value in {state[position] for state in states}:
            if possible is not None and value not in possible:
                assert isinstance(value, int)
                found[field.name] = value
    return found


@EVERY_SCOPE
def test_every_value_that_a_state_holds_is_found(name: str) -> None:
    """The analysis contains each value of each field in each state."""
    machine, states = enumerated(name)
    _, known = analysed(name)
    assert overlooked(known, machine, states) == {}
    # and it says something: of most fields it knows the values, and fewer than the range has
    narrow = [
        slot
        for slot in every_slot(machine)
        if (values := known[variable(slot.name)]) is not None
        and len(values) <= slot.top(machine.bounds)
    ]
    assert len(narrow) > 10


def test_a_value_left_out_of_the_analysis_is_noticed() -> None:
    """Were one value of any field forgotten, some state would show it."""
    machine, states = enumerated("audio")
    known = dict(analysed("audio")[1])
    held = {field.name: {state[n] for state in states} for n, field in enumerate(machine.fields)}
    tried = 0
    for name, values in held.items():
        possible = known[variable(name)]
        if possible is not None and len(values) > 1:
            some = max(values)  # type: ignore[type-var]
            planted = {**known, variable(name): possible - {some}}
            assert overlooked(planted, machine, states) == {name: some}
            tried += 1
    assert tried > 10


@EVERY_SCOPE
def test_expressions_of_the_rules_are_simplified_soundly(name: str) -> None:
    """In each state every guard and effect is worth the same, simplified under what is known."""
    machine, states = enumerated(name)
    found, known = analysed(name)
    views = [view(machine, state) for state in states[:: max(1, len(states) // 200)]]
    checked = 0
    for resolved in found:
        for node in (resolved.own, *resolved.then.values()):
            simple = simplified(node, known)
            if ast.unparse(simple) == ast.unparse(node):
                continue
            checked += 1
            read = sorted((reads(node) | reads(simple)) & set(views[0]))
            different = {tuple(seen[n] for n in read): seen for seen in views}
            wrong = forgotten(node, known, different.values())
            assert wrong == [], (resolved.rule.label, ast.unparse(node), ast.unparse(simple))
    assert checked > 100


def view(machine: Machine, state: State) -> Assignment:
    """A state by the names of variables, with the head of its inbox."""
    inbox: Any = state[-1]
    event, slot, argument = inbox[0] if inbox else NOTHING
    values = {variable(s.name): machine.value(state, s.name) for s in every_slot(machine)}
    return {**values, "inbox": inbox, "event": event, "slot": slot, "argument": argument}


# -- what never changes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "constants"),
    [
        ({}, {"speech": None, "asr[0]": 0, "tool[0]": 0, "listing": 0, "paused": 0}),
        ({"VAD": 0, "TICKS": 0}, {"speech": 0, "turn": 0, "ticks": 0}),
        ({"INTERRUPTIONS": 0}, {"interruptions": 0, "barged": 0}),
        ({"SPEAKER": 0}, {"captured[0]": 0, "played[0]": 0, "segment[0]": 0}),
        ({"DROPS": 1, "SOCKETS": 2}, {"sockets": None, "drops": None}),
    ],
)
def test_what_is_switched_off_never_changes(
    changes: dict[str, int], constants: dict[str, int | None]
) -> None:
    """Fields of a part that is off are constant; those of a part that is on are not."""
    machine = Machine(rebounded(SMALL["audio"], changes).bounds)
    assert {name: machine.constants.get(name) for name in constants} == constants
