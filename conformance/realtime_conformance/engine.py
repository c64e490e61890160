"""Conducts a conformance run: explores every scope of a profile and hands over to the report.

Laws:
- Scopes are explored one after the other, and what is left of an explored one is plain data.
- The shortest run of each violation is shrunk until no step of it can be left out.
- Every finding is made twice more before it is reported, and both traces must be equal.
- A run with a state on file goes on from it, and comes to the same report.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from realtime_conformance import listing
from realtime_conformance.drawing import diagrams
from realtime_conformance.explorer import Explorer
from realtime_conformance.explorer import Progress as Told
from realtime_conformance.findings import Found
from realtime_conformance.ledger import Ledger
from realtime_conformance.plan import Plan
from realtime_conformance.pool import Pool, WorkerLost, Workers
from realtime_conformance.reporting import findings_of, own_version, report_of, violations
from realtime_conformance.resume import Keeper, fits, read
from realtime_conformance.shrink import Shrunk, difference, shrink
from realtime_conformance.stops import Budget
from realtime_conformance.strategies import STRATEGIES, Subject
from realtime_protocol.bounds import PROFILES, Scope, below
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine

__all__ = ["Plan", "conduct", "findings_of", "violations"]

Json = dict[str, Any]
Progress = Callable[[str, int, int], None]
"""Told the scope, how many runs are made, and how many are known that are not."""


def silent(scope: str, done: int, left: int) -> None:
    """Show no progress."""


def conduct(plan: Plan, progress: Progress = silent) -> Json:
    """Run the plan and return the report; files that the plan names are written.

    Raises:
        ValueError: an unknown profile, scope, bound, strategy or stop condition, or a state on file
            that is one of something else.
        WorkerLost, WorkerRefused: too many workers died, or one says that the client cannot be
            driven.
    """
    started = time.monotonic()
    parts = _Conducted(plan).explore(progress)
    listing.write(plan, parts)
    return report_of(plan, parts, time.monotonic() - started)


class _Conducted:
    """All scopes of a plan, explored one after the other."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.scopes = plan.bounded()
        self.parts: dict[str, Json] = {}
        """What is left of each scope that was explored to its end, as plain data."""
        self.open: dict[str, Json] = {}
        """What is known of each scope that was not."""
        self.stopped = False
        self.workers = Workers(plan.jobs, plan.interpreter)
        self.keeper = Keeper(plan.state, identity(plan, self.scopes))
        if plan.state is not None and plan.state.exists():
            data = read(plan.state)
            fits(plan.state, data, self.keeper.of)
            self.keeper.of = data["of"]
            self.parts, self.open = data["parts"], data["open"]

    def explore(self, progress: Progress) -> list[Json]:
        """Explore what is left, each scope with its share of the time; returns all parts."""
        plan = self.plan
        until = time.monotonic() + plan.seconds
        left = [scope for scope in self.scopes if scope.name not in self.parts]
        parts = dict(self.parts)
        with self.workers:
            for number, scope in enumerate(left):
                share = max(until - time.monotonic(), 0.01) / (len(left) - number)
                explored = _Explored(plan, scope, share if plan.seconds else 0.0)
                parts[scope.name] = self._explore(explored, progress)
        if self.open:
            self.keeper.write(self._state)
        else:
            self.keeper.end()
        return [parts[scope.name] for scope in self.scopes]

    def _explore(self, explored: _Explored, progress: Progress) -> Json:
        """Explore one scope, unless the run was stopped before."""
        name, explorer = explored.scope.name, explored.explorer
        if name in self.open:
            explorer.restore(self.open[name])

        def told(done: int, left: int) -> None:
            progress(name, done, left)
            self.keeper.offer(lambda: self._state({name: explorer.saved()}))

        if not self.stopped:
            pool = self.workers.drive(self.plan.setup(explored.scope))
            explored.hello = pool.hello
            self._same_client(pool.hello)
            explored.explore(pool, told)
        self.stopped = self.stopped or explorer.is_stopped
        part = explored.part()
        if explorer.left:
            self.open[name] = explorer.saved() if self.plan.state else {}
        else:
            self.parts[name] = part
            self.open.pop(name, None)
        return part

    def _state(self, current: Json | None = None) -> Json:
        return {"parts": self.parts, "open": {**self.open, **(current or {})}}

    def _same_client(self, hello: Json) -> None:
        """Note what is driven; a state of another release is refused."""
        if self.plan.state is not None and "packages" in self.keeper.of:
            fits(self.plan.state, {"of": self.keeper.of}, hello)
        self.keeper.of.update(hello)


def identity(plan: Plan, scopes: Sequence[Scope]) -> Json:
    """What a run is a run of: with anything else the same state would mean something else."""
    return {
        "client": plan.client,
        "profile": plan.profile,
        "scopes": [scope.name for scope in scopes],
        "model": {scope.name: Machine(scope.bounds).digest for scope in scopes},
        "strategy": [plan.strategy, plan.seed, plan.reduction, *plan.stop, *plan.sought],
        "bursts": plan.preemptions,
        "files": [name for name in ("ledger", "unvisited") if getattr(plan, name) is not None],
        "version": own_version(),
    }


def explorer_of(plan: Plan, scope: Scope, graph: Graph, seconds: float = 0.0) -> Explorer:
    """The exploration of one scope of a plan, of which nothing is made yet."""
    profile = PROFILES[plan.profile]
    subject = Subject(
        graph=graph,
        setup=plan.setup(scope),
        seed=plan.seed,
        runs=plan.limit,
        seconds=seconds,
        tail_runs=profile.tail_runs,
        tail_most=0 if scope.name in profile.thorough else profile.brief_runs,
        every_way=profile.every_way,
        reduction=plan.reduction,
    )
    return Explorer(
        Ledger(graph),
        STRATEGIES[plan.how(scope.name)](subject),
        Budget(plan.limit, seconds),
        plan.stops,
        plan.known,
    )


class _Explored:
    """One scope of the plan, explored."""

    def __init__(self, plan: Plan, scope: Scope, seconds: float) -> None:
        self.plan = plan
        self.scope = scope
        self.machine = Machine(scope.bounds)
        self.profile = PROFILES[plan.profile]
        self.explorer = explorer_of(plan, scope, enumerate_graph(self.machine), seconds)
        self.hello: Json = {}
        self.findings: list[Json] = []
        self.lost: list[Json] = []

    def explore(self, pool: Pool, progress: Told) -> None:
        """Make all runs, then shrink those of the violations, and make each result twice."""
        self.explorer.explore(pool, progress)
        reported = filter(
            lambda found: self.plan.reports(found.fingerprint), self.explorer.found.values()
        )
        found = sorted(reported, key=lambda found: found.rank)
        # each is shrunk on its own, so the number of jobs changes nothing but the time
        with ThreadPoolExecutor(pool.jobs) as threads:
            self.findings = list(threads.map(lambda one: self._finding(one, pool), found))
        self.lost += [self._loss(loss) for loss in self.explorer.lost]

    def _finding(self, found: Found, pool: Pool) -> Json:
        shrunk = self._shrunk(found, pool)
        first, second = self._shown(shrunk, pool), self._shown(shrunk, pool)
        known = self.plan.known.get(found.fingerprint)
        scenario = self.plan.run(shrunk.choices, self.scope.name).id(self.machine.digest)
        return {
            "check": found.check,
            "scope": self.scope.name,
            "verdict": found.verdict,
            "fingerprint": found.fingerprint,
            "clause": found.clause,
            "enabled_by": list(found.enabled_by),
            "count": found.count,
            "text": first["fingerprints"].get(found.fingerprint, found.text),
            "known": known.told if known else None,
            "scenario": scenario,
            "replay": self.plan.replay(scenario),
            "left_out": shrunk.left_out,
            "minimal": shrunk.minimal,
            "unstable": _unstable(found.fingerprint, first, second),
            "trace_digest": first["digest"],
            "steps": first["steps"],
            "timeline": first["timeline"],
        }

    def _shrunk(self, found: Found, pool: Pool) -> Shrunk:
        """The smallest run of a violation; what a worker is lost to is left as it is."""
        if found.verdict != "violation":
            return Shrunk(found.choices)
        try:
            return shrink(pool, found.choices, found.fingerprint)
        except WorkerLost:
            return Shrunk(found.choices)

    def _shown(self, shrunk: Shrunk, pool: Pool) -> Json:
        """A run that is made again; one that ends its worker this time shows nothing."""
        try:
            return pool.show(shrunk.choices)
        except WorkerLost as error:
            self.lost.append(self._loss({"choices": list(shrunk.choices), "how": error.how}))
            shown = {"digest": "", "steps": [], "trace": "", "fingerprints": {}}
            return {**shown, "timeline": f"the worker {error.how}"}

    def _loss(self, loss: Json) -> Json:
        """A run that a worker was lost to, by its id."""
        choices = loss["choices"]
        run = None if choices is None else self.plan.run(tuple(choices), self.scope.name)
        return {"scenario": run and run.id(self.machine.digest), "how": loss["how"]}

    def part(self) -> Json:
        """All that is left of the scope, as plain data."""
        explorer, plan = self.explorer, self.plan
        return {
            "hello": self.hello,
            "summary": self._summary(),
            "premises": explorer.premises,
            "findings": self.findings,
            # those of findings come from several threads, in any order
            "lost": sorted(self.lost, key=lambda loss: (loss["scenario"] or "", loss["how"])),
            "ledger": listing.ledger(explorer.ledger) if plan.ledger else None,
            "unvisited": listing.unvisited(explorer.ledger) if plan.unvisited else [],
        }

    def _summary(self) -> Json:
        """Bounds, graph and coverage."""
        explorer = self.explorer
        return {
            "name": self.scope.name,
            "bounds": dict(self.scope.bounds),
            "below_profile": below(self.profile, self.scope),
            "model": self.machine.digest,
            "strategy": explorer.strategy.name,
            "promises": explorer.strategy.promises,
            "scenarios": explorer.runs,
            "frontier_left": explorer.left,
            "tails_left": explorer.strategy.tails_left,
            "cut_short": explorer.cut_short,
            **explorer.ledger.summary(),
            "unvisited_nodes": listing.some_unvisited(explorer.ledger),
            "diagrams": diagrams(explorer.ledger),
        }


def _unstable(fingerprint: str, first: Json, second: Json) -> str:
    """In what the two last runs of a finding fall short of showing it alike; empty if they do not.

    What differs is nondeterminism of the client or of the harness.
    """
    differs = difference(first["trace"], second["trace"])
    if differs:
        return f"the client or the harness is not deterministic: {differs}"
    shown = list(first["fingerprints"])
    return "" if fingerprint in shown else f"expected {fingerprint}, got {shown or 'no finding'}"
