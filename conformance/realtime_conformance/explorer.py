"""Which runs to make: near all of them once, or every one.

Laws:
- Exploration is stateless: a run is a list of choices from the initial state.
- `exhaust` makes every path once. `cover` takes every step at every node by at least one way in,
  and then explores the tail of each interruption point on its own (see `tail`): a client remembers
  where it was interrupted, so tails are not shared between points.
- Runs are made in waves, and a wave is merged in its own order, so results do not depend on who
  made them or on how many did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from realtime_conformance.ledger import Ledger
from realtime_conformance.pool import Choices, Pool
from realtime_protocol.bounds import Cover
from realtime_protocol.state import State

Json = dict[str, Any]

WAVE = 768
BATCH = 24
POINTS = 32
"""Interruption points in one wave."""

Progress = Callable[[int, int], None]
"""Told how many runs are made, and how many are known that are not."""


def silent(done: int, left: int) -> None:
    """Show no progress."""


@attrs.define
class Found:
    """All findings with one fingerprint: how many, and the shortest run that shows it."""

    check: str
    verdict: str
    fingerprint: str
    clause: str
    enabled_by: tuple[str, ...]
    text: str
    rank: tuple[int, Choices]
    """Position of the finding and all choices of the run: the least is the shortest."""
    count: int = 0

    @property
    def choices(self) -> Choices:
        """All choices of the shortest run."""
        return self.rank[1]


@attrs.define
class Explorer:
    """The frontier, the ledger and the findings of one exploration."""

    ledger: Ledger
    cover: Cover
    limit: int = 0
    """Most runs to make, but that a tail that was begun is ended; 0 for no limit."""
    tail_budget: int = 0
    """Runs for one tail, or as many as taking every step of it needs."""
    frontier: list[Choices] = attrs.field(factory=lambda: [()])
    points: list[Choices] = attrs.field(factory=list)
    """Interruption points whose tails are still to be explored."""
    runs: int = 0
    tails_left: int = 0
    """Ways through tails that are known and were not gone, for want of budget."""
    premises: dict[str, int] = attrs.field(factory=dict)
    found: dict[str, Found] = attrs.field(factory=dict)
    _states: dict[int, list[State]] = attrs.field(factory=dict)
    _seen: set[tuple[State, tuple[int, bool]]] = attrs.field(factory=set)

    def explore(self, pool: Pool, progress: Progress = silent) -> None:
        """Make runs until nothing is left to make or the limit is reached."""
        while self.frontier and not self._spent():
            size = min(WAVE, self.limit - self.runs) if self.limit else WAVE
            # newest first keeps the frontier as small as the tree is deep
            wave, self.frontier = self.frontier[-size:][::-1], self.frontier[:-size]
            batches = [wave[start : start + BATCH] for start in range(0, len(wave), BATCH)]
            for (worker, reply), batch in zip(pool.make(batches), batches, strict=True):
                self._merge(worker, reply, batch)
                progress(self.runs, self.left)
        while self.points and not self._spent():
            wave, self.points = self.points[:POINTS], self.points[POINTS:]
            replies = pool.tails(wave, self.tail_budget)
            for (worker, reply), point in zip(replies, wave, strict=True):
                self._merge(worker, reply, [point] * len(reply["results"]), in_tail=True)
                self.tails_left += reply["left"]
                progress(self.runs, self.left)

    @property
    def left(self) -> int:
        """Runs and interruption points that are known and not yet made."""
        return len(self.frontier) + len(self.points)

    def _spent(self) -> bool:
        return bool(self.limit) and self.runs >= self.limit

    def _merge(
        self, worker: int, reply: Json, batch: Sequence[Choices], in_tail: bool = False
    ) -> None:
        states = self._states.setdefault(worker, [])
        states += [read_state(state) for state in reply["states"]]
        for source, number, argument, target in reply["edges"]:
            self.ledger.edges.add((states[source], number, argument, states[target]))
        for check, count in reply["premises"].items():
            self.premises[check] = self.premises.get(check, 0) + count
        for given, result in zip(batch, reply["results"], strict=True):
            self._take_in(given, result, states, in_tail)

    def _take_in(self, given: Choices, result: Json, states: list[State], in_tail: bool) -> None:
        self.runs += 1
        self.ledger.paths += 1
        path = tuple(result["choices"])
        for finding in result["findings"]:
            self._note(finding, path)
        # the first offer is that of the last choice that was given, if any was
        start = max(len(given) - 1, 0)
        for position, offer in enumerate(result["offers"], start):
            number, listed, taken, settled = offer
            options = tuple((rule, bool(burst)) for rule, burst in listed)
            state = states[number]
            self.ledger.offer(state, options, taken, settled)
            if position >= len(given) and not in_tail:
                self._branch(path[:position], state, options, taken)

    def _branch(
        self, here: Choices, state: State, options: Sequence[tuple[int, bool]], taken: int | None
    ) -> None:
        """Note the options that a run did not take, if they are news."""
        for choice, option in enumerate(options):
            if self.cover == "cover":
                if (state, option) in self._seen:
                    continue
                self._seen.add((state, option))
            if choice == taken:
                continue
            if self.cover == "cover" and self._interrupts(option):
                self.points.append((*here, choice))
            else:
                self.frontier.append((*here, choice))

    def _interrupts(self, option: tuple[int, bool]) -> bool:
        return self.ledger.graph.machine.rules[option[0]].disturbs == "interruption"

    def _note(self, finding: Sequence[Any], choices: Choices) -> None:
        check, verdict, fingerprint, position, text, clause, enabled_by = finding
        rank = (position, choices)
        known = self.found.get(fingerprint)
        if known is None:
            known = self.found[fingerprint] = Found(
                check, verdict, fingerprint, clause, tuple(enabled_by), text, rank
            )
        elif rank < known.rank:
            known.rank, known.text, known.verdict = rank, text, verdict
        known.count += 1


def read_state(data: Sequence[Any]) -> State:
    """A state from its JSON form."""
    return (*data[:-1], tuple(tuple(message) for message in data[-1]))
