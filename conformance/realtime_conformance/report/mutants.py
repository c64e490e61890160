"""A campaign of mutants on the terminal: each end as it comes, then survivors and the score.

Laws:
- Whoever is not killed is shown with its diff, and under its own heading if no run reached it.
- What was limited, left out, or not tried yet is said; the score stands last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]

SURVIVORS = {
    "survived": "survived: driven, and nothing new was seen",
    "not reached": "not reached: no run executes the statement",
}
"""The ends that a campaign is read for."""

FEW = 4
"""As many scopes are named one by one."""


def ended(name: str, known: Json, number: int, of: int) -> str:
    """One line about a scope that was measured or a mutant that was tried."""
    place = f"[{number}/{of}]"
    if "verdict" not in known:
        if "refused" in known:
            return f"{place} {name} is left out: {known['refused']}"
        return f"{place} {name} without a mutant: {known['runs']:,} runs"
    return f"{place} {known['verdict']:11} {name}{_how(known)}"


def _how(known: Json) -> str:
    if known["verdict"] == "killed":
        return f": {_killed(known['kill'])}"
    if known["verdict"] == "survived":
        return f": {known['runs']:,} runs in {_named(known['scopes'])}"
    return ""


def _named(scopes: Sequence[str]) -> str:
    return ", ".join(scopes) if len(scopes) <= FEW else f"{len(scopes)} scopes"


def _killed(kill: Json) -> str:
    what = kill["fingerprint"] or f"{kill['sign']}: {kill['text']}"
    return f"{what}; in {kill['scope']} after {kill['runs']:,} runs"


def sample(report: Json) -> Iterator[str]:
    """The sample, each with its diff."""
    for one in report["mutants"]:
        yield f"{one['id']} (line {one['line']}, {one['operator']})"
        yield from (f"    {line}" for line in one["diff"].split("\n")[2:])
    yield f"{len(report['mutants'])} drawn of {report['possible']:,}, seed {report['of']['seed']}"


def told(report: Json) -> Iterator[str]:
    """The whole campaign, survivors first."""
    for verdict, heading in SURVIVORS.items():
        yield from _survivors(report, verdict, heading)
    yield from _equivalents(report)
    yield from _limits(report)
    yield from _sum(report)


def _survivors(report: Json, verdict: str, heading: str) -> Iterator[str]:
    found = [m for m in report["mutants"] if m["verdict"] == verdict and not m["equivalent"]]
    if found:
        yield f"{len(found)} {heading}"
    for one in found:
        yield f"  {one['id']} (line {one['line']}){_how(one)}"
        yield from (f"      {line}" for line in one["diff"].split("\n")[2:])


def _equivalents(report: Json) -> Iterator[str]:
    for one in report["mutants"]:
        if one["equivalent"]:
            yield f"argued equivalent: {one['id']}: {one['equivalent']}"
        if one["argued_wrong"]:
            yield f"argued equivalent, but killed: {one['id']}: {_killed(one['kill'])}"
    for text in report["unfit_equivalents"]:
        yield f"argued equivalent, but there is no such mutant: {text}"


def _limits(report: Json) -> Iterator[str]:
    reasons = Counter(report["left_out"].values())
    for reason, count in reasons.most_common():
        yield f"left out: {count} {'function' if count == 1 else 'functions'}: {reason}"
    for name, scope in report["unmutated"].items():
        if scope["refused"]:
            yield f"left out: scope {name}: {scope['refused']}"
    for name, runs in report["passes"].items():
        extent = f"at most {runs:,} runs in a scope" if runs else "every run"
        yield f"pass {name}: {extent}"


def _sum(report: Json) -> Iterator[str]:
    verdicts = report["verdicts"]
    drawn = sum(verdicts.values())
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    yield f"{drawn} drawn of {report['possible']:,}: {counts}; {report['equivalent']} equivalent"
    if report["score"] is not None:
        counted = drawn - report["equivalent"]
        part = "; not all were tried" if verdicts["not tried"] else ""
        yield f"score {report['score']:.1%}: {verdicts['killed']} of {counted} killed{part}"
