"""Shrinks a run that shows a violation to one in which no step can be left out.

Laws:
- Every run that is tried is made by the model: steps are left out, and where one that follows is
  then not offered it is skipped, so nothing is tried that the protocol does not allow.
- A run is smaller if it has fewer disturbances, then fewer bursts, then fewer steps up to the
  finding, then earlier choices, of which only those count that have to be said. Only a smaller run
  that shows the violation is taken, so the search ends, and the same client gives the same result.
- Ranges are left out before single steps, halving as delta debugging does; the search ends when no
  single step can be left out and no burst settled, or when its budget of runs is spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs

from realtime_conformance.pool import Choices, WantedStep

Json = dict[str, Any]

BUDGET = 400
"""Most runs for one finding."""

CONTEXT = 60
"""Characters shown on each side of where two events begin to differ."""


class Runs(Protocol):
    """Who makes runs: a pool of workers, or what stands for one."""

    def trail(self, choices: Choices) -> Json:
        """Make one run by its choices."""

    def follow(self, wanted: Sequence[WantedStep]) -> Json:
        """Make one run that takes the wanted steps where they are offered."""


@attrs.frozen
class Shrunk:
    """The smallest run that was found.

    `choices` are those that have to be said; the run goes on by itself. `left_out` is how many
    fewer steps it takes up to the finding; 0 where it takes more, with fewer disturbances or bursts
    among them. `minimal` says that the search came to its end: no step
    can be left out. `shown` says that the run that was given shows the violation at all.
    """

    choices: Choices
    left_out: int = 0
    runs: int = 0
    minimal: bool = False
    shown: bool = True


@attrs.frozen
class _Trail:
    """One run that shows the violation."""

    size: tuple[int, int, int, Choices]
    """Disturbances, bursts and ticks, steps up to the finding, choices that have to be said."""
    steps: tuple[WantedStep, ...]
    """Those up to the finding, and those that have to be said."""

    @property
    def until(self) -> int:
        """How many steps there are up to the finding."""
        return self.size[2]

    @property
    def choices(self) -> Choices:
        """The choices that have to be said."""
        return self.size[3]


def shrink(runs: Runs, choices: Choices, fingerprint: str, budget: int = BUDGET) -> Shrunk:
    """Leave out of a run whatever the violation with `fingerprint` does not need.

    A run that does not show the violation when it is made again is given back as it was.
    """
    search = _Search(runs, fingerprint, budget)
    first = search.read(runs.trail(choices))
    if first is None:
        return Shrunk(choices, shown=False)
    search.best = first
    minimal = search.exhaust()
    best = search.best
    left_out = max(first.until - best.until, 0)
    return Shrunk(best.choices, left_out, search.runs, minimal)


class _Search:
    """One search: the smallest run so far, and what was tried."""

    best: _Trail

    def __init__(self, maker: Runs, fingerprint: str, budget: int) -> None:
        self._maker = maker
        self._fingerprint = fingerprint
        self._budget = budget
        self._tried: set[tuple[WantedStep, ...]] = set()
        self.runs = 0

    def read(self, trail: Json) -> _Trail | None:
        """A run as it is compared; None if it does not show the violation."""
        wanted = (self._fingerprint, "violation")
        found = [until for *finding, until in trail["findings"] if tuple(finding) == wanted]
        if not found:
            return None
        steps = tuple((rule, bool(burst), ticks) for rule, burst, ticks in trail["steps"])
        bursts = sum(burst or ticks > 0 for _, burst, ticks in steps)
        needed = trail["needed"]
        size = (trail["disturbances"], bursts, min(found), tuple(trail["choices"][:needed]))
        return _Trail(size, steps[: max(needed, min(found))])

    def exhaust(self) -> bool:
        """Try until nothing is left to try; False if the budget did not suffice."""
        length = len(self.best.steps)
        while length > 1:
            self._leave_out(length)
            length = (length + 1) // 2
        while self._leave_out(1) or self._settle():
            pass
        return self.runs < self._budget

    def _leave_out(self, length: int) -> bool:
        """Try to leave out every range of a length, one after the other."""
        improved, start = False, 0
        while start < len(self.best.steps):
            wanted = self.best.steps
            if self._smaller((*wanted[:start], *wanted[start + length :])):
                improved = True
            else:
                start += length
        return improved

    def _settle(self) -> bool:
        """Try to let the client come to rest where a step comes before it is."""
        bursts = [n for n, (_, burst, ticks) in enumerate(self.best.steps) if burst or ticks]
        for n in bursts:
            wanted = self.best.steps
            if self._smaller((*wanted[:n], (wanted[n][0], False, 0), *wanted[n + 1 :])):
                return True
        return False

    def _smaller(self, wanted: tuple[WantedStep, ...]) -> bool:
        """Make a run, unless it was made before, and take it if it is smaller."""
        if wanted in self._tried or self.runs >= self._budget:
            return False
        self._tried.add(wanted)
        self.runs += 1
        found = self.read(self._maker.follow(wanted))
        if found is None or found.size >= self.best.size:
            return False
        self.best = found
        return True


def difference(expected: str, got: str) -> str:
    """Where two traces of one run begin to differ, in one line; empty if they do not."""
    before, after = expected.splitlines(), got.splitlines()
    for number, (one, other) in enumerate(zip(before, after), 1):  # noqa: B905
        if one != other:
            return f"event {number}: expected {_around(one, other)}, got {_around(other, one)}"
    if len(before) == len(after):
        return ""
    number = min(len(before), len(after)) + 1
    ends = [lines[number - 1 : number] or ["the end"] for lines in (before, after)]
    expected, got = (line[: 2 * CONTEXT] for (line,) in ends)
    return f"event {number}: expected {expected}, got {got}"


def _around(line: str, other: str) -> str:
    """The part of a line where it begins to differ from another."""
    same = next((n for n, (a, b) in enumerate(zip(line, other)) if a != b), len(other))  # noqa: B905
    start = max(same - CONTEXT, 0)
    return ("..." if start else "") + line[start : same + CONTEXT]
