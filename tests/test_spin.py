"""SPIN, which shares no code with this project, finds the states, steps and violations we find.

The scopes that take SPIN's compiler or our enumeration longest are slow; every scope is in one of
the two. A count that agrees means something only if a fault moves it: faults are planted in the
rules that are exported, and in the text of the model.
"""

from __future__ import annotations

import ast
import copy
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from realtime_conformance.spin import (
    COMPILERS,
    SpinFailed,
    SpinNotFound,
    SpinResult,
    read_report,
    run_spin,
)
from realtime_protocol.assumptions import assumed
from realtime_protocol.bounds import BRIEF, QUICK, audio_reply
from realtime_protocol.export.laws import invariants, law_of, preconditions
from realtime_protocol.export.promela import ROOM, ranges, to_promela
from realtime_protocol.expressions import Translator, parse, variable
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.properties import ALWAYS, PROPERTIES, check_always
from realtime_protocol.recordings import DIALECTS
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS
from realtime_protocol.state import NOTHING, Field, State
from realtime_protocol.unrolled import Resolved

needs_spin = pytest.mark.skipif(
    shutil.which("spin") is None or not any(map(shutil.which, COMPILERS)),
    reason="SPIN or a C compiler is not installed: apt-get install spin gcc",
)

XAI = audio_reply(
    **{
        **BRIEF, "SPEAKER": 0, "TICKS": 0, "CANCELS": 0, "TRUNCATES": 0, "DELETES": 0,
        "CREATES": 1, "TRANSCRIPTION": 1, "EARLY_ASR": 1, "ASR": 2,
        **assumed(DIALECTS["xai"].assumptions),
    }
)  # fmt: skip
"""The dialect that differs most: every difference of it, in one small scope."""

GRAPHS = {**QUICK.scopes, "xai": XAI}
FAST = ("text-reply", "vad-asks", "xai")
SMALL = "text-reply"

SCOPES = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in GRAPHS]


@cache
def graph_of(scope: str) -> Graph:
    """The graph of a scope of the quick profile, or of a dialect."""
    return enumerate_graph(Machine(GRAPHS[scope].bounds))


def spin(source: str, folder: Path) -> SpinResult:
    """Check a model, compiled in little time."""
    return run_spin(source, folder, optimise="-O0")


class Function(Protocol):
    """The value of an expression in a state, given the argument of a message that is sent."""

    def __call__(self, state: State, argument: int | None = None) -> Any: ...


def function(machine: Machine, expression: ast.expr) -> Function:
    """A resolved expression as a function of a state and the argument that a step sends."""
    names = [variable(field.name) for field in machine.fields]
    constants = {variable(name): value for name, value in machine.constants.items()}
    source = f"lambda {', '.join([*names, 'inbox', 'event', 'slot', 'argument'])}: "
    compiled = eval(source + ast.unparse(expression), constants)

    def call(state: State, argument: int | None = None) -> Any:
        inbox: Any = state[-1]
        event, slot, head = inbox[0] if inbox else NOTHING
        return compiled(*state, event, slot, head if argument is None else argument)

    return call


def steps(graph: Graph) -> int:
    """The number of enabled steps in all states, those included that change nothing."""
    guards = []
    for resolved in graph.machine.resolved:
        if not resolved.stays:
            guard = resolved.held if resolved.rule.is_client else resolved.guard
            ways = range(resolved.limit + 1) if resolved.rule.sends else ["argument"]
            called = f"(lambda argument: bool({ast.unparse(guard)}))"
            guards += [f"{called}({way})" for way in ways]
    enabled = function(graph.machine, ast.parse(f"sum(({', '.join(guards)},))", mode="eval").body)
    return sum(enabled(state) for state in graph.successors)


def where_not(graph: Graph, expression: ast.expr) -> list[State]:
    """The states where a resolved expression is false."""
    holds = function(graph.machine, expression)
    return [state for state in graph.successors if not holds(state)]


# -- the same states --------------------------------------------------------------------------


@needs_spin
@pytest.mark.parametrize("scope", SCOPES)
def test_spin_finds_what_we_find(scope: str, tmp_path: Path) -> None:
    """The same states, the same steps, the same laws that are violated, and no field out of range.

    A transition is the way into the initial state, an enabled step, or an invariant that fails.
    """
    graph = graph_of(scope)
    machine = graph.machine
    always = {**ranges(machine), **invariants(machine, PROPERTIES)}
    found = spin(to_promela(machine, always, preconditions(machine, PROPERTIES)), tmp_path)
    assert found.states == graph.nodes
    failures = [always[check] for check in found.failed if check in always]
    failing = sum(len(where_not(graph, expression)) for expression in failures)
    assert found.transitions == 1 + steps(graph) + failing
    violated = {law.id for law in ALWAYS if check_always(graph, law).outcome == "violated"}
    assert {law_of(check) for check in found.failed} == violated


@needs_spin
def test_planted_violations(tmp_path: Path) -> None:
    """What is false somewhere is found by both, as often; what is true everywhere is not."""
    graph = graph_of(SMALL)
    resolve = Translator(FIELDS, graph.machine.bounds).resolve
    always = {
        "never done": resolve("response[0] != done"),
        "never two in flight": resolve("len(inbox) < 2"),
        "cut means cancelled": resolve("cut[0] == 0 or ending[0] == client_cancelled"),
        "done means begun": resolve("response[0] != done or begun == 1"),
    }
    before = {
        "done when complete": ("server.response.done[0]", resolve("ending[0] == completed")),
        "done when active": ("server.response.done[0]", resolve("response[0] == active")),
        "cancelled twice": ("client.response.cancel", resolve("argument == 1 or cancels == 1")),
    }
    found = spin(to_promela(graph.machine, always, before), tmp_path)
    wrong = {name: len(where_not(graph, holds)) for name, holds in always.items()}
    wrong |= {name: violations(graph, *law) for name, law in before.items()}
    assert found.failed == tuple(sorted(name for name, count in wrong.items() if count))
    assert found.errors == sum(wrong.values())
    assert [name for name, count in wrong.items() if not count] == [
        "done means begun",
        "done when active",
    ]
    assert found.states == graph.nodes


def violations(graph: Graph, label: str, holds: ast.expr) -> int:
    """The number of steps of a rule that are taken where a law does not hold."""
    value = function(graph.machine, holds)
    return sum(
        not value(state, argument)
        for state, outgoing in graph.successors.items()
        for number, argument, _ in outgoing
        if graph.machine.rules[number].label == label
    )


@needs_spin
def test_the_same_values_occur(tmp_path: Path) -> None:
    """Each value of each field that some state holds is held by a state of SPIN, and no other."""
    graph = graph_of(SMALL)
    never = {}
    expected = set()
    for position, field in enumerate(graph.machine.fields):
        occurring = {state[position] for state in graph.successors}
        for value in range(field.top(graph.machine.bounds) + 1):
            name = f"{field.name} is never {value}"
            never[name] = parse(f"{variable(field.name)} != {value}")
            expected |= {name} if value in occurring else set()
    found = spin(to_promela(graph.machine, never), tmp_path)
    assert set(found.failed) == expected
    assert 50 < len(expected) < len(never)


# -- the same meaning -------------------------------------------------------------------------


def rule(id: str, when: str, then: Mapping[str, str], **more: Any) -> Rule:
    """A rule with what matters here."""
    actor: Any = id.partition(".")[0]
    return Rule(
        id=id, actor=actor, event=more.pop("event", id), why="", source="", confidence="inferred",
        when=when, then=dict(then), **more,
    )  # fmt: skip


GRID = [rule(f"user.{name}", f"{name} < 5", {name: f"{name} + 1"}) for name in "xy"]
XY = [Field(name, "a number", limit="5") for name in "xy"]

MEANINGS = (
    "x + y", "x - y", "x * y - 7", "(x - y) // 2", "(x - y) % 3", "x // 3 + x % 3", "min(x, y, 3)",
    "max(x, y, 3)", "x if y else x + 1", "x == y", "x != y", "1 < x <= y", "x > y >= 1",
    "x in (1, y)", "x not in (1, y)", "not x", "not not x", "x == 1 or y == 1 and x == 2",
    "(x == 1 or y == 1) and x == 2", "x - (y - 1)", "(x == 1) + (y == 1) + (x < y < 4)",
    "(x if x > 2 else y) if y > 1 else x * 2", "3 - (x < 2 or y < 2)", "len(inbox)",
)  # fmt: skip


@needs_spin
def test_expressions_mean_the_same(tmp_path: Path) -> None:
    """Every form of the language has the value in SPIN that it has in Python, in each of 36 states.

    An invariant lists each value together with its state, so that only that one will do.
    """
    graph = enumerate_graph(Machine({}, GRID, XY))
    checks = {}
    for text in MEANINGS:
        coded = parse(f"100 * ({text}) + 10 * x + y")
        codes = [function(graph.machine, coded)(state) for state in graph.successors]
        checks[text] = one_of(coded, codes)
    checks["wrong in one state"] = one_of(coded, [*codes[:-1], codes[-1] + 100])
    found = spin(to_promela(graph.machine, checks), tmp_path)
    assert found.states == graph.nodes == 36
    assert (found.failed, found.errors) == (("wrong in one state",), 1)


def one_of(expression: ast.expr, values: Sequence[int]) -> ast.expr:
    """The expression has one of the values."""
    members: list[ast.expr] = [ast.Constant(value) for value in values]
    return ast.Compare(expression, [ast.In()], [ast.Tuple(members, ast.Load())])


POST = (
    rule("client.posts", "sent < 3", {"sent": "sent + 1"}, over={"d": "DESKS"}, address="d",
         sends=True, argument_limit="2", event="post", within="d < 2 or argument == 1"),
    rule("client.calls", "called == 0", {"called": "1"}, sends=True, event="call"),
    rule("server.files", "True", {"last": "argument", "before": "last", "desk": "d"},
         reads="post", over={"d": "DESKS"}, address="d"),
    rule("server.answers", "last > 0 or before > 0", {"last": "before", "before": "last"},
         reads="call"),
    rule("network.loses", "lost == 0 and len(inbox) > 1", {"lost": "len(inbox) - 1"}, clears=True),
    rule("user.looks", "desk > 0", {"desk": "max(desk, 1)"}),
)  # fmt: skip
DESKS = (
    Field("sent", "messages sent", limit="3"),
    Field("called", "a call was made", limit="1"),
    Field("last", "argument of the last message", limit="2"),
    Field("before", "that of the one before, which only an answer reads", limit="2"),
    Field("desk", "who had it", limit="DESKS"),
    Field("lost", "messages lost but one", limit="4"),
)
"""Everything that the inbox can do, in a machine that SPIN's compiler is soon done with."""


@cache
def post() -> Graph:
    """The graph of the post office."""
    return enumerate_graph(Machine({"DESKS": 3}, POST, DESKS))


@needs_spin
def test_the_inbox(tmp_path: Path) -> None:
    """Messages with slots and arguments are written, read and lost as in the graph."""
    found = spin(to_promela(post().machine, ranges(post().machine), capacity=5), tmp_path)
    assert (found.states, found.transitions) == (post().nodes, 1 + steps(post()))
    assert found.failed == ()
    assert steps(post()) > post().edges > post().nodes > 1_000


@needs_spin
def test_an_inbox_that_is_too_small(tmp_path: Path) -> None:
    """What does not fit is a check that fails, not a message less."""
    for capacity, failed in ((5, ()), (4, (ROOM,))):
        found = spin(to_promela(post().machine, capacity=capacity), tmp_path)
        assert found.failed == failed
    assert max(len(inbox) for *_, inbox in post().successors if isinstance(inbox, tuple)) == 4


@needs_spin
def test_what_nothing_reads_is_a_part_of_the_state(tmp_path: Path) -> None:
    """SPIN does not leave out a field that no guard looks at."""
    coin = [rule(f"user.throws.{n}", "n < 2", {"n": "n + 1", "coin": str(n)}) for n in range(3)]
    fields = [Field("n", "throws", limit="2"), Field("coin", "the last", limit="2")]
    graph = enumerate_graph(Machine({}, coin, fields))
    assert spin(to_promela(graph.machine), tmp_path).states == graph.nodes == 7


# -- faults -----------------------------------------------------------------------------------


def faulty(machine: Machine, label: str, change: Callable[[Resolved], Resolved | None]) -> Machine:
    """The machine with a rule changed, or left out, in what is exported of it."""
    assert label in [resolved.rule.label for resolved in machine.resolved]
    planted = copy.copy(machine)
    changed = [
        change(resolved) if resolved.rule.label == label else resolved
        for resolved in machine.resolved
    ]
    planted.resolved = tuple(resolved for resolved in changed if resolved is not None)
    return planted


def weaker(resolved: Resolved) -> Resolved:
    """Without the last part of what the step needs."""
    assert isinstance(resolved.own, ast.BoolOp)
    return attrs.evolve(resolved, own=ast.BoolOp(resolved.own.op, resolved.own.values[:-1]))


def without_last_effect(resolved: Resolved) -> Resolved:
    """With one effect less."""
    return attrs.evolve(resolved, then=dict(list(resolved.then.items())[:-1]))


FAULTS: dict[str, tuple[str, Callable[[Resolved], Resolved | None]]] = {
    "a guard weakened": ("server.response.done[0]", weaker),
    "an effect dropped": ("server.response.content_part.added[0]", without_last_effect),
    "a step missing": ("server.response.content_part.done[0]", lambda _: None),
    "a slot off": ("client.response.cancel", lambda r: attrs.evolve(r, address=9)),
}


@needs_spin
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_rule_moves_the_count(fault: str, tmp_path: Path) -> None:
    """One rule that is exported as it is not: SPIN finds another number of states."""
    graph = graph_of(SMALL)
    planted = faulty(graph.machine, *FAULTS[fault])
    assert spin(to_promela(planted), tmp_path).states != graph.nodes


TEXT_FAULTS = {
    "an argument off": ("put(m_post, 1, 2)", "put(m_post, 1, 1)"),
    "an argument of the guard off": ("2 == 1", "1 == 1"),
    "a cell not moved": ("  inbox_slot[0] = inbox_slot[1];\n", ""),
    "a cell not cleared": ("  inbox_argument[2] = 0;\n", ""),
    "a message not taken": ("f_desk = 1; take()", "f_desk = 1"),
    "a new value read": ("f_before = new_0", "f_before = f_last"),
    "a call for a post": ("#define m_call 1", "#define m_call 2"),
    "a step between": ("d_step { /* server.answers */", "{ /* server.answers */"),
}


@needs_spin
@pytest.mark.parametrize("fault", TEXT_FAULTS)
def test_a_fault_in_the_text_moves_the_count(fault: str, tmp_path: Path) -> None:
    """One thing in the model written otherwise: SPIN finds another number of states."""
    right, wrong = TEXT_FAULTS[fault]
    source = to_promela(post().machine)
    assert right in source
    assert spin(source.replace(right, wrong), tmp_path).states != post().nodes


# -- what can go wrong ------------------------------------------------------------------------


def test_spin_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SPIN, or without a compiler, the error says which is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpinNotFound, match="expected spin on the path"):
        run_spin("", tmp_path)
    (tmp_path / "spin").write_text("#!/bin/sh\n")
    (tmp_path / "spin").chmod(0o755)
    with pytest.raises(SpinNotFound, match="expected gcc or cc or clang on the path"):
        run_spin("", tmp_path)


@needs_spin
def test_what_is_no_model(tmp_path: Path) -> None:
    """What SPIN says about it is in the error."""
    with pytest.raises(SpinFailed, match=r"spin ended with 1:\n.*syntax error"):
        run_spin("byte byte;", tmp_path)


@needs_spin
def test_a_search_that_is_cut_off(tmp_path: Path) -> None:
    """No count is given of a search that did not see everything."""
    source = to_promela(Machine({}, GRID, XY))
    assert run_spin(source, tmp_path, optimise="-O0", depth=11).states == 36
    with pytest.raises(SpinFailed, match="expected a complete search"):
        run_spin(source, tmp_path, optimise="-O0", depth=9)
    with pytest.raises(SpinFailed, match="took more than 0 s"):
        run_spin(source, tmp_path, seconds=0)


REPORT = """pan:1: assertion violated holds_1 (at depth 4)
pan:2: assertion violated holds_0 (at depth 2)
pan:9: assertion violated holds_1 (at depth 1)
State-vector 20 byte, depth reached 8, errors: 11
        9 states, stored
       11 states, matched
       20 transitions (= stored+matched)
"""
CHECKED = "hidden byte holds_0 = 0; /* first */\nhidden byte holds_1 = 0; /* a, b: 3 */\n"


def test_reports() -> None:
    """Counts, and the names of the checks that failed, each once."""
    assert read_report(REPORT, CHECKED, 0.5) == SpinResult(
        states=9, transitions=20, errors=11, failed=("a, b: 3", "first"), seconds=0.5
    )
    for bad in ("", "Warning: Search not completed\n" + REPORT):
        with pytest.raises(SpinFailed, match="expected a complete search, got"):
            read_report(bad, CHECKED)
    with pytest.raises(SpinFailed, match="expected only checks to fail, got 'invalid array index'"):
        read_report("pan:1: invalid array index (at depth 3)\n" + REPORT, CHECKED)
