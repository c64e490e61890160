"""A run that somebody else chooses, step by step, with what can be done next.

Laws:
- The whole run is what a bench makes of its choices, down to what its last node offered.
- A choice that is not offered is refused; the run can still be finished.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from realtime_conformance.blackbox import Recorder, Unrecorded
from realtime_conformance.runner import BadChoice, Bench, Offer, Outcome


class Stepwise:
    """One run in the making, `given` its first choices; `finish` must be called."""

    def __init__(
        self, bench: Bench, recorder: Recorder | Unrecorded, given: Sequence[int] = ()
    ) -> None:
        self._rules = bench.machine.rules
        self._recorder = recorder
        self._live = bench.live()
        self._entries = 0
        self.node = Offer(bench.machine.initial, self._live.options(), None)
        """Where the run is, and what it can do there."""
        self.so_far: Outcome | None = None
        self.reaction: tuple[int, ...] = ()
        """The rules by which the client acted after the last step."""
        recorder.begin(given)
        try:
            for choice in given:
                self._take(choice)
        except BadChoice:
            self._live.finish()
            raise

    @property
    def ended(self) -> bool:
        """Whether the run cannot go on."""
        return self._live.ended

    def take(self, choice: int) -> None:
        """Take one of the options of the node.

        Raises:
            BadChoice: there is no such option.
        """
        self._recorder.take(choice)
        self._take(choice)

    def _take(self, choice: int) -> None:
        options = self.node.options
        if choice >= len(options):
            names = [self._rules[option.rule].id for option in options]
            raise BadChoice(f"choice {choice}, but there are {len(options)}: {', '.join(names)}")
        self.so_far = self._live.take(choice)
        entries = self.so_far.history.entries
        steps = [entry.step for entry in entries[self._entries :]]
        self._entries = len(entries)
        acts = [step.rule for step in steps if step is not None]
        self.reaction = tuple(number for number in acts if self._rules[number].is_client)
        settled = not options[choice].burst
        self.node = Offer(entries[-1].after, self._live.options(), None, settled)

    def finish(self) -> Outcome:
        """Take the fresh turn, close the session and return the whole run."""
        ended = self.ended
        outcome = self._live.finish()
        return outcome if ended else attrs.evolve(outcome, offers=[*outcome.offers, self.node])
