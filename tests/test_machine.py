"""The composition: what a state enables, where a step leads, and what a machine is made of.

A machine has three compiled forms: of all that the environment can do, of all steps of a correct
run, and of each rule by itself. They are compared with each other on every state of small scopes;
that the rules themselves say the same is shown in `test_unrolled`.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from functools import cache
from types import CodeType
from typing import Any

import attrs
import pytest

from realtime_protocol.adoption import Adoption
from realtime_protocol.bounds import (
    MAXIMA,
    MINIMA,
    NOTHING_BUT_AUDIO,
    QUICK,
    SCOPES,
    Scope,
    audio_reply,
    scope,
)
from realtime_protocol.expressions import Translator, variable
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine, Step, StepNotEnabled
from realtime_protocol.rule import Rule
from realtime_protocol.rules import FIELDS, RULES
from realtime_protocol.state import Message, State

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1}
ONE_EACH = {"CANCELS": 1, "TRUNCATES": 1, "DELETES": 1}
TEXT = {
    **TINY, **ONE_EACH, "AUDIO_OUT": 0, "TEXT_OUT": 1, "TEXTS": 1, "SPEAKER": 0, "TICKS": 0,
}  # fmt: skip

SMALL: dict[str, Scope] = {
    "audio": audio_reply(**TINY, CANCELS=1, TRUNCATES=1, DELETES=1, TICKS=0, VAD=0),
    "text": scope("text", "", **TEXT, RATE_LIMITS=1, FAILURES=1, REFUSED=1, CANCEL_BY_ID=1),
    "call": scope("call", "", **{**TEXT, "TEXT_OUT": 0}, CALL_OUT=1, ARGUMENTS=1, RESPONSES=2,
                  MISSING=1, VAD=0),
    "mcp": scope("mcp", "", **{**TEXT, "TEXT_OUT": 0}, MCP_OUT=1, INTERRUPTIONS=0),
    "turn": scope("turn", "", **TEXT, USERS=2, TRACK_USERS=1, TRANSCRIPTION=1, EARLY_ASR=1, ASR=2,
                  DEAF=1),
    "manual": scope("manual", "", **TEXT, VAD=0, TRACK_BUFFER=1, COMMITS=1, TRACK_USERS=1,
                    INTERRUPTIONS=0),
    "updates": scope("updates", "", **TEXT, CREATES=1, PLACES=1, CONTEXTS=1, RETRIEVES=1,
                     REFUSED=1),
    "drop": scope("drop", "", **TEXT, SOCKETS=2, DROPS=1, ROTATIONS=1, EXPIRIES=1, TRACK_USERS=1),
}  # fmt: skip
"""A few thousand states each, and something of every part of the protocol."""

EVERY_SCOPE = pytest.mark.parametrize("name", SMALL)

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
def graph_of(name: str) -> Graph:
    """Every state of a small scope."""
    return enumerate_graph(Machine(SMALL[name].bounds), limit=60_000)


def small() -> Graph:
    """Every state of one audio reply, with every kind of message in it."""
    return graph_of("audio")


def inbox_of(state: State) -> tuple[Message, ...]:
    """The messages that the server has not read."""
    inbox = state[-1]
    assert isinstance(inbox, tuple)
    return inbox


def number_of(machine: Machine, rule_id: str, slot: int = 0) -> int:
    """The position of a rule in one of its slots."""
    return machine.numbers(rule_id)[slot]


def all_steps(machine: Machine, state: State) -> list[Step]:
    """Everything that anybody can do, the forbidden steps of the client included."""
    return [Step(number) for number in machine.environment(state)] + machine.client(state)


def slots_of(machine: Machine) -> list[str]:
    """The name of every field in every slot, those that never change included."""
    return [slot.name for field in FIELDS for slot in field.unrolled(machine.bounds)]


def permissions(machine: Machine) -> dict[int, CodeType]:
    """Which steps of each client rule the graph holds, compiled apart from the machine."""
    translator = Translator(FIELDS, machine.bounds)
    return {
        number: compile(translator.python(rule.within, "", rule.at), rule.label, "eval")
        for number, rule in enumerate(machine.rules)
        if rule.is_client
    }


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


# -- states and fields ------------------------------------------------------------------------


def test_the_initial_state() -> None:
    """It holds the initial value of every field that can change, in their order, and no message."""
    machine = small().machine
    assert machine.initial == (*(field.initial for field in machine.fields), ())
    live = [slot for slot in slots_of(machine) if slot not in machine.constants]
    assert [field.name for field in machine.fields] == live
    assert machine.at == {field.name: n for n, field in enumerate(machine.fields)}
    assert machine.show(machine.initial)["connection"] == "connecting"
    assert machine.show(machine.initial)["inbox"] == []


def test_the_value_of_any_field() -> None:
    """A field is found by its name, also one that never changes; any other name raises."""
    machine = small().machine
    assert "tool[0]" in machine.constants
    assert "audio[0]" in machine.at
    assert "clearing" in machine.constants
    known = set(slots_of(machine))
    assert {*machine.at, *machine.constants} == known
    assert not set(machine.at) & set(machine.constants)
    members = {field.name: field.values for field in machine.fields if field.values}
    for state in list(small().successors)[::200]:
        shown = machine.show(state)
        for name in known:
            found = machine.value(state, name)
            if name in machine.constants:
                assert name not in shown
                assert found == machine.constants[name]
            else:
                assert found == state[machine.at[name]]
                assert shown[name] in (found, *members.get(name, ("",) * 9)[found : found + 1])
    for name in ("audio", "audio[1]", "audio[-1]", "nowhere", "inbox"):
        assert not machine.knows(name)
        with pytest.raises(KeyError):
            machine.value(machine.initial, name)


def test_members_and_their_numbers() -> None:
    """The two are inverse, for a field with slots and one without."""
    machine = small().machine
    assert machine.member("response[0]", 1) == "active"
    assert machine.code("response[0]", "active") == 1
    for field in FIELDS:
        for slot in field.unrolled(machine.bounds):
            for number, member in enumerate(field.values):
                assert machine.member(slot.name, number) == member
                assert machine.code(slot.name, member) == number
    with pytest.raises(ValueError, match="in tuple"):
        machine.code("speech", "shouting")


def test_the_numbers_of_a_rule_are_its_slots() -> None:
    """Every rule that is left is found by its id, slot by slot; one that is off has none."""
    machine = graph_of("call").machine
    named = [number for rule in RULES for number in machine.numbers(rule.id)]
    assert named == list(range(len(machine.rules)))
    labels = [machine.rules[n].label for n in machine.numbers("server.response.done")]
    assert labels == ["server.response.done[0]", "server.response.done[1]"]
    assert machine.numbers("server.response.output_audio.delta") == []
    assert machine.numbers("server.nothing") == []


# -- steps ------------------------------------------------------------------------------------


def test_a_step_that_is_not_enabled_raises_and_changes_nothing() -> None:
    """Every step is listed or refused; a refusal names the rule, the state and the choices."""
    for name in ("audio", "turn", "updates"):
        machine = graph_of(name).machine
        for state in list(graph_of(name).successors)[::300]:
            listed = all_steps(machine, state)
            expected = [machine.rules[step.rule].label for step in listed]
            before = hash(state)
            for number, rule in enumerate(machine.rules):
                assert machine.enabled(state, Step(number)) == (Step(number) in listed)
                if Step(number) in listed:
                    machine.after(state, Step(number))
                    continue
                with pytest.raises(StepNotEnabled) as raised:
                    machine.after(state, Step(number))
                text = str(raised.value)
                assert text.startswith(f"{rule.label} is not enabled in ")
                assert str(machine.show(state)) in text
                assert text.endswith(f"enabled: {expected}")
            assert hash(state) == before


def test_an_argument_out_of_range_is_not_enabled() -> None:
    """A step whose argument the machine would never list raises like any other."""
    machine = small().machine
    number = number_of(machine, "client.session.update")
    state = next(s for s in small().successors if Step(number) in machine.client(s))
    for argument in (7, -1):
        assert not machine.enabled(state, Step(number, argument))
        with pytest.raises(StepNotEnabled):
            machine.after(state, Step(number, argument))


def test_an_argument_out_of_range_is_not_matched() -> None:
    """What is observed with an argument below 0 is explained by no step."""
    machine = small().machine
    number = number_of(machine, "client.session.update")
    state = next(s for s in small().successors if Step(number) in machine.client(s))
    assert machine.match(state, "session.update", 0, 7) is None
    assert machine.match(state, "session.update", 0, -1) is None


def test_a_message_in_the_wrong_place_is_not_read() -> None:
    """Only the head of the inbox can be read, in its slot; what stands behind it waits."""
    machine = Machine(audio_reply(**TINY, **{**ONE_EACH, "DELETES": 2}).bounds)
    cancel, delete = ("response.cancel", 0, 0), ("conversation.item.delete", 0, 0)
    done = {"item[0]": "present", "response[0]": "done", "inbox": []}
    found = next(
        state for state in small().successors if done.items() <= small().machine.show(state).items()
    )
    base = Adoption(small().machine, machine).state(found)
    deleted = Step(number_of(machine, "server.conversation.item.deleted"))
    state: State = (*base[:-1], (cancel, delete))
    readable = [machine.rules[n].reads for n in machine.environment(state)]
    assert "response.cancel" in readable
    assert "conversation.item.delete" not in readable
    with pytest.raises(StepNotEnabled):
        machine.after(state, deleted)
    turned: State = (*base[:-1], (delete, cancel))
    assert machine.after(turned, deleted)[-1] == (cancel,)
    elsewhere: State = (*base[:-1], (("conversation.item.delete", 1, 0), cancel))
    assert not machine.enabled(elsewhere, deleted)


@EVERY_SCOPE
def test_the_compiled_forms_agree(name: str) -> None:
    """What the environment can do, the steps of a correct run and each rule alone say the same.

    On every state of the scope, urgent steps and those that are held back included.
    """
    graph = graph_of(name)
    machine, held = graph.machine, permissions(graph.machine)
    names = {slot: variable(slot) for slot in slots_of(machine)}
    others = [number for number, rule in enumerate(machine.rules) if not rule.is_client]
    fired = set[int]()
    for state, outgoing in graph.successors.items():
        steps = [Step(number) for number in others if machine.enabled(state, Step(number))]
        assert machine.environment(state) == [step.rule for step in steps], machine.show(state)
        values: dict[str, Any] = {names[slot]: machine.value(state, slot) for slot in names}
        values["inbox"] = state[-1]
        steps += [
            step
            for step in machine.client(state)
            if machine.permitted(state, step)
            and eval(held[step.rule], {"argument": step.argument, "len": len}, values)
        ]
        expected = [(s.rule, s.argument, machine.after(state, s)) for s in sorted(steps)]
        assert outgoing == [step for step in expected if step[2] != state], machine.show(state)
        fired.update(number for number, _, _ in outgoing)
    assert len(fired) > 20


def test_urgent_steps_hold_back_the_server_in_every_form() -> None:
    """While the user's item is added and final nothing else comes from the server."""
    graph = graph_of("manual")
    machine = graph.machine
    urgent = [number for number, rule in enumerate(machine.rules) if rule.urgent]
    waiting = 0
    for state in graph.successors:
        now = [number for number in urgent if number in machine.environment(state)]
        if not now:
            continue
        server = [n for n in machine.environment(state) if machine.rules[n].actor == "server"]
        assert server == now
        for number, resolved in enumerate(machine.resolved):
            if resolved.rule.actor == "server" and number not in urgent:
                assert not machine.enabled(state, Step(number))
        waiting += bool(inbox_of(state))
    assert waiting > 0  # a message was there to be read


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


@pytest.mark.parametrize("name", ["audio", "text", "updates"])
def test_a_message_is_matched_to_the_step_that_sends_it(name: str) -> None:
    """An observed act finds the client step that is possible, and nothing where none is."""
    machine = graph_of(name).machine
    events = sorted({rule.event for rule in RULES if rule.is_client})
    tops = [resolved.limit for resolved in machine.resolved]
    matched = Counter[str]()
    for state in list(graph_of(name).successors)[::60]:
        listed = machine.client(state)
        for event in events:
            for slot in range(machine.bounds["ITEMS"] + 1):
                for argument in range(max(tops) + 2):
                    found = machine.match(state, event, slot, argument)
                    possible = [
                        step
                        for step in listed
                        if machine.rules[step.rule].event == event
                        and step.argument == argument
                        and machine.resolved[step.rule].address in (None, slot)
                    ]
                    assert found == (possible[0] if possible else None), (event, slot, argument)
                    assert len(possible) < 2
                    matched[event] += found is not None
    assert machine.match(machine.initial, "open", 0, 0) is None
    assert len([event for event in events if matched[event]]) > 5


def test_a_message_goes_to_the_end_of_the_inbox() -> None:
    """Sending appends event, slot and argument; whatever was there stays in front of it."""
    machine = Machine(SMALL["drop"].bounds)
    sent, cleared = Counter[int](), 0
    for seed in range(60):
        state = machine.initial
        for step, after in walk(machine, seed):
            rule, before = machine.rules[step.rule], inbox_of(state)
            if rule.sends:
                address = machine.resolved[step.rule].address or 0
                assert after[-1] == (*before, (rule.event, address, step.argument))
                sent[address] += 1
            elif rule.clears:
                assert after[-1] == ()
                cleared += bool(before)
            else:
                assert after[-1] == (before[1:] if rule.reads else before)
            state = after
    assert sum(sent.values()) > 60
    assert len(sent) > 1
    assert cleared > 0


@EVERY_SCOPE
def test_only_what_an_effect_names_changes(name: str) -> None:
    """A field that `then` does not name keeps its value, and so does another slot of one."""
    machine = graph_of(name).machine
    for state, outgoing in list(graph_of(name).successors.items())[::5]:
        for number, _, target in outgoing:
            rule, resolved = machine.rules[number], machine.resolved[number]
            changed = {name for name, at in machine.at.items() if state[at] != target[at]}
            assert changed <= set(resolved.then), rule.label
            named = {key.partition("[")[0] for key in rule.then}
            assert {name.partition("[")[0] for name in changed} <= named, rule.label


def test_a_forced_step_has_its_effect_whatever_the_guard_says() -> None:
    """An enabled step leads where it leads; one that is not has the effect that is written."""
    machine = graph_of("updates").machine
    changed = 0
    for state in list(graph_of("updates").successors)[::100]:
        for step in all_steps(machine, state):
            assert machine.forced(state, step) == machine.after(state, step)
        number = number_of(machine, "client.conversation.item.create")
        step = Step(number, 1)
        if machine.enabled(state, step):
            continue
        after = machine.forced(state, step)
        assert after[-1] == (
            *inbox_of(state),
            ("conversation.item.create", machine.bounds["MADE"], 1),
        )
        assert machine.value(after, "created") == 1
        assert machine.value(after, f"sent[{machine.bounds['MADE']}]") == 1
        same = [name for name in machine.at if name not in machine.resolved[number].then]
        assert all(machine.value(after, name) == machine.value(state, name) for name in same)
        changed += 1
    assert changed > 10


# -- what a machine is made of ----------------------------------------------------------------


def test_two_machines_of_the_same_rules_are_the_same() -> None:
    """Sources, digest and walks repeat, and a machine keeps nothing of the walks it took."""
    bounds = audio_reply(**TINY, **ONE_EACH).bounds
    one, two = Machine(bounds), Machine(bounds)
    assert one.environment_source() == two.environment_source()
    assert one.successors_source() == two.successors_source()
    assert one.single_source() == two.single_source()
    assert one.digest == two.digest
    for seed in range(10):
        assert walk(one, seed) == walk(two, seed) == walk(one, seed)


REPORT = """
import hashlib, json, sys
from realtime_protocol.bounds import SCOPES, audio_reply
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine

def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()

said = {}
for name in ("text-reply", "vad-asks"):
    machine = Machine(SCOPES[name].bounds)
    said[name] = [
        machine.digest,
        digest(machine.environment_source(), machine.successors_source(), machine.single_source()),
        digest(sorted(machine.constants.items()), [field.name for field in machine.fields]),
    ]
graph = enumerate_graph(Machine(SCOPES["text-reply"].bounds))
said["graph"] = [digest(list(graph.successors.items())), digest(graph.topological())]
print(json.dumps(said))
"""


def test_another_process_makes_the_same_machine() -> None:
    """Sources, digests and the order of states do not depend on the hash seed."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", REPORT],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "23456")
    ]
    one, two = (json.loads(run.communicate()[0]) for run in runs)
    assert one == two
    assert one["text-reply"][0] == Machine(SCOPES["text-reply"].bounds).digest


def test_the_digest_does_not_depend_on_the_order_of_bounds() -> None:
    """The same bounds given the other way round are the same machine."""
    bounds, two = audio_reply().bounds, (RULES[0], EXTRA)
    turned = dict(reversed(list(bounds.items())))
    assert Machine(turned, two).digest == Machine(bounds, two).digest


def test_the_digest_is_six_digits_of_all_that_a_machine_is_made_of() -> None:
    """It is computed here once more, from rules, fields and bounds as they are written."""
    machine = small().machine
    parts = [
        [attrs.asdict(rule) for rule in RULES],
        [attrs.asdict(field) for field in FIELDS],
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
        ("over", {"u": "USERS"}),
        ("at", {"u": 0}),
        ("reads", "session.update"),
        ("sends", True),
        ("address", "1"),
        ("argument_limit", "1"),
        ("clears", True),
        ("urgent", True),
        ("permitted", "False"),
        ("within", "False"),
        ("error", "truncate_too_long"),
        ("variants", ("invalid_value",)),
        ("disturbs", "clock"),
    ],
)
def test_the_digest_changes_with_any_part_of_a_rule(part: str, value: object) -> None:
    """No part of a rule can be edited without a new digest."""
    first, changes = RULES[0], {part: value}
    other = attrs.evolve(first, **changes)  # type: ignore[arg-type]
    bounds = audio_reply().bounds
    assert Machine(bounds, (other, EXTRA)).digest != Machine(bounds, (first, EXTRA)).digest


def test_every_part_of_a_rule_is_tried() -> None:
    """The test above names every attribute of a rule."""
    marks = test_the_digest_changes_with_any_part_of_a_rule.pytestmark  # type: ignore[attr-defined]
    tried = {row[0] for row in marks[0].args[1]}
    assert tried == {attribute.name for attribute in attrs.fields(Rule)}


def test_the_digest_changes_with_bounds_fields_and_the_order_of_rules() -> None:
    """Every bound, any field and the order of the rules are part of what an id refers to."""
    bounds, two = dict(audio_reply().bounds), (RULES[0], EXTRA)
    digests = [Machine(bounds, two).digest, Machine(bounds, two[::-1]).digest]
    digests += [Machine({**bounds, name: value + 1}, two).digest for name, value in bounds.items()]
    for changed in (
        attrs.evolve(FIELDS[0], meaning="something else"),
        attrs.evolve(FIELDS[0], budget=True),
        attrs.evolve(FIELDS[0], initial=1),
    ):
        digests.append(Machine(bounds, two, (changed, *FIELDS[1:])).digest)
    assert len(set(digests)) == len(digests)


# -- more rules, and more of them -------------------------------------------------------------


def test_a_new_rule_is_taken_up_without_another_edit() -> None:
    """A rule in the tuple is among the environment's steps and in the graph, behind the others."""
    bounds = SMALL["audio"].bounds
    plain, more = Machine(bounds), Machine(bounds, (*RULES, EXTRA))
    (number,) = more.numbers("app.sighs")
    assert number == len(plain.rules)
    assert plain.fields == more.fields
    enabled_in = 0
    beginning = [state for state in small().successors if plain.value(state, "turns") == 0]
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
    rule = attrs.evolve(EXTRA, id="client.sigh", actor="client", permitted="turns > 0")
    machine = Machine(SMALL["audio"].bounds, (*RULES, rule))
    state = machine.initial
    for name in ("network.open", "server.session.created"):
        state = machine.after(state, Step(number_of(machine, name)))
    step = Step(number_of(machine, "client.sigh"))
    assert machine.match(state, "sigh", 0, 0) == step
    assert step in machine.client(state)
    assert step.rule not in machine.environment(state)
    assert not machine.permitted(state, step)
    assert step.rule not in [number for number, _, _ in machine.successors(state)]


def test_a_bound_is_part_of_the_rules() -> None:
    """A bound that a guard names is compiled in: the same state enables more under a larger one."""
    tight, loose = Machine(audio_reply(**TINY).bounds), Machine(audio_reply(AUDIO=2).bounds)
    values = {
        "connection": tight.code("connection", "ready"),
        "response[0]": tight.code("response[0]", "active"),
        "output[0]": tight.code("output[0]", "streaming"),
        "kind[0]": tight.code("kind[0]", "audio"),
        "audio[0]": 1,
        "transcript[0]": 1,
    }

    def enabled(machine: Machine) -> bool:
        given = [values.get(field.name, field.initial) for field in machine.fields]
        number = number_of(machine, "server.response.output_audio.delta")
        return number in machine.environment((*given, ()))

    assert (enabled(tight), enabled(loose)) == (False, True)


def test_a_machine_is_compiled_when_it_is_asked() -> None:
    """A part that nobody asks for costs nothing, and each is compiled once."""
    machine = Machine(SMALL["audio"].bounds)
    assert not {"_environment", "_successors", "_single"} & set(vars(machine))
    machine.successors(machine.initial)
    assert {"_environment", "_successors", "_single"} & set(vars(machine)) == {"_successors"}
    compiled = vars(machine)["_successors"]
    machine.successors(machine.initial)
    assert vars(machine)["_successors"] is compiled


# -- bounds -----------------------------------------------------------------------------------


def test_scopes_refuse_unknown_small_and_large_bounds() -> None:
    """A bound that no rule names, or that is out of its range, raises and says what was wrong."""
    for each in (audio_reply(), audio_reply(**TINY), *QUICK.scopes.values()):
        assert each.bounds["LENGTH"] == each.bounds["DELTA"] * each.bounds["AUDIO"]
        assert each.bounds["OUTS"] == each.bounds["RESPONSES"] * each.bounds["OUTPUTS"]
    with pytest.raises(ValueError, match="'AUDIOS'; expected one of TURNS, RESPONSES"):
        audio_reply(AUDIOS=1)
    with pytest.raises(ValueError, match="AUDIO must be at least 1, got 0"):
        audio_reply(AUDIO=0)
    with pytest.raises(ValueError, match="VAD must be at most 1, got 2"):
        audio_reply(VAD=2)
    with pytest.raises(ValueError, match="'LENGTH'"):
        audio_reply(LENGTH=3)  # it follows from others


def test_every_bound_is_checked() -> None:
    """One less than the least, and one more than the most, raise for each bound."""
    assert {*MINIMA, *MAXIMA} <= set(NOTHING_BUT_AUDIO)
    for name in NOTHING_BUT_AUDIO:
        least = MINIMA.get(name, 0)
        with pytest.raises(ValueError, match=f"{name} must be at least {least}, got {least - 1}"):
            audio_reply(**{name: least - 1})
        if name in MAXIMA:
            with pytest.raises(ValueError, match=f"{name} must be at most {MAXIMA[name]}"):
                audio_reply(**{name: MAXIMA[name] + 1})
        assert audio_reply(**{name: least}).bounds[name] == least


def test_no_bound_is_negative() -> None:
    """Fewer than none of anything makes no sense, and raises."""
    with pytest.raises(ValueError, match="INTERRUPTIONS must be at least 0, got -1"):
        audio_reply(INTERRUPTIONS=-1)
