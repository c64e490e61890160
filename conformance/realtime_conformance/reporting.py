"""Draws up the report: plain data, the verdict, and every reason for it.

Laws:
- But for `seconds` it depends on the client, the profile, the bounds and the strategy alone.
- A run fails if something new is violated, something known is gone, a check never spoke, a worker
  was lost, or the coverage that was promised was not reached; every reason is said.
- A check of what a client says of itself asks nothing of one that says nothing: it is exempt, and
  the report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from realtime_conformance import baseline
from realtime_conformance.checks import CHECKS
from realtime_conformance.checks.interface import Check
from realtime_conformance.plan import Plan

Json = dict[str, Any]

FORMAT = 1
"""Shape of a report; one of another shape is not read."""


def report_of(plan: Plan, parts: Sequence[Json], seconds: float) -> Json:
    """The report on all scopes of a plan, each as its exploration left it."""
    findings = [finding for part in parts for finding in part["findings"]]
    premises = {
        check.id: sum(part["premises"].get(check.id, 0) for part in parts) for check in CHECKS
    }
    scopes = [part["summary"] for part in parts]
    hello = parts[0]["hello"]
    report: Json = {
        "format": FORMAT,
        "tool": {"name": "realtime-conformance", "version": own_version()},
        "client": {
            "name": plan.client,
            "release": plan.release,
            "python": hello["python"],
            "packages": hello["packages"],
            "tells": hello["tells"],
        },
        "profile": plan.profile,
        "whole_profile": not plan.scopes,
        "bursts": plan.preemptions,
        "strategy": {
            "name": ", ".join(dict.fromkeys(scope["strategy"] for scope in scopes)),
            "seed": plan.seed,
            "reduction": plan.reduction,
        },
        "scopes": scopes,
        "scenarios": sum(scope["scenarios"] for scope in scopes),
        "checks": [
            _check(
                check,
                premises[check.id],
                findings,
                exempt=check.exempts(hello["tells"])
                or not any(check.speaks_of(scope["bounds"]) for scope in scopes),
            )
            for check in CHECKS
        ],
        "gone": [
            {"fingerprint": issue.fingerprint, "reason": issue.told}
            for issue in baseline.gone(
                plan.known,
                plan.profile,
                [scope["name"] for scope in scopes],
                violations(findings),
            )
        ],
        "unstable": [
            f"{finding['scenario']}: {finding['unstable']}"
            for finding in findings
            if finding["unstable"]
        ],
        "lost": [loss for part in parts for loss in part["lost"]],
        "seconds": round(seconds, 1),
    }
    report["reasons"] = _reasons(report)
    report["verdict"] = "fail" if report["reasons"] else "pass"
    return report


def violations(findings: Sequence[Json]) -> dict[str, str]:
    """Text of every violation by fingerprint."""
    return {f["fingerprint"]: f["text"] for f in findings if f["verdict"] == "violation"}


def sightings(report: Json) -> dict[str, baseline.Sighting]:
    """Every violation of a report by fingerprint, with the scopes that show it."""
    found: dict[str, baseline.Sighting] = {}
    for finding in findings_of(report):
        if finding["verdict"] == "violation":
            before = found.get(finding["fingerprint"])
            scopes = (*(before.scopes if before else ()), finding["scope"])
            found[finding["fingerprint"]] = baseline.Sighting(finding["text"], scopes)
    return found


def findings_of(report: Json) -> list[Json]:
    """All findings of a report."""
    return [finding for check in report["checks"] for finding in check["findings"]]


def _check(check: Check, premises: int, findings: Sequence[Json], *, exempt: bool) -> Json:
    own = [finding for finding in findings if finding["check"] == check.id]
    counts = {
        verdict: sum(finding["count"] for finding in own if finding["verdict"] == verdict)
        for verdict in ("violation", "advisory")
    }
    spoke = next((name for name, count in counts.items() if count), "pass")
    silent = "exempt" if exempt else "vacuous"
    shortest = min(own, key=lambda finding: len(finding["timeline"]), default=None)
    return {
        "id": check.id,
        "about": check.about,
        "premise": check.premise,
        "source": check.source,
        "verdict": spoke if premises else silent,
        "needs": list(check.needs),
        "premises": premises,
        "violations": counts["violation"],
        "advisories": counts["advisory"],
        "shortest": shortest["scenario"] if shortest else None,
        "findings": own,
    }


def _reasons(report: Json) -> list[str]:
    # what was drawn by chance says nothing of what it did not come upon
    whole = all(scope["promises"] for scope in report["scopes"])
    reasons = [
        f"new violation: {finding['fingerprint']} ({finding['replay']})"
        for finding in findings_of(report)
        if finding["verdict"] == "violation" and finding["known"] is None
    ]
    reasons += [f"known issue is gone: {issue['fingerprint']}" for issue in report["gone"] if whole]
    reasons += [
        f"check never spoke: {check['id']}; its premise is that {check['premise']}"
        for check in report["checks"]
        # a single scope may hold nothing that a check speaks of; the profile must
        if check["verdict"] == "vacuous" and report["whole_profile"] and whole
    ]
    reasons += [f"not the same when made again: {repeat}" for repeat in report["unstable"]]
    reasons += [
        f"a worker was lost to {loss['scenario'] or 'a run'}: it {loss['how']}"
        for loss in report["lost"]
    ]
    for scope in report["scopes"]:
        reasons += _uncovered(scope)
    return reasons


def _uncovered(scope: Json) -> list[str]:
    found = []
    if scope["below_profile"]:
        found.append(f"bounds below the profile: {', '.join(scope['below_profile'])}")
    if scope["promises"]:
        found += _unreached(scope)
    return [f"coverage of {scope['name']}: {reason}" for reason in found]


def _unreached(scope: Json) -> list[str]:
    """What is missing of the coverage that a strategy promises."""
    closure = scope["closure"]
    found = []
    if scope["cut_short"]:
        found.append(scope["cut_short"])
    if scope["frontier_left"]:
        found.append(f"{scope['frontier_left']} runs were left unmade")
    if closure["covered"] < closure["total"]:
        found.append(f"closure is {closure['covered']} of {closure['total']} steps")
    if scope["unvisited"]["unexplained"]:
        found.append(f"{scope['unvisited']['unexplained']} unvisited nodes are unexplained")
    return found


def own_version() -> str:
    """The version of this project."""
    try:
        return version("realtime-conformance")
    except PackageNotFoundError:
        return "source"
