"""Files that this project writes and reads again.

Laws:
- A file is replaced in one piece: readers see the old one or the new one, never a part.
- Every failure is one line, of the kind of error that the caller's file has.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def read_json(path: Path, what: str, article: str, failure: type[ValueError]) -> Any:
    """What a file holds.

    `what` names it as in "cannot read the report", `article` as in "to hold a report".

    Raises:
        failure: the file cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise failure(f"cannot read {what} {path}: {error.strerror}") from error
    except ValueError as error:
        raise failure(f"expected {path} to hold {article}, got no JSON") from error


def replace_text(path: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
