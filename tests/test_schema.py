"""What is wrong with a client's event, by the types of the openai package."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_conformance.schema import Wrong, wrong

TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object", "x-own": 1}}


def update(**session: Any) -> dict[str, Any]:
    """An update of the session, in GA."""
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def truncate(**changes: Any) -> dict[str, Any]:
    """A truncation of an item."""
    whole = {"item_id": "item_1", "content_index": 0, "audio_end_ms": 100}
    return {"type": "conversation.item.truncate", "event_id": "event_1", **whole, **changes}


WELL_FORMED = [
    update(),
    update(tools=[TOOL]),
    update(audio={"output": {"speed": 1.2}, "input": {"turn_detection": None}}),
    truncate(),
    {"type": "response.cancel"},
    {"type": "response.create", "response": {"metadata": {"own": "key"}}},
    {"type": "made.up"},
]


@pytest.mark.parametrize("event", WELL_FORMED, ids=lambda event: event["type"])
def test_a_well_formed_event_is_let_through(event: dict[str, Any]) -> None:
    """What an app puts into schemas and metadata is its own, and an unknown type is for a rule."""
    assert wrong(event, beta=False) is None


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (update(speed=1.2), "session.speed"),
        (update(audio={"output": {"pitch": 1}}), "session.audio.output.pitch"),
        (update(tools=[{**TOOL, "type": "fun"}]), "session.tools.type"),
        (truncate(audio_end_ms=0.5), "audio_end_ms"),
        (truncate(item_id=None), "item_id"),
        (truncate(reason="barge-in"), "reason"),
        ({"type": "conversation.item.truncate"}, None),
    ],
)
def test_a_malformed_event_is_told_with_its_path(event: dict[str, Any], path: str | None) -> None:
    """Wrong types, missing keys and keys that nobody knows, within unions and lists too."""
    found = wrong(event, beta=False)
    assert isinstance(found, Wrong)
    assert found.text
    assert path is None or found.path == path


def test_beta_has_types_of_its_own() -> None:
    """What beta had at the top of a session is unknown to GA, and the other way round."""
    old = {"type": "session.update", "session": {"modalities": ["text"]}}
    assert wrong(old, beta=True) is None
    assert wrong(old, beta=False) is not None
    assert wrong(update(output_modalities=["text"]), beta=True) is not None


def test_ids_alone_make_no_other_event() -> None:
    """An id that is there and one that is empty are told apart; two ids are not."""
    first, second = truncate(item_id="a"), truncate(item_id="b", event_id="c")
    assert wrong(first, beta=False) is wrong(second, beta=False) is None
    assert wrong(truncate(item_id=5), beta=False) is not None


def test_equal_values_of_other_types_are_other_events() -> None:
    """1 and True and 1.5 are told apart, at the top and within."""
    assert wrong(truncate(audio_end_ms=1), beta=False) is None
    assert wrong(truncate(audio_end_ms="1"), beta=False) is not None
    assert wrong(truncate(audio_end_ms=True), beta=False) is not None
    assert wrong(update(audio={"output": {"speed": 1}}), beta=False) is None
    assert wrong(update(audio={"output": {"speed": "fast"}}), beta=False) is not None
