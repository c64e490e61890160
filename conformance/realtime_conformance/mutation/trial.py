"""One mutant is tried: is there a run that shows something which the client itself does not?

Laws:
- Scopes whose runs execute what was changed are tried, the smallest first, and each pass is made
  in all of them before the next; the first sign ends the trial.
- A sign is a fingerprint that the client without the mutant never showed, and does not show in that
  very run; or a worker that dies, hangs, or says that the client cannot be driven.
- The same mutant, passes and seed come to the same end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from realtime_conformance.engine import explorer_of
from realtime_conformance.findings import Found
from realtime_conformance.mutation.overlay import Overlay
from realtime_conformance.mutation.passes import PATIENCE, Pass, graph_of
from realtime_conformance.plan import Plan
from realtime_conformance.pool import Pool, Setup, WorkerLost, WorkerRefused
from realtime_conformance.scenario import scope_of
from realtime_conformance.stops import Sight, Stop

Json = dict[str, Any]


@attrs.frozen(kw_only=True)
class Kill:
    """How a mutant was killed.

    `sign` is `fingerprint`, `lost` or `refused`; `text` tells it. `runs` were made in all until
    then, in all scopes and passes.
    """

    sign: str
    scope: str
    during: str
    runs: int
    text: str
    fingerprint: str = ""
    scenario: str = ""


@attrs.frozen(kw_only=True)
class Ground:
    """Where mutants are tried: the client and what it shows, and a pool that drives it as it is."""

    client: str
    seed: int
    original: Pool
    shown: Collection[str]

    def setup(self, part: Pass, scope: str) -> Setup:
        """What is driven in a scope by a pass."""
        plan = part.plan(self.client, self.seed)
        return plan.setup(scope_of(part.profile, scope, {}))


class Trial:
    """One mutant, which is in its overlay, on its way through scopes and passes."""

    def __init__(self, ground: Ground, overlay: Overlay, runs: int = 0) -> None:
        self.runs = runs
        """Those that were made before count, too."""
        self._ground = ground
        self._overlay = overlay
        self._shown = set(ground.shown)
        self._where: tuple[Pass, str]

    def through(self, parts: Sequence[Pass], scopes: Sequence[str]) -> Kill | None:
        """Try it, until it is killed."""
        legs = [(part, scope) for part in parts for scope in scopes]
        sign: dict[str, str] = {}
        try:
            sign = self._on_its_way(legs)
        except WorkerLost as error:
            sign = {"sign": "lost", "text": str(error)}
        except WorkerRefused as error:
            sign = {"sign": "refused", "text": str(error)}
        if not sign:
            return None
        part, scope = self._where
        return Kill(scope=scope, during=part.name, runs=self.runs, **sign)

    def _on_its_way(self, legs: Sequence[tuple[Pass, str]]) -> dict[str, str]:
        part, scope = self._where = legs[0]
        # the client is loaded once for all scopes: that takes longer than most of them do
        with Pool(self._ground.setup(part, scope), 1, self._overlay.interpreter, PATIENCE) as pool:
            for number, (part, scope) in enumerate(legs):
                self._where = part, scope
                if number:
                    pool.drive(self._ground.setup(part, scope))
                sign = self._looked(part, scope, pool)
                if sign:
                    return sign
        return {}

    def _looked(self, part: Pass, scope: str, pool: Pool) -> dict[str, str]:
        """Explore a scope to its end, or to a sign; the runs are counted however it ends."""
        plan = part.plan(self._ground.client, self._ground.seed)
        bounded = scope_of(part.profile, scope, {})
        explorer = explorer_of(plan, bounded, graph_of(part.profile, scope))
        search = _Search(plan, scope, self._ground, self._shown, explorer.found)
        explorer.stops = [Stop("unlike", "what the client itself does not show", search.is_over)]
        try:
            explorer.explore(pool)
        finally:
            self.runs += explorer.runs
        # what ended the exploration may have come with its very last run
        search.is_over()
        return search.sign


class _Search:
    """Looks through what an exploration finds for a sign of the mutant."""

    def __init__(
        self,
        plan: Plan,
        scope: str,
        ground: Ground,
        shown: set[str],
        found: Mapping[str, Found],
    ) -> None:
        self.sign: dict[str, str] = {}
        self._found = found
        self._plan = plan
        self._scope = scope
        self._ground = ground
        self._shown = shown

    def is_over(self, _: Sight | None = None) -> bool:
        """Whether there is a sign; what the client itself shows in the same run is none."""
        while not self.sign and not self._shown.issuperset(self._found):
            new = [one for one in self._found.values() if one.fingerprint not in self._shown]
            found = min(new, key=lambda one: one.weight)
            shown = self._shown_without(found)
            self._shown |= shown
            if found.fingerprint not in shown:
                self.sign = self._told(found)
        return bool(self.sign)

    def _told(self, found: Found) -> dict[str, str]:
        run = self._plan.run(found.choices, self._scope)
        return {
            "sign": "fingerprint",
            "fingerprint": found.fingerprint,
            "text": found.text,
            "scenario": run.id(graph_of(self._plan.profile, self._scope).machine.digest),
        }

    def _shown_without(self, found: Found) -> set[str]:
        """What the client itself shows in the same run; nothing if it cannot make that run."""
        pool = self._ground.original
        setup = self._plan.setup(scope_of(self._plan.profile, self._scope, {}))
        pool.drive(setup)
        try:
            return set(pool.show(found.choices)["fingerprints"])
        except WorkerRefused:
            return set()
