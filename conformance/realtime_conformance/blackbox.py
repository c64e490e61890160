"""A flight recorder: which run a worker was making, left in a file for whoever survives it.

Laws:
- The parent makes the file and takes it away; the worker writes to it in place, through shared
  memory, so that what it wrote is there however it ended.
- It holds the choices that the run began with, and those that were taken since.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

Choices = tuple[int, ...]

HEAD = 5
"""One byte that says whether a run was begun, and twice two for the numbers of choices."""
SIZE = 8192


class Recorder:
    """The worker's side."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)
        self._length = 0

    def begin(self, choices: Sequence[int]) -> None:
        """A run begins with `choices`."""
        self._length = len(choices)
        self._memory[HEAD : HEAD + self._length] = bytes(choices)
        self._memory[1:3] = self._length.to_bytes(2, "big")
        self._note()
        self._memory[0] = 1

    def take(self, choice: int) -> None:
        """The run takes a choice of its own."""
        self._memory[HEAD + self._length] = choice
        self._length += 1
        self._note()

    def _note(self) -> None:
        self._memory[3:HEAD] = self._length.to_bytes(2, "big")


class Unrecorded:
    """Stands for a recorder where nobody could read it."""

    def begin(self, choices: Sequence[int]) -> None:
        """A run begins."""

    def take(self, choice: int) -> None:
        """A run goes on."""


@attrs.frozen
class Begun:
    """The last run that a worker began."""

    given: Choices
    """What it was begun with."""
    choices: Choices
    """All of its choices as far as it came."""


class Box:
    """The parent's side."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="realtime-conformance-")
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(SIZE))
        self.path = name

    def read(self) -> Begun | None:
        """The last run, or None if there was none."""
        data = Path(self.path).read_bytes()
        if not data[0]:
            return None
        given, length = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:HEAD], "big")
        choices = tuple(data[HEAD : HEAD + length])
        return Begun(choices[:given], choices)

    def remove(self) -> None:
        """Take the file away."""
        Path(self.path).unlink(missing_ok=True)
