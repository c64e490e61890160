"""The laws of the rules as data, and of what they do under a client that knows no law.

Vocabulary is checked by reading the rules; behaviour by walking every state that they can reach
when the client takes every step that is possible, the forbidden ones included.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator
from functools import cache
from typing import get_args

import attrs
import pytest

from realtime_protocol.bounds import audio_reply
from realtime_protocol.expressions import LOCALS, ExpressionError, Translator, names
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rule import Actor, Confidence, Disturbs, Rule
from realtime_protocol.rules import FIELDS, MACHINES, RULES
from realtime_protocol.state import State
from realtime_protocol.vocabulary import ERRORS, EVENTS

BOUNDS = audio_reply().bounds

ACTS = {
    "app": {"generate_reply", "interrupt"},
    "client": {"capture", "flush", "clear"},
    "clock": {"deadline"},
    "network": {"open"},
    "server": {""},
    "speaker": {"play", "drained", "cleared"},
    "user": set(),
}
"""What is done without the wire, by actor; a server step without an event takes up a request."""

SPEAKS_AS = {"server": "server", "client": "client", "user": "server"}
"""Direction of the wire events of an actor; what the user does is announced by the server."""

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1}

LAWLESS = (
    {"CANCELS": 2, "TRUNCATES": 0, "DELETES": 0},
    {"CANCELS": 1, "TRUNCATES": 1, "DELETES": 0},
    {"CANCELS": 0, "TRUNCATES": 1, "DELETES": 1},
    {"CANCELS": 0, "TRUNCATES": 0, "DELETES": 2},
    {"CANCELS": 1, "TRUNCATES": 0, "DELETES": 0, "TURNS": 2},
)
"""Bounds under which every state is visited; small ones, each with another pair of messages."""


def expressions(rule: Rule) -> Iterator[tuple[str, str]]:
    """Every expression of a rule, with the field that it is assigned to."""
    yield rule.when, ""
    yield rule.permitted, ""
    yield rule.within, ""
    yield rule.argument_limit, ""
    for target, text in rule.then.items():
        yield text, target


def unresolved(rules: Iterable[Rule]) -> list[str]:
    """What is wrong with the names in expressions, one line each."""
    translator = Translator(FIELDS, BOUNDS)

    def trouble(text: str, target: str) -> str:
        try:
            translator.python(text, target)
        except ExpressionError as error:
            return str(error)
        return ""

    found = [(rule, trouble(*written)) for rule in rules for written in expressions(rule)]
    return [f"{rule.id}: {text}" for rule, text in found if text]


def unlisted_events(rules: Iterable[Rule]) -> list[str]:
    """Events and acts that are not in the vocabulary, or go the wrong way."""
    found = []
    for rule in rules:
        known = EVENTS.get(rule.event)
        if rule.event in ACTS[rule.actor]:
            fine = not rule.sends
        else:
            fine = known is not None and SPEAKS_AS.get(rule.actor) == known.direction
        if not fine:
            found.append(f"{rule.id}: {rule.actor} cannot do {rule.event!r}")
        if rule.reads and (rule.reads not in EVENTS or EVENTS[rule.reads].direction != "client"):
            found.append(f"{rule.id}: {rule.reads!r} is no client event")
    return found


@pytest.mark.parametrize("part", ["id", "then"])
def test_no_double_declarations(part: str) -> None:
    """Ids of rules are unique, and so are names of fields."""
    listed = [rule.id for rule in RULES] if part == "id" else [field.name for field in FIELDS]
    assert [name for name, count in collections.Counter(listed).items() if count > 1] == []


def test_every_room_is_in_the_composition() -> None:
    """The rules and fields are those of the machines, all of them, in their order."""
    assert [rule.id for room in MACHINES for rule in room.RULES] == [rule.id for rule in RULES]
    assert [f.name for room in MACHINES for f in room.FIELDS] == [f.name for f in FIELDS]
    assert all(room.RULES and room.FIELDS for room in MACHINES)


def test_an_id_begins_with_its_actor_and_names_its_event() -> None:
    """A clause id says who does what, so it can be read without the rule."""
    for rule in RULES:
        assert rule.id.startswith(f"{rule.actor}."), rule.id
        if rule.actor != "user":
            assert (rule.reads if rule.event in ("", "error") else rule.event) in rule.id, rule.id


def test_every_effect_is_on_a_field() -> None:
    """The keys of `then` are fields; a planted misspelling is named."""
    known = {field.name for field in FIELDS}

    def strangers(rules: Iterable[Rule]) -> list[str]:
        return [f"{rule.id}: {key}" for rule in rules for key in rule.then if key not in known]

    assert strangers(RULES) == []
    assert strangers([attrs.evolve(RULES[0], then={"conection": "1"})]) != []


def test_every_name_resolves() -> None:
    """Every name in every expression is a local, a field, a bound or a member in context."""
    assert unresolved(RULES) == []


@pytest.mark.parametrize(
    "change",
    [
        {"when": "conection == closed"},
        {"when": "connection == shut"},
        {"permitted": "turns < TURN"},
        {"within": "turn == opne"},
        {"argument_limit": "AUDIOS"},
        {"then": {"connection": "shut"}},
        {"then": {"turns": "open"}},
    ],
)
def test_a_misspelt_name_is_found(change: dict[str, object]) -> None:
    """A name that resolves to nothing is reported with its rule, and no machine is made of it."""
    rule = attrs.evolve(next(rule for rule in RULES if rule.sends), **change)
    assert len(unresolved([rule])) == 1
    with pytest.raises(ExpressionError):
        Machine(BOUNDS, (rule,))


def test_a_name_means_one_thing() -> None:
    """No field, bound, local and member share a name, so the order of look-up never decides."""
    fields = {field.name for field in FIELDS}
    members = {member for field in FIELDS for member in field.values}
    kinds = [fields, set(BOUNDS), set(LOCALS), members]
    shared = [a & b for n, a in enumerate(kinds) for b in kinds[n + 1 :]]
    assert [names for names in shared if names] == []


def test_an_argument_is_named_only_where_there_is_a_message() -> None:
    """Only a step that sends or reads a message can speak of its argument, in guard and effect."""
    for rule in RULES:
        texts = [text for text, _ in expressions(rule) if text != rule.argument_limit]
        if any("argument" in names(text) for text in texts):
            assert rule.sends or rule.reads, rule.id
        if rule.argument_limit != "0":
            assert rule.sends, rule.id
            assert names(rule.argument_limit) <= set(BOUNDS), rule.id


def test_every_event_is_in_the_vocabulary() -> None:
    """A rule does an act of its actor, or a wire event that goes the way its actor speaks."""
    assert unlisted_events(RULES) == []


@pytest.mark.parametrize(
    "change",
    [
        {"event": "response.dome"},
        {"event": "response.cancel"},
        {"event": "play"},
        {"event": "session.created", "actor": "client"},
        {"event": "session.update", "actor": "server"},
        {"event": "capture", "actor": "client", "sends": True},
        {"actor": "server", "event": "", "reads": "session.updated"},
        {"actor": "server", "event": "", "reads": "session.updat"},
    ],
)
def test_a_wrong_event_is_found(change: dict[str, object]) -> None:
    """An event that does not exist, goes the other way, or is another actor's act is reported."""
    assert len(unlisted_events([attrs.evolve(RULES[0], **change)])) == 1


def test_every_event_is_used() -> None:
    """The vocabulary lists no event that no rule speaks of."""
    used = {rule.event for rule in RULES} | {rule.reads for rule in RULES}
    assert sorted(set(EVENTS) - used) == []


def test_errors_are_catalogued_and_used() -> None:
    """Every error of a rule is in the catalogue, and every entry is the answer of some rule."""
    assert {rule.error for rule in RULES if rule.error} == set(ERRORS)
    assert all(entry.key == key for key, entry in ERRORS.items())


def test_an_error_answers_a_message() -> None:
    """A rule has an error exactly if its event is `error`, and then it reads a message."""
    for rule in RULES:
        assert bool(rule.error) == (rule.event == "error"), rule.id
        assert rule.reads or not rule.error, rule.id


def test_only_the_server_reads_and_only_the_client_sends() -> None:
    """Reading is the server's, sending the client's, and only a client step can be forbidden."""
    for rule in RULES:
        assert rule.actor == "server" or not rule.reads, rule.id
        assert rule.actor == "client" or not rule.sends, rule.id
        assert rule.actor == "client" or rule.permitted == rule.within == "True", rule.id
        assert rule.actor not in ("client", "server", "speaker") or not rule.disturbs, rule.id


def test_what_is_sent_is_read() -> None:
    """The messages that clients send and those that the server reads are the same."""
    sent = {rule.event for rule in RULES if rule.sends}
    assert {rule.reads for rule in RULES if rule.reads} == sent
    assert sent


def test_every_rule_says_why_and_whence() -> None:
    """Reason and source are written out, and actor, confidence and disturbance are known words."""
    for rule in RULES:
        assert len(rule.why.split()) > 2, rule.id
        assert rule.why.endswith("."), rule.id
        assert rule.source.strip(), rule.id
        assert rule.confidence in get_args(Confidence), rule.id
        assert rule.actor in get_args(Actor), rule.id
        assert rule.disturbs in get_args(Disturbs), rule.id


# -- every state that the rules can reach -----------------------------------------------------


@cache
def lawless(number: int) -> tuple[Machine, dict[State, list[tuple[Step, State]]]]:
    """Every state and step when the client may do whatever is possible."""
    machine = Machine(audio_reply(**{**TINY, **LAWLESS[number]}).bounds)
    steps: dict[State, list[tuple[Step, State]]] = {}
    waiting = [machine.initial]
    while waiting:
        state = waiting.pop()
        if state in steps:
            continue
        possible = [Step(rule) for rule in machine.environment(state)] + machine.client(state)
        steps[state] = [(step, machine.after(state, step)) for step in possible]
        waiting += [target for _, target in steps[state]]
    return machine, steps


EVERYWHERE = pytest.mark.parametrize("number", range(len(LAWLESS)))


def test_every_rule_fires() -> None:
    """Each rule is taken somewhere, the errors included; those that are not are named."""
    fired = {
        machine.rules[step.rule].id
        for machine, steps in map(lawless, range(len(LAWLESS)))
        for outgoing in steps.values()
        for step, _ in outgoing
    }
    assert sorted({rule.id for rule in RULES} - fired) == []


def test_every_rule_does_something() -> None:
    """Each rule changes some state; one that never does would be dead but for its wire event."""
    idle = {rule.id for rule in RULES}
    for machine, steps in map(lawless, range(len(LAWLESS))):
        for state, outgoing in steps.items():
            idle -= {machine.rules[step.rule].id for step, target in outgoing if target != state}
    assert idle == {"client.input_audio_buffer.append"}


@EVERYWHERE
def test_nothing_is_said_twice(number: int) -> None:
    """Whatever the server says unasked changes the state: else it could be said without end.

    Such an event would be no edge of the graph either, since edges to themselves are left out.
    """
    machine, steps = lawless(number)
    said = {n for n, rule in enumerate(machine.rules) if rule.actor != "client" and rule.event}
    for state, outgoing in steps.items():
        still = [
            machine.rules[s.rule].id for s, after in outgoing if s.rule in said and after == state
        ]
        assert still == [], machine.show(state)


@EVERYWHERE
def test_one_answer_to_every_message(number: int) -> None:
    """A message at the head of the inbox is read by exactly one server rule once the session is up.

    Only a `response.create` may have to wait, until no response is active.
    """
    machine, steps = lawless(number)
    response = machine.at["response"]
    read = collections.Counter[str]()
    for state, outgoing in steps.items():
        inbox = state[-1]
        assert isinstance(inbox, tuple)
        readers = [step.rule for step, _ in outgoing if machine.rules[step.rule].reads]
        event = inbox[0][0] if inbox else ""
        assert {machine.rules[rule].reads for rule in readers} <= {event}
        due = bool(inbox) and machine.show(state)["connection"] == "ready"
        if event == "response.create":
            due = due and state[response] == 0
        assert len(readers) == int(due), (machine.show(state), readers)
        read.update([event] if due else [])
    sent = {rule.event for rule in RULES if rule.sends}
    none = {"CANCELS": "response.cancel", "TRUNCATES": "conversation.item.truncate"}
    none["DELETES"] = "conversation.item.delete"
    assert set(read) == sent - {none[name] for name in none if machine.bounds[name] == 0}


@EVERYWHERE
def test_every_field_stays_in_its_range(number: int) -> None:
    """No field leaves the range that it declares, whatever the client does."""
    machine, steps = lawless(number)
    tops = [field.top(machine.bounds) for field in machine.fields]
    for state in steps:
        outside = [
            field.name
            for field, value, top in zip(machine.fields, state, tops, strict=False)
            if not (isinstance(value, int) and 0 <= value <= top)
        ]
        assert outside == [], machine.show(state)


def test_every_value_is_taken() -> None:
    """Each field takes every value of its range; a member that no state has is a dead word."""
    seen: dict[str, set[object]] = collections.defaultdict(set)
    possible: dict[str, set[object]] = collections.defaultdict(set)
    for machine, steps in map(lawless, range(len(LAWLESS))):
        for field in machine.fields:
            seen[field.name].update(state[machine.at[field.name]] for state in steps)
            possible[field.name].update(range(field.top(machine.bounds) + 1))
    assert seen == possible
