"""Reports on file, read again.

Laws:
- A report is read only if it fits `schemas/report.schema.json`, so what draws it can rely on that.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from realtime_conformance.reporting import FORMAT
from realtime_conformance.stored import read_json

Json = dict[str, Any]


class BadReport(ValueError):
    """A file that is no report: what was expected and what came."""


def read(path: Path) -> Json:
    """A report.

    Raises:
        BadReport: the file cannot be read, is no report, or is one of another format.
    """
    data = read_json(path, "the report", "a report", BadReport)
    came = data.get("format") if isinstance(data, dict) else None
    if came != FORMAT:
        raise BadReport(f"expected {path} to hold a report in format {FORMAT}, got {came!r}")
    amiss = best_match(Draft202012Validator(schema("report")).iter_errors(data))
    if amiss is not None:
        # the message ends with the value itself, which may be a whole report
        raise BadReport(f"expected {path} to hold a report: {amiss.json_path}: {_brief(amiss)}")
    assert isinstance(data, dict)
    return data


def _brief(error: Any) -> str:
    text = str(error.message)
    return text if len(text) <= 120 else f"{text[:40]} ... {text[-77:]}"


@functools.cache
def schema(name: str) -> Json:
    """The JSON schema of `report` or `event`."""
    text = (files(__package__) / "schemas" / f"{name}.schema.json").read_text("utf-8")
    loaded = json.loads(text)
    assert isinstance(loaded, dict)
    return loaded
