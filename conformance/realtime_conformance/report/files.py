"""The report as files: `report.json`, replaced in one piece."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from realtime_conformance.baseline import replace_text


class UnwritableFolder(OSError):
    """A report folder that cannot be written: what came of trying."""


@contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """Make sure that a report can be written before any work is done.

    A folder that was made for a report that did not come about is taken away again.

    Raises:
        UnwritableFolder: the folder cannot be made or written.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnwritableFolder(
            f"expected a folder that can be written at {folder}: {error.strerror}"
        ) from error
    try:
        yield
    except BaseException:
        for parent in missing:
            with suppress(OSError):
                parent.rmdir()
        raise


def write(folder: Path, report: dict[str, Any]) -> Path:
    """Write `report.json` and return its path."""
    path = folder / "report.json"
    replace_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return path
