"""Makes the runs that a strategy asks for, and keeps what came of them.

Laws:
- Exploration is stateless: a run is a list of choices from the initial state.
- Runs are made in waves, and what came of a wave is merged in its own order, so results do not
  depend on who made them or on how many did.
- Between two requests everything that is known can be saved; an exploration that goes on from there
  makes the same runs as one that never stopped.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import attrs

from realtime_conformance import findings
from realtime_conformance.findings import Found
from realtime_conformance.ledger import Edge, Ledger
from realtime_conformance.plain import Numbers, read_states
from realtime_conformance.pool import Talk
from realtime_conformance.stops import UNLIMITED, Budget, Sight, Stop
from realtime_conformance.strategies.interface import Made, Strategy, Visit, size
from realtime_protocol.state import State

Json = dict[str, Any]

Progress = Callable[[int, int], None]
"""Told how many runs are made, and how many are known that are not."""


def silent(done: int, left: int) -> None:
    """Show no progress."""


class Makes(Protocol):
    """What makes runs: a pool."""

    def make(self, requests: Sequence[Json], talk: Talk) -> Any:
        """Number of the worker and reply of each request, in order."""


@attrs.define
class _Worker:
    """What one worker has sent and names by number since."""

    states: list[State] = attrs.field(factory=list)
    edges: list[Edge] = attrs.field(factory=list)


@attrs.define
class Explorer:
    """One exploration: the strategy, the ledger and the findings."""

    ledger: Ledger
    strategy: Strategy
    budget: Budget = UNLIMITED
    stops: Sequence[Stop] = ()
    known: Collection[str] = ()
    """Fingerprints of violations that are on file."""
    runs: int = 0
    premises: dict[str, int] = attrs.field(factory=dict)
    found: dict[str, Found] = attrs.field(factory=dict)
    lost: list[Json] = attrs.field(factory=list)
    """Runs that a worker was lost to: their choices, and how it ended."""
    pending: deque[Json] = attrs.field(factory=deque)
    """What is left of the wave."""
    cut_short: str = ""
    """Why the exploration ended before its frontier was empty; empty if it did not."""
    _workers: dict[int, _Worker] = attrs.field(factory=dict)
    _until: float = 0.0

    def explore(self, pool: Makes, progress: Progress = silent) -> None:
        """Make runs until nothing is left to make, or one may not go on."""
        self._until = time.monotonic() + self.budget.seconds
        self._workers = {}
        self.cut_short = ""
        while self._has_more():
            requests = list(self.pending)
            for worker, reply in pool.make(requests, self.strategy.make):
                self._merge(worker, self.pending.popleft(), reply)
                progress(self.runs, self.left)
                if self._enough():
                    break
            if self.cut_short:
                return

    @property
    def left(self) -> int:
        """Runs and interruption points that are known and not yet made."""
        return self.strategy.left + sum(map(size, self.pending))

    def _has_more(self) -> bool:
        if self._enough():
            return False
        if not self.pending:
            room = self.budget.runs - self.runs if self.budget.runs else 0
            self.pending += self.strategy.wave(room)
        return bool(self.pending)

    def _enough(self) -> bool:
        """Whether what is known to be left is to be left; says why."""
        self.cut_short = self._reason() if self.left else ""
        return bool(self.cut_short)

    @property
    def is_stopped(self) -> bool:
        """Whether what was looked for has been found."""
        return any(stop.holds(Sight(self.found, self.known)) for stop in self.stops)

    def _reason(self) -> str:
        if self.is_stopped:
            return f"stopped at what was asked for: {', '.join(stop.about for stop in self.stops)}"
        if self.budget.seconds and time.monotonic() >= self._until:
            return "cut short: the budget of seconds was spent"
        if self.budget.runs and self.runs >= self.budget.runs:
            return f"cut short: the budget of {self.budget.runs} runs was spent"
        return ""

    def _merge(self, number: int, request: Json, reply: Json) -> None:
        worker = self._workers.setdefault(number, _Worker())
        states, edges = worker.states, worker.edges
        states += read_states(reply["states"])
        for source, rule, argument, target in reply["edges"]:
            edges.append((states[source], rule, argument, states[target]))
            self.ledger.edges.add(edges[-1])
        for first, second in reply["pairs"]:
            self.ledger.follow(edges[first], edges[second])
        for check, count in reply["premises"].items():
            self.premises[check] = self.premises.get(check, 0) + count
        self.lost += reply.get("lost", ())
        made = [_made(result, states) for result in reply["results"]]
        for run, result in zip(made, reply["results"], strict=True):
            self._take_in(run, result["findings"])
        self.strategy.note(request, reply, made)

    def _take_in(self, run: Made, found: Sequence[Sequence[Any]]) -> None:
        self.runs += 1
        self.ledger.enter(run.choices)
        for finding in found:
            findings.note(self.found, finding, run.choices)
        for visit in run.visits:
            self.ledger.offer(visit.state, visit.options, visit.taken, visit.settled)
            if visit.sleep:
                self.ledger.spare(visit.state, visit.options, visit.sleep)

    def saved(self) -> Json:
        """All that is known, as plain data."""
        number = Numbers()
        data = {
            "strategy": self.strategy.saved(number),
            "ledger": self.ledger.saved(number),
            "pending": list(self.pending),
            "runs": self.runs,
            "premises": self.premises,
            "found": findings.saved(self.found),
            "lost": self.lost,
        }
        # the states come last: all of the above has numbered them
        return {**data, "states": number.states}

    def restore(self, data: Json) -> None:
        """Know what was saved."""
        states = read_states(data["states"])
        self.strategy.restore(data["strategy"], states)
        self.ledger.restore(data["ledger"], states)
        self.pending = deque(data["pending"])
        self.runs, self.premises, self.lost = data["runs"], data["premises"], data["lost"]
        self.found = findings.restored(data["found"])


def _made(result: Json, states: Sequence[State]) -> Made:
    """One run from its JSON form."""
    given, offers = result["given"], result["offers"]
    ahead = min(given, 1)
    sleeps: list[Any] = [()] * ahead + result.get("sleeps", [()] * (len(offers) - ahead))
    visits = tuple(
        Visit(
            states[number],
            tuple((rule, bool(burst)) for rule, burst in listed),
            taken,
            settled,
            None if sleep is None else frozenset(sleep),
            turns,
        )
        for (number, listed, taken, settled, turns), sleep in zip(offers, sleeps, strict=True)
    )
    return Made(given, tuple(result["choices"]), visits)
