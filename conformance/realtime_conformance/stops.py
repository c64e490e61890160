"""When an exploration ends: its budget, and the conditions that end it sooner.

Laws:
- It always ends where its frontier is empty.
- A condition is a value: it sees what was found and says whether that is enough.
- What was stopped has not covered what its profile promises, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import attrs

from realtime_conformance.checks import CHECKS


class Sighting(Protocol):
    """All findings with one fingerprint."""

    check: str
    verdict: str
    fingerprint: str


@attrs.frozen
class Sight:
    """What a stop condition sees: the findings so far, and which violations are on file."""

    found: Mapping[str, Sighting]
    known: Collection[str] = ()


@attrs.frozen
class Stop:
    """One condition that ends an exploration."""

    name: str
    about: str
    holds: Callable[[Sight], bool]


def _new_violation(sight: Sight) -> bool:
    return any(
        found.verdict == "violation" and found.fingerprint not in sight.known
        for found in sight.found.values()
    )


def _all_decided(sight: Sight) -> bool:
    return {found.check for found in sight.found.values()} == {check.id for check in CHECKS}


def _never(sight: Sight) -> bool:  # noqa: ARG001
    return False


STOPS: Mapping[str, Stop] = {
    stop.name: stop
    for stop in (
        Stop("frontier", "nothing is left to make", _never),
        Stop("violation", "the first violation that is not on file", _new_violation),
        Stop("decided", "every check has found something", _all_decided),
    )
}


def stops(names: Sequence[str]) -> tuple[Stop, ...]:
    """Stop conditions by their names.

    Raises:
        ValueError: there is no such condition.
    """
    for name in names:
        if name not in STOPS:
            expected = ", ".join(STOPS)
            raise ValueError(f"unknown stop condition {name!r}; expected one of {expected}")
    return tuple(STOPS[name] for name in names)


def begins(fingerprint: str, sought: Collection[str]) -> bool:
    """Whether a fingerprint is one that is looked for, or begins with all parts of one."""
    return any(fingerprint == one or fingerprint.startswith(f"{one} / ") for one in sought)


def at_first_of(sought: Collection[str]) -> Stop:
    """The condition that ends an exploration at the first violation that is looked for."""

    def found(sight: Sight) -> bool:
        return any(
            one.verdict == "violation" and begins(one.fingerprint, sought)
            for one in sight.found.values()
        )

    return Stop("sought", f"the first violation of {', '.join(sought)}", found)


@attrs.frozen
class Budget:
    """How much may be made: runs, and seconds of real time; 0 for no limit.

    What one request asks for is made whole, so a budget can be exceeded by that.
    """

    runs: int = 0
    seconds: float = 0.0


UNLIMITED = Budget()
"""No limit at all."""
