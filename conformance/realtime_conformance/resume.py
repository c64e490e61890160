"""The state of a run on file: what a run that was killed goes on from.

Laws:
- The file is replaced in one piece, so it is whole whenever the run is killed.
- It says what it is a state of: client, profile, scopes, model, strategy, version. One of anything
  else is refused, with the first thing that differs.
- It is written at intervals, and seldom enough to cost little.
- It is taken away when nothing is left to make.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from realtime_conformance.stored import read_json, replace_text

Json = dict[str, Any]

FORMAT = 1
INTERVAL_SECONDS = 20.0
"""Least time between two writings."""
LARGEST_SHARE = 0.05
"""Part of the time that writing may take."""


class BadState(ValueError):
    """A state that cannot be gone on from: what was expected and what came."""


def read(path: Path) -> Json:
    """A state.

    Raises:
        BadState: the file cannot be read, or is none.
    """
    data = read_json(path, "the state", "the state of a run", BadState)
    if not isinstance(data, dict) or data.get("format") != FORMAT or "of" not in data:
        raise BadState(f"expected {path} to hold the state of a run in format {FORMAT}")
    return data


def fits(path: Path, data: Json, expected: Mapping[str, Any]) -> None:
    """Raises BadState unless a state is one of what is expected, as far as both say it."""
    for name, value in expected.items():
        came = data["of"].get(name)
        if came != value:
            raise BadState(
                f"state {path} is of another {name}: expected {_brief(value)}, got {_brief(came)}"
            )


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@attrs.define
class Keeper:
    """Writes the state of one run."""

    path: Path | None
    of: Json = attrs.field(factory=dict)
    _next: float = attrs.field(factory=lambda: time.monotonic() + INTERVAL_SECONDS)

    def offer(self, state: Callable[[], Json]) -> None:
        """Write what `state` gives, if it is time."""
        if self.path is not None and time.monotonic() >= self._next:
            self.write(state)

    def write(self, state: Callable[[], Json]) -> None:
        """Write what `state` gives now."""
        if self.path is None:
            return
        begun = time.monotonic()
        text = json.dumps({"format": FORMAT, "of": self.of, **state()})
        replace_text(self.path, text + "\n")
        took = time.monotonic() - begun
        self._next = time.monotonic() + max(INTERVAL_SECONDS, took / LARGEST_SHARE)

    def end(self) -> None:
        """Take the file away: nothing is left to make."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
