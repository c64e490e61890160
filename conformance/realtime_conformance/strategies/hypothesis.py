"""Runs that Hypothesis chooses, with the state machine of `stateful`.

Laws:
- One request is one search of a few examples with a seed of its own. A violation that was found
  before is no news to the next one, so each looks for another.
- What is new is shrunk; every run that was made on the way counts, the shrunk one included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from realtime_conformance.live import Live
from realtime_conformance.plain import Numbers
from realtime_conformance.pool import Ask, Setup, WorkerLost
from realtime_conformance.stateful import Target, search
from realtime_conformance.strategies.interface import Made
from realtime_protocol.state import State

Json = dict[str, Any]

EXAMPLES = 500
"""Examples where no budget says otherwise."""
SEARCH = 50
"""Examples of one search."""


@attrs.define
class Searching:
    """The number of the next search, and what has been found."""

    setup: Setup
    seed: int = 0
    examples: int = EXAMPLES
    """Examples to try; 0 for no end."""
    tried: int = 0
    found: set[str] = attrs.field(factory=set)

    name = "hypothesis"
    about = "what Hypothesis draws and shrinks, with a rule for each rule of the environment"
    promises = False
    tails_left = 0

    @property
    def left(self) -> int:
        """Examples that are still to be tried; one where there is no end."""
        return max(self.examples - self.tried, 0) if self.examples else 1

    def wave(self, room: int) -> list[Json]:
        """One search: the next one has to know what it finds."""
        known = self.examples and self.left
        if self.examples and not known:
            return []
        count = min(limit for limit in (SEARCH, room, known) if limit)
        begin, self.tried = self.tried, self.tried + count
        return [{"examples": count, "seed": self.seed + begin, "known": sorted(self.found)}]

    def make(self, request: Json, ask: Ask) -> Json:
        """Search; the reply is that of a batch of all runs that were made for it.

        Raises:
            WorkerLost: the worker died or hung in one of them.
        """
        heard = _Heard(ask)
        target = Target(Live(heard.ask), self.setup, request["known"], (), heard.finished.append)
        try:
            search(target, request["examples"], request["seed"])
        except Exception:
            # Hypothesis makes a failing run again, and says in its own words that it fails
            if heard.loss is not None:
                raise heard.loss from None
            raise
        return joined(heard.finished)

    def note(self, request: Json, reply: Json, made: Sequence[Made]) -> None:  # noqa: ARG002
        """Remember what was found."""
        self.found.update(finding[2] for run in reply["results"] for finding in run["findings"])

    def saved(self, number: Numbers) -> Json:  # noqa: ARG002
        """How many were tried, and what was found."""
        return {"tried": self.tried, "found": sorted(self.found)}

    def restore(self, data: Json, states: Sequence[State]) -> None:  # noqa: ARG002
        """Know what was saved."""
        self.tried, self.found = data["tried"], set(data["found"])


@attrs.define
class _Heard:
    """What a worker said in a search."""

    worker: Ask
    finished: list[Json] = attrs.field(factory=list)
    loss: WorkerLost | None = None

    def ask(self, request: Json) -> Json:
        """Put a request to the worker, and remember if it is lost."""
        try:
            return self.worker(request)
        except WorkerLost as error:
            self.loss = self.loss or error
            raise


def joined(replies: Sequence[Json]) -> Json:
    """Several replies of one worker as one."""
    premises: dict[str, int] = {}
    for reply in replies:
        for check, count in reply["premises"].items():
            premises[check] = premises.get(check, 0) + count
    lists = ("states", "edges", "pairs", "results")
    return {
        **{name: [item for reply in replies for item in reply[name]] for name in lists},
        "premises": premises,
    }
