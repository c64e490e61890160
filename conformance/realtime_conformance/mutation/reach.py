"""Which lines of a file a client's runs execute: a client that looks at itself.

Laws:
- The client is driven as it is; the interpreter tells which lines it executes.
- A line is on file as soon as it was executed, so nothing is lost with the worker.
- It runs in workers, so it imports what they do and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clients.registry import load

ADDRESS = "realtime_conformance_traced_{number}"
"""The module that is written for one scope; each has another name, so none is taken for another."""

MODULE = """from realtime_conformance.mutation.reach import traced

Client = traced({client!r}, {file!r}, {output!r})
"""


def traced(client: str, file: str, output: str) -> Callable[[Seams], Client]:
    """A client that writes to `output` the number of each line of `file` that it executes."""
    make = load(client)
    seen: set[int] = set()
    stream = open(output, "a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def in_file(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and frame.f_lineno not in seen:
            seen.add(frame.f_lineno)
            stream.write(f"{frame.f_lineno}\n")
        return in_file

    def anywhere(frame: FrameType, event: str, _: Any) -> Any:  # noqa: ARG001
        return in_file if frame.f_code.co_filename == file else None

    def made(seams: Seams) -> Client:
        sys.settrace(anywhere)
        return make(seams)

    return made


def written(folder: Path, number: int, client: str, file: Path) -> tuple[str, Path]:
    """Write the module of a traced client; returns its address, and where the lines will be."""
    output = folder / f"lines-{number}"
    output.write_text("", encoding="utf-8")
    name = ADDRESS.format(number=number)
    text = MODULE.format(client=client, file=str(file), output=str(output))
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return f"{name}:Client", output


def lines(output: Path) -> list[int]:
    """The lines that were executed."""
    return sorted({int(line) for line in output.read_text(encoding="utf-8").split()})
