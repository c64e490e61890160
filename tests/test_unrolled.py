"""Unrolling: what is left of the rules under bounds, and that it says what the rules say.

The second is checked against `Plain`, which reads rules one by one and leaves nothing out: no
analysis, no folding of fields that never change, no compiled form.
"""

from __future__ import annotations

import ast
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import CodeType
from typing import Any, cast

import attrs
import pytest

from realtime_protocol.adoption import Adoption
from realtime_protocol.bounds import SCOPES
from realtime_protocol.expressions import CALLS, ExpressionError, Translator, variable
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rule import Actor, Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import NOTHING, Field, Message, State
from realtime_protocol.unrolled import Resolved, Unrolled, places, resolve_all

BOUNDS = {"ROOMS": 3, "ROWS": 2, "NONE": 0, "MOST": 4, "OFF": 0, "ON": 1}
"""The bounds of the small machines here."""

TOYS = (
    Field("a", "a counter", limit="MOST"),
    Field("b", "another counter", limit="MOST"),
    Field("door", "a door", ("shut", "open", "broken")),
    Field("light", "a light", ("off", "on", "dim"), over=("ROOMS",)),
    Field("seat", "a seat", limit="MOST", over=("ROOMS", "ROWS")),
)


def rule(id: str, when: str = "True", **parts: Any) -> Rule:
    """A rule of a small machine; its actor is the first word of its id."""
    return Rule(
        **{
            "id": id, "actor": id.partition(".")[0], "event": id, "why": "", "source": "",
            "confidence": "inferred", "when": when, **parts,
        }
    )  # fmt: skip


def resolved(*rules: Rule) -> Unrolled:
    """Those rules over the fields above."""
    return resolve_all(rules, TOYS, BOUNDS)


def labels(*rules: Rule) -> list[str]:
    """What is left of those rules, by label."""
    return [found.rule.label for found in resolved(*rules).rules]


def effects(one: Resolved) -> dict[str, str]:
    """The effect of a resolved rule, written out."""
    return {name: ast.unparse(value) for name, value in one.then.items()}


COUNTS = rule("server.counts", "a < MOST", then={"a": "a + 1"})
"""Makes `a` take every value of its range."""


# -- what is dropped --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "over"),
    [
        ("OFF == 1", {}),
        ("OFF == 1 and light[7] == on", {}),
        ("a > 0 and OFF == 1", {}),
        ("True", {"n": "NONE"}),
        ("q > 5", {"q": "ROOMS"}),
        ("a > MOST", {}),
        ("b > 0", {}),
        ("door == open", {}),
        ("light[0] == on or door == broken", {}),
        ("any(light[q] == dim for q in ROOMS)", {}),
        ("any(light[q] == off for q in NONE)", {}),
        ("a > 2 and a < b", {}),
    ],
)
def test_what_can_never_happen_is_dropped(when: str, over: dict[str, str]) -> None:
    """Switched off by a bound, over no slots, or waiting for a value that nothing assigns."""
    dead = rule("user.never", when, over=over)
    assert labels(COUNTS, dead) == ["server.counts"]
    assert labels(COUNTS, attrs.evolve(dead, when="True", over={})) != ["server.counts"]


def test_what_only_a_dropped_rule_leads_to_is_dropped() -> None:
    """Dead ends are followed to their end: a chain is gone with its first link."""
    chain = [
        rule("user.opens", "OFF == 1", then={"door": "open"}),
        rule("user.breaks", "door == open", then={"door": "broken"}),
        rule("user.counts", "door == broken", then={"b": "1"}),
        rule("user.rests", "b == 1", then={"a": "0"}),
    ]
    assert labels(COUNTS, *chain) == ["server.counts"]
    chain[0] = attrs.evolve(chain[0], when="ON == 1")
    assert len(labels(COUNTS, *chain)) == 5
    # the order in which rules stand says nothing about which may happen
    assert sorted(labels(*chain[::-1], COUNTS)) == sorted(labels(COUNTS, *chain))


def test_a_cycle_of_rules_that_wait_for_each_other_is_dropped() -> None:
    """Two rules that each need what the other does never begin."""
    one = rule("user.one", "b == 1", then={"door": "open"})
    two = rule("user.two", "door == open", then={"b": "1"})
    assert labels(COUNTS, one, two) == ["server.counts"]
    assert len(labels(COUNTS, one, two, rule("app.begins", then={"b": "1"}))) == 4


def test_a_message_that_nobody_sends_is_never_read() -> None:
    """A rule that reads is left only if a rule that may happen sends what it reads."""
    reads = rule("server.reads", reads="client.sends", then={"b": "1"})
    other = rule("server.reads.other", reads="client.other")
    sends = rule("client.sends", "a == 0", sends=True)
    assert labels(COUNTS, reads) == ["server.counts"]
    assert labels(COUNTS, reads, other, sends) == ["server.counts", "server.reads", "client.sends"]
    never = attrs.evolve(sends, when="door == open")
    assert labels(COUNTS, reads, never) == ["server.counts"]
    acts = attrs.evolve(sends, sends=False)
    assert labels(COUNTS, reads, acts) == ["server.counts", "client.sends"]


def test_a_message_to_another_slot_is_never_read() -> None:
    """A message names a slot; what reads another slot's has nothing to read."""
    reads = rule("server.reads", reads="client.sends", over={"q": "ROOMS"}, address="q")
    sends = rule("client.sends", sends=True, address="1")
    anyone = attrs.evolve(reads, id="server.any", over={}, address="")
    assert labels(reads, sends, anyone) == ["server.reads[1]", "client.sends", "server.any"]
    without = attrs.evolve(sends, address="")
    assert labels(reads, without) == ["server.reads[0]", "client.sends"]


def test_what_a_reader_does_counts_too() -> None:
    """A value that only the reader of a message assigns is known to be possible."""
    rules = [
        rule("user.enters", "door == open", then={"b": "1"}),
        rule("server.opens", reads="client.knocks", then={"door": "open"}),
        rule("client.knocks", sends=True),
    ]
    assert labels(*rules) == ["user.enters", "server.opens", "client.knocks"]
    assert labels(*rules[:2]) == []


@pytest.mark.parametrize(
    ("permitted", "within"), [("True", "False"), ("False", "True"), ("OFF == 1", "a > 0")]
)
def test_a_forbidden_step_is_not_dropped(permitted: str, within: str) -> None:
    """What a client must not do, it can do: the step is possible, and the graph is without it."""
    step = rule("client.errs", "a > 0", permitted=permitted, within=within, then={"b": "1"})
    found = resolved(COUNTS, step).rules[1]
    assert found.rule.label == "client.errs"
    assert ast.unparse(found.own) == "a > 0"
    assert ast.unparse(found.held) == "False"
    # what it assigns is a value that states can hold
    assert labels(COUNTS, step, rule("user.sees", "b == 1"))[-1] == "user.sees"


def test_a_guard_that_is_a_number_holds_unless_it_is_zero() -> None:
    """The compiled forms take a number as a truth, and so must the analysis."""
    two = attrs.evolve(TOYS[0], initial=2)
    step = rule("user.goes", "a", then={"b": "1"})
    found = resolve_all([step], (two, *TOYS[1:]), BOUNDS)
    assert [one.rule.label for one in found.rules] == ["user.goes"]


# -- what never changes -----------------------------------------------------------------------


def test_a_field_that_never_changes_is_left_out() -> None:
    """It is no part of the state; its value is on record, by the name that is shown."""
    found = resolved(COUNTS, rule("user.lights", over={"q": "ROWS"}, then={"light[q]": "on"}))
    assert [field.name for field in found.fields] == ["a", "light[0]", "light[1]"]
    constants = dict(found.constants)
    assert constants.pop("light[2]") == 0
    assert constants == {
        "b": 0,
        "door": 0,
        **{f"seat[{q},{r}]": 0 for q in range(3) for r in (0, 1)},
    }


def test_an_effect_that_changes_nothing_is_left_out() -> None:
    """Assigning what is there already makes no field of it, and no effect."""
    same = rule("user.same", then={"b": "b", "door": "shut", "a": "a + OFF"})
    found = resolved(COUNTS, same)
    assert [field.name for field in found.fields] == ["a"]
    assert effects(found.rules[1]) == {"a": "a + 0"}
    # also where only what is known of another field shows it
    known = rule("user.known", then={"a": "a if door == shut else b", "b": "a"})
    assert effects(resolved(COUNTS, known).rules[1]) == {"b": "a"}
    assert effects(found.rules[0]) == {"a": "a + 1"}


def test_the_initial_value_counts() -> None:
    """A constant is what the field begins with, and a rule that waits for it stays."""
    ajar = attrs.evolve(TOYS[2], initial=1)
    found = resolve_all(
        [COUNTS, rule("user.enters", "door == open")], (*TOYS[:2], ajar, *TOYS[3:]), BOUNDS
    )
    assert found.constants["door"] == 1
    assert [one.rule.label for one in found.rules] == ["server.counts", "user.enters"]
    assert ast.unparse(found.rules[1].own) == "True"


def test_what_is_known_is_folded_into_guards_and_effects() -> None:
    """A field that never changes is a number in every expression, permission included."""
    step = rule(
        "client.acts", "door == shut and a > b", then={"a": "b + 1"},
        permitted="light[0] == off and a > 2", within="seat[0, 0] == 0",
    )  # fmt: skip
    found = resolved(COUNTS, step).rules[1]
    assert ast.unparse(found.own) == "a > 0"
    assert ast.unparse(found.permitted) == "a > 2"
    assert ast.unparse(found.held) == "a > 0 and a > 2"
    assert effects(found) == {"a": "1"}


# -- slots ------------------------------------------------------------------------------------


def test_slots_come_in_order() -> None:
    """Rules in their order, each unrolled in the order of its slots, the last fastest."""
    both = rule("user.sits", over={"q": "ROOMS", "r": "ROWS"}, then={"seat[q, r]": "1"})
    one = rule("user.lights", over={"q": "ROOMS"}, then={"light[q]": "on"})
    assert labels(one, both, COUNTS) == [
        "user.lights[0]", "user.lights[1]", "user.lights[2]",
        "user.sits[0,0]", "user.sits[0,1]", "user.sits[1,0]",
        "user.sits[1,1]", "user.sits[2,0]", "user.sits[2,1]", "server.counts",
    ]  # fmt: skip
    translator = Translator(TOYS, BOUNDS)
    assert list(places(both, translator)) == [
        {"q": q, "r": r} for q in range(3) for r in range(2)
    ]  # fmt: skip
    assert list(places(COUNTS, translator)) == [{}]
    assert [found.rule.at for found in resolved(one).rules] == [{"q": 0}, {"q": 1}, {"q": 2}]


def test_each_slot_has_an_effect_of_its_own() -> None:
    """The place of a target is computed, as in `seat[q // ROWS, q % ROWS]`."""
    step = rule("user.sits", over={"q": "ROOMS"}, then={"seat[q // ROWS, q % ROWS]": "q + 1"})
    assert [effects(found) for found in resolved(step).rules] == [
        {"seat[0,0]": "1"}, {"seat[0,1]": "2"}, {"seat[1,0]": "3"},
    ]  # fmt: skip


def test_an_address_and_a_limit_are_numbers() -> None:
    """Both are computed under the bounds and the slot; no address fits any."""
    step = rule(
        "client.sends", over={"q": "ROWS"}, sends=True, address="ROOMS + q",
        argument_limit="MOST - q",
    )  # fmt: skip
    found = resolved(step, rule("client.more", sends=True)).rules
    assert [(one.address, one.limit) for one in found] == [(3, 4), (4, 3), (None, 0)]
    assert found[1].inbox == "inbox + (('client.sends', 4, argument),)"
    assert found[2].inbox == "inbox + (('client.more', 0, argument),)"


# -- wildcard effects -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", ["1", "1", "1"]),
        ("dim if this == on else this", [f"2 if light_{n} == 1 else light_{n}" for n in range(3)]),
        ("on if i == 1 else this", [None, "1", None]),
        ("on if seat[i, 0] > a else off", [f"1 if seat_{n}_0 > a else 0" for n in range(3)]),
        ("this", [None, None, None]),
    ],
)
def test_an_effect_on_every_slot(text: str, expected: list[str | None]) -> None:
    """`light[*]` is one effect for each slot: `i` is the slot and `this` the old value."""
    others = [
        COUNTS,
        rule("user.lights", over={"q": "ROOMS"}, then={"light[q]": "max(light[q], a % 2)"}),
        rule("user.sits", over={"q": "ROOMS"}, then={"seat[q, 0]": "a"}),
    ]
    found = resolved(*others, rule("app.all", then={"light[*]": text})).rules[-1]
    assert effects(found) == {
        f"light[{n}]": one for n, one in enumerate(expected) if one is not None
    }


def test_this_is_a_word_of_its_own() -> None:
    """A name that only holds the letters is another name."""
    with pytest.raises(ExpressionError, match="'thistle'"):
        resolved(rule("app.all", then={"light[*]": "thistle"}))


@pytest.mark.parametrize("key", ["a[*]", "seat[*]", "nowhere[*]"])
def test_every_slot_of_what_has_no_slots(key: str) -> None:
    """A wildcard stands for one kind of slot; anything else raises and shows the key."""
    with pytest.raises(ExpressionError, match=re.escape(repr(key))):
        resolved(rule("app.all", then={key: "1"}))


@pytest.mark.parametrize(
    "broken",
    [
        {"when": "nowhere == 1"},
        {"when": "light[q] == on"},
        {"then": {"light[0]": "bright"}},
        {"permitted": "nowhere"},
        {"within": "door == wide"},
        {"argument_limit": "a", "sends": True},
        {"address": "b", "sends": True},
        {"over": {"q": "HALLS"}},
        {"over": {"q": "a"}},
    ],
)
def test_a_rule_that_says_nothing_sensible_raises(broken: dict[str, Any]) -> None:
    """Any part of a rule that does not resolve raises when it is unrolled, and not later."""
    with pytest.raises(ExpressionError):
        resolved(COUNTS, rule("client.errs", **broken))


@pytest.mark.parametrize(
    "key", ["light[q + 1]", "nowhere", "light", "light[0,1]", "ROOMS", "q", "a + 1", "inbox"]
)
def test_an_effect_on_a_field_that_does_not_exist_raises(key: str) -> None:
    """The target of an effect is checked like any other name, and shown."""
    step = rule("app.errs", over={"q": "ROOMS"}, then={key: "1"})
    with pytest.raises(ExpressionError, match=re.escape(key.partition("[")[0])):
        resolved(COUNTS, step)


# -- urgent steps -----------------------------------------------------------------------------

ACTORS: tuple[Actor, ...] = ("server", "client", "user", "app", "speaker", "network", "clock")


@pytest.mark.parametrize("actor", ACTORS)
def test_an_urgent_step_holds_back_the_server_only(actor: Actor) -> None:
    """While it is enabled no other server step is; everybody else goes on."""
    urgent = rule("server.at_once", "a == 1", urgent=True, then={"a": "2"})
    other = rule(f"{actor}.goes_on", "b == 0", then={"b": "1"})
    rules = [rule("user.begins", "a == 0", then={"a": "1"}), urgent, other]
    machine = Machine(BOUNDS, rules, TOYS)
    begun = next(target for n, _, target in machine.successors(machine.initial) if n == 0)
    enabled = [machine.rules[n].label for n, _, _ in machine.successors(begun)]
    waits = actor == "server"
    assert enabled == ["server.at_once", *([] if waits else [other.id])]
    done = next(target for n, _, target in machine.successors(begun) if n == 1)
    assert other.id in [machine.rules[n].label for n, _, _ in machine.successors(done)]
    held = machine.resolved[2].urgent
    assert [ast.unparse(guard) for guard in held] == (["a == 1"] if waits else [])
    assert machine.resolved[1].urgent == ()


def test_two_urgent_steps_do_not_hold_back_each_other() -> None:
    """Both are enabled; what is not urgent waits for both."""
    rules = [
        rule("server.one", "a == 0", urgent=True, then={"a": "1"}),
        rule("server.two", "b == 0", urgent=True, then={"b": "1"}),
        rule("server.last", then={"door": "open"}),
    ]
    machine = Machine(BOUNDS, rules, TOYS)
    assert machine.environment(machine.initial) == [0, 1]
    guard = ast.unparse(machine.resolved[2].guard)
    assert guard == "not a == 0 and (not b == 0)"


def test_an_urgent_step_may_read_a_message() -> None:
    """What holds the others back can be a message at the head of the inbox."""
    rules = [
        rule("client.asks", "a == 0", sends=True, then={"a": "1"}),
        rule("server.answers", reads="client.asks", urgent=True, then={"b": "1"}),
        rule("server.other", "door == shut", then={"door": "open"}),
    ]
    machine = Machine(BOUNDS, rules, TOYS)
    asked = machine.successors(machine.initial)[0][2]
    assert machine.environment(asked) == [1]
    assert not machine.enabled(asked, Step(2))


# -- what a step reads and writes -------------------------------------------------------------


def test_what_a_step_reads_and_writes() -> None:
    """Both are computed from guard and effect; the inbox is one of the variables."""
    rules = [
        COUNTS,
        rule("user.lights", over={"q": "ROOMS"}, then={"light[q]": "a % 2"}),
        rule("server.at_once", "b == 1 and light[2] == on", urgent=True, then={"b": "0"}),
        rule("client.sends", "a > 0", within="light[1] == off", sends=True, then={"b": "1"}),
        rule("server.reads", reads="client.sends", then={"a": "0"}),
        rule("network.clears", "len(inbox) > 1", clears=True),
        rule("user.waits", "b == 0"),
    ]
    found = {one.rule.label: one for one in resolved(*rules).rules}
    assert {name: (sorted(one.reads), sorted(one.writes)) for name, one in found.items()} == {
        # held back by the urgent step, so what that reads counts too
        "server.counts": (["a", "b", "light_2"], ["a"]),
        "user.lights[0]": (["a"], ["light_0"]),
        "user.lights[1]": (["a"], ["light_1"]),
        "user.lights[2]": (["a"], ["light_2"]),
        "server.at_once": (["b", "light_2"], ["b"]),
        "client.sends": (["a", "light_1"], ["b", "inbox"]),
        "server.reads": (["b", "event", "light_2"], ["a", "inbox"]),
        "network.clears": (["inbox"], ["inbox"]),
        "user.waits": (["b"], []),
    }
    assert [name for name, one in found.items() if one.stays] == ["user.waits"]


# -- against the rules themselves -------------------------------------------------------------

Full = dict[str, Any]
"""A state with every field, those that never change included, and the inbox."""

Told = tuple[str, int, Full]
"""A step: the label of its rule, its argument, and where it leads."""


@attrs.frozen
class PlainRule:
    """One rule in one slot, each part compiled as it is written."""

    rule: Rule
    when: CodeType
    permitted: CodeType
    within: CodeType
    then: tuple[tuple[str, CodeType], ...]
    limit: int
    address: int | None


class Plain:
    """The rules under bounds, read one by one and with nothing left out."""

    def __init__(self, bounds: Mapping[str, int], rules: Sequence[Rule] = RULES) -> None:
        self._bounds = bounds
        self._translator = Translator(FIELDS, bounds)
        self.fields = [slot for field in FIELDS for slot in field.unrolled(bounds)]
        self._rules = [found for rule in rules for found in self._unrolled(rule)]

    def _unrolled(self, rule: Rule) -> Iterator[PlainRule]:
        sizes = [range(self._translator.number(size)) for size in rule.over.values()]
        for numbers in itertools.product(*sizes):
            at = dict(zip(rule.over, numbers, strict=True))
            if self._translator.python(rule.when, "", at) == "False":
                continue  # the rest may name slots that do not exist
            yield PlainRule(
                rule=attrs.evolve(rule, at=at),
                when=self._code(rule.when, at),
                permitted=self._code(rule.permitted, at),
                within=self._code(rule.within, at),
                then=tuple(self._effects(rule, at)),
                limit=self._translator.number(rule.argument_limit, at),
                address=self._translator.number(rule.address, at) if rule.address else None,
            )

    def _code(self, text: str, at: Mapping[str, int], target: str = "") -> CodeType:
        return compile(self._translator.python(text, target, at), text, "eval")

    def _effects(self, rule: Rule, at: Mapping[str, int]) -> Iterator[tuple[str, CodeType]]:
        for key, text in rule.then.items():
            base, _, inside = key.rstrip("]").partition("[")
            if inside == "*":
                over = next(field for field in FIELDS if field.name == base).over[0]
                for number in range(self._bounds[over]):
                    one = re.sub(r"\bthis\b", f"{base}[{number}]", text)
                    yield f"{base}[{number}]", self._code(one, {**at, "i": number}, base)
            else:
                place = f"[{self._translator.number(inside, at)}]" if inside else ""
                yield base + place, self._code(text, at, base)

    def steps(self, full: Full) -> list[Told]:
        """Every step of a correct run, in the order of the rules; those to itself left out."""
        inbox = cast(tuple[Message, ...], full["inbox"])
        event, slot, argument = inbox[0] if inbox else NOTHING
        names = {**CALLS, **{variable(name): value for name, value in full.items()}}
        names |= {"slot": slot, "argument": argument}
        head = (event, slot)
        urgent = any(self._enabled(one, names, head) for one in self._rules if one.rule.urgent)
        found = []
        for one in self._rules:
            if one.rule.actor == "server" and urgent and not one.rule.urgent:
                continue
            for number in range(one.limit + 1) if one.rule.is_client else [argument]:
                seen = {**names, "argument": number} if one.rule.is_client else names
                if self._enabled(one, seen, head):
                    target = self._after(one, full, seen, number)
                    if target != full:
                        sent = number if one.rule.sends else 0
                        found.append((one.rule.label, sent, target))
        return found

    @staticmethod
    def _enabled(one: PlainRule, names: Full, head: tuple[str, int]) -> bool:
        if one.rule.reads and (one.rule.reads != head[0] or one.address not in (None, head[1])):
            return False
        return bool(
            eval(one.when, names)
            and (not one.rule.is_client or (eval(one.permitted, names) and eval(one.within, names)))
        )

    @staticmethod
    def _after(one: PlainRule, full: Full, names: Full, argument: int) -> Full:
        inbox = cast(tuple[Message, ...], full["inbox"])
        if one.rule.clears:
            inbox = ()
        elif one.rule.reads:
            inbox = inbox[1:]
        elif one.rule.sends:
            inbox = (*inbox, (one.rule.event, one.address or 0, argument))
        changed = {name: eval(code, names) for name, code in one.then}
        return {**full, **changed, "inbox": inbox}


def whole(machine: Machine, plain: Plain, state: State) -> Full:
    """A state with the fields that the machine leaves out."""
    values: Full = {field.name: machine.value(state, field.name) for field in plain.fields}
    return {**values, "inbox": state[-1]}


def lawless(rules: Sequence[Rule]) -> list[Rule]:
    """The rules with a client that does whatever is possible."""
    return [attrs.evolve(rule, permitted="True", within="True") for rule in rules]


def visited(machine: Machine, walks: int, length: int = 70) -> list[State]:
    """States of some random walks, each once; the walks prefer to go on than to disturb."""
    chance, found = random.Random(3), {machine.initial: None}
    for _ in range(walks):
        state = machine.initial
        for _ in range(length):
            steps = machine.successors(state)
            if not steps:
                break
            calm = [step for step in steps if not machine.rules[step[0]].disturbs]
            state = chance.choice(calm if calm and chance.random() < 0.7 else steps)[2]
            found[state] = None
    return list(found)


@cache
def both(scope: str, law: bool) -> tuple[Machine, Plain]:
    """The machine of a scope, and the same rules read one by one."""
    rules = RULES if law else lawless(RULES)
    return Machine(SCOPES[scope].bounds, rules), Plain(SCOPES[scope].bounds, rules)


def differences(machine: Machine, plain: Plain, states: Sequence[State]) -> list[object]:
    """Steps that only one of the two has, or that lead to different states; the first few."""
    found: list[object] = []
    for state in states:
        full = whole(machine, plain, state)
        told = plain.steps(full)
        mine = [
            (machine.rules[number].label, argument, whole(machine, plain, target))
            for number, argument, target in machine.successors(state)
        ]
        if mine != told:
            found += [one[:2] for one in told if one not in mine] or [machine.show(state)]
            found += [one[:2] for one in mine if one not in told]
    return found[:5]


@pytest.mark.parametrize(
    ("scope", "law"),
    [
        ("pause", True),
        ("tool-round", False),
        ("vad-turn", True),
        ("manual-turn", False),
        ("idle-timeout", True),
        ("race", False),
        ("updates", False),
        ("reconnection", False),
    ],
)
def test_what_is_left_says_what_the_rules_say(scope: str, law: bool) -> None:
    """On states of random walks the machine has the steps of the rules, all and in their order.

    So nothing that was dropped could have happened, nothing that was folded meant something else,
    and the fields that were left out are what they were said to be.
    """
    machine, plain = both(scope, law)
    states = visited(machine, 12)
    assert len(states) > 100
    assert differences(machine, plain, states) == []


@pytest.mark.parametrize(
    ("id", "change"),
    [
        ("server.session.created", {"then": {"connection": "ready", "speech": "speaking"}}),
        ("server.response.created.requested", {"when": "pending == 1"}),
        ("server.conversation.item.done.user", {"urgent": False}),
        ("client.response.create", {"within": "False"}),
        ("network.open", {"clears": True, "then": {"connection": "open", "turns": "1"}}),
    ],
)
def test_a_rule_that_says_something_else_is_noticed(id: str, change: dict[str, Any]) -> None:
    """A machine of rules of which one is changed does not agree with the rules."""
    machine, plain = both("vad-turn", True)
    changed = [attrs.evolve(rule, **change) if rule.id == id else rule for rule in RULES]
    other = Machine(machine.bounds, changed)
    adoption = Adoption(machine, other)
    states = [adoption.state(state) for state in visited(machine, 12)]
    assert differences(other, plain, states) != []
