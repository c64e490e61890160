"""What a scope asks of a client: its options, and the calls that it has to have."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from doubles.reference import ReferenceClient
from realtime_conformance.clients.interface import FullClient, MissingSeam, needs
from realtime_conformance.runner import Bench
from realtime_conformance.setting import SESSION_SECONDS, Setting, setting_of
from realtime_protocol.bounds import SCOPES, scope

pytestmark = pytest.mark.usefixtures("heap_set_aside")

SWITCHES: dict[str, dict[str, Any]] = {
    "AUDIO_OUT": {"audio": False},
    "SPEAKER": {"muted": True},
    "VAD": {"detects_turns": False},
    "CREATE_RESPONSE": {"create_response": False},
    "INTERRUPT_RESPONSE": {"interrupt_response": False},
    "TRANSCRIPTION": {"transcribes": True},
    "CALL_OUT": {"tools": True},
    "PAUSES": {"pauses": True},
    "ROTATIONS": {"session_seconds": SESSION_SECONDS},
}
"""What follows from turning a bound the other way."""


@pytest.mark.parametrize("name", SWITCHES)
def test_each_bound_sets_its_option(name: str) -> None:
    """One bound, one option, and nothing else moves."""
    bounds = scope("any", "").bounds
    assert setting_of(bounds) == Setting()
    turned = {**bounds, name: 0 if bounds[name] else 1}
    assert setting_of(turned) == attrs.evolve(Setting(), **SWITCHES[name])


def test_every_option_is_set_by_some_scope() -> None:
    """No option is there that no scope asks for."""
    settings = [setting_of(made.bounds) for made in SCOPES.values()]
    for field in attrs.fields(Setting):
        assert len({getattr(setting, field.name) for setting in settings}) > 1, field.name


def test_every_act_of_the_app_has_a_call() -> None:
    """A client with the calls of `FullClient` lacks nothing in any scope."""
    acts = {
        rule.event
        for made in SCOPES.values()
        for rule in Bench(made, ReferenceClient).machine.rules
        if rule.actor == "app" and not rule.event.startswith("tool_")
    }
    assert needs(FullClient, acts) == []
    calls = {name for name in vars(FullClient) if not name.startswith("_")}
    assert calls <= {act.replace(".", "_") for act in acts}, "a call that no scope makes"


def test_a_client_that_lacks_a_call_is_refused() -> None:
    """Before anything is sent, with what is missing and where."""

    class Small(ReferenceClient):
        hand_over = None

    with pytest.raises(MissingSeam, match=r"expected Small to have .*hand_over.* for this scope"):
        Bench(SCOPES["hand-over"], Small).run()
