"""The report as files: `report.json`, replaced in one piece."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from realtime_conformance.baseline import replace_text


class UnwritableFolder(OSError):
    """A report folder that cannot be written: what came of trying."""


def prepare(folder: Path) -> None:
    """Make sure that a report can be written, before any work is done.

    Raises:
        UnwritableFolder: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnwritableFolder(
            f"expected a folder that can be written at {folder}: {error.strerror}"
        ) from error


def write(folder: Path, report: dict[str, Any]) -> Path:
    """Write `report.json` and return its path."""
    path = folder / "report.json"
    replace_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return path
