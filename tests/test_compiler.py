"""The source of a machine: what neighbours share, what is compared, what is sent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from realtime_protocol.bounds import SCOPES
from realtime_protocol.compiler import Branch, executed, nested
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rule import Rule
from realtime_protocol.state import Field, State

FIELDS = (
    Field("a", "a counter", limit="3"),
    Field("b", "a counter", limit="3"),
    Field("door", "a door", ("shut", "open")),
)


def rule(id: str, when: str = "True", **parts: Any) -> Rule:
    """A rule of a small machine; its actor is the first word of its id."""
    return Rule(
        **{
            "id": id, "actor": id.partition(".")[0], "event": id, "why": "", "source": "",
            "confidence": "inferred", "when": when, **parts,
        }
    )  # fmt: skip


def machine(*rules: Rule) -> Machine:
    """A machine of those rules, and of one that lets `a` and `b` take every value."""
    counts = [
        rule(f"user.{name}", f"{name} < 3", then={name: f"{name} + 1"}) for name in ("a", "b")
    ]
    return Machine({"MOST": 3}, [*rules, *counts], FIELDS)


def source_of(found: Machine, number: int) -> tuple[str, list[str]]:
    """The condition and the body of the only branch of a rule."""
    lines = found.successors_source().splitlines()
    end = next(n for n, line in enumerate(lines) if f"append(({number}, " in line)
    begin = max(n for n in range(end) if lines[n].lstrip().startswith("if "))
    return lines[begin].strip(), [line.strip() for line in lines[begin + 1 : end]]


# -- sharing ----------------------------------------------------------------------------------


def run(branches: Sequence[Branch], true: set[str]) -> list[int]:
    """What is done where some conditions hold."""
    names = sorted({name for branch in branches for name in branch.conditions})
    body = nested(branches, "    ") or ["    pass"]
    source = "\n".join([f"def f({', '.join(names)}):", "    done = []", *body, "    return done"])
    done: list[int] = executed(source)["f"](*(name in true for name in names))
    return done


@pytest.mark.parametrize("seed", range(40))
def test_shared_conditions_change_nothing(seed: int) -> None:
    """What is done, and in which order, is what each branch by itself would do."""
    chance = random.Random(seed)
    names = "pqrst"
    branches = [
        Branch(chance.sample(names, chance.randint(0, 4)), [f"done.append({n})"]) for n in range(9)
    ]
    for number in range(1 << len(names)):
        true = {name for bit, name in enumerate(names) if number >> bit & 1}
        expected = [n for n, branch in enumerate(branches) if true >= set(branch.conditions)]
        assert run(branches, true) == expected


def test_the_condition_that_most_neighbours_share_is_asked_first() -> None:
    """Wherever it stands in them; one that is shared by fewer is asked inside."""
    branches = [Branch(["p", "q"], ["1"]), Branch(["r", "q", "p"], ["2"]), Branch(["q"], ["3"])]
    assert nested(branches, "") == [
        "if q:", " if p:", "  1", "  if (r):", "   2", " 3",
    ]  # fmt: skip


def test_what_is_not_a_neighbour_shares_nothing() -> None:
    """A branch between two others keeps its place, and is asked apart."""
    branches = [Branch(["p"], ["1"]), Branch(["q"], ["2"]), Branch(["p"], ["3"])]
    assert nested(branches, "") == ["if (p):", " 1", "if (q):", " 2", "if (p):", " 3"]


def test_many_conditions_are_not_nested_without_end() -> None:
    """Python takes a hundred levels of indentation; sharing ends before."""
    names = [f"c{n}" for n in range(200)]
    branches = [Branch(names, ["done.append(1)"]), Branch([*names, "d"], ["done.append(2)"])]
    assert run(branches, {*names, "d"}) == [1, 2]
    assert run(branches, set(names)) == [1]
    assert run(branches, {*names[1:], "d"}) == []


# -- steps that lead elsewhere ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "then"),
    [
        ("a == 1", {"a": "2"}),
        ("a in (0, 1) and b > 0", {"b": "3", "a": "2"}),
        ("b > 1", {"a": "a + 1"}),
        ("a > 0", {"a": "a - 1"}),
        ("door == shut", {"door": "open"}),
    ],
)
def test_nothing_is_compared_where_a_step_surely_leads_elsewhere(
    when: str, then: dict[str, str]
) -> None:
    """A counter that moves, or a value that the guard excludes before."""
    found = machine(rule("server.goes", when, then=then), rule("app.shuts", then={"door": "shut"}))
    assert "!=" not in source_of(found, 0)[0]


@pytest.mark.parametrize(
    ("when", "then", "state", "leads"),
    [
        ("a > 0", {"a": "2"}, (1, 0, 0), True),
        ("a > 0", {"a": "2"}, (2, 0, 0), False),
        ("b == 1", {"a": "max(a - 1, 0)"}, (0, 1, 0), False),
        ("b == 1", {"a": "max(a - 1, 0)"}, (1, 1, 0), True),
        ("a > 0", {"a": "2", "b": "1 if a == 2 else b"}, (2, 0, 0), True),
        ("a > 0", {"a": "2", "b": "1 if a == 2 else b"}, (2, 1, 0), False),
        ("a > 0", {"a": "b", "b": "a"}, (2, 2, 0), False),
        ("a > 0", {"a": "b", "b": "a"}, (2, 1, 0), True),
        ("a < 3", {"a": "a + b"}, (2, 0, 0), False),
        ("a < 3", {"a": "1 + a"}, (2, 0, 0), True),
    ],
)
def test_a_step_that_leads_nowhere_is_no_successor(
    when: str, then: dict[str, str], state: tuple[int, ...], leads: bool
) -> None:
    """Where it depends on the state, what is written is compared with what was there."""
    found = machine(rule("server.goes", when, then=then), rule("app.opens", then={"door": "open"}))
    assert len(found.fields) == len(state)
    here: State = (*state, ())
    assert found.environment(here)[0] == 0
    assert [n for n, _, _ in found.successors(here)].count(0) == leads
    assert (found.after(here, Step(0)) != here) == leads


def test_losing_the_messages_leads_elsewhere_only_if_there_are_any() -> None:
    """What clears an empty inbox and sets what is set already does nothing."""
    found = machine(
        rule("network.clears", clears=True),
        rule("network.shuts", clears=True, then={"door": "shut"}),
        rule("app.opens", then={"door": "open"}),
        rule("client.sends", sends=True),
    )
    begin = found.initial
    sent = found.forced(begin, Step(3))
    opened = found.forced(begin, Step(2))

    def clear(state: State) -> list[int]:
        return [number for number, _, _ in found.successors(state) if number < 2]

    assert (clear(begin), clear(sent), clear(opened)) == ([], [0, 1], [1])


# -- messages ---------------------------------------------------------------------------------


def test_a_message_is_written_out_for_each_argument() -> None:
    """Guard and effect mean the argument of the message that is sent, not of the one in flight."""
    found = machine(
        rule("client.sends", "argument != 1 and argument <= MOST - b", sends=True,
             argument_limit="MOST", then={"a": "argument", "b": "argument // 2"}),
        rule("server.reads", "argument > 0", reads="client.sends", then={"a": "argument - 1"}),
    )  # fmt: skip
    condition, body = source_of(found, 0)
    assert "argument" not in " ".join([condition, *body])
    for before in range(4):
        waiting = (("client.sends", 0, 1),)
        state: State = (2, before, waiting)
        sent = [(n, argument, target) for n, argument, target in found.successors(state) if n == 0]
        assert sent == [
            (0, argument, (argument, argument // 2, (*waiting, ("client.sends", 0, argument))))
            for argument in (0, 2, 3)
            if argument <= 3 - before
        ]
        assert [step for step in found.client(state) if step.rule == 0] == [
            Step(0, argument) for _, argument, _ in sent
        ]
        assert (1, 0, (0, before, ())) in found.successors(state)


@pytest.mark.parametrize("name", SCOPES)
def test_the_source_of_every_scope_is_small(name: str) -> None:
    """A few lines for each step: nothing is written twice."""
    found = Machine(SCOPES[name].bounds)
    steps = sum(
        found.resolved[number].limit + 1 if rule.sends else 1
        for number, rule in enumerate(found.rules)
    )
    source = found.successors_source()
    assert source.count("found.append(") <= steps
    assert len(source.splitlines()) < 12 * steps
