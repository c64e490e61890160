"""Faults that released clients had and lost: does the suite tell the releases apart?

Laws:
- A row names a finding and decides nothing: verdicts are those of the checks, and no check knows
  which release runs.
- A fault is found where it was if a run of the last release with it shows the finding.
- It is gone where it was fixed if no run of the first release without it shows the finding. Either
  all runs of the scope were made there, or at least as many as it took before, and the check spoke.
- What a worker was lost to, or what is not the same when made again, proves neither.
- Other findings say nothing here: an old release may break more than one thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from realtime_conformance.checks import BY_ID
from realtime_conformance.engine import Plan, conduct, findings_of
from realtime_conformance.engine import Progress as Told
from realtime_conformance.pool import Interpreter

Json = dict[str, Any]

ON_FILE = Path(__file__).with_name("fixes.json")
"""The rows that come with this package."""


class BadFixes(ValueError):
    """A file of fixes that cannot be used, or a row that is not in it: expected, and what came."""


@attrs.frozen(kw_only=True)
class Fix:
    """One fault, between two releases of livekit.

    `fault` says what went wrong. `sought` is the fingerprint of what shows it, or its beginning:
    the check alone, or the check and the clause. `scope` with `bounds` is where it shows, and
    `limit` the most runs to make there, 0 for all.
    """

    name: str
    fault: str
    last_with: str
    first_without: str
    scope: str
    sought: tuple[str, ...]
    bounds: Mapping[str, int] = attrs.field(factory=dict)
    limit: int = 0
    client: str = "livekit-agent"
    profile: str = "quick"

    @property
    def checks(self) -> list[str]:
        """Ids of the checks whose findings are sought."""
        return sorted({one.partition(" / ")[0] for one in self.sought})

    def plan(self, jobs: int = 1) -> Plan:
        """What to run of either release.

        Raises:
            ValueError: an unknown scope, profile or bound, or a number out of its range.
        """
        plan = Plan(
            client=self.client,
            profile=self.profile,
            scopes=(self.scope,),
            changes=self.bounds,
            jobs=jobs,
            limit=self.limit,
            sought=self.sought,
        )
        plan.bounded()
        return plan


@attrs.frozen(kw_only=True)
class Side:
    """What one release showed: the finding, if there was one, and how much was looked at.

    `left` are the runs that are known and were not made, `premises` how often the checks spoke.
    `trouble` says why nothing follows from the runs; empty if there is nothing of that kind.
    """

    release: str
    runs: int
    left: int
    premises: int
    trouble: str
    check: str = ""
    fingerprint: str = ""
    scenario: str = ""
    text: str = ""


@attrs.frozen(kw_only=True)
class Row:
    """A fix that was tried out."""

    fix: Fix
    before: Side
    """The last release with the fault."""
    after: Side | None
    """The first release without it; None if the fault was not found before."""

    @property
    def failures(self) -> list[str]:
        """Why the releases are not told apart; empty if they are."""
        if not self.before.fingerprint or self.before.trouble:
            why = self.before.trouble or f"{self.before.runs:,} runs show nothing of it"
            return [f"expected {self.before.release} to show the fault, but {why}"]
        assert self.after is not None
        return list(_not_silent(self.before, self.after))


def _not_silent(before: Side, after: Side) -> Iterator[str]:
    expected = f"expected {after.release} to be silent"
    if after.fingerprint:
        yield f"{expected}, but {after.scenario} shows {after.fingerprint}"
    elif after.trouble:
        yield f"{expected}, but {after.trouble}"
    elif after.left and not after.premises:
        yield f"{expected}, but in {after.runs:,} runs the premise of the check never held"
    elif after.left and after.runs < before.runs:
        yield f"{expected} in at least {before.runs:,} runs, but only {after.runs:,} were made"


def read(path: Path = ON_FILE) -> tuple[Fix, ...]:
    """The rows of a file.

    Raises:
        BadFixes: the file is missing, has another shape, or names a check that there is not.
        ValueError: a row names a scope, a profile or a bound that there is not.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        fixes = tuple(
            Fix(**{**row, "sought": tuple(row["sought"]), "bounds": dict(row.get("bounds", {}))})
            for row in data["fixes"]
        )
    except OSError as error:
        raise BadFixes(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFixes(
            f"expected {path} to hold a list `fixes` of objects with "
            f"{', '.join(f.name for f in attrs.fields(Fix))}, got {type(error).__name__}: {error}"
        ) from error
    for fix in fixes:
        _check(fix)
    return fixes


def _check(fix: Fix) -> None:
    unknown = sorted(set(fix.checks) - set(BY_ID))
    if unknown or not fix.checks:
        expected = f"expected one of {', '.join(BY_ID)}"
        raise BadFixes(f"{fix.name} seeks {unknown[0] if unknown else 'nothing'!r}; {expected}")
    fix.plan()


def named(fixes: Sequence[Fix], names: Sequence[str]) -> list[Fix]:
    """The rows with these names, or all of them if none are given.

    Raises:
        BadFixes: there is no such row.
    """
    known = {fix.name: fix for fix in fixes}
    for name in names:
        if name not in known:
            raise BadFixes(f"unknown row {name!r}; expected one of {', '.join(known)}")
    return [known[name] for name in names or known]


def try_out(fix: Fix, interpreter: Callable[[str], Interpreter], jobs: int, told: Told) -> Row:
    """Look for the fault in both releases; in the second only where it was found in the first."""
    before = _side(fix, fix.last_with, interpreter, jobs, told)
    after = None
    if before.fingerprint:
        after = _side(fix, fix.first_without, interpreter, jobs, told)
    return Row(fix=fix, before=before, after=after)


def _side(
    fix: Fix, release: str, interpreter: Callable[[str], Interpreter], jobs: int, told: Told
) -> Side:
    plan = fix.plan(jobs)  # before an environment is built
    report = conduct(attrs.evolve(plan, interpreter=interpreter(release)), told)
    return _seen(fix, release, report)


def _seen(fix: Fix, release: str, report: Json) -> Side:
    """What a report says of one release."""
    scope = report["scopes"][0]
    found = [one for one in findings_of(report) if one["verdict"] == "violation"]
    keys = ("check", "fingerprint", "scenario", "text")
    shown = {key: found[0][key] for key in keys} if found else {}
    premises = {check["id"]: check["premises"] for check in report["checks"]}
    lost = [f"a worker was lost to {one['scenario'] or 'a run'}" for one in report["lost"]]
    return Side(
        release=release,
        runs=scope["scenarios"],
        left=scope["frontier_left"],
        premises=min(premises[check] for check in fix.checks),
        trouble="; ".join([*lost, *report["unstable"]]),
        **shown,
    )


def as_json(rows: Sequence[Row]) -> str:
    """The rows as one JSON document."""
    return json.dumps({"rows": [_plain(row) for row in rows]}, indent=2, ensure_ascii=False)


def _plain(row: Row) -> Json:
    return {**attrs.asdict(row), "flips": not row.failures, "failures": row.failures}


def lines(row: Row) -> Iterator[str]:
    """A row for people to read."""
    fix, before, after = row.fix, row.before, row.after
    yield f"{fix.name}: {fix.fault}"
    if before.fingerprint:
        yield f"  {before.release} fails {before.check}, found in {_extent(fix, before)}"
        yield f"    {before.fingerprint}"
        yield f"    {before.text}"
        yield f"    realtime-conformance replay {before.scenario} --release {before.release}"
    if after is not None and not after.fingerprint:
        yield f"  {after.release} is silent in {_extent(fix, after)}"
    yield from (f"  FAILED: {failure}" for failure in row.failures)


def _extent(fix: Fix, side: Side) -> str:
    share = f"{side.runs:,} runs" if side.left else f"all {side.runs:,} runs"
    return f"{share} of {fix.scope}"
