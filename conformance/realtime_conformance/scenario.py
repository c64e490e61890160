"""A run as data, and its id: one line that replays it exactly.

Laws:
- A run is a client, a profile, a scope with its bounds, and the list of choices.
- A choice is the position of a step among those that the node offered, in the machine's order;
  `3.0b` is position 3, and the next step comes after 11 ticks (0b in base 36).
- The id carries a digest of rules and bounds, so an id of another model is refused, not misread.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

import attrs

from realtime_protocol.bounds import PROFILES, Scope, rebounded
from realtime_protocol.machine import Machine

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SHAPE = re.compile(
    r"(?P<client>[A-Za-z_][\w.-]*(?::[A-Za-z_]\w*)?):(?P<profile>[a-z]+):(?P<scope>[a-z-]+)"
    r"(?P<changes>(?:\+[A-Z_]+=\d+)*)(?P<bursts>~\d+)?:(?P<digest>[0-9a-f]{6}):"
    r"(?P<choices>(?:[0-9a-z](?:\.[0-9a-z]{2})?)*)"
)
CHOICE = re.compile(r"([0-9a-z])(?:\.([0-9a-z]{2}))?")

TICK = 64
"""A choice is the position of an option, and `TICK` times the ticks after which the next step
comes; 0 is at rest."""


class BadId(ValueError):
    """An id that cannot be replayed here: what was expected and what came."""


@attrs.frozen
class Scenario:
    """One run: who is driven, in which part of the protocol, by which choices."""

    client: str
    profile: str
    scope: str
    changes: tuple[tuple[str, int], ...] = ()
    """Bounds of one's own, by name."""
    bursts: int = 0
    """How many server events may come right behind another."""
    choices: tuple[int, ...] = ()

    def bounded(self) -> Scope:
        """The scope with its bounds."""
        return scope_of(self.profile, self.scope, dict(self.changes))

    def id(self, digest: str) -> str:
        """The id of this run under the model with `digest`."""
        changes = "".join(f"+{name}={value}" for name, value in self.changes)
        choices = "".join(map(_spelled, self.choices))
        bursts = f"~{self.bursts}" if self.bursts else ""
        return f"{self.client}:{self.profile}:{self.scope}{changes}{bursts}:{digest}:{choices}"


def _spelled(choice: int) -> str:
    ticks, position = divmod(choice, TICK)
    if not ticks:
        return DIGITS[position]
    high, low = divmod(ticks, 36)
    return f"{DIGITS[position]}.{DIGITS[high]}{DIGITS[low]}"


def scope_of(profile: str, scope: str, changes: Mapping[str, int]) -> Scope:
    """A scope of a profile with some bounds changed.

    Raises:
        ValueError: an unknown profile, scope or bound, or a bound that is too small.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; expected one of {', '.join(PROFILES)}")
    scopes = PROFILES[profile].scopes
    if scope not in scopes:
        raise ValueError(f"unknown scope {scope!r}; expected one of {', '.join(scopes)}")
    return rebounded(scopes[scope], changes)


@functools.cache
def _digest(bounds: tuple[tuple[str, int], ...]) -> str:
    return Machine(dict(bounds)).digest


def parse_id(text: str) -> Scenario:
    """The run that an id names.

    Raises:
        BadId: the id has another shape, or belongs to another model, profile or scope.
    """
    found = SHAPE.fullmatch(text.strip())
    if found is None:
        raise BadId(f"expected client:profile:scope:digest:choices, got {text!r}")
    changes = tuple(
        (name, int(value))
        for name, value in (part.split("=") for part in found["changes"].split("+")[1:])
    )
    choices = tuple(
        DIGITS.index(digit) + TICK * int(ticks or "0", 36)
        for digit, ticks in CHOICE.findall(found["choices"])
    )
    bursts = int((found["bursts"] or "~0")[1:])
    scenario = Scenario(found["client"], found["profile"], found["scope"], changes, bursts, choices)
    try:
        digest = _digest(tuple(scenario.bounded().bounds.items()))
    except ValueError as error:
        raise BadId(f"id {text!r}: {error}") from error
    if digest != found["digest"]:
        raise BadId(f"id of model {found['digest']}, but this model under its bounds is {digest}")
    return scenario
