"""The report as files: `report.json`, and what is made of it for people and for machines.

Laws:
- Each file is replaced in one piece.
- Everything but `report.json` is made of what `report.json` holds, so it can be made again.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from realtime_conformance.report.columns import Columns
from realtime_conformance.report.events import ndjson
from realtime_conformance.report.junit import junit
from realtime_conformance.report.page import page
from realtime_conformance.stored import replace_text


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


RENDERINGS: Mapping[str, Callable[[Columns], str]] = {
    "report.html": page,
    "junit.xml": junit,
    "events.ndjson": ndjson,
}
"""What is written beside report.json: file name to what makes its text of the columns."""


def render(folder: Path, columns: Columns) -> list[Path]:
    """Write every rendering of the columns, each in one piece, and return their paths."""
    texts = {folder / name: make(columns) for name, make in RENDERINGS.items()}
    for path, text in texts.items():
        replace_text(path, text)
    return list(texts)
