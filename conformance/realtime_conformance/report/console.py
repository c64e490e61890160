"""The report on a terminal or in the log of a CI job: what will be done, and what came of it.

Laws:
- It fits 80 columns without colour. Only a command to copy may be longer, since it is never broken.
- What is to be read first stands last: timelines, then lists, then coverage, checks and verdict.
- A violation is told once, by its shortest run, however many scopes show it. What is not on file
  has a timeline; what is on file has a line, as it is no news.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from realtime_conformance.lanes import cut
from realtime_conformance.plan import Plan
from realtime_conformance.reporting import findings_of, own_version

Json = dict[str, Any]

WIDTH = 79

TIMELINES = {
    "new": "of each violation that is not on file",
    "all": "of each violation",
    "none": "of none",
}
"""Which violations are shown with the timeline of their shortest run."""

LIVEKIT = ("livekit-agents", "livekit-plugins-openai", "openai")
COLOURS = {
    "pass": "green",
    "violation": "red",
    "advisory": "yellow",
    "vacuous": "magenta",
    "exempt": "dim",
}


# -- before a run -----------------------------------------------------------------------------


def announce(plan: Plan, console: Console, notes: Sequence[str] = ()) -> None:
    """Say what will be done, before any of it is."""
    scopes = plan.bounded()
    names = ", ".join(scope.name for scope in scopes)
    strategies = ", ".join(dict.fromkeys(plan.how(scope.name) for scope in scopes))
    release = f"release {plan.release}" if plan.release else "as it is installed"
    number = "1 scope" if len(scopes) == 1 else f"{len(scopes)} scopes"
    budget = [f"at most {plan.limit:,} runs in each scope"] if plan.limit else []
    budget += [f"at most {plan.seconds:g} s in all"] if plan.seconds else []
    workers = f"{plan.jobs} worker process{'es' if plan.jobs > 1 else ''}"
    lines = [
        f"realtime-conformance {own_version()}",
        f"client    {plan.client}, {release}",
        f"scopes    {number} of profile {plan.profile}: {names}",
        f"strategy  {strategies}; {', '.join([workers, *budget])}",
        f"on file   {len(plan.known)} known issues",
        *notes,
    ]
    for line in lines:
        _say(console, line, indent=10)


# -- after a run ------------------------------------------------------------------------------


@attrs.frozen
class Case:
    """One violation or advisory: its shortest run, and where it was seen."""

    finding: Json
    count: int
    scopes: tuple[str, ...]

    @property
    def is_new(self) -> bool:
        """Whether it fails a run."""
        return self.finding["verdict"] == "violation" and self.finding["known"] is None


def cases(report: Json) -> list[Case]:
    """What was found, once for each fingerprint, in the order of the checks."""
    found: dict[tuple[str, str], list[Json]] = {}
    for finding in findings_of(report):
        found.setdefault((finding["verdict"], finding["fingerprint"]), []).append(finding)
    return [
        Case(
            min(alike, key=lambda one: len(one["timeline"])),
            sum(one["count"] for one in alike),
            tuple(one["scope"] for one in alike),
        )
        for alike in found.values()
    ]


def show(report: Json, console: Console, timelines: str = "new") -> None:
    """Print a report; `timelines` is one of `TIMELINES`."""
    found = cases(report)
    told = [case for case in found if _is_told(case, timelines)]
    _counterexamples(told, console)
    rest = [case for case in found if case not in told]
    violations = [case for case in rest if case.finding["verdict"] == "violation"]
    advisories = [case for case in rest if case.finding["verdict"] == "advisory"]
    _listed("New violations", [case for case in violations if case.is_new], console)
    _listed("Known violations", [case for case in violations if not case.is_new], console)
    _listed("Advisories: allowed, but wasteful", advisories, console)
    _coverage(report["scopes"], console)
    _heading("Checks", console)
    console.print(_checks(report))
    _verdict(report, found, console)


def _is_told(case: Case, timelines: str) -> bool:
    return case.finding["verdict"] == "violation" and (
        timelines == "all" or (timelines == "new" and case.is_new)
    )


def _counterexamples(told: Sequence[Case], console: Console) -> None:
    shown: dict[str, int] = {}
    for number, case in enumerate(told, 1):
        finding = case.finding
        kind = "New violation" if case.is_new else "Known violation"
        _heading(f"{kind} {number} of {len(told)}: {finding['check']}", console, style="bold red")
        _said(case, console)
        # one run often shows several findings; its timeline marks them all
        before = shown.setdefault(finding["timeline"], number)
        if before == number:
            text = cut(finding["steps"]) if finding["steps"] else finding["timeline"]
            console.print(Text(text), soft_wrap=True)
        else:
            _say(console, f"The timeline is that of {before} above.")
        _command(finding, console)


def _said(case: Case, console: Console) -> None:
    """What was found, how often and where, and what was made of its run."""
    finding = case.finding
    _say(console, finding["text"])
    _say(console, f"fingerprint: {finding['fingerprint']}", indent=2)
    if finding["known"]:
        _say(console, f"on file: {finding['known']}", indent=2)
    end = "no step of this run can be left out" if finding["minimal"] else "it may be shorter still"
    left = f"; {finding['left_out']} steps were left out" if finding["left_out"] else ""
    _say(console, f"{_seen(case)}{left}; {end}")


def _seen(case: Case) -> str:
    times = "once" if case.count == 1 else f"{case.count:,} times"
    return f"seen {times} in {', '.join(case.scopes)}"


def _listed(title: str, listed: Sequence[Case], console: Console) -> None:
    """A short entry for each: what, how often, why it is on file, how to see it."""
    if not listed:
        return
    _heading(title, console)
    for case in listed:
        _say(console, f"- {case.finding['fingerprint']}", indent=4)
        known = f"; on file: {case.finding['known']}" if case.finding["known"] else ""
        _say(console, f"    {_seen(case)}{known}", indent=4)
        _command(case.finding, console, indent=4)


def _coverage(scopes: Sequence[Json], console: Console) -> None:
    """One line for each scope, and what kept the runs from the rest."""
    _heading("Coverage: visited of all that the protocol allows", console)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("scope", no_wrap=True)
    for name in ("runs", "closure", "nodes", "edges", "interruptions"):
        table.add_column(name, justify="right", no_wrap=True)
    for scope in scopes:
        reach = scope["reach"]
        parts = [_of(reach[name]) for name in ("nodes", "edges", "interruption_points")]
        table.add_row(scope["name"], f"{scope['scenarios']:,}", _percent(scope["closure"]), *parts)
    console.print(table)
    for scope in scopes:
        if scope["cut_short"]:
            _say(console, f"scope {scope['name']} was {scope['cut_short']}")
    counts: dict[str, int] = {}
    for scope in scopes:
        for why, count in scope["unvisited"].items():
            counts[why] = counts.get(why, 0) + count
    why = "; ".join(f"{count:,} {why}" for why, count in counts.items() if count and why != "total")
    _say(console, f"unvisited {counts['total']:,} nodes: {why or 'none'}", indent=2)


def _of(part: Json) -> str:
    return f"{part['covered']:,}/{part['total']:,}"


def _percent(part: Json) -> str:
    """Rounded down, so that 100 % means all."""
    covered, total = part["covered"], part["total"]
    return "100%" if covered == total else f"{1000 * covered // total / 10:.1f}%"


def coverage(scope: Json, console: Console) -> None:
    """Print all that was covered of one scope."""
    parts = [
        f"{name.replace('_', ' ')} {part['covered']:,} of {part['total']:,}"
        for name, part in scope["reach"].items()
    ]
    closure, unvisited = scope["closure"], scope["unvisited"]
    if scope.get("cut_short"):
        _say(console, f"scope {scope['name']} was {scope['cut_short']}")
    why = [f"{count:,} {name}" for name, count in unvisited.items() if count and name != "total"]
    for line in (
        f"scope {scope['name']}, model {scope['model']}: {scope['scenarios']:,} scenarios",
        f"  closure   {closure['covered']:,} of {closure['total']:,} steps at nodes at rest",
        f"  reach     {'; '.join(parts)}",
        f"  unvisited {unvisited['total']:,} nodes: {'; '.join(why) or 'none'}",
    ):
        _say(console, line, indent=12)


def _checks(report: Json) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("check", "verdict", "premise held", "violations", "new", "advisories"):
        table.add_column(column, justify="left" if column in ("check", "verdict") else "right")
    for check in report["checks"]:
        verdict = Text(check["verdict"], style=COLOURS[check["verdict"]])
        new = sum(f["count"] for f in check["findings"] if _is_new(f))
        counts = [check["premises"], check["violations"], new, check["advisories"]]
        table.add_row(check["id"], verdict, *(f"{count:,}" for count in counts))
    return table


def _is_new(finding: Json) -> bool:
    return finding["verdict"] == "violation" and finding["known"] is None


def _verdict(report: Json, found: Sequence[Case], console: Console) -> None:
    """The last lines: what drove what, whether it passed, and every reason if not."""
    new = [case for case in found if case.is_new]
    violations = [case for case in found if case.finding["verdict"] == "violation"]
    style = "bold green" if report["verdict"] == "pass" else "bold red"
    _heading(f"{report['verdict'].upper()}: {client_line(report)}", console, style=style)
    _say(
        console,
        f"{report['scenarios']:,} runs in {report['seconds']:.0f} s; violations: {len(new)} new, "
        f"{len(violations) - len(new)} known; advisories: {len(found) - len(violations)}",
    )
    for case in new:
        _say(console, f"- new violation: {case.finding['fingerprint']}", indent=4)
        _command(case.finding, console, indent=4)
    for reason in other_reasons(report):
        _say(console, f"- {reason}", indent=4)


def client_line(report: Json) -> str:
    """What was driven, with the releases that matter."""
    client = report["client"]
    packages = client["packages"]
    releases = ", ".join(f"{name} {packages[name]}" for name in LIVEKIT if name in packages)
    return f"{client['name']} ({releases or 'no livekit'})"


def other_reasons(report: Json) -> list[str]:
    """Why a run failed, besides new violations."""
    return [reason for reason in report["reasons"] if not reason.startswith("new violation")]


# -- several reports --------------------------------------------------------------------------


def matrix(reports: Mapping[str, Json], console: Console) -> None:
    """Print what each column breaks, in short, and then one row for each check."""
    for name, report in reports.items():
        _column(name, report, console)
    _heading("Checks: x is how often a run showed it", console)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("check", no_wrap=True)
    for head in heads(list(reports)):
        table.add_column(head)
    for check in _ids(reports.values()):
        table.add_row(check, *(_cell(report, check) for report in reports.values()))
    console.print(table)


def _column(name: str, report: Json, console: Console) -> None:
    """What one column breaks: what is not on file, and the reasons besides."""
    violations = [case for case in cases(report) if case.finding["verdict"] == "violation"]
    new = [case for case in violations if case.is_new]
    _heading(f"{name}: {client_line(report)}", console)
    _say(console, f"violations: {len(new)} new, {len(violations) - len(new)} known")
    for case in new:
        _say(console, f"- {case.finding['fingerprint']}; {_seen(case)}", indent=4)
        _command(case.finding, console, indent=4)
    for reason in other_reasons(report):
        _say(console, f"- {reason}", indent=4)


def heads(names: Sequence[str]) -> list[str]:
    """The names of columns without the words with which all of them begin."""
    words = [name.split() for name in names]
    same = 0
    while all(len(one) > same + 1 and one[same] == words[0][same] for one in words):
        same += 1
    return [" ".join(one[same:]) for one in words]


def _ids(reports: Any) -> list[str]:
    """The checks of all reports, in their order."""
    return list(dict.fromkeys(check["id"] for report in reports for check in report["checks"]))


def _cell(report: Json, name: str) -> Text:
    check = next((check for check in report["checks"] if check["id"] == name), None)
    if check is None:
        return Text("-")
    counts = [f"{check[name]:,}x" for name in ("violations", "advisories") if check[name]]
    return Text(" ".join([check["verdict"], *counts[:1]]), style=COLOURS[check["verdict"]])


def refused(releases: Mapping[str, str], console: Console) -> None:
    """Say which releases have no column, and why."""
    for name, why in releases.items():
        _say(console, f"{name} cannot be driven: {why}", indent=2)


def written(paths: Sequence[Path], console: Console) -> None:
    """Say where a report lies."""
    for path in paths:
        console.print(Text(f"written: {path}"), soft_wrap=True)


# -- lines ------------------------------------------------------------------------------------


def _heading(text: str, console: Console, style: str = "bold") -> None:
    console.print()
    for line in _lines(text, 2):
        console.print(Text(line, style=style), soft_wrap=True)


def _say(console: Console, text: str, indent: int = 0) -> None:
    """Plain text in lines that fit; nothing in it is taken for markup."""
    for line in _lines(text, indent):
        console.print(Text(line), soft_wrap=True)


def _lines(text: str, indent: int) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [""]


def _command(finding: Json, console: Console, indent: int = 2) -> None:
    """The command that makes the run again, in one line whatever its length."""
    console.print(Text(" " * indent + finding["replay"]), soft_wrap=True)
