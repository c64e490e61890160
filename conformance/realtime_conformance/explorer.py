"""Which runs to make: near all of them once, or every one.

Laws:
- Exploration is stateless: a run is a list of choices from the initial state.
- `exhaust` makes every path once. `cover` takes every step at every node by at least one way in,
  and after a disturbance every tail.
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

Progress = Callable[[int, int], None]


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
        """Choices of the shortest run, without a tail that a run takes anyway."""
        choices = list(self.rank[1])
        while choices and choices[-1] == 0:
            choices.pop()
        return tuple(choices)


@attrs.frozen
class Job:
    """A run to make: its first choices, and as many of them as lead through an interruption."""

    choices: Choices = ()
    point: Choices = ()


@attrs.define
class Explorer:
    """The frontier, the ledger and the findings of one exploration."""

    ledger: Ledger
    cover: Cover
    limit: int = 0
    """Most runs to make; 0 for no limit."""
    frontier: list[Job] = attrs.field(factory=lambda: [Job()])
    runs: int = 0
    premises: dict[str, int] = attrs.field(factory=dict)
    found: dict[str, Found] = attrs.field(factory=dict)
    _states: dict[int, list[State]] = attrs.field(factory=dict)
    _seen: set[tuple[Choices, State, tuple[int, bool]]] = attrs.field(factory=set)

    def explore(self, pool: Pool, progress: Progress = lambda done, waiting: None) -> None:
        """Make runs until the frontier is empty or the limit is reached."""
        while self.frontier and not self._spent():
            size = min(WAVE, self.limit - self.runs) if self.limit else WAVE
            # newest first keeps the frontier as small as the tree is deep
            wave, self.frontier = self.frontier[-size:][::-1], self.frontier[:-size]
            batches = [wave[start : start + BATCH] for start in range(0, len(wave), BATCH)]
            asked = [[job.choices for job in batch] for batch in batches]
            for (worker, reply), batch in zip(pool.make(asked), batches, strict=True):
                self._merge(worker, reply, batch)
                progress(self.runs, len(self.frontier))

    def _spent(self) -> bool:
        return bool(self.limit) and self.runs >= self.limit

    def _merge(self, worker: int, reply: Json, batch: Sequence[Job]) -> None:
        states = self._states.setdefault(worker, [])
        states += [read_state(state) for state in reply["states"]]
        for source, number, argument, target in reply["edges"]:
            self.ledger.edges.add((states[source], number, argument, states[target]))
        for check, count in reply["premises"].items():
            self.premises[check] = self.premises.get(check, 0) + count
        for job, result in zip(batch, reply["results"], strict=True):
            self._take_in(job, result, states)

    def _take_in(self, job: Job, result: Json, states: list[State]) -> None:
        self.runs += 1
        self.ledger.paths += 1
        path = tuple(result["choices"])
        for finding in result["findings"]:
            self._note(finding, path)
        # the first offer is that of the last choice that was given, if any was
        start = max(len(job.choices) - 1, 0)
        point = job.point
        for position, (number, listed, taken) in enumerate(result["offers"], start):
            options = tuple((rule, bool(burst)) for rule, burst in listed)
            state = states[number]
            self.ledger.offer(state, options, taken)
            if position >= len(job.choices):
                self._branch(Job(path[:position], point), state, options, taken)
                if taken is not None:
                    point = point or self._point(path[: position + 1], options[taken])

    def _point(self, choices: Choices, option: tuple[int, bool]) -> Choices:
        """The interruption point that `choices` lead through by their last one; empty if none."""
        rule = self.ledger.graph.machine.rules[option[0]]
        return choices if rule.disturbs == "interruption" else ()

    def _branch(
        self, here: Job, state: State, options: Sequence[tuple[int, bool]], taken: int | None
    ) -> None:
        """Put the options that a run did not take on the frontier, if they are news."""
        for choice, option in enumerate(options):
            if self.cover == "cover":
                key = (here.point, state, option)
                if key in self._seen:
                    continue
                self._seen.add(key)
            if choice != taken:
                choices = (*here.choices, choice)
                point = here.point or self._point(choices, option)
                self.frontier.append(Job(choices, point))

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
    return (*data[:-1], tuple((event, argument) for event, argument in data[-1]))
