"""The reference server: every event against the types of the `openai` package, and its own laws.

It is driven by steps of the machine directly, with client messages written here, and without any
client.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import attrs
import pytest

from realtime_conformance.server import SPELLINGS, ReferenceServer, Wire, encoded_audio, to_beta
from realtime_protocol.bounds import audio_reply
from realtime_protocol.machine import Machine, Step
from realtime_protocol.rules import RULES
from realtime_protocol.state import State
from realtime_protocol.vocabulary import EVENTS

TINY = {"TRANSCRIPTS": 1, "AUDIO": 1, "UPDATES": 1, "CANCELS": 1, "TRUNCATES": 1, "DELETES": 2}

SPEAKING = [
    rule.id for rule in RULES if rule.event in EVENTS and EVENTS[rule.event].direction == "server"
]
"""Every rule that puts an event of the server on the wire."""

SEEDS = range(60)

UNDECLARED = {
    # the package's types leave out what the server says of a session, and items of a beta
    # session are described without what the GA form has
    "session": {"id", "object", "type"},
}


def say(server: ReferenceServer, event: str, argument: int) -> Wire:
    """A message of a client about the newest reply."""
    unit = server.machine.bounds["DELTA"] * 100
    bodies: dict[str, Wire] = {
        "session.update": {"session": {"type": "realtime", "instructions": "Be brief.", "x": None}},
        "response.create": {"response": {"metadata": {"asked": "by the app"}}},
        "response.cancel": {},
        "conversation.item.truncate": {
            "item_id": server.reply_id,
            "content_index": 0,
            "audio_end_ms": argument * unit,
        },
        "conversation.item.delete": {"item_id": server.reply_id, "event_id": "delete_1"},
    }
    return {"type": event, **bodies[event]}


@attrs.define
class Drive:
    """A machine and its server, step by step."""

    machine: Machine
    server: ReferenceServer
    state: State
    said: list[tuple[str, Wire]] = attrs.field(factory=list)
    """Rule and event of everything that the server sent."""
    raw: list[str] = attrs.field(factory=list)
    now: float = 0.0

    @classmethod
    def of(cls, machine: Machine, beta: bool = False) -> Drive:
        """At the beginning of a session."""
        return cls(machine, ReferenceServer(machine, beta), machine.initial)

    def take(self, step: Step) -> Wire | None:
        """Take one step; gives the event that went to the client."""
        rule, before = self.machine.rules[step.rule], self.state
        self.state = self.machine.after(before, step)
        self.now += 0.25
        if rule.sends:
            self.server.inbox.append(say(self.server, rule.event, step.argument))
        if rule.actor not in ("server", "user"):
            return None
        text = self.server.spell(rule, before, self.state, self.now)
        if text is None:
            return None
        event: Wire = json.loads(text)
        self.raw.append(text)
        self.said.append((rule.id, event))
        return event

    def follow(self, steps: Sequence[Step]) -> Drive:
        """Take several steps."""
        for step in steps:
            self.take(step)
        return self


def possible(machine: Machine, state: State) -> list[Step]:
    """Everything that anybody can do, the forbidden steps of the client included."""
    return [Step(number) for number in machine.environment(state)] + machine.client(state)


@cache
def ways() -> tuple[Machine, dict[str, tuple[Step, ...]]]:
    """A shortest way from the beginning through each rule that speaks."""
    machine = Machine(audio_reply(**TINY).bounds)
    before: dict[State, tuple[State, Step] | None] = {machine.initial: None}
    ends: dict[str, tuple[State, Step]] = {}
    level = [machine.initial]
    while level and len(ends) < len(SPEAKING):
        following = []
        for state in level:
            for step in possible(machine, state):
                name, target = machine.rules[step.rule].id, machine.after(state, step)
                if name in SPEAKING:
                    ends.setdefault(name, (state, step))
                if target not in before:
                    before[target] = (state, step)
                    following.append(target)
        level = following
    return machine, {name: _steps(before, *end) for name, end in ends.items()}


def _steps(
    before: dict[State, tuple[State, Step] | None], state: State, last: Step
) -> tuple[Step, ...]:
    steps = [last]
    while (link := before[state]) is not None:
        state, step = link
        steps.append(step)
    return tuple(reversed(steps))


@cache
def walk(seed: int, beta: bool = False) -> Drive:
    """A random walk of two turns with everything in it; the same seed, the same walk."""
    chance = random.Random(seed)
    bounds = audio_reply(
        UPDATES=2, TURNS=2, CANCELS=2, TRUNCATES=2, DELETES=2, INTERRUPTIONS=3, DISTURBANCES=3
    ).bounds
    drive = Drive.of(_machine(tuple(sorted(bounds.items()))), beta)
    for _ in range(150):
        steps = possible(drive.machine, drive.state)
        # a client that floods the session with cuts never lets the second turn begin
        quiet = [step for step in steps if not drive.machine.rules[step.rule].sends]
        if not steps:
            break
        drive.take(chance.choice(quiet if quiet and chance.random() < 0.7 else steps))
    return drive


@cache
def _machine(bounds: tuple[tuple[str, int], ...]) -> Machine:
    return Machine(dict(bounds))


# -- the openai package's types ---------------------------------------------------------------


@cache
def adapter(beta: bool) -> Any:
    """Validates one server event by the types of the openai package."""
    pydantic = pytest.importorskip("pydantic")
    module = "openai.types.beta.realtime" if beta else "openai.types.realtime"
    types = pytest.importorskip(module)
    return pydantic.TypeAdapter(types.RealtimeServerEvent)


def undeclared(model: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field, at any depth, that the type does not declare."""
    if isinstance(model, list):
        for part in model:
            yield from undeclared(part, path)
    elif hasattr(model, "model_extra"):
        for name in model.model_extra or ():
            yield path, name
        for name in type(model).model_fields:
            yield from undeclared(getattr(model, name), name)


def validate(event: Wire, beta: bool) -> None:
    """Fail unless the package has a type for the event that fits it, and knows all its fields."""
    model = adapter(beta).validate_python(event, strict=True)
    assert model.type == event["type"]
    assert type(model).model_fields["type"].annotation.__args__ == (event["type"],)
    strange = {
        (path, name) for path, name in undeclared(model) if name not in UNDECLARED.get(path, set())
    }
    assert strange == set(), event


DIALECTS = pytest.mark.parametrize("beta", [False, True], ids=["GA", "beta"])


def test_every_speaking_rule_has_a_way() -> None:
    """The walks below miss none of the rules that put something on the wire."""
    assert sorted(ways()[1]) == sorted(SPEAKING)
    assert {rule.event for rule in RULES if rule.id in SPEAKING} == set(SPELLINGS)


@DIALECTS
@pytest.mark.parametrize("rule", SPEAKING)
def test_every_event_validates(rule: str, beta: bool) -> None:
    """On the shortest way to each rule, all events fit the package's types."""
    machine, steps = ways()
    drive = Drive.of(machine, beta).follow(steps[rule])
    for _, event in drive.said:
        validate(event, beta)
    spoken = EVENTS[machine.rules[machine.index[rule]].event]
    if beta and not spoken.beta:
        assert rule not in [name for name, _ in drive.said]
    else:
        name, event = drive.said[-1]
        assert (name, event["type"]) == (rule, spoken.beta if beta else spoken.name)


@DIALECTS
def test_events_of_long_walks_validate(beta: bool) -> None:
    """So do the events of random walks, in which each event is seen in many states."""
    seen = set()
    for seed in SEEDS:
        for rule, event in walk(seed, beta).said:
            validate(event, beta)
            seen.add(rule)
    silent = {rule.id for rule in RULES if beta and rule.event == "conversation.item.done"}
    assert set(SPEAKING) - seen == silent


@pytest.mark.parametrize(
    "change",
    [
        {"type": "response.dome"},
        {"event_id": None},
        {"response_id": 3},
        {"item": None},
        {"output_index": "0"},
        {"outputindex": 0},
        {"item": {"id": "item_1", "type": "message", "role": "nobody", "content": []}},
    ],
)
def test_the_validation_notices(change: Wire) -> None:
    """An event with a wrong name, a wrong type or an unknown field does not pass."""
    machine, steps = ways()
    event = Drive.of(machine).follow(steps["server.response.output_item.done"]).said[-1][1]
    with pytest.raises((ValueError, AssertionError)):
        validate({**event, **change}, beta=False)


# -- one story --------------------------------------------------------------------------------


def test_event_ids_are_counted() -> None:
    """Every event has an id of its own, in order."""
    for seed in SEEDS:
        ids = [event["event_id"] for _, event in walk(seed).said]
        assert ids == [f"event_{number + 1}" for number in range(len(ids))]


@DIALECTS
def test_the_same_steps_give_the_same_bytes(beta: bool) -> None:
    """A server keeps nothing between sessions and takes nothing from outside."""
    for seed in list(SEEDS)[:10]:
        assert walk.__wrapped__(seed, beta).raw == walk(seed, beta).raw != []


def test_ids_of_responses_and_items() -> None:
    """Each response and item has an id of its own, and events speak of the newest."""
    for seed in SEEDS:
        response, reply, user = 0, "", ""
        for rule, event in walk(seed).said:
            if rule.startswith("server.response.created"):
                response += 1
                assert event["response"]["id"] == f"resp_{response}"
            elif event["type"] == "response.done":
                assert event["response"]["id"] == f"resp_{response}"
            elif event["type"] == "response.output_item.added":
                assert event["item"]["id"] != reply
                reply = event["item"]["id"]
            elif event["type"] == "input_audio_buffer.speech_started":
                assert event["item_id"] != user
                user = event["item_id"]
            elif rule.endswith(".user") or rule.startswith("server.input_audio_buffer"):
                assert event.get("item_id", event.get("item", {}).get("id")) == user
            elif rule.endswith(".reply") or {"item_id", "response_id"} <= set(event):
                assert event.get("item_id", event.get("item", {}).get("id")) == reply
            assert event.get("response_id", f"resp_{response}") == f"resp_{response}"


def test_a_response_tells_one_story() -> None:
    """Deltas, the closing chain and `response.done` agree on transcript, status and item."""
    endings = set()
    for seed in SEEDS:
        said = ""
        status = "in_progress"
        for rule, event in walk(seed).said:
            kind = event["type"]
            if kind == "response.created":
                said, status = "", "in_progress"
                assert event["response"]["status"] == "in_progress"
                assert event["response"]["output"] == []
            elif kind == "response.output_audio_transcript.delta":
                said += event["delta"]
            elif kind == "response.output_audio_transcript.done":
                assert event["transcript"] == said
            elif kind.startswith("response.content_part"):
                assert event["part"] == {"type": "audio", "transcript": said}
            elif rule.endswith("conversation.item.done.reply"):
                status = event["item"]["status"]
                assert [part["transcript"] for part in event["item"]["content"]] == [said]
            elif kind == "response.output_item.done":
                assert event["item"]["status"] == status
            elif kind == "response.done":
                _judge_done(event["response"], said, status)
                endings.add((event["response"]["status"], status))
    assert endings == {
        ("completed", "completed"),
        ("cancelled", "incomplete"),
        ("cancelled", "in_progress"),
    }


def _judge_done(response: Wire, said: str, status: str) -> None:
    if status == "in_progress":
        assert response["output"] == []
        assert response["status"] == "cancelled"
    else:
        (item,) = response["output"]
        assert item["status"] == status
        assert [part["transcript"] for part in item["content"]] == [said]
    details = response["status_details"]
    if response["status"] == "completed":
        assert (status, details) == ("completed", None)
    else:
        assert details["type"] == "cancelled"
        assert details["reason"] in ("turn_detected", "client_cancelled")


def test_the_reason_of_an_end_is_who_ended_it() -> None:
    """Speech gives `turn_detected`, a cancel gives `client_cancelled`; both are seen."""
    seen = set()
    for seed in SEEDS:
        cause = ""
        drive = walk(seed)
        for rule, event in drive.said:
            if rule == "user.barges_in":
                cause = "speech"
            elif event["type"] == "response.created":
                cause = ""
            elif event["type"] == "response.done" and event["response"]["status_details"]:
                reason = event["response"]["status_details"]["reason"]
                assert reason == "client_cancelled" or cause == "speech"
                seen.add(reason)
    assert seen == {"turn_detected", "client_cancelled"}


def test_the_conversation_is_a_chain() -> None:
    """An item follows the one before it that is still there; an item without one has none."""
    chained = 0
    for seed in SEEDS:
        items: list[str] = []
        for rule, event in walk(seed).said:
            if rule == "server.input_audio_buffer.committed":
                assert event["previous_item_id"] == (items[-1] if items else None)
                items.append(event["item_id"])
            elif rule == "server.conversation.item.added.user":
                assert event["previous_item_id"] == (items[-2] if len(items) > 1 else None)
            elif rule == "server.conversation.item.added.reply":
                assert event["previous_item_id"] == (items[-1] if items else None)
                chained += bool(items)
                items.append(event["item"]["id"])
            elif event["type"] == "conversation.item.deleted" and event["item_id"] in items:
                items.remove(event["item_id"])
    assert chained > 0


def test_one_delta_is_as_long_as_the_bounds_say() -> None:
    """A delta of DELTA units of 100 ms is 24,000 samples of 16 bit a second."""
    for delta in (1, 3):
        assert len(base64.b64decode(encoded_audio(delta))) == delta * 4_800
    _, steps = ways()
    drive = Drive.of(ways()[0]).follow(steps["server.response.output_audio.delta"])
    audio = base64.b64decode(drive.said[-1][1]["delta"], validate=True)
    assert len(audio) == ways()[0].bounds["DELTA"] * 4_800


def test_metadata_and_configuration_come_back() -> None:
    """The request's metadata is in its response, and an update in the session; null is left out."""
    machine, steps = ways()
    asked = Drive.of(machine).follow(steps["server.response.created.requested"])
    assert asked.said[-1][1]["response"]["metadata"] == {"asked": "by the app"}
    heard = Drive.of(machine).follow(steps["server.response.created.turn"])
    assert heard.said[-1][1]["response"]["metadata"] is None
    session = Drive.of(machine).follow(steps["server.session.updated"]).said[-1][1]["session"]
    assert session["instructions"] == "Be brief."
    assert "x" not in session


def test_a_turn_does_not_inherit_metadata() -> None:
    """A response to speech carries no metadata, though the one before was asked for with some."""
    orders = set()
    for seed in SEEDS:
        created = [
            (rule.rsplit(".", 1)[1], event["response"]["metadata"])
            for rule, event in walk(seed).said
            if event["type"] == "response.created"
        ]
        assert all((data is None) == (kind == "turn") for kind, data in created)
        orders.add(tuple(kind for kind, _ in created))
    assert ("requested", "turn") in orders


def test_times_are_those_of_the_session() -> None:
    """Positions of speech are milliseconds of the clock that the caller gives."""
    machine, steps = ways()
    drive = Drive.of(machine).follow(steps["user.takes_turn"])
    assert drive.said[-1][1]["audio_start_ms"] == round(drive.now * 1000) > 0


def test_a_cut_is_acknowledged_as_it_was_asked() -> None:
    """The answer to a truncation repeats the item, the part and the length."""
    machine, steps = ways()
    drive = Drive.of(machine).follow(steps["server.conversation.item.truncated"][:-1])
    asked = dict(drive.server.inbox[0])
    event = drive.take(steps["server.conversation.item.truncated"][-1])
    assert event is not None
    for name in ("item_id", "content_index", "audio_end_ms"):
        assert event[name] == asked[name]
    assert not drive.server.inbox


def test_messages_are_answered_in_the_order_they_came() -> None:
    """The server's inbox and that of the state are the same, whatever happens."""
    machine = walk(0).machine
    for seed in SEEDS:
        drive, chance = Drive.of(machine), random.Random(seed)
        for _ in range(80):
            drive.take(chance.choice(possible(machine, drive.state)))
            inbox = drive.state[-1]
            assert isinstance(inbox, tuple)
            assert [event for event, _ in inbox] == [m["type"] for m in drive.server.inbox]


# -- errors -----------------------------------------------------------------------------------

LENGTH_MS = 300
"""One delta under the bounds used here."""

EXPECTED = {
    # rule: code and message, word for word as in the recordings; event_id of the message
    "server.rejects.response.cancel": (
        "response_cancel_not_active",
        "Cancellation failed: no active response found",
        None,
    ),
    "server.rejects.conversation.item.truncate.no_audio": (
        "unsupported_content_type",
        "Only model output audio messages can be truncated",
        None,
    ),
    "server.rejects.conversation.item.truncate.too_long": (
        "invalid_value",
        "Audio content of 300ms is already shorter than 600ms",
        None,
    ),
    "server.rejects.conversation.item.truncate.unknown": (
        "item_truncate_invalid_item_id",
        "Item with item_id not found: item_reply_1",
        None,
    ),
    "server.rejects.conversation.item.delete": (
        "item_delete_invalid_item_id",
        "Error deleting item: the item with id 'item_reply_1' does not exist.",
        "delete_1",
    ),
}


@DIALECTS
@pytest.mark.parametrize("rule", [rule.id for rule in RULES if rule.error])
def test_errors_are_worded_as_recorded(rule: str, beta: bool) -> None:
    """Type, code, message, parameter and event id are exactly those of the protocol."""
    machine, steps = ways()
    assert machine.bounds["DELTA"] * 100 == LENGTH_MS
    event = Drive.of(machine, beta).follow(steps[rule]).said[-1][1]
    code, message, event_id = EXPECTED[rule]
    assert event == {
        "type": "error",
        "event_id": event["event_id"],
        "error": {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": None,
            "event_id": event_id,
        },
    }


# -- the beta form ----------------------------------------------------------------------------


def content_types(event: Wire) -> Iterator[str]:
    """The types of all content in an event."""
    response = event.get("response") or {}
    for item in [event.get("item") or {}, *response.get("output", [])]:
        yield from (part["type"] for part in item.get("content", []))
    yield from response.get("modalities", [])
    if "part" in event:
        yield event["part"]["type"]


def test_the_beta_form_says_the_same_with_other_names() -> None:
    """Beta and GA runs of the same steps differ by names, and by the event that beta lacks."""
    renamed = set()
    for seed in SEEDS:
        ga, beta = walk(seed).said, walk(seed, True).said
        assert [rule for rule, event in ga if EVENTS[event["type"]].beta] == [r for r, _ in beta]
        for (_, old), (_, new) in zip(
            [pair for pair in ga if EVENTS[pair[1]["type"]].beta], beta, strict=True
        ):
            assert new["type"] == EVENTS[old["type"]].beta
            assert new == to_beta(old)
            assert set(content_types(new)) <= {"audio", "input_audio"}
            assert "output_modalities" not in (new.get("response") or {})
            if new["type"] != old["type"]:
                renamed.add((old["type"], new["type"]))
    assert renamed == {
        ("conversation.item.added", "conversation.item.created"),
        ("response.output_audio.delta", "response.audio.delta"),
        ("response.output_audio.done", "response.audio.done"),
        ("response.output_audio_transcript.delta", "response.audio_transcript.delta"),
        ("response.output_audio_transcript.done", "response.audio_transcript.done"),
    }
