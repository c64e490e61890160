"""A changed copy of a client's code, put before the original on the import path.

Laws:
- What is installed is only read; everything else, and its metadata, stays that of the environment.
- A copy shares no file with what it was made from.
- What Python compiled of an earlier change is never taken for the new one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import attrs

from realtime_conformance.pool import Interpreter

Json = dict[str, Any]

SECONDS = 120.0
"""How long the look for the code may take."""


class NotFound(ValueError):
    """The code that is to be mutated cannot be had: expected, and what came."""


@attrs.frozen
class Place:
    """Where the code lives, and what is installed beside it.

    `root` is what has to be copied, and `file` what is mutated, both relative to `entry`, a folder
    on the import path.
    """

    entry: Path
    root: Path
    file: Path
    packages: dict[str, str]

    @property
    def path(self) -> Path:
        """The file as it is installed."""
        return self.entry / self.file


def place_of(subject: str, interpreter: Interpreter) -> Place:
    """Where an interpreter finds what `module:attribute` names.

    Raises:
        NotFound: it does not.
    """
    command = [interpreter.python, "-m", "realtime_conformance.mutation.locate", subject]
    try:
        done = subprocess.run(
            command,
            env=interpreter.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
        found: Json = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().split("\n")[-1]
        raise NotFound(f"expected {interpreter.python} to run this project: {last}") from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise NotFound(f"expected {interpreter.python} to run this project: {error}") from error
    if "refused" in found:
        raise NotFound(f"expected {subject} to be there to mutate, got {found['refused']}")
    return Place(Path(found["entry"]), Path(found["root"]), Path(found["file"]), found["packages"])


class Overlay:
    """One copy of the code, in a folder of its own."""

    def __init__(self, place: Place, folder: Path, interpreter: Interpreter) -> None:
        self.folder = folder
        self.interpreter = attrs.evolve(interpreter, path=(str(folder), *interpreter.path))
        self._file = folder / place.file
        root, copy = place.entry / place.root, folder / place.root
        copy.parent.mkdir(parents=True, exist_ok=True)
        if root.is_dir():
            # compiled files come along: they fit copies that keep their times
            shutil.copytree(root, copy)
        else:
            shutil.copy2(root, copy)

    def check(self, subject: str) -> None:
        """Make sure that it is this copy which is imported.

        Raises:
            NotFound: it is not.
        """
        found = place_of(subject, self.interpreter).path
        if found != self._file.resolve():
            raise NotFound(f"expected the copy {self._file} to be imported, got {found}")

    def write(self, source: bytes) -> None:
        """Put other code in the place of the file."""
        # a compiled file is known by time and size alone, and two changes can agree in both
        for stale in (self._file.parent / "__pycache__").glob(f"{self._file.stem}.*.pyc"):
            stale.unlink()
        self._file.unlink()
        self._file.write_bytes(source)
