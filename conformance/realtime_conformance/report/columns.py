"""Several reports side by side: what each column is called.

Laws:
- Columns keep the order of the reports, and no two have the same name.
- A name says what was driven, never where the report lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
Columns = dict[str, Json]
"""Reports by the name of their column."""


def columns(reports: Sequence[Json]) -> Columns:
    """The reports with their names: client and release, and what else tells them apart."""
    named: Columns = {}
    for report in reports:
        base = _name(report)
        name, number = base, 1
        while name in named:
            number += 1
            name = f"{base} ({number})"
        named[name] = report
    return named


def _name(report: Json) -> str:
    client = report["client"]
    release = client["release"] or client["packages"].get("livekit-agents", "")
    profile = "" if report["profile"] == "quick" else report["profile"]
    return " ".join(filter(None, [client["name"], release, profile]))
