"""Ids of runs: they replay exactly, or are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_conformance.scenario import BadId, Scenario, parse_id, scope_of
from realtime_protocol.bounds import audio_reply
from realtime_protocol.machine import Machine

CHANGES = ((), (("AUDIO", 3),), (("AUDIO", 3), ("TICKS", 0)), (("CREATE_RESPONSE", 0),))
DIGESTS = {change: Machine(audio_reply(**dict(change)).bounds).digest for change in CHANGES}
DIGEST = DIGESTS[()]


@given(
    client=st.sampled_from(["livekit-agent", "doubles.reference:Client"]),
    profile=st.sampled_from(["quick", "standard"]),
    changes=st.sampled_from(CHANGES),
    bursts=st.integers(0, 3),
    choices=st.lists(st.integers(0, 35), max_size=20),
)
def test_an_id_names_its_run(client, profile, changes, bursts, choices):
    """Writing an id and reading it gives the same run."""
    run = Scenario(client, profile, "audio-reply", changes, bursts, tuple(choices))
    digest = DIGESTS[changes]
    assert parse_id(run.id(digest)) == run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected client:profile:scope:digest:choices"),
        ("livekit-agent:quick:audio-reply", "expected client:profile:scope"),
        (f"livekit-agent:quick:audio-reply:{DIGEST}:0-0", "expected client:profile:scope"),
        (f"livekit-agent:nope:audio-reply:{DIGEST}:0", "unknown profile 'nope'"),
        (f"livekit-agent:quick:nope:{DIGEST}:0", "unknown scope 'nope'"),
        (f"livekit-agent:quick:audio-reply+NOPE=1:{DIGEST}:0", "unknown bound 'NOPE'"),
        ("livekit-agent:quick:audio-reply:000000:0", f"under its bounds is {DIGEST}"),
        (f"livekit-agent:quick:audio-reply+AUDIO=3:{DIGEST}:0", f"id of model {DIGEST}"),
    ],
)
def test_an_id_of_something_else_is_refused(text, expected):
    """A refusal says what was expected and what came."""
    with pytest.raises(BadId, match=expected.replace("+", r"\+")):
        parse_id(text)


def test_bounds_of_ones_own_reach_the_scope():
    """A changed bound changes the scope and what follows from it."""
    scope = scope_of("quick", "audio-reply", {"AUDIO": 3})
    assert scope.bounds["AUDIO"] == 3
    assert scope.bounds["LENGTH"] == 9
