"""Conducts a conformance run: explores every scope of a profile and draws up the report.

Laws:
- The report is plain data; but for `seconds` it depends on the client, the profile and the
  bounds alone.
- A run fails if something new is violated, something known is gone, a check never spoke, or the
  coverage that the profile promises was not reached; every reason is said.
- The shortest run of each violation is shrunk until no step of it can be left out.
- Every finding is made twice more before it is reported, and both traces must be equal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs

from realtime_conformance import baseline
from realtime_conformance.checks import CHECKS
from realtime_conformance.checks.interface import Check
from realtime_conformance.explorer import Explorer, Found
from realtime_conformance.ledger import Ledger
from realtime_conformance.pool import Choices, Interpreter, Pool, Setup
from realtime_conformance.scenario import Scenario, scope_of
from realtime_conformance.shrink import Shrunk, difference, shrink
from realtime_protocol.bounds import PROFILES, Scope, below
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine

Json = dict[str, Any]
Progress = Callable[[str, int, int], None]
"""Told the scope, how many runs are made, and how many are known that are not."""


def silent(scope: str, done: int, left: int) -> None:
    """Show no progress."""


@attrs.frozen(kw_only=True)
class Plan:
    """What to run."""

    client: str = "livekit-agent"
    profile: str = "quick"
    scopes: tuple[str, ...] = ()
    """Names of scopes; empty for all of the profile."""
    changes: Mapping[str, int] = attrs.field(factory=dict)
    bursts: int = 0
    jobs: int = 1
    limit: int = 0
    known: Mapping[str, baseline.KnownIssue] = attrs.field(factory=dict)
    interpreter: Interpreter = attrs.field(factory=Interpreter)

    def bounded(self) -> list[Scope]:
        """The scopes with their bounds.

        Raises:
            ValueError: an unknown profile, scope or bound.
        """
        if self.profile not in PROFILES:
            expected = ", ".join(PROFILES)
            raise ValueError(f"unknown profile {self.profile!r}; expected one of {expected}")
        names = self.scopes or PROFILES[self.profile].scopes
        return [scope_of(self.profile, name, self.changes) for name in names]

    def scenario(self, choices: Choices, scope: str) -> Scenario:
        """A run of the plan."""
        changes = tuple(sorted(self.changes.items()))
        return Scenario(self.client, self.profile, scope, changes, self.bursts, choices)


def conduct(plan: Plan, progress: Progress = silent) -> Json:
    """Run the plan and return the report.

    Raises:
        ValueError: an unknown profile, scope or bound.
        WorkerLost, WorkerRefused: a worker died, or says that the client cannot be driven.
    """
    started = time.monotonic()
    explored = [_Explored(plan, scope) for scope in plan.bounded()]
    for part in explored:
        part.explore(progress)
    return _report(plan, explored, time.monotonic() - started)


class _Explored:
    """One scope of the plan, explored."""

    def __init__(self, plan: Plan, scope: Scope) -> None:
        self.plan = plan
        self.scope = scope
        self.machine = Machine(scope.bounds)
        self.profile = PROFILES[plan.profile]
        ledger = Ledger(enumerate_graph(self.machine))
        self.explorer = Explorer(ledger, self.profile.cover, plan.limit, self.profile.tail_runs)
        self.hello: Json = {}
        self.findings: list[Json] = []

    def explore(self, progress: Progress) -> None:
        """Make all runs, then shrink those of the violations, and make each result twice."""
        plan = self.plan
        setup = Setup(
            client=plan.client,
            profile=plan.profile,
            scope=self.scope.name,
            changes=dict(plan.changes),
            bursts=plan.bursts,
        )
        with Pool(setup, plan.jobs, plan.interpreter) as pool:
            self.hello = pool.hello
            self.explorer.explore(pool, lambda done, left: progress(self.scope.name, done, left))
            found = sorted(self.explorer.found.values(), key=lambda found: found.rank)
            # each is shrunk on its own, so the number of jobs changes nothing but the time
            with ThreadPoolExecutor(plan.jobs) as threads:
                self.findings = list(threads.map(lambda one: self._finding(one, pool), found))

    def _finding(self, found: Found, pool: Pool) -> Json:
        shrunk = Shrunk(found.choices)
        if found.verdict == "violation":
            shrunk = shrink(pool, found.choices, found.fingerprint)
        first, second = pool.show(shrunk.choices), pool.show(shrunk.choices)
        known = self.plan.known.get(found.fingerprint)
        return {
            "check": found.check,
            "verdict": found.verdict,
            "fingerprint": found.fingerprint,
            "clause": found.clause,
            "enabled_by": list(found.enabled_by),
            "count": found.count,
            "text": first["fingerprints"].get(found.fingerprint, found.text),
            "known": known.reason if known else None,
            "scenario": self.plan.scenario(shrunk.choices, self.scope.name).id(self.machine.digest),
            "left_out": shrunk.left_out,
            "minimal": shrunk.minimal,
            "unstable": _unstable(found.fingerprint, first, second),
            "trace_digest": first["digest"],
            "timeline": first["timeline"],
        }

    def summary(self) -> Json:
        """Bounds, graph and coverage."""
        return {
            "name": self.scope.name,
            "bounds": dict(self.scope.bounds),
            "below_profile": below(self.profile, self.scope),
            "model": self.machine.digest,
            "scenarios": self.explorer.runs,
            "frontier_left": self.explorer.left,
            "tails_left": self.explorer.tails_left,
            **self.explorer.ledger.summary(),
        }


def _unstable(fingerprint: str, first: Json, second: Json) -> str:
    """In what the two last runs of a finding fall short of showing it alike; empty if they do not.

    What differs is nondeterminism of the client or of the harness.
    """
    differs = difference(first["trace"], second["trace"])
    if differs:
        return f"the client or the harness is not deterministic: {differs}"
    shown = list(first["fingerprints"])
    return "" if fingerprint in shown else f"expected {fingerprint}, got {shown or 'no finding'}"


def _report(plan: Plan, explored: Sequence[_Explored], seconds: float) -> Json:
    findings = [finding for part in explored for finding in part.findings]
    premises = {
        check.id: sum(part.explorer.premises.get(check.id, 0) for part in explored)
        for check in CHECKS
    }
    scopes = [part.summary() for part in explored]
    hello = explored[0].hello
    report: Json = {
        "tool": {"name": "realtime-conformance", "version": _own_version()},
        "client": {"name": plan.client, "python": hello["python"], "packages": hello["packages"]},
        "profile": plan.profile,
        "whole_profile": not plan.scopes,
        "bursts": plan.bursts,
        "scopes": scopes,
        "scenarios": sum(scope["scenarios"] for scope in scopes),
        "checks": [_check(check, premises[check.id], findings) for check in CHECKS],
        "gone": [
            {"fingerprint": issue.fingerprint, "reason": issue.reason}
            for issue in baseline.gone(plan.known, plan.profile, violations(findings))
        ],
        "unstable": [
            f"{finding['scenario']}: {finding['unstable']}"
            for finding in findings
            if finding["unstable"]
        ],
        "seconds": round(seconds, 1),
    }
    report["reasons"] = _reasons(report)
    report["verdict"] = "fail" if report["reasons"] else "pass"
    return report


def violations(findings: Sequence[Json]) -> dict[str, str]:
    """Text of every violation by fingerprint."""
    return {f["fingerprint"]: f["text"] for f in findings if f["verdict"] == "violation"}


def findings_of(report: Json) -> list[Json]:
    """All findings of a report."""
    return [finding for check in report["checks"] for finding in check["findings"]]


def _check(check: Check, premises: int, findings: Sequence[Json]) -> Json:
    own = [finding for finding in findings if finding["check"] == check.id]
    counts = {
        verdict: sum(finding["count"] for finding in own if finding["verdict"] == verdict)
        for verdict in ("violation", "advisory")
    }
    verdict = next((name for name, count in counts.items() if count), "pass")
    shortest = min(own, key=lambda finding: len(finding["timeline"]), default=None)
    return {
        "id": check.id,
        "about": check.about,
        "premise": check.premise,
        "source": check.source,
        "verdict": verdict if premises else "vacuous",
        "premises": premises,
        "violations": counts["violation"],
        "advisories": counts["advisory"],
        "shortest": shortest["scenario"] if shortest else None,
        "findings": own,
    }


def _reasons(report: Json) -> list[str]:
    reasons = [
        f"new violation: {finding['fingerprint']} (replay {finding['scenario']})"
        for finding in findings_of(report)
        if finding["verdict"] == "violation" and finding["known"] is None
    ]
    reasons += [f"known issue is gone: {issue['fingerprint']}" for issue in report["gone"]]
    reasons += [
        f"check never spoke: {check['id']}; its premise is that {check['premise']}"
        for check in report["checks"]
        # a single scope may hold nothing that a check speaks of; the profile must
        if check["verdict"] == "vacuous" and report["whole_profile"]
    ]
    reasons += [f"not the same when made again: {repeat}" for repeat in report["unstable"]]
    for scope in report["scopes"]:
        reasons += _uncovered(scope)
    return reasons


def _uncovered(scope: Json) -> list[str]:
    closure = scope["closure"]
    found = []
    if scope["below_profile"]:
        found.append(f"bounds below the profile: {', '.join(scope['below_profile'])}")
    if scope["frontier_left"]:
        found.append(f"{scope['frontier_left']} runs were left unmade")
    if closure["covered"] < closure["total"]:
        found.append(f"closure is {closure['covered']} of {closure['total']} steps")
    if scope["unvisited"]["unexplained"]:
        found.append(f"{scope['unvisited']['unexplained']} unvisited nodes are unexplained")
    return [f"coverage of {scope['name']}: {reason}" for reason in found]


def _own_version() -> str:
    try:
        return version("realtime-conformance")
    except PackageNotFoundError:
        return "source"
