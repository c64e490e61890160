"""What the client shows without a mutant, and which lines its runs execute.

Laws:
- It is measured by the passes that mutants are tried by, so where they do not execute a line, a
  mutant of that line is the client itself.
- A scope that the client cannot be driven in is left out, with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from realtime_conformance.engine import explorer_of
from realtime_conformance.explorer import Explorer
from realtime_conformance.mutation.overlay import Overlay, Place
from realtime_conformance.mutation.passes import Pass, graph_of
from realtime_conformance.mutation.reach import lines, written
from realtime_conformance.plan import Plan
from realtime_conformance.pool import Patience, Pool, WorkerRefused
from realtime_conformance.scenario import scope_of

Json = dict[str, Any]

EMPTY: Json = {"passes": {}, "runs": 0, "fingerprints": [], "lines": []}
"""A scope of which nothing is known."""


class Unmutated:
    """Measures the client in one scope after the other."""

    def __init__(self, client: str, seed: int, place: Place, overlay: Overlay) -> None:
        self._client = client
        self._seed = seed
        self._overlay = overlay
        self._file = (overlay.folder / place.file).resolve()
        self._number = 0

    def measured(self, scope: str, parts: Sequence[Pass], known: Json) -> Json:
        """What is known of a scope once these passes are made too.

        Raises:
            WorkerLost: the client without a mutant ends its worker.
        """
        for part in parts:
            try:
                known = self._measured(scope, part, known)
            except WorkerRefused as error:
                return {**EMPTY, "refused": str(error)}
        return known

    def _measured(self, scope: str, part: Pass, known: Json) -> Json:
        self._number += 1
        folder = Path(self._overlay.folder)
        client, output = written(folder, self._number, self._client, self._file)
        explorer = made(part.plan(client, self._seed), scope, self._overlay)
        return {
            "passes": {**known["passes"], part.name: part.runs},
            "runs": known["runs"] + explorer.runs,
            "fingerprints": sorted({*known["fingerprints"], *explorer.found}),
            "lines": sorted({*known["lines"], *lines(output)}),
        }


def made(plan: Plan, scope: str, overlay: Overlay) -> Explorer:
    """Explore one scope to its end with one worker, which may not be lost."""
    bounded = scope_of(plan.profile, scope, {})
    explorer = explorer_of(plan, bounded, graph_of(plan.profile, scope))
    with Pool(plan.setup(bounded), 1, overlay.interpreter, Patience(losses=0)) as pool:
        explorer.explore(pool)
    return explorer


def merged(scopes: Sequence[Json]) -> frozenset[str]:
    """All fingerprints that the client shows somewhere."""
    return frozenset(one for scope in scopes for one in scope["fingerprints"])


def reaching(unmutated: dict[str, Json], first: int, last: int) -> list[str]:
    """The scopes whose runs execute one of the lines from `first` to `last`."""
    wanted = range(first, last + 1)
    return [name for name, scope in unmutated.items() if not set(wanted).isdisjoint(scope["lines"])]
