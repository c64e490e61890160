"""Makes runs and boils them down to plain data that another process can merge.

Laws:
- Results of runs do not depend on which batch or process made them, so merging is a union.
- States are sent once and then named by number; the numbers belong to one worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from realtime_conformance.checks import CHECKS
from realtime_conformance.history import History
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.tail import Tail
from realtime_protocol.state import State

Json = dict[str, Any]


class Batch:
    """Keeps the numbers of states and edges that were sent already."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._numbers: dict[State, int] = {}
        self._new_states: list[State] = []
        self._edges: set[tuple[int, int, int, int]] = set()

    def make(self, runs: Sequence[Sequence[int]]) -> Json:
        """Make runs that begin with the given choices.

        Returns one reply: the states and edges not sent before, a list of results in the order of
        `runs`, and the sums of premises and findings.
        """
        return self._reply((len(choices), self._bench.run(choices)) for choices in runs)

    def tails(self, point: Sequence[int], budget: int) -> Json:
        """Explore the tail of one interruption point; a reply as that of `make`, with what is left.

        Every step at every node of the tail is taken, and then other ways through it are gone until
        `budget` runs are made or none is left.
        """
        tail = Tail(self._bench, tuple(point), budget)
        reply = self._reply((len(point), outcome) for outcome in tail.explore())
        return {**reply, "left": tail.left}

    def _reply(self, outcomes: Iterable[tuple[int, Outcome]]) -> Json:
        self._new_states = []
        edges: list[tuple[int, int, int, int]] = []
        premises: dict[str, int] = {check.id: 0 for check in CHECKS}
        results = []
        for given, outcome in outcomes:
            edges += self._new_edges(outcome.history)
            results.append(self._result(given, outcome, premises))
        return {
            "states": self._new_states,
            "edges": edges,
            "results": results,
            "premises": premises,
        }

    def _result(self, given: int, outcome: Outcome, premises: dict[str, int]) -> Json:
        # the last given choice was the caller's, so its node is new to the caller's ledger too
        offers = [
            [self._number(o.state), [list(option) for option in o.options], o.taken, o.settled]
            for o in outcome.offers[max(given - 1, 0) :]
        ]
        findings = []
        for check in CHECKS:
            judgement = check.judge(outcome.history)
            premises[check.id] += judgement.premises
            findings += [
                [
                    check.id,
                    found.verdict,
                    check.fingerprint(found),
                    found.position,
                    found.text,
                    found.clause,
                    list(found.enabled_by),
                ]
                for found in judgement.findings
            ]
        return {"choices": list(outcome.choices), "offers": offers, "findings": findings}

    def _number(self, state: State) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._numbers)
            self._new_states.append(state)
        return number

    def _new_edges(self, history: History) -> list[tuple[int, int, int, int]]:
        found = []
        for entry in history.entries:
            if entry.phase != "main" or entry.step is None or entry.before == entry.after:
                continue
            edge = (
                self._number(entry.before),
                entry.step.rule,
                entry.step.argument,
                self._number(entry.after),
            )
            if edge not in self._edges:
                self._edges.add(edge)
                found.append(edge)
        return found
