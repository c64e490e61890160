"""A conversation with a worker about one run, which is chosen step by step."""

from __future__ import annotations

from typing import Any

import attrs

from realtime_conformance.pool import Ask

Json = dict[str, Any]
Option = tuple[int, bool]


@attrs.frozen
class Live:
    """The run that a worker is making; it has to be finished before the next one."""

    ask: Ask

    def begin(self) -> Json:
        """Begin a run; returns its `state` and the `options` there, each a rule and a burst."""
        return self.ask({"live": "begin"})

    def take(self, choice: int) -> Json:
        """Take an option; returns the node that it leads to."""
        return self.ask({"live": "take", "choice": choice})

    def look(self) -> Json:
        """The `findings` so far."""
        return self.ask({"live": "look"})

    def finish(self) -> Json:
        """End the run; returns the findings and all that a batch of one run would."""
        return self.ask({"live": "finish"})
