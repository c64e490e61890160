"""What is derived of each finding: its violations, the rules they rest on, a run, the real time.

Laws:
- A page says by hand what the user suffers and why it happens; the rest is added when the manual is
  built, from the file of known issues, the rules, and a run of the installed client.
- A run is on file as the rules of its steps, never as an id, so it outlives a change of bounds;
  what it no longer shows is said on the page, and a slow test fails.
- Where no run is asked for none is made, and the page says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from pages import markdown as md
from realtime_conformance import baseline
from realtime_conformance.baseline import KnownIssue
from realtime_conformance.checks import CHECKS
from realtime_conformance.clients.registry import load
from realtime_conformance.confirm import violations_of
from realtime_conformance.outline import UNTOLD, NotShown, outline
from realtime_conformance.runner import Bench, Outcome, Wanted
from realtime_conformance.scenario import Scenario, parse_id, scope_of
from realtime_conformance.stored import replace_text
from realtime_conformance.timeline import render
from realtime_conformance.trail import trail
from realtime_protocol.machine import Machine
from realtime_protocol.rule import Rule
from realtime_protocol.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "findings"
KNOWN = ROOT / "known-issues" / "livekit-agent.json"
CLIENT, PROFILE = "livekit-agent", "quick"

BY_ID = {rule.id: rule for rule in RULES}

IN_DOUBT = "in-doubt"
"""The page of what is not called a defect."""

SURENESS = ("documented", "observed", "inferred")
"""From the surest to the least sure."""

Json = dict[str, Any]


@attrs.frozen
class Run:
    """One run on file: what it shows, in which scope, and its steps up to there.

    A step is the label of a rule: its id, with the slot where there are several.
    """

    fingerprint: str
    scope: str
    steps: tuple[str, ...]

    def make(self) -> tuple[Outcome, Bench]:
        """Make it with the installed client."""
        bench = Bench(scope_of(PROFILE, self.scope, {}), load(CLIENT))
        numbers = {rule.label: number for number, rule in enumerate(bench.machine.rules)}
        wanted = [Wanted(numbers[step]) for step in self.steps if step in numbers]
        return bench.follow(wanted), bench


@attrs.frozen
class Shown:
    """A run that was made: whether it shows what it is on file for, by which check, and its id.

    `untold` says why no file for a bug report can be made of it; empty if one can. `rules` are
    those of its steps up to the violation, in their order, but for those of the client.
    """

    shows: bool
    check: str
    timeline: str
    scenario: str
    untold: str
    rules: tuple[Rule, ...]


def issues() -> dict[str, list[KnownIssue]]:
    """The violations of each finding, by the name of its page."""
    found: dict[str, list[KnownIssue]] = {}
    for issue in baseline.read(KNOWN).values():
        found.setdefault(Path(issue.finding).stem, []).append(issue)
    return found


def runs() -> dict[str, Run]:
    """The run of each finding that has one."""
    data = json.loads((FOLDER / "runs.json").read_text("utf-8"))
    return {
        name: Run(one["fingerprint"], one["scope"], tuple(one["steps"]))
        for name, one in data.items()
    }


def confirmed() -> Json:
    """What came of each violation over a real socket in real time, and with which packages."""
    data: Json = json.loads((FOLDER / "confirmed.json").read_text("utf-8"))
    return data


def shown(run: Run) -> Shown:
    """Make a run and tell it."""
    outcome, bench = run.make()
    told = render(outcome)
    check = run.fingerprint.partition(" / ")[0]
    try:
        outline(outcome, check)
        untold = ""
    except NotShown as error:
        untold = str(error)
    scenario = Scenario(CLIENT, PROFILE, run.scope, choices=outcome.choices)
    return Shown(
        run.fingerprint in told["fingerprints"],
        check,
        told["timeline"],
        scenario.id(bench.machine.digest),
        untold,
        _rules_until(outcome, run.fingerprint),
    )


def _rules_until(outcome: Outcome, fingerprint: str) -> tuple[Rule, ...]:
    """Rules of the steps up to a violation, each once."""
    entries = outcome.history.entries
    ends = [
        finding.position
        for check in CHECKS
        for finding in check.judge(outcome.history).findings
        if check.fingerprint(finding) == fingerprint
    ]
    taken = [entry.rule for entry in entries[: min(ends, default=-1) + 1] if entry.rule is not None]
    ids = dict.fromkeys(rule.id for rule in taken if not rule.is_client)
    return tuple(BY_ID[name] for name in ids)


def named(issue: KnownIssue) -> list[Rule]:
    """The rules that a fingerprint names."""
    parts = issue.fingerprint.replace(" + ", " / ").split(" / ")
    return [BY_ID[part] for part in parts if part in BY_ID]


def weakest(rules: Sequence[Rule]) -> str:
    """The confidence of the least sure of some rules."""
    return max((rule.confidence for rule in rules), key=SURENESS.index, default="documented")


def index(found: Mapping[str, list[KnownIssue]], titles: Mapping[str, str]) -> str:
    """The table of all findings."""
    results = {one["fingerprint"]: one["result"] for one in confirmed()["violations"]}
    rows = [
        (
            f"[{md.text(titles[name])}]({name}.md)",
            str(len(alike)),
            weakest([rule for issue in alike for rule in named(issue)]),
            f"{sum(results.get(i.fingerprint) == 'same' for i in alike)} of {len(alike)}",
        )
        for name, alike in sorted(found.items())
    ]
    head = ("finding", "fingerprints", "least sure rule named", "same in real time")
    return "\n".join(["", *md.table(head, rows)])


def derived(alike: Sequence[KnownIssue], run: Shown | None, has_run: bool) -> str:
    """What is added to the page of a finding."""
    lines = ["", *_violations(alike), *_rules(alike, run), *_real(alike)]
    if has_run:
        lines += _run(run)
    return "\n".join(lines)


def _violations(alike: Sequence[KnownIssue]) -> list[str]:
    """The fingerprints, each with the reason on file and its scopes."""
    rows = [
        (
            md.code(issue.fingerprint),
            md.text(issue.reason),
            md.links("scope", sorted({s for scopes in issue.where.values() for s in scopes})),
        )
        for issue in alike
    ]
    return ["## Fingerprints", "", *md.table(("fingerprint", "what it is", "scopes"), rows)]


def _rules(alike: Sequence[KnownIssue], run: Shown | None) -> list[str]:
    """The rules that the fingerprints name, and those of the run, with their confidence."""
    rules = list(
        dict.fromkeys(
            rule.id
            for rule in [*(r for issue in alike for r in named(issue)), *(run.rules if run else ())]
        )
    )
    chosen = sorted((BY_ID[rule] for rule in rules), key=lambda r: -SURENESS.index(r.confidence))
    rows = [(md.link("rule", r.id), r.confidence, md.text(r.source)) for r in chosen]
    said = "The rules that the fingerprints name"
    said += ", and those of the run below up to the violation." if run else "."
    checks = md.links("check", dict.fromkeys(i.fingerprint.partition(" / ")[0] for i in alike))
    return [
        "## What it rests on",
        "",
        f"Checks: {checks}.",
        f"The least sure of these rules is {weakest(chosen)}.",
        said,
        "",
        *md.table(("rule", "confidence", "source"), rows),
    ]


def _real(alike: Sequence[KnownIssue]) -> list[str]:
    """What came of it over a real socket in real time."""
    data = confirmed()
    results = {one["fingerprint"]: one for one in data["violations"]}
    packages = ", ".join(f"{md.code(k)} {v}" for k, v in sorted(data["packages"].items()))
    counts: dict[str, int] = {}
    for issue in alike:
        result = results[issue.fingerprint]["result"]
        counts[result] = counts.get(result, 0) + 1
    told = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    return [
        "## In real time",
        "",
        "The shortest run of each fingerprint, over a real WebSocket on the loopback interface and "
        f"by the wall clock, beside the same run in virtual time: {told}.",
        f"Made with {packages}.",
        "",
    ]


def _run(run: Shown | None) -> list[str]:
    """The timeline, and how to make it again."""
    head = ["## A run", ""]
    if run is None:
        return [*head, "No run was made when this page was written.", ""]
    if not run.shows:
        return [*head, "The installed client does not show it.", ""]
    command = f"realtime-conformance replay {run.scenario}"
    program = (
        [f"No program for a bug report can be exported of it yet: {md.text(run.untold)}.", ""]
        if run.untold
        else [
            "As one program that needs nothing but livekit:",
            "",
            *md.listing("sh", [exporting(run)]),
        ]
    )
    return [
        *head,
        *md.listing("text", run.timeline.split("\n")),
        *md.listing("sh", [command, f"{command} --real-time"]),
        *program,
    ]


def exporting(run: Shown) -> str:
    """The command that writes a run as a program about the violation of its finding."""
    return f"realtime-conformance export {run.scenario} --check {run.check} -o finding.py"


def title(page: Path) -> str:
    """The heading of a page."""
    return page.read_text("utf-8").partition("\n")[0].lstrip("# ")


def pages() -> list[Path]:
    """The pages of the findings, without their index."""
    return sorted(path for path in FOLDER.glob("*.md") if path.stem != "index")


def completed(run_clients: bool) -> dict[str, str]:
    """What is added to each page, by its name; runs are made only where they are asked for."""
    found, on_file = issues(), runs()
    titles = {page.stem: title(page) for page in pages()}
    added = {"index": index(found, titles)}
    for name, alike in found.items():
        run = shown(on_file[name]) if run_clients and name in on_file else None
        added[name] = derived(alike, run, name in on_file)
    return added


def chosen(report: Json, found: Mapping[str, list[KnownIssue]]) -> dict[str, Run]:
    """The shortest run in a report of each finding, told by the rules of its steps.

    A run that can be told as a program comes before one that cannot.
    """
    runs_of = {one.fingerprint: parse_id(one.scenario) for one in violations_of(report)}
    picked = {}
    for name, alike in found.items():
        if name == IN_DOUBT:
            continue  # a page of several things, none of which stands for the others
        best = min(
            (issue.fingerprint for issue in alike if issue.fingerprint in runs_of),
            key=lambda f: (f.partition(" / ")[0] in UNTOLD, len(runs_of[f].choices), f),
        )
        run = runs_of[best]
        machine = Machine(run.bounded().bounds)
        told = trail(Bench(run.bounded(), load(CLIENT)).run(run.choices))
        until = next(u for f, _, u in told["findings"] if f == best)
        kept = told["steps"][: max(told["needed"], until)]
        steps = tuple(machine.rules[rule].label for rule, *_ in kept)
        picked[name] = Run(best, run.scope, steps)
    return picked


def main(report: Path, results: Path) -> None:
    """Write what is on file of runs and of real time, from a report and from what `confirm` wrote.

    The report is of the whole quick profile, as `run --report` writes it.
    """
    picked = chosen(json.loads(report.read_text("utf-8")), issues())
    data = json.loads(results.read_text("utf-8"))
    kept = ("fingerprint", "result", "why")
    on_file = {
        "packages": {name: data["packages"][name] for name in PACKAGES},
        "violations": [{name: one[name] for name in kept} for one in data["violations"]],
    }
    _write("runs.json", {name: attrs.asdict(run) for name, run in sorted(picked.items())})
    _write("confirmed.json", on_file)


PACKAGES = ("livekit-agents", "livekit-plugins-openai")


def _write(name: str, data: Json) -> None:
    replace_text(FOLDER / name, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
