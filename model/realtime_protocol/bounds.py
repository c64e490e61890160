"""Scopes and profiles: which part of the protocol, how much of it, and how far it is covered.

A bound is a whole number that the rules name; `DELTA` and `STEP` give the lengths of one audio
delta and one playout step in units of `UNIT_MS` milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

UNIT_MS = 100
"""Milliseconds of audio in one unit of playout."""

Cover = Literal["cover", "exhaust"]


@attrs.frozen(kw_only=True)
class Scope:
    """A part of the protocol with bounds of its own."""

    name: str
    about: str
    bounds: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Profile:
    """A set of scopes and how far each is covered.

    `cover`: every step at every node by at least one way in, and for each interruption point every
    step at every node of the tail after it.
    `exhaust`: every path.
    """

    name: str
    about: str
    cover: Cover
    scopes: Mapping[str, Scope]
    tail_runs: int = 0
    """Runs for one tail under `cover`, or as many as taking every step of it needs."""
    least: Mapping[str, int] = attrs.field(factory=dict)
    """Smallest bounds that may go by the name of this profile."""


AUDIO_REPLY = {
    "TRANSCRIPTS": 2,
    "AUDIO": 2,
    "DELTA": 3,
    "STEP": 2,
    "SPEAKER": 1,
    "UPDATES": 4,
    "TURNS": 1,
    "INTERRUPTIONS": 1,
    "TICKS": 1,
    "DISTURBANCES": 1,
    "CANCELS": 4,
    "TRIES": 1,
    "TRUNCATES": 2,
    "DELETES": 2,
}


def audio_reply(**changes: int) -> Scope:
    """The audio-reply scope under bounds of one's own.

    Raises:
        ValueError: an unknown bound, or one that is too small.
    """
    return rebounded(
        Scope(
            name="audio-reply",
            about="one reply with an audio message, begun by the app or by a user turn, "
            "and interrupted",
            bounds=AUDIO_REPLY,
        ),
        changes,
    )


def rebounded(scope: Scope, changes: Mapping[str, int]) -> Scope:
    """A scope with some bounds changed.

    Raises:
        ValueError: an unknown bound, or one that is too small.
    """
    unknown = sorted(set(changes) - set(AUDIO_REPLY))
    if unknown:
        expected = ", ".join(AUDIO_REPLY)
        raise ValueError(f"unknown bound {unknown[0]!r}; expected one of {expected}")
    bounds = {**scope.bounds, **changes}
    for name, value in bounds.items():
        least = MINIMA.get(name, 0)
        if value < least:
            raise ValueError(f"bound {name} must be at least {least}, got {value}")
    bounds["LENGTH"] = bounds["DELTA"] * bounds["AUDIO"]
    return attrs.evolve(scope, bounds=bounds)


MINIMA = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "UPDATES": 1, "TURNS": 1}

MUTED_REPLY = attrs.evolve(
    audio_reply(SPEAKER=0),
    name="muted-reply",
    about="the same reply to an agent without audio output, as where an app shows transcripts",
)

SCOPES = {"audio-reply": audio_reply(), "muted-reply": MUTED_REPLY}

LEAST = {"TRANSCRIPTS": 2, "AUDIO": 2, "DELTA": 3, "INTERRUPTIONS": 1, "TICKS": 1}

QUICK = Profile(
    name="quick",
    about="every step at every node, and again in the tail of every interruption",
    cover="cover",
    tail_runs=16,
    least=LEAST,
    scopes=SCOPES,
)

STANDARD = Profile(
    name="standard",
    about="every path with every interruption at every node",
    cover="exhaust",
    least=LEAST,
    scopes=SCOPES,
)

PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (QUICK, STANDARD)}


def below(profile: Profile, scope: Scope) -> list[str]:
    """Every bound of `scope` that is smaller than the profile's name promises, as `NAME=N`."""
    return [
        f"{name}={scope.bounds[name]}"
        for name, value in profile.least.items()
        if scope.bounds[name] < value
    ]


def one_more_turn(scope: Scope) -> dict[str, int]:
    """Bounds of the fresh turn after a run: one turn more, as short as a turn can be."""
    bounds = dict(scope.bounds)
    bounds["TURNS"] += 1
    bounds.update(TRANSCRIPTS=1, AUDIO=1, STEP=bounds["DELTA"])
    return bounds
