"""The composition: what a state enables, where a step leads, and what a machine is made of."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from functools import cache
from types import CodeType

import attrs
import pytest

from realtime_protocol.bounds import QUICK, audio_reply
from realtime_protocol.expressions import Translator
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine, Step, StepNotEnabled
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import State

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1}
ONE_EACH = {"CANCELS": 1, "TRUNCATES": 1, "DELETES": 1}

EXTRA = Rule(
    id="app.sighs",
    actor="app",
    event="sigh",
    why="A rule that only this test knows.",
    source="this test",
    confidence="inferred",
    when="turns == 0 and connection == ready",
    then={"turns": "1"},
)


@cache
def small() -> Graph:
    """Every state of a small scope, with every kind of message in it."""
    return enumerate_graph(Machine(audio_reply(**TINY, **ONE_EACH).bounds))


def all_steps(machine: Machine, state: State) -> list[Step]:
    """Everything that anybody can do, the forbidden steps of the client included."""
    return [Step(number) for number in machine.environment(state)] + machine.client(state)


@cache
def within(text: str, bounds: tuple[tuple[str, int], ...]) -> CodeType:
    """The condition on steps that the graph holds, compiled apart from the machine."""
    return compile(Translator(FIELDS, dict(bounds)).python(text), text, "eval")


def held(machine: Machine, state: State, step: Step) -> bool:
    """Whether a client step is among those of a correct, prompt client."""
    values = dict(zip([field.name for field in machine.fields], state, strict=False))
    values.update(argument=step.argument, inbox=state[-1])
    code = within(machine.rules[step.rule].within, tuple(machine.bounds.items()))
    return machine.permitted(state, step) and bool(eval(code, {}, values))


def walk(machine: Machine, seed: int, length: int = 60) -> list[tuple[Step, State]]:
    """A random walk; the same seed, the same walk."""
    chance = random.Random(seed)
    state, taken = machine.initial, []
    for _ in range(length):
        steps = all_steps(machine, state)
        if not steps:
            break
        step = chance.choice(steps)
        state = machine.after(state, step)
        taken.append((step, state))
    return taken


def test_the_initial_state() -> None:
    """It holds the initial value of every field, in their order, and an empty inbox."""
    machine = small().machine
    assert machine.initial == (*(field.initial for field in FIELDS), ())
    assert machine.show(machine.initial)["connection"] == "closed"
    assert machine.show(machine.initial)["inbox"] == []


def test_a_step_that_is_not_enabled_raises_and_changes_nothing() -> None:
    """Every step is listed or refused; a refusal names the rule, the state and the choices."""
    machine = small().machine
    for state in list(small().successors)[::50]:
        listed = all_steps(machine, state)
        expected = [machine.rules[step.rule].id for step in listed]
        before = hash(state)
        for number, rule in enumerate(machine.rules):
            if Step(number) in listed:
                machine.after(state, Step(number))
                continue
            with pytest.raises(StepNotEnabled) as raised:
                machine.after(state, Step(number))
            text = str(raised.value)
            assert text.startswith(f"{rule.id} is not enabled in ")
            assert str(machine.show(state)) in text
            assert text.endswith(f"enabled: {expected}")
        assert hash(state) == before


def test_an_argument_out_of_range_is_not_enabled() -> None:
    """A step whose argument the machine would never list raises like any other."""
    machine = small().machine
    number = machine.index["client.session.update"]
    state = next(s for s in small().successors if Step(number) in machine.client(s))
    with pytest.raises(StepNotEnabled):
        machine.after(state, Step(number, 7))


def test_a_message_in_the_wrong_place_is_not_read() -> None:
    """Only the head of the inbox can be read; what stands behind it waits."""
    machine = Machine(audio_reply(**TINY, **{**ONE_EACH, "DELETES": 2}).bounds)
    cancel, delete = ("response.cancel", 0), ("conversation.item.delete", 0)
    base = next(
        state
        for state in small().successors
        if machine.show(state)["item"] == "present"
        and machine.show(state)["response"] == "none"
        and machine.show(state)["inbox"] == []
    )
    state: State = (*base[:-1], (cancel, delete))
    readable = [machine.rules[n].reads for n in machine.environment(state)]
    assert "response.cancel" in readable
    assert "conversation.item.delete" not in readable
    with pytest.raises(StepNotEnabled):
        machine.after(state, Step(machine.index["server.conversation.item.deleted"]))
    turned: State = (*base[:-1], (delete, cancel))
    after = machine.after(turned, Step(machine.index["server.conversation.item.deleted"]))
    assert after[-1] == (cancel,)


def test_successors_are_the_steps_of_a_correct_run() -> None:
    """The fast expansion agrees with the single questions, on every state of a small graph."""
    machine = small().machine
    for state, outgoing in small().successors.items():
        steps = [Step(number) for number in machine.environment(state)]
        steps += [step for step in machine.client(state) if held(machine, state, step)]
        expected = [(s.rule, s.argument, machine.after(state, s)) for s in sorted(steps)]
        assert outgoing == [step for step in expected if step[2] != state], machine.show(state)


def test_every_answer_is_in_the_order_of_the_rules() -> None:
    """Steps are listed by rule and then by argument, each once, and the client has its own."""
    machine = small().machine
    for state in list(small().successors)[::10]:
        environment, client = machine.environment(state), machine.client(state)
        assert environment == sorted(set(environment))
        assert client == sorted(set(client))
        assert not any(machine.rules[number].is_client for number in environment)
        assert all(machine.rules[step.rule].is_client for step in client)
        undisturbed = [number for number in environment if not machine.rules[number].disturbs]
        assert machine.progress(state) == undisturbed


def test_a_message_is_matched_to_the_step_that_sends_it() -> None:
    """An observed act finds the client step that is possible, and nothing where none is."""
    machine = small().machine
    names = {rule.event for rule in RULES if rule.is_client}
    top = machine.bounds["AUDIO"] + 1
    for state in list(small().successors)[::25]:
        listed = machine.client(state)
        for event in sorted(names):
            for argument in range(top + 2):
                found = machine.match(state, event, argument)
                possible = [
                    step
                    for step in listed
                    if machine.rules[step.rule].event == event and step.argument == argument
                ]
                assert [found] == (possible or [None])
    assert machine.match(machine.initial, "open", 0) is None


def test_a_message_goes_to_the_end_of_the_inbox() -> None:
    """Sending appends event and argument; whatever was there stays in front of it."""
    machine = Machine(audio_reply(**TINY, **ONE_EACH).bounds)
    sent = 0
    for seed in range(40):
        state = machine.initial
        for step, after in walk(machine, seed):
            rule, before = machine.rules[step.rule], state[-1]
            assert isinstance(before, tuple)
            if rule.sends:
                assert after[-1] == (*before, (rule.event, step.argument))
                sent += 1
            else:
                assert after[-1] == (before[1:] if rule.reads else before)
            state = after
    assert sent > 40


def test_only_what_an_effect_names_changes() -> None:
    """A field that `then` does not name keeps its value."""
    machine = small().machine
    for state, outgoing in list(small().successors.items())[::5]:
        for number, _, target in outgoing:
            named = set(machine.rules[number].then)
            changed = {name for name, at in machine.at.items() if state[at] != target[at]}
            assert changed <= named, machine.rules[number].id


def test_two_machines_of_the_same_rules_are_the_same() -> None:
    """Source, digest and walks repeat, and a machine keeps nothing of the walks it took."""
    bounds = audio_reply(**TINY, **ONE_EACH).bounds
    one, two = Machine(bounds), Machine(bounds)
    assert one.source() == two.source()
    assert one.digest == two.digest
    for seed in range(10):
        assert walk(one, seed) == walk(two, seed) == walk(one, seed)


def test_the_digest_is_the_same_in_another_process() -> None:
    """The digest does not depend on the hash seed or on the order in which bounds were given."""
    bounds = dict(reversed(list(audio_reply().bounds.items())))
    code = (
        "from realtime_protocol.bounds import QUICK, audio_reply\n"
        "from realtime_protocol.machine import Machine\n"
        "print(Machine(audio_reply().bounds).digest)"
    )
    path = ":".join(sys.path)
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == Machine(bounds).digest


def test_the_digest_is_six_digits_of_all_that_a_machine_is_made_of() -> None:
    """It is computed here once more, from rules, fields and bounds."""
    machine = small().machine
    parts = [
        [attrs.asdict(rule) for rule in machine.rules],
        [attrs.asdict(field) for field in machine.fields],
        sorted(machine.bounds.items()),
    ]
    data = json.dumps(parts, sort_keys=True).encode()
    assert machine.digest == hashlib.sha256(data).hexdigest()[:6]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("id", "network.opens"),
        ("actor", "clock"),
        ("event", "opens"),
        ("why", "Another reason."),
        ("source", "another source"),
        ("confidence", "inferred"),
        ("when", "connection != open"),
        ("then", {"connection": "ready"}),
        ("reads", "session.update"),
        ("sends", True),
        ("argument_limit", "1"),
        ("permitted", "False"),
        ("within", "False"),
        ("error", "truncate_too_long"),
        ("disturbs", "clock"),
    ],
)
def test_the_digest_changes_with_any_part_of_a_rule(part: str, value: object) -> None:
    """No part of a rule can be edited without a new digest."""
    bounds = audio_reply().bounds
    first, *rest = RULES
    changed = Machine(bounds, (attrs.evolve(first, **{part: value}), *rest))
    assert changed.digest != Machine(bounds).digest


def test_every_part_of_a_rule_is_tried() -> None:
    """The test above names every attribute of a rule."""
    marks = test_the_digest_changes_with_any_part_of_a_rule.pytestmark  # type: ignore[attr-defined]
    tried = {row[0] for row in marks[0].args[1]}
    assert tried == {attribute.name for attribute in attrs.fields(Rule)}


def test_the_digest_changes_with_bounds_fields_and_the_order_of_rules() -> None:
    """Every bound, any field and the order of the rules are part of what an id refers to."""
    bounds = dict(audio_reply().bounds)
    digests = [Machine(bounds).digest, Machine(bounds, RULES[::-1]).digest]
    digests += [Machine({**bounds, name: value + 1}).digest for name, value in bounds.items()]
    changed = attrs.evolve(FIELDS[0], meaning="something else")
    digests.append(Machine(bounds, RULES, (changed, *FIELDS[1:])).digest)
    assert len(set(digests)) == len(digests)


def test_a_new_rule_is_taken_up_without_another_edit() -> None:
    """A rule in the tuple is among the environment's steps and in the graph, behind the others."""
    bounds = audio_reply(**TINY, **ONE_EACH).bounds
    plain, more = Machine(bounds), Machine(bounds, (*RULES, EXTRA))
    number = more.index["app.sighs"]
    assert number == len(RULES)
    enabled_in = 0
    beginning = [state for state in small().successors if state[plain.at["turns"]] == 0]
    for state in [*beginning, *list(small().successors)[::20]]:
        shown = more.show(state)
        enabled = shown["turns"] == 0 and shown["connection"] == "ready"
        enabled_in += enabled
        assert more.environment(state) == plain.environment(state) + [number] * enabled
        added = [step for step in more.successors(state) if step not in plain.successors(state)]
        if enabled:
            target = more.after(state, Step(number))
            assert added == [(number, 0, target)]
            assert more.show(target) == {**shown, "turns": 1}
        else:
            assert added == []
    assert enabled_in > 0


def test_a_new_client_rule_is_observed_and_not_chosen() -> None:
    """A client rule in the tuple is matched, listed for the client, and never chosen."""
    bounds = audio_reply(**TINY).bounds
    rule = attrs.evolve(EXTRA, id="client.sigh", actor="client", permitted="turns > 0")
    machine = Machine(bounds, (*RULES, rule))
    state = machine.initial
    for name in ("network.open", "server.session.created"):
        state = machine.after(state, Step(machine.index[name]))
    step = Step(machine.index["client.sigh"])
    assert machine.match(state, "sigh", 0) == step
    assert step in machine.client(state)
    assert step.rule not in machine.environment(state)
    assert not machine.permitted(state, step)
    assert step.rule not in [number for number, _, _ in machine.successors(state)]


def test_a_bound_is_part_of_the_rules() -> None:
    """A bound that a guard names is compiled in: the same state enables more under a larger one."""
    tight, loose = Machine(audio_reply(**TINY).bounds), Machine(audio_reply().bounds)
    name = "server.response.output_audio.delta"
    assert tight.index[name] == loose.index[name]
    values = {"response": 2, "output": 3, "audio": 1, "transcript": 1}
    state = tuple(
        values.get(field.name, value) for field, value in zip(FIELDS, loose.initial, strict=False)
    )
    state = (*state, ())
    assert loose.index[name] in loose.environment(state)
    assert tight.index[name] not in tight.environment(state)


def test_scopes_refuse_unknown_and_small_bounds() -> None:
    """A bound that no rule names, or that is below its minimum, raises and says what was wrong."""
    for scope in (audio_reply(), audio_reply(**TINY), *QUICK.scopes.values()):
        assert scope.bounds["LENGTH"] == scope.bounds["DELTA"] * scope.bounds["AUDIO"]
    with pytest.raises(ValueError, match="'AUDIOS'; expected one of TRANSCRIPTS, AUDIO"):
        audio_reply(AUDIOS=1)
    with pytest.raises(ValueError, match="AUDIO must be at least 1, got 0"):
        audio_reply(AUDIO=0)


def test_no_bound_is_negative() -> None:
    """Fewer than none of anything makes no sense, and raises."""
    with pytest.raises(ValueError, match="INTERRUPTIONS must be at least 0, got -1"):
        audio_reply(INTERRUPTIONS=-1)
