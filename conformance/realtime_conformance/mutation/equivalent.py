"""Mutants that are argued to be no faults: on file, one by one, each with its reason.

Laws:
- An entry names a mutant by its code and no line: function, operator, statement, what is replaced
  by what, and which of those that read the same.
- An entry that fits no mutant is told; it changes nothing.
- A mutant that is argued equivalent is tried all the same, and one that is killed was argued wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from realtime_conformance.stored import read_json

if TYPE_CHECKING:
    from realtime_conformance.mutation.mutants import Mutant

Key = tuple[str, str, str, str, str, int]


class BadEquivalents(ValueError):
    """A file of equivalent mutants that cannot be used: expected, and what came."""


@attrs.frozen(kw_only=True)
class Equivalent:
    """One mutant, and why it is no fault."""

    function: str
    operator: str
    statement: str
    before: str
    after: str
    reason: str
    occurrence: int = 1

    @property
    def key(self) -> Key:
        """As that of a mutant."""
        return (
            self.function,
            self.operator,
            self.statement,
            self.before,
            self.after,
            self.occurrence,
        )


def read(path: Path | None) -> dict[Key, Equivalent]:
    """What is on file, by key; nothing without a file.

    Raises:
        BadEquivalents: the file is missing, has another shape, gives no reason, or says it twice.
    """
    if path is None:
        return {}
    data = read_json(path, "equivalent mutants", "equivalent mutants", BadEquivalents)
    try:
        entries = [Equivalent(**entry) for entry in data["equivalents"]]
    except (KeyError, TypeError) as error:
        names = ", ".join(field.name for field in attrs.fields(Equivalent))
        raise BadEquivalents(
            f"expected {path} to hold a list `equivalents` of objects with {names}, "
            f"got {type(error).__name__}: {error}"
        ) from error
    found: dict[Key, Equivalent] = {}
    for entry in entries:
        if not str(entry.reason).strip():
            raise BadEquivalents(f"expected a reason for {told(entry)} in {path}, got none")
        if entry.key in found:
            raise BadEquivalents(f"expected {told(entry)} once in {path}, got it twice")
        found[entry.key] = entry
    return found


def unfit(entries: Iterable[Equivalent], mutants: Sequence[Mutant]) -> list[Equivalent]:
    """The entries that fit no mutant."""
    there = {mutant.key for mutant in mutants}
    return [entry for entry in entries if entry.key not in there]


def told(entry: Equivalent) -> str:
    """An entry for people to read."""
    change = f"{entry.before!r} -> {entry.after!r}"
    return f"{entry.operator} of {entry.function}, {change} in `{entry.statement}`"
