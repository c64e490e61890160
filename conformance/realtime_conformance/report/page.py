"""The report as one HTML file, which opens from disk and needs nothing else.

Laws:
- Style, script and data are inside; nothing is fetched, and no script of anybody else runs.
- It is smaller than `LARGEST`: where all runs together are larger, those are left out that are
  wanted least, and the page says so beside the command that makes them again.
- Texts of a client stand in it as text; nothing of them is taken for markup.
- What can be read without script is in the page itself: checks, findings, commands, coverage in
  numbers. The script filters, draws runs and marks diagrams.
- The same reports give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined

from realtime_conformance.report.columns import Columns
from realtime_conformance.report.console import client_line, other_reasons
from realtime_conformance.reporting import findings_of
from realtime_protocol.export.diagram import Diagram
from realtime_protocol.export.svg import to_svg

Json = dict[str, Any]

LARGEST = 5_000_000
"""Bytes that a page may have."""
RESERVE = 1_000
"""Bytes for what frames the data of the runs."""

ORDER = ("new", "known", "advisory")
"""Findings as they are listed, and in this order their runs are kept."""


@attrs.define
class Issue:
    """One violation or advisory, in all columns and scopes that show it."""

    fingerprint: str
    check: str
    verdict: str
    seen: list[Json] = attrs.field(factory=list)
    """The findings, each with `column`, and `run`, its position among the runs."""

    @property
    def anchor(self) -> str:
        """What a link to it ends with; it stays the same from report to report."""
        digest = hashlib.sha256(f"{self.verdict} {self.fingerprint}".encode()).hexdigest()
        return f"finding-{re.sub(r'[^a-z0-9-]', '-', self.check)}-{digest[:8]}"

    @property
    def state(self) -> str:
        """`advisory`, `known` if every violation is on file, else `new`."""
        if self.verdict == "advisory":
            return "advisory"
        return "known" if all(one["known"] for one in self.seen) else "new"

    @property
    def shortest(self) -> Json:
        """The finding that is shown first: what is new before what is known, short before long."""
        return min(self.seen, key=lambda one: (bool(one["known"]), len(one["timeline"])))

    def names(self, kind: str) -> list[str]:
        """The columns or scopes that show it, in their order."""
        return list(dict.fromkeys(one[kind] for one in self.seen))


def page(columns: Columns) -> str:
    """The whole page."""
    issues = issues_of(columns)
    runs = Runs(issues)
    data: Json = {"coverage": _coverage(columns), "diagrams": _diagrams(columns)}
    context = {
        "columns": {name: _column(report) for name, report in columns.items()},
        "checks": _checks(columns, issues),
        "issues": issues,
        "scopes": _scopes(columns),
        "choices": _choices(columns, issues),
    }
    without = _rendered({**context, "data": embedded({**data, "runs": [], "known": []})})
    runs.keep(LARGEST - RESERVE - len(without.encode()))
    return _rendered({**context, "data": embedded({**data, **runs.data()})})


def _rendered(context: Json) -> str:
    environment = Environment(
        loader=PackageLoader("realtime_conformance.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(context)


def embedded(data: Any) -> str:
    """Data as JSON that can stand inside a `script` element: it cannot end one, nor open a comment.

    `<` occurs in strings only, and there it can be spelled as an escape.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# -- findings ---------------------------------------------------------------------------------


def issues_of(columns: Columns) -> list[Issue]:
    """What was found, once for each fingerprint: what is new first, then in the order of checks."""
    found: dict[tuple[str, str], Issue] = {}
    for column, report in columns.items():
        for finding in findings_of(report):
            key = (finding["verdict"], finding["fingerprint"])
            issue = found.setdefault(
                key, Issue(finding["fingerprint"], finding["check"], finding["verdict"])
            )
            issue.seen.append({**finding, "column": column, "run": None})
    return sorted(found.values(), key=lambda issue: ORDER.index(issue.state))


class Runs:
    """The runs of findings, each once, and those that are kept."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self._known: dict[str, int] = {}
        """What was known beside some step, as JSON, and its position."""
        self._kept: list[str] = []
        self._places: dict[str, int] = {}
        self._wanted = list(_wanted(issues))

    def keep(self, room: int) -> None:
        """Keep the runs that are wanted most, as many as fit into so many bytes."""
        for finding in self._wanted:
            text = json.dumps(finding["steps"])
            if text not in self._places and finding["steps"]:
                room -= self._added(text, finding["steps"], room)
            finding["run"] = self._places.get(text)

    def _added(self, text: str, steps: Sequence[Json], room: int) -> int:
        """Keep a run, if it fits; returns how many bytes it takes."""
        before = len(self._known)
        packed = embedded([self._packed(step) for step in steps])
        news = list(self._known)[before:]
        size = sum(len(part.encode()) + 1 for part in (packed, *news))
        if size > room:
            for known in news:
                del self._known[known]
            return 0
        self._places[text] = len(self._kept)
        self._kept.append(packed)
        return size

    def data(self) -> Json:
        """The runs, and what was known beside their steps."""
        return {
            "runs": [json.loads(run) for run in self._kept],
            "known": [json.loads(known) for known in self._known],
        }

    def _packed(self, step: Json) -> Json:
        """A step without what is empty; what was known is named by its position."""
        places = {who: self._place(step[who]) for who in ("server", "client")}
        return {name: value for name, value in step.items() if value} | places

    def _place(self, known: Json) -> int:
        return self._known.setdefault(embedded(known), len(self._known))


def _wanted(issues: Sequence[Issue]) -> Iterator[Json]:
    """Every finding: first one for each issue, then one more for each column, then the rest."""
    ranked: list[tuple[int, int, Json]] = []
    for number, issue in enumerate(issues):
        first = issue.shortest
        columns = {first["column"]}
        ranked.append((0, number, first))
        for one in issue.seen:
            if one is not first:
                ranked.append((2 if one["column"] in columns else 1, number, one))
                columns.add(one["column"])
    yield from (one for _, _, one in sorted(ranked, key=lambda entry: entry[:2]))


# -- tables -----------------------------------------------------------------------------------


def _column(report: Json) -> Json:
    """What stands above a column: what was driven, how it ended, and why."""
    return {
        "client": client_line(report),
        "python": report["client"]["python"],
        "verdict": report["verdict"],
        "scenarios": report["scenarios"],
        "seconds": report["seconds"],
        "profile": report["profile"],
        "strategy": report["strategy"]["name"],
        "new": _count(report, known=False),
        "known": _count(report, known=True),
        "reasons": other_reasons(report),
        "version": report["tool"]["version"],
    }


def _count(report: Json, known: bool) -> int:
    """How many violations are on file, or are not."""
    return len(
        {
            finding["fingerprint"]
            for finding in findings_of(report)
            if finding["verdict"] == "violation" and (finding["known"] is not None) == known
        }
    )


def _checks(columns: Columns, issues: Sequence[Issue]) -> list[Json]:
    """The rows of the matrix, with a cell for each column; None where a report lacks the check."""
    rows: dict[str, Json] = {}
    for column, report in columns.items():
        for check in report["checks"]:
            row = rows.setdefault(check["id"], {**check, "cells": dict.fromkeys(columns)})
            row["cells"][column] = _cell(check, column, issues)
    return list(rows.values())


def _cell(check: Json, column: str, issues: Sequence[Issue]) -> Json:
    own = [i for i in issues if i.check == check["id"] and column in i.names("column")]
    violations = [
        any(one["known"] is None for one in issue.seen if one["column"] == column)
        for issue in own
        if issue.verdict == "violation"
    ]
    return {
        "verdict": check["verdict"],
        "premises": check["premises"],
        "violations": check["violations"],
        "advisories": check["advisories"],
        "new": sum(violations),
        "known": len(violations) - sum(violations),
        "issues": len(own),
    }


def _choices(columns: Columns, issues: Sequence[Issue]) -> Json:
    """What can be filtered by, with what there is to choose from."""
    scopes = [scope["name"] for report in columns.values() for scope in report["scopes"]]
    checks = [check["id"] for report in columns.values() for check in report["checks"]]
    found = {issue.check for issue in issues}
    return {
        "check": [check for check in dict.fromkeys(checks) if check in found],
        "verdict": list(dict.fromkeys(issue.verdict for issue in issues)),
        "state": [state for state in ORDER[:2] if any(i.state == state for i in issues)],
        "scope": list(dict.fromkeys(scopes)),
        "column": list(columns),
    }


# -- coverage ---------------------------------------------------------------------------------


def _scopes(columns: Columns) -> list[Json]:
    """Every scope, with its figures in each column that went through it."""
    found: dict[str, Json] = {}
    for column, report in columns.items():
        for scope in report["scopes"]:
            found.setdefault(scope["name"], {"name": scope["name"], "columns": {}})
            found[scope["name"]]["columns"][column] = scope
    return list(found.values())


def _coverage(columns: Columns) -> Json:
    """Scope, column and diagram: the key of the picture, and what in it was covered."""
    return {
        scope["name"]: {
            column: [_marks(diagram) for diagram in one["diagrams"]]
            for column, one in scope["columns"].items()
        }
        for scope in _scopes(columns)
    }


def _marks(diagram: Json) -> Json:
    return {
        "picture": _key(diagram),
        "nodes": [int(node["covered"]) for node in diagram["nodes"]],
        "arrows": [[int(r["covered"]) for r in arrow["rules"]] for arrow in diagram["arrows"]],
    }


def _diagrams(columns: Columns) -> Json:
    """Every picture once, with the names of the rules of its arrows."""
    diagrams = {
        _key(diagram): diagram
        for report in columns.values()
        for scope in report["scopes"]
        for diagram in scope["diagrams"]
    }
    return {
        key: {
            "name": diagram["name"],
            "fields": diagram["fields"],
            "nodes": [node["values"] for node in diagram["nodes"]],
            "arrows": [
                [arrow["from"], arrow["to"], [rule["id"] for rule in arrow["rules"]]]
                for arrow in diagram["arrows"]
            ],
            "svg": _picture(diagram),
        }
        for key, diagram in diagrams.items()
    }


def _picture(diagram: Json) -> str:
    """The structure alone, as the exports draw it; its arrows are in the order of the report."""
    nodes = [tuple(node["values"]) for node in diagram["nodes"]]
    drawn = Diagram(
        name=diagram["name"],
        fields=tuple(diagram["fields"]),
        nodes=tuple(nodes),
        edges=tuple(
            (nodes[arrow["from"]], nodes[arrow["to"]], rule["id"])
            for arrow in diagram["arrows"]
            for rule in arrow["rules"]
        ),
        initial=tuple(
            node for node, one in zip(nodes, diagram["nodes"], strict=True) if one["initial"]
        ),
    )
    return to_svg([drawn])


def _key(diagram: Json) -> str:
    """What pictures that look alike have in common."""
    bare = {
        "name": diagram["name"],
        "fields": diagram["fields"],
        "nodes": [[node["values"], node["initial"]] for node in diagram["nodes"]],
        "arrows": [
            [arrow["from"], arrow["to"], [rule["id"] for rule in arrow["rules"]]]
            for arrow in diagram["arrows"]
        ],
    }
    return hashlib.sha256(json.dumps(bare).encode()).hexdigest()[:12]
