"""The report as NDJSON: one typed event a line, for whatever reads a stream.

Laws:
- Each line is an object that fits `schemas/event.schema.json`; `event` says what it is and `column`
  what it is about.
- A column begins with `run` and ends with `verdict`; between them stand its scopes, its checks,
  each with its findings behind it, and the reasons why it failed.
- What is long, the steps of a run, is left to report.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from realtime_conformance.report.columns import Columns

Json = dict[str, Any]

LONG = ("steps", "timeline")
"""What is left out of a finding."""
OF_A_SCOPE = ("bounds", "diagrams", "unvisited_nodes")
"""What is left out of a scope."""


def ndjson(columns: Columns) -> str:
    """Every event of every column."""
    lines = (
        json.dumps({"event": event["event"], "column": column, **event}, ensure_ascii=False)
        for column, report in columns.items()
        for event in _events(report)
    )
    return "".join(f"{line}\n" for line in lines)


def _events(report: Json) -> Iterator[Json]:
    head = ("tool", "client", "profile", "whole_profile", "bursts", "strategy")
    yield {"event": "run", "format": report["format"], **{name: report[name] for name in head}}
    for scope in report["scopes"]:
        yield {"event": "scope", **_without(scope, OF_A_SCOPE)}
    for check in report["checks"]:
        yield {"event": "check", **_without(check, ("findings",))}
        for finding in check["findings"]:
            yield {"event": "finding", **_without(finding, LONG)}
    for text in report["reasons"]:
        yield {"event": "reason", "text": text}
    tail = ("verdict", "scenarios", "seconds")
    yield {"event": "verdict", **{name: report[name] for name in tail}}


def _without(data: Mapping[str, Any], names: tuple[str, ...]) -> Json:
    return {name: value for name, value in data.items() if name not in names}
