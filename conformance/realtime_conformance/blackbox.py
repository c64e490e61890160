"""A flight recorder: which run a worker was making, left in a file for whoever survives it.

Laws:
- The parent makes the file and takes it away; the worker writes to it in place, through shared
  memory, so that what it wrote is there however it ended.
- It holds the choices that the run began with, and those that were taken since.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

Choices = tuple[int, ...]

NUMBERS = struct.Struct("=I")
"""How a number is written: the file is read by the machine that wrote it."""
HEAD = 3
"""Numbers ahead of the choices: whether a run was begun, how many it was given, how many it has."""
SIZE = 16384


class Recorder:
    """The worker's side."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)
        self._length = 0

    def begin(self, choices: Sequence[int]) -> None:
        """A run begins with `choices`."""
        self._length = len(choices)
        for place, choice in enumerate(choices, HEAD):
            self._write(place, choice)
        self._write(1, self._length)
        self._write(2, self._length)
        self._write(0, 1)

    def take(self, choice: int) -> None:
        """The run takes a choice of its own."""
        self._write(HEAD + self._length, choice)
        self._length += 1
        self._write(2, self._length)

    def _write(self, place: int, number: int) -> None:
        NUMBERS.pack_into(self._memory, place * NUMBERS.size, number)


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
        numbers = [number for (number,) in NUMBERS.iter_unpack(Path(self.path).read_bytes())]
        begun, given, length, *choices = numbers
        return Begun(tuple(choices[:given]), tuple(choices[:length])) if begun else None

    def remove(self) -> None:
        """Take the file away."""
        Path(self.path).unlink(missing_ok=True)
