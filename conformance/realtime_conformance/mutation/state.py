"""What is known so far, on file: the client without a mutant, and each mutant that was tried.

Laws:
- The file is replaced in one piece after each mutant, so nothing that was decided is lost.
- It says what it is a state of; one of another release, sample or model is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from realtime_conformance.resume import BadState, fits
from realtime_conformance.stored import read_json, replace_text

Json = dict[str, Any]

FORMAT = 1


@attrs.define
class State:
    """What is known so far.

    `unmutated` has for each scope what the client without a mutant shows there, and `results` for
    each mutant that was tried what came of it.
    """

    of: Json
    path: Path | None = None
    unmutated: dict[str, Json] = attrs.field(factory=dict)
    results: dict[str, Json] = attrs.field(factory=dict)

    def keep(self) -> None:
        """Write it."""
        if self.path is not None:
            data = {**attrs.asdict(self), "format": FORMAT}
            del data["path"]
            replace_text(self.path, json.dumps(data, indent=1) + "\n")


def opened(path: Path | None, of: Json) -> State:
    """The state in a file, or a new one if there is none.

    Raises:
        BadState: the file cannot be read, is no state of mutants, or is one of something else.
    """
    if path is None or not path.exists():
        return State(of, path)
    data = read_json(path, "the state", "the state of mutants", BadState)
    keys = {"format", "of", "unmutated", "results"}
    if not isinstance(data, dict) or set(data) != keys or data["format"] != FORMAT:
        raise BadState(f"expected {path} to hold the state of mutants in format {FORMAT}")
    fits(path, data, of)
    return State(of, path, data["unmutated"], data["results"])
