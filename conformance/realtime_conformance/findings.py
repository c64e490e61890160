"""What the checks found, by fingerprint: how often, and the shortest run that shows it.

Laws:
- Noting is a union: the order in which findings come changes nothing.
- One fingerprint can be an advisory on one path and a violation on another: the violation stands,
  and its shortest run is the one that is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

Choices = tuple[int, ...]
Json = dict[str, Any]


@attrs.define
class Found:
    """All findings with one fingerprint: how many, and the shortest run that shows it."""

    check: str
    verdict: str
    fingerprint: str
    clause: str
    enabled_by: tuple[str, ...]
    text: str
    rank: tuple[int, Choices]
    """Position of the finding and all choices of the run: the least is the shortest."""
    count: int = 0

    @property
    def weight(self) -> tuple[bool, tuple[int, Choices]]:
        """The least is the one to keep: a violation before an advisory, then the shortest."""
        return self.verdict != "violation", self.rank

    @property
    def choices(self) -> Choices:
        """All choices of the shortest run."""
        return self.rank[1]


def note(found: dict[str, Found], finding: Sequence[Any], choices: Choices) -> None:
    """Enter one finding of the run with `choices`."""
    check, verdict, fingerprint, position, text, clause, enabled_by = finding
    new = Found(check, verdict, fingerprint, clause, tuple(enabled_by), text, (position, choices))
    known = found.setdefault(fingerprint, new)
    if new.weight < known.weight:
        known.rank, known.text, known.verdict = new.rank, text, verdict
    known.count += 1


def saved(found: dict[str, Found]) -> list[Json]:
    """Everything that was found, as plain data."""
    return [attrs.asdict(one) for one in found.values()]


def restored(data: Sequence[Json]) -> dict[str, Found]:
    """What was saved."""
    found = {}
    for one in data:
        position, choices = one["rank"]
        rank = (position, tuple(choices))
        found[one["fingerprint"]] = Found(
            **{**one, "enabled_by": tuple(one["enabled_by"]), "rank": rank}
        )
    return found
