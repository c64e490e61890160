"""Makes runs and boils them down to plain data that another process can merge.

Laws:
- Results of runs do not depend on which batch or process made them, so merging is a union.
- States and edges are sent once and then named by number; the numbers belong to one worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise, repeat
from typing import Any

from realtime_conformance.blackbox import Recorder, Unrecorded
from realtime_conformance.checks import CHECKS
from realtime_conformance.history import Entry, History
from realtime_conformance.runner import Bench, Offer, Option, Outcome
from realtime_conformance.tail import Tail
from realtime_conformance.ticks import disturbed
from realtime_conformance.walk import Sleep, Sleeping, walk
from realtime_protocol.state import State

Json = dict[str, Any]
Edge = tuple[int, int, int, int]


class Batch:
    """Keeps the numbers of states and edges that were sent already."""

    def __init__(self, bench: Bench, recorder: Recorder | Unrecorded | None = None) -> None:
        self._bench = bench
        self._recorder = recorder or Unrecorded()
        self._numbers: dict[State, int] = {}
        self._new_states: list[State] = []
        self._edges: dict[Edge, int] = {}
        self._new_edges: list[Edge] = []
        self._pairs: set[tuple[int, int]] = set()
        self._new_pairs: list[tuple[int, int]] = []

    def make(self, runs: Sequence[Sequence[int]]) -> Json:
        """Make runs that begin with the given choices; one reply.

        A reply holds the states, edges and pairs of edges not sent before, a list of results in the
        order of `runs`, and the sums of premises.
        """
        return self.reply((len(choices), self._run(choices)) for choices in runs)

    def tails(
        self,
        point: Sequence[int],
        budget: int,
        most: int = 0,
        lost: Sequence[Sequence[int]] = (),
    ) -> Json:
        """Explore the tail of one interruption point; a reply as that of `make`, with what is left.

        Every step at every node of the tail is taken, and then other ways through it are gone until
        `budget` runs are made or none is left; but with `most`, no more runs than that are made.
        No run begins with one of `lost`.
        """
        gone = frozenset(map(tuple, lost))
        tail = Tail(self._bench, tuple(point), budget, most, gone, self._recorder)
        reply = self.reply((len(point), outcome) for outcome in tail.explore())
        return {**reply, "left": tail.left}

    def walks(
        self,
        runs: Sequence[tuple[Sequence[int], Sequence[int]]],
        hidden: Sequence[int],
        undisturbed: Sequence[Sequence[int]],
    ) -> Json:
        """Make runs that leave out what sleeps; each is given choices and what sleeps after them.

        A reply as that of `make`; each result also has what slept at the nodes after the given
        choices.
        """
        sleeping = Sleeping(frozenset(hidden), [frozenset(rules) for rules in undisturbed])
        sleeps: list[list[Sleep | None]] = []

        def made() -> Iterable[tuple[int, Outcome]]:
            for given, asleep in runs:
                walked = walk(self._bench, given, frozenset(asleep), sleeping, self._recorder)
                sleeps.append(walked.sleeps)
                yield len(given), walked.outcome

        reply = self.reply(made())
        for result, slept in zip(reply["results"], sleeps, strict=True):
            result["sleeps"] = [None if asleep is None else sorted(asleep) for asleep in slept]
        return reply

    def ticks(self, choices: Sequence[int], turns: int, lost: Sequence[Sequence[int]] = ()) -> Json:
        """Disturb the client in each of the turns behind the last of `choices`; as `make`.

        One run for each turn before it is at rest and each disturbance that can come there, and
        none that begins with one of `lost`.
        """
        gone = frozenset(map(tuple, lost))
        return self.reply(
            (len(choices), outcome)
            for outcome in disturbed(self._bench, tuple(choices), turns, gone, self._recorder)
        )

    def reply(self, outcomes: Iterable[tuple[int, Outcome]]) -> Json:
        """What is sent of some runs, each with the number of choices that it was given."""
        self._new_states, self._new_edges, self._new_pairs = [], [], []
        premises: dict[str, int] = {check.id: 0 for check in CHECKS}
        results = []
        for given, outcome in outcomes:
            self._visit(outcome.history)
            results.append(self._result(given, outcome, premises))
        return {
            "states": self._new_states,
            "edges": self._new_edges,
            "pairs": self._new_pairs,
            "results": results,
            "premises": premises,
        }

    def _run(self, choices: Sequence[int]) -> Outcome:
        recorder = self._recorder
        recorder.begin(choices)

        def first(state: State, options: tuple[Option, ...], calm: list[int]) -> int:  # noqa: ARG001
            recorder.take(calm[0])
            return calm[0]

        return self._bench.run(choices, first)

    def _result(self, given: int, outcome: Outcome, premises: dict[str, int]) -> Json:
        # the last given choice was the caller's, so its node is new to the caller's ledger too
        start = max(given - 1, 0)
        turns = chain(outcome.turns[start:], repeat(0))  # where a run ends nothing is taken
        offers = list(map(self._offer, outcome.offers[start:], turns))
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
        return {
            "given": given,
            "choices": list(outcome.choices),
            "offers": offers,
            "findings": findings,
        }

    def _offer(self, offer: Offer, turns: int) -> list[Any]:
        options = [list(option) for option in offer.options]
        return [self._number(offer.state), options, offer.taken, offer.settled, turns]

    def _number(self, state: State) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._numbers)
            self._new_states.append(state)
        return number

    def _visit(self, history: History) -> None:
        """Note the edges of a run, and which of them followed which."""
        edges = [self._edge(entry) for entry in history.entries if _is_edge(entry)]
        for pair in pairwise(edges):
            if pair not in self._pairs:
                self._pairs.add(pair)
                self._new_pairs.append(pair)

    def _edge(self, entry: Entry) -> int:
        assert entry.step is not None
        source, target = self._number(entry.before), self._number(entry.after)
        edge = (source, entry.step.rule, entry.step.argument, target)
        number = self._edges.get(edge)
        if number is None:
            number = self._edges[edge] = len(self._edges)
            self._new_edges.append(edge)
        return number


def _is_edge(entry: Entry) -> bool:
    """Whether an entry is a step of the graph, where those that change nothing are left out."""
    return entry.phase == "main" and entry.step is not None and entry.before != entry.after
