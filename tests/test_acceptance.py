"""Recorded sessions are behaviours of the model, and corrupted ones are not.

Recordings are read where they lie beside the repository; sessions that the model itself makes are
accepted and corrupted everywhere.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

from corruptions import draw, undetectable
from realtime_conformance.server import ReferenceServer
from realtime_protocol import acceptance, recordings
from realtime_protocol.acceptance import UnknownEvent, Verdict, accept, bounds_of
from realtime_protocol.assumptions import ASSUMPTIONS, UnknownAssumption, assumed
from realtime_protocol.bounds import NOTHING_BUT_AUDIO, SCOPES, rebounded, sizes
from realtime_protocol.machine import Machine, Step
from realtime_protocol.recordings import DIALECTS, Line, Recording, parse, read, translate

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"
NAMES = sorted(path.stem for path in TRACES.glob("*.jsonl"))

LOOSENESS = {
    "ga": 6.2,
    "beta": 9.5,
    "beta-webrtc": 12.4,
    "webrtc-sideband": 6.55,
    "azure-voice-live": 5.4,
    "xai": 5.5,
}
"""Mean number of server event types that the model accepts at a step, rounded up, by dialect."""

DETECTED = 0.95
"""Least part of the corruptions that can be told which has to be refused."""


def dialect_of(name: str) -> str:
    """The dialect that a recording is in, by its name."""
    if "xai" in name:
        return "xai"
    if "voice_live" in name or name.endswith("87a4313"):
        return "azure-voice-live"
    if "sideband" in name:
        return "webrtc-sideband"
    if "semantic-kernel" in name:
        return "beta-webrtc"
    return "beta" if "feb2026" in name or "liusida" in name else "ga"


@cache
def recording(name: str) -> Recording:
    """A recording in GA words."""
    return translate(read(TRACES / f"{name}.jsonl"), dialect_of(name))


@cache
def machine(name: str) -> Machine:
    """A machine with room for one thing more of each kind than a recording has."""
    bounds = bounds_of(recording(name), DIALECTS[dialect_of(name)].assumptions)
    for more in ("RESPONSES", "USERS", "CREATES"):
        bounds[more] += 1
    return Machine({**bounds, **sizes(bounds)})


@cache
def verdict(name: str) -> Verdict:
    """What becomes of a recording under its dialect."""
    return accept(recording(name), DIALECTS[dialect_of(name)].assumptions)


FEW = 5
"""One in so many recordings is read by the fast tests, all by the slow ones."""
needs_traces = pytest.mark.skipif(not NAMES, reason="no recordings beside the repository")


def some(names: list[str]) -> list[Any]:
    """The names as parameters, most of them marked as slow."""
    return [
        name if number % FEW == 0 else pytest.param(name, marks=pytest.mark.slow)
        for number, name in enumerate(names)
    ]


@needs_traces
@pytest.mark.parametrize("name", some(NAMES))
def test_a_recorded_session_is_a_behaviour_of_the_model(name: str) -> None:
    """Under GA names with nothing switched on, and under its named dialect otherwise."""
    found = verdict(name)
    assert found.refusal is None, str(found.refusal)
    assert found.steps == len(recording(name).server)
    assert found.nodes > found.steps
    if dialect_of(name) == "ga":
        assert DIALECTS["ga"].assumptions == ()


@needs_traces
@pytest.mark.slow
@pytest.mark.parametrize("dialect", sorted(LOOSENESS))
def test_acceptance_is_not_had_by_looseness(dialect: str) -> None:
    """The mean number of event types that would have been accepted at each step is pinned."""
    found = [verdict(name) for name in NAMES if dialect_of(name) == dialect]
    offered = sum(one.looseness * one.steps for one in found)
    mean = offered / sum(one.steps for one in found)
    assert LOOSENESS[dialect] - 0.1 < mean <= LOOSENESS[dialect], mean


@needs_traces
@pytest.mark.parametrize("difference", DIALECTS["xai"].assumptions)
def test_no_difference_of_a_dialect_is_idle(difference: str) -> None:
    """Without any one of them some recording of xAI is refused."""
    others = [name for name in DIALECTS["xai"].assumptions if name != difference]
    names = [name for name in NAMES if dialect_of(name) == "xai"]
    assert not all(accept(recording(name), others).accepted for name in names)


@needs_traces
def test_a_dialect_is_not_accepted_unnamed() -> None:
    """No recording of xAI is one of GA."""
    names = [name for name in NAMES if dialect_of(name) == "xai"]
    assert [name for name in names if accept(recording(name)).accepted] == []


def test_every_difference_of_a_dialect_is_modelled() -> None:
    """Each that a dialect takes for granted has bounds that the rules read."""
    assert recordings.ASSUMPTIONS.keys() <= ASSUMPTIONS.keys()
    for dialect in DIALECTS.values():
        assumed(dialect.assumptions)


@cache
def refused(name: str, n: int, seed: int) -> Counter[bool]:
    """How many corruptions that can be told were refused (True) and were not."""
    found: Counter[bool] = Counter()
    for corruption in draw(recording(name), n, seed):
        if undetectable(corruption) is None:
            found[not accept(corruption.recording, machine=machine(name)).accepted] += 1
    return found


@needs_traces
@pytest.mark.parametrize("name", NAMES[::FEW])
def test_corrupted_recordings_are_refused(name: str) -> None:
    """At least 95 in 100 of what the protocol lets one detect."""
    found = refused(name, 24, 1)
    assert found[True] >= DETECTED * found.total(), found


@needs_traces
@pytest.mark.slow
def test_many_corrupted_recordings_are_refused() -> None:
    """The same over all recordings, drawn evenly over event type and kind."""
    found = sum((refused(name, 120, 2) for name in NAMES), Counter())
    assert found.total() > 2_000
    assert found[True] >= DETECTED * found.total(), found


@needs_traces
@pytest.mark.slow
@pytest.mark.parametrize("dialect", sorted(LOOSENESS))
def test_corrupted_recordings_of_a_dialect_are_refused(dialect: str) -> None:
    """No dialect hides behind the others."""
    names = [name for name in NAMES if dialect_of(name) == dialect]
    found = sum((refused(name, 120, 2) for name in names), Counter())
    assert found[True] >= DETECTED * found.total() > 0, found


# -- sessions that the model makes ------------------------------------------------------------


def message(rule_event: str, slot: int, server: ReferenceServer) -> dict[str, Any]:
    """A client message for a step of the model."""
    item = server.names.ids.get(("item", slot))
    bodies: dict[str, dict[str, Any]] = {
        "session.update": {"session": {"type": "realtime"}},
        "response.create": {"response": {}},
        "conversation.item.create": {
            "item": {"type": "message", "role": "user", "content": [], "id": f"msg_{slot}"}
        },
        "conversation.item.delete": {"item_id": item},
        "conversation.item.retrieve": {"item_id": item},
        "conversation.item.truncate": {
            "item_id": item,
            "content_index": 0,
            "audio_end_ms": 100,
        },
    }
    return {"type": rule_event, **bodies.get(rule_event, {})}


@cache
def made(scope: str, wish: tuple[str, ...] = (), dialect: str = "ga") -> Recording:
    """A session along the first steps of a scope, or those wished for where they are enabled."""
    assumptions = assumed(DIALECTS[dialect].assumptions)
    model = Machine(rebounded(SCOPES[scope], assumptions).bounds)
    server, state = ReferenceServer(model), model.initial
    lines: list[Line] = []
    for _ in range(400):
        steps = model.successors(state)
        calm = [step for step in steps if not model.rules[step[0]].disturbs]
        wished = [step for step in steps if model.rules[step[0]].id in wish]
        if not (wished or calm):
            break
        number, argument, after = (wished or calm)[0]
        rule = model.rules[number]
        if rule.sends:
            sent = message(rule.event, model.resolved[number].address or 0, server)
            server.inbox.append(sent)
            server.learn(rule, model.resolved[number].address or 0, sent)
            lines.append(Line(len(lines) + 1, "client", None, sent))
        elif rule.actor in ("server", "user"):
            text = server.spell(rule, state, after, 0.0)
            if text is not None:
                lines.append(Line(len(lines) + 1, "server", None, json.loads(text)))
        assert after == model.after(state, Step(number, argument))
        state = after
    return Recording(scope, tuple(lines), dialect)


SESSIONS = (
    ("audio-reply", (), "ga"),
    ("audio-reply", ("user.takes_turn", "user.barges_in"), "ga"),
    ("text-reply", (), "ga"),
    ("two-items", (), "ga"),
    ("transcription", ("user.takes_turn",), "ga"),
    ("idle-timeout", ("user.takes_turn", "server.input_audio_buffer.timeout_triggered"), "ga"),
    ("two-items", ("server.conversation.created",), "xai"),
    ("updates", ("server.conversation.item.added.replayed", "app.update_chat_ctx"), "xai"),
    (
        "vad-turn",
        ("user.takes_turn", "server.response.created.early", "user.barges_in.unclosed"),
        "xai",
    ),
)
EVERY_SESSION = pytest.mark.parametrize(("scope", "wish", "dialect"), SESSIONS)


@EVERY_SESSION
def test_a_session_of_the_reference_server_is_accepted(
    scope: str, wish: tuple[str, ...], dialect: str
) -> None:
    """What the rules spell, the rules accept."""
    found = accept(made(scope, wish, dialect), DIALECTS[dialect].assumptions)
    assert found.refusal is None, str(found.refusal)
    assert found.steps >= 10
    assert set(found.notes) <= {"without the client's side"}


@EVERY_SESSION
def test_a_corrupted_session_of_the_reference_server_is_refused(
    scope: str, wish: tuple[str, ...], dialect: str
) -> None:
    """Whatever can be told of it; this needs no recordings."""
    session = made(scope, wish, dialect)
    bounds = bounds_of(session, DIALECTS[dialect].assumptions)
    for more in ("RESPONSES", "USERS", "CREATES"):
        bounds[more] += 1
    model = Machine({**bounds, **sizes(bounds)})
    kept = [
        (one.kind, one.event_type, one.what)
        for one in draw(session, 30, 3)
        if undetectable(one) is None and accept(one.recording, machine=model).accepted
    ]
    assert kept == []


def test_a_refusal_names_line_event_state_and_what_was_expected() -> None:
    """A response that is done twice."""
    session = made("text-reply")
    last = next(n for n, line in enumerate(session.lines) if line.event["type"] == "response.done")
    again = attrs.evolve(
        session.lines[last], number=99, event={**session.lines[last].event, "event_id": "other"}
    )
    found = accept(attrs.evolve(session, lines=(*session.lines[: last + 1], again)))
    assert found.refusal is not None
    assert (found.refusal.line, found.refusal.event) == (99, "response.done")
    assert found.refusal.state["response[0]"] == "done"
    assert "rate_limits.updated" in found.refusal.expected
    text = str(found.refusal)
    assert text.startswith("line 99: response.done is refused: no rule allows it")
    assert "accepted there: " in text


def test_a_repeated_event_id_is_refused() -> None:
    """Even where a second event of the kind would fit."""
    session = made("text-reply")
    deltas = [n for n, li in enumerate(session.lines) if li.event["type"].endswith("text.delta")]
    first, second = deltas[:2]
    same = {**session.lines[second].event, "event_id": session.lines[first].event["event_id"]}
    lines = list(session.lines)
    lines[second] = attrs.evolve(lines[second], event=same)
    found = accept(attrs.evolve(session, lines=tuple(lines)))
    assert found.refusal is not None
    assert "was given before" in found.refusal.reason


def test_a_part_of_a_session_is_accepted_and_said_to_be_one() -> None:
    """Starting late, ending early, without the client's side."""
    session = made("text-reply")
    names = [line.event["type"] for line in session.lines]
    created = names.index("response.created")
    late = accept(attrs.evolve(session, lines=session.lines[created:]))
    early = accept(attrs.evolve(session, lines=session.lines[: created + 3]))
    alone = accept(attrs.evolve(session, lines=session.server))
    middle = accept(attrs.evolve(session, lines=session.lines[names.index("response.done") - 3 :]))
    assert (late.accepted, early.accepted, alone.accepted, middle.accepted) == (True,) * 4
    assert "starts after session.created" in late.notes
    assert early.notes == ("ends with something under way",)
    assert alone.notes == ("without the client's side",)
    assert "starts after session.created" in middle.notes


def test_an_unknown_event_is_an_error_with_its_line() -> None:
    """It is no refusal: the recording is not of this protocol."""
    session = parse(b'{"type": "session.created"}\n{"type": "session.creted"}\n', "typo")
    with pytest.raises(UnknownEvent, match=r"line 2: 'session.creted'"):
        accept(session)


def test_an_unknown_assumption_is_an_error_with_the_choices() -> None:
    """The value and what was expected."""
    with pytest.raises(UnknownAssumption, match=r"unknown assumption 'luck'.*late_deltas"):
        accept(made("text-reply"), ["luck"])


def test_an_assumption_sets_bounds_that_the_rules_know() -> None:
    """And changes something there."""
    for name, assumption in ASSUMPTIONS.items():
        assert assumed([name]) == dict(assumption.bounds)
        assert set(assumption.bounds) <= set(NOTHING_BUT_AUDIO), name
        assert all(NOTHING_BUT_AUDIO[key] != value for key, value in assumption.bounds.items())


def test_nothing_is_assumed_of_a_ga_recording() -> None:
    """Its bounds differ from those of a scope only in what a recording has more of."""
    bounds = bounds_of(made("text-reply"))
    for assumption in ASSUMPTIONS.values():
        for bound in assumption.bounds:
            assert bounds[bound] in (NOTHING_BUT_AUDIO[bound], acceptance.ENDLESS)
