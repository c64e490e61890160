"""Runs that leave out what sleeps: steps whose other order is gone elsewhere.

Laws:
- A sleep set holds rules of hidden steps. One that is asleep is not taken while anything else lets
  the reply go on, and whatever depends on it wakes it: a step of anybody, the client included.
- Hidden steps are tried first, so it is they that fall asleep elsewhere, never an interruption.
- Where only sleepers could go on, one of them is taken, since a run must come to its end; what
  follows is another order of a run that is made, so nothing branches off there.
- A burst wakes everything, and nothing sleeps through one.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from realtime_conformance.blackbox import Recorder, Unrecorded
from realtime_conformance.runner import Bench, Option, Outcome
from realtime_conformance.stepwise import Stepwise

Sleep = frozenset[int]


@attrs.frozen
class Sleeping:
    """The hidden rules, and for each rule those of them that sleep on when it is taken."""

    hidden: Sleep
    undisturbed: Sequence[Sleep]

    def order(self, options: Sequence[Option]) -> list[int]:
        """Positions of the options in the order in which they are tried."""
        return sorted(range(len(options)), key=lambda n: (options[n].rule not in self.hidden, n))

    def after(self, asleep: Sleep, option: Option) -> Sleep:
        """What sleeps on after a step."""
        return frozenset() if option.burst else asleep & self.undisturbed[option.rule]


@attrs.frozen
class Walked:
    """A run, and what slept at each node after the given choices.

    None stands for a node of which every order is gone elsewhere.
    """

    outcome: Outcome
    sleeps: list[Sleep | None]


def walk(
    bench: Bench,
    given: Sequence[int],
    asleep: Sleep,
    sleeping: Sleeping,
    recorder: Recorder | Unrecorded,
) -> Walked:
    """Make one run that begins with `given`, after whose last choice `asleep` sleeps.

    Raises:
        BadChoice: a choice that its node does not offer.
    """
    run = Stepwise(bench, recorder, given)
    way = _Way(bench, run, sleeping)
    try:
        way.asleep = way.heard(asleep)
        while (choice := way.prefer()) is not None:
            way.take(choice)
    finally:
        outcome = run.finish()
    return Walked(outcome, way.sleeps)


class _Way:
    """How far one run has come beyond what it was given."""

    def __init__(self, bench: Bench, run: Stepwise, sleeping: Sleeping) -> None:
        self.asleep: Sleep | None = None
        self.sleeps: list[Sleep | None] = []
        self._rules = bench.machine.rules
        self._run = run
        self._sleeping = sleeping

    def take(self, choice: int) -> None:
        """Take an option; whatever depends on it wakes, or on what the client does then."""
        option = self._run.node.options[choice]
        self._run.take(choice)
        if self.asleep is not None:
            self.asleep = self.heard(self._sleeping.after(self.asleep, option))

    def heard(self, asleep: Sleep) -> Sleep:
        """What of `asleep` sleeps on after the client's reaction to the last step."""
        for number in self._run.reaction:
            asleep = asleep & self._sleeping.undisturbed[number]
        return asleep

    def prefer(self) -> int | None:
        """The first step that lets the reply go on, one that is awake if there is one."""
        if self._run.ended:
            return None
        self.sleeps.append(self.asleep)
        options = self._run.node.options
        calm = [n for n in self._sleeping.order(options) if self._lets_go_on(options[n])]
        asleep = self.asleep or frozenset()
        awake = [n for n in calm if options[n].rule not in asleep]
        if calm and not awake:
            self.asleep = None
        return next(iter(awake or calm), None)

    def _lets_go_on(self, option: Option) -> bool:
        return not option.burst and not self._rules[option.rule].disturbs
