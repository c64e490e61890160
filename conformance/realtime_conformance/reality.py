"""Makes runs over a real socket on the loopback interface, in real time.

Laws:
- The runner, the reference server, the speaker and the checks are those of any other run; only the
  line and the clock are real.
- A run that was made in virtual time is repeated by the rules of its steps, since a deadline that
  passes by itself would move their positions.
- A step of the clock that has passed by itself is left out; any other that cannot be taken ends
  the repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from realtime_conformance.checks import CHECKS
from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clock import Loop
from realtime_conformance.runner import (
    Bench,
    Chooser,
    NoConnection,
    Option,
    Outcome,
    Wanted,
    calm_among,
)
from realtime_conformance.scenario import TICK
from realtime_conformance.stage import Line, Stage
from realtime_conformance.timeline import render
from realtime_conformance.transport.websocket import LoopbackServer
from realtime_conformance.wallclock import RealLoop, TooSlow, run_real
from realtime_protocol.bounds import Scope
from realtime_protocol.machine import Machine

T = TypeVar("T")

Json = dict[str, Any]


class Diverged(RuntimeError):
    """The client did not come where a step of the run could be repeated."""


class RealBench(Bench):
    """Makes runs as any bench does, over a real socket and in real time.

    `limit` is the most real seconds that a run may take.
    """

    _lines: AsyncExitStack
    """What the line of the run is closed with."""

    def __init__(
        self,
        scope: Scope,
        make_client: Callable[[Seams], Client],
        bursts: int = 0,
        limit: float = 120.0,
    ) -> None:
        super().__init__(scope, make_client, bursts)
        self._limit = limit

    def repeat(self, outcome: Outcome) -> Outcome:
        """Make a run that takes the steps of another.

        Raises:
            Diverged: a step of it cannot be taken.
            TooSlow: the run does not end within the limit.
            NoConnection: the client does not open its connection.
        """
        return self._made(_Repeating(self.machine, steps_of(outcome)))

    def conduct(self, main: Callable[[Loop], Coroutine[Any, Any, T]]) -> T:
        """Run one run to its end, in real time."""

        async def connected(loop: RealLoop) -> T:
            async with AsyncExitStack() as self._lines:
                try:
                    return await main(loop)
                finally:
                    # what is left of a client must not see its line end
                    await loop.end(loop.tasks())

        return run_real(connected, self._limit)

    async def line(self, stage: Stage) -> Line:
        """A server that listens on the loopback interface until the run ends."""
        server = LoopbackServer(stage.accepted, stage.received, stage.hung_up, stage.knocked)
        return await self._lines.enter_async_context(server)


def steps_of(outcome: Outcome) -> list[Wanted]:
    """The steps that a run took, in their order."""
    return [
        Wanted(*offer.options[offer.taken], offer.ticks)
        for offer in outcome.offers
        if offer.taken is not None
    ]


class _Repeating(Chooser):
    """Takes the steps of another run, and goes on by itself where that ended."""

    def __init__(self, machine: Machine, steps: Sequence[Wanted]) -> None:
        self._rules = machine.rules
        self._steps = steps
        self._next = 0

    def __call__(self, run: Any, options: tuple[Option, ...]) -> int | None:
        """The next step of the other run.

        Raises:
            Diverged: it is not offered.
        """
        while self._next < len(self._steps):
            wanted = self._steps[self._next]
            self._next += 1
            option = Option(wanted.rule, wanted.burst)
            if option in options:
                return options.index(option) + TICK * wanted.ticks
            if self._rules[wanted.rule].event != "deadline":
                raise Diverged(self._missing(wanted, options))
        return next(iter(calm_among(run.machine, options)), None)

    def _missing(self, wanted: Wanted, options: tuple[Option, ...]) -> str:
        names = ", ".join(self._rules[option.rule].id for option in options) or "nothing"
        rule = self._rules[wanted.rule].id
        return f"expected {rule} to be possible as step {self._next}, got {names}"


def repeated(
    scope: Scope,
    make_client: Callable[[Seams], Client],
    bursts: int,
    choices: Sequence[int],
    most: float,
) -> Json:
    """Make a run in virtual time and then in real time; both rendered, and why if there is none.

    The reply has `virtual` and `real`, each as `timeline.render` gives it, the latter None with a
    reason `why`; `needed` is how many seconds the run takes by its own clock, `most` how many it
    may, `late` whether it is the time that there was not, and `verdicts` those of each, by
    fingerprint.
    """
    virtual = Bench(scope, make_client, bursts).run(choices)
    needed = max((entry.time for entry in virtual.history.entries), default=0.0)
    told: Json = {
        "virtual": render(virtual),
        "real": None,
        "needed": needed,
        "why": "",
        "late": False,
        "verdicts": {"virtual": _verdicts(virtual), "real": {}},
    }
    if needed > most:
        why = f"the run needs {needed:g} s of real time, and may take {most:g}"
        return {**told, "why": why, "late": True}
    try:
        real = RealBench(scope, make_client, bursts, most).repeat(virtual)
    except TooSlow as error:
        return {**told, "why": str(error), "late": True}
    except (Diverged, NoConnection) as error:
        return {**told, "why": str(error)}
    verdicts = {**told["verdicts"], "real": _verdicts(real)}
    return {**told, "real": render(real), "verdicts": verdicts}


def _verdicts(outcome: Outcome) -> dict[str, str]:
    """The verdict of each fingerprint that a run shows; a violation stands before an advisory."""
    found: dict[str, str] = {}
    for check in CHECKS:
        for finding in check.judge(outcome.history).findings:
            name = check.fingerprint(finding)
            found[name] = max(found.get(name, ""), finding.verdict)
    return dict(sorted(found.items()))
