"""The report on a terminal: one table of checks, the coverage, and the shortest counterexamples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

COLOURS = {
    "pass": "green",
    "violation": "red",
    "advisory": "yellow",
    "vacuous": "magenta",
    "exempt": "dim",
}


def show(report: Json, console: Console, timelines: bool = True) -> None:
    """Print a report."""
    packages = report["client"]["packages"]
    releases = ", ".join(
        f"{name} {packages[name]}"
        for name in ("livekit-agents", "livekit-plugins-openai", "openai")
        if name in packages
    )
    console.print(f"[bold]{report['client']['name']}[/] ({releases or 'no livekit'})")
    for scope in report["scopes"]:
        coverage(scope, console)
    console.print(_checks(report))
    if timelines:
        _counterexamples(report, console)
    _verdict(report, console)


def matrix(reports: Mapping[str, Json], console: Console) -> None:
    """Print one row for each check and one column for each release."""
    table = Table(title="checks by release")
    table.add_column("check", no_wrap=True)
    for release in reports:
        table.add_column(release)
    first = next(iter(reports.values()))
    for number, check in enumerate(first["checks"]):
        cells = [_cell(report["checks"][number]) for report in reports.values()]
        table.add_row(check["id"], *cells)
    console.print(table)
    for release, report in reports.items():
        lacking = [r for r in report["reasons"] if not r.startswith("new violation")]
        for reason in lacking:
            console.print(f"{release}: {reason}", highlight=False, soft_wrap=True)


def _cell(check: Json) -> Text:
    counts = [f"{check[name]}x" for name in ("violations", "advisories") if check[name]]
    text = " ".join([check["verdict"], *counts[:1]])
    return Text(text, style=COLOURS[check["verdict"]])


def coverage(scope: Json, console: Console) -> None:
    """Print what was covered of one scope."""
    reach = scope["reach"]
    parts = [
        f"{name.replace('_', ' ')} {part['covered']:,} of {part['total']:,}"
        for name, part in reach.items()
    ]
    closure = scope["closure"]
    if scope.get("cut_short"):
        console.print(f"scope {scope['name']} was {scope['cut_short']}", highlight=False)
    unvisited = scope["unvisited"]
    why = [f"{count:,} {name}" for name, count in unvisited.items() if count and name != "total"]
    console.print(
        f"scope {scope['name']}, model {scope['model']}: {scope['scenarios']:,} scenarios\n"
        f"  closure   {closure['covered']:,} of {closure['total']:,} steps at nodes at rest\n"
        f"  reach     {'; '.join(parts)}\n"
        f"  unvisited {unvisited['total']:,} nodes: {'; '.join(why) or 'none'}",
        highlight=False,
        soft_wrap=True,
    )


def _checks(report: Json) -> Table:
    table = Table()
    for column in ("check", "verdict", "premise held", "violations", "advisories"):
        table.add_column(column, justify="left" if column in ("check", "verdict") else "right")
    for check in report["checks"]:
        verdict = Text(check["verdict"], style=COLOURS[check["verdict"]])
        counts = [f"{check[name]:,}" for name in ("premises", "violations", "advisories")]
        table.add_row(check["id"], verdict, *counts)
    return table


def _counterexamples(report: Json, console: Console) -> None:
    shown: set[str] = set()
    for check in report["checks"]:
        for finding in check["findings"]:
            known = f"known: {finding['known']}" if finding["known"] else "not on file"
            shrunk = _shrunk(finding) if finding["verdict"] == "violation" else ""
            console.print(
                f"\n[bold]{finding['verdict']}[/] {finding['fingerprint']}\n"
                f"  {finding['count']:,} times; {known}{shrunk}\n"
                f"  realtime-conformance replay {finding['scenario']}",
                highlight=False,
                soft_wrap=True,
            )
            # one run often shows several findings; its timeline marks them all
            if finding["verdict"] == "violation" and finding["timeline"] not in shown:
                shown.add(finding["timeline"])
                console.print(Text(finding["timeline"]), soft_wrap=True)


def _shrunk(finding: Json) -> str:
    """What became of the run of a violation before it was shown."""
    end = "no step can be left out" if finding["minimal"] else "more may be left out"
    return f"; {finding['left_out']} steps were left out of its run, {end}"


def _verdict(report: Json, console: Console) -> None:
    colour = "green" if report["verdict"] == "pass" else "red"
    seconds = f"{report['scenarios']:,} scenarios in {report['seconds']:.0f} s"
    console.print(f"\n[bold {colour}]{report['verdict']}[/]: {seconds}")
    for reason in report["reasons"]:
        console.print(f"  {reason}", highlight=False, soft_wrap=True)
