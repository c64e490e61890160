"""All mutants of a sample: measured without, tried one by one, and summed up.

Laws:
- Each mutant that is drawn comes to one end: killed, survived, not reached, or not tried yet.
- What was decided is kept at once; a campaign that goes on makes only what is left.
- The number of jobs changes nothing but the time: each has a copy of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs

from realtime_conformance.checks import CHECKS
from realtime_conformance.mutation import equivalent, sample, state, unmutated
from realtime_conformance.mutation.mutants import Mutant, Mutants, mutants_of, read
from realtime_conformance.mutation.overlay import Overlay, Place, place_of
from realtime_conformance.mutation.passes import Pass, graph_of, left
from realtime_conformance.mutation.score import report_of
from realtime_conformance.mutation.targets import SUBJECT, targets_of
from realtime_conformance.mutation.trial import Ground, Trial
from realtime_conformance.pool import Interpreter, Pool
from realtime_conformance.probe import PACKAGES
from realtime_conformance.reporting import own_version
from realtime_conformance.scenario import scope_of
from realtime_protocol.bounds import PROFILES
from realtime_protocol.machine import Machine

Json = dict[str, Any]

Told = Callable[[str, Json, int, int], None]
"""Told a scope or a mutant, what is known of it now, the how-manieth it is, and of how many."""


Kit = tuple[Ground, Overlay]
"""What one job works with."""


def silent(name: str, known: Json, number: int, of: int) -> None:
    """Tell nothing."""


@attrs.frozen(kw_only=True)
class Campaign:
    """What to mutate, what to try it by, and for how long.

    `seconds` is the time after which no other mutant is begun; 0 for no such time. `known` are
    fingerprints that the client is known to show, beside those that are measured.
    """

    client: str = "livekit-agent"
    subject: str = SUBJECT
    scopes: tuple[str, ...] = ()
    """Names of scopes; empty for all."""
    passes: tuple[Pass, ...]
    size: int = sample.SIZE
    seed: int = 0
    jobs: int = 1
    seconds: float = 0.0
    interpreter: Interpreter = attrs.field(factory=Interpreter)
    known: frozenset[str] = frozenset()
    equivalents: dict[equivalent.Key, equivalent.Equivalent] = attrs.field(factory=dict)
    state: Path | None = None

    def names(self) -> tuple[str, ...]:
        """The scopes, from the smallest graph to the largest.

        Raises:
            ValueError: there is no such scope.
        """
        profile = self.passes[0].profile
        names = self.scopes or tuple(PROFILES[profile].scopes)
        for name in names:
            scope_of(profile, name, {})
        return tuple(sorted(names, key=lambda name: (_size(profile, name), name)))


def _size(profile: str, scope: str) -> int:
    return graph_of(profile, scope).nodes


class Drawn:
    """What is to be tried: the code, all mutants of it, and the sample.

    Raises:
        NotFound: there is no such code.
        ValueError: there is no such mutant, or nothing to draw from.
    """

    def __init__(self, campaign: Campaign, only: str = "") -> None:
        self.place: Place = place_of(campaign.subject, campaign.interpreter)
        self.source = read(self.place.path)
        self.mutants: Mutants = mutants_of(self.source, targets_of(campaign.subject))
        self.sample = sample.drawn(self.mutants.all, campaign.size, campaign.seed, self._is_fit)
        self.chosen = self._only(only) if only else self.sample
        if not self.chosen:
            raise ValueError(f"expected code to mutate in {self.place.path}, found none")

    def _is_fit(self, mutant: Mutant) -> bool:
        return mutant.compiles(self.source)

    def _only(self, name: str) -> list[Mutant]:
        found = [mutant for mutant in self.mutants.all if mutant.id == name]
        if not found:
            raise ValueError(f"unknown mutant {name!r}; --list prints those that are drawn")
        if not self._is_fit(found[0]):
            raise ValueError(f"the mutant {name} does not compile, so it is not tried")
        return found

    def identity(self, campaign: Campaign) -> Json:
        """What a state is a state of: with anything else it would mean something else."""
        ids = "\n".join(mutant.id for mutant in self.sample)
        profile = campaign.passes[0].profile
        return {
            "release": {name: self.place.packages.get(name) for name in PACKAGES},
            "client": campaign.client,
            "subject": campaign.subject,
            "source": hashlib.sha256(self.source).hexdigest(),
            "seed": campaign.seed,
            "sample": [len(self.sample), hashlib.sha256(ids.encode()).hexdigest()],
            "scopes": {
                name: Machine(scope_of(profile, name, {}).bounds).digest
                for name in campaign.names()
            },
            "checks": sorted(check.id for check in CHECKS),
            "version": own_version(),
        }


class Conducted:
    """A campaign under way."""

    def __init__(self, campaign: Campaign, drawn: Drawn, told: Told = silent) -> None:
        self.campaign = campaign
        self.drawn = drawn
        self.state = state.opened(campaign.state, drawn.identity(campaign))
        self._told = told
        self._lock = threading.Lock()

    def conduct(self) -> Json:
        """Do what is left, as far as there is time; returns the report.

        Raises:
            NotFound: the copy is not what is imported.
            WorkerLost: the client without a mutant ends its worker.
            ValueError: it can be driven in no scope.
        """
        until = time.monotonic() + self.campaign.seconds if self.campaign.seconds else None
        with tempfile.TemporaryDirectory(prefix="realtime-conformance-") as name:
            folder = Path(name)
            if self._left():
                self._measure(folder / "unmutated")
            self._try(folder, until)
        return self.report()

    def report(self) -> Json:
        """All that is known, as plain data."""
        return report_of(self.campaign, self.drawn, self.state)

    def _left(self) -> list[Mutant]:
        return [mutant for mutant in self.drawn.chosen if self._parts_left(mutant)]

    def _parts_left(self, mutant: Mutant) -> list[Pass]:
        result = self.state.results.get(mutant.id, {"passes": {}})
        if result.get("verdict") == "killed":
            return []
        return left(self.campaign.passes, result["passes"])

    def _measure(self, folder: Path) -> None:
        """Drive the client without a mutant, in every scope that is not measured yet."""
        campaign, names = self.campaign, self.campaign.names()
        known = self.state.unmutated
        parts_left = {
            name: left(campaign.passes, known.get(name, unmutated.EMPTY)["passes"])
            for name in names
            if "refused" not in known.get(name, {})
        }
        todo = {name: parts for name, parts in parts_left.items() if parts}
        if todo:
            overlay = self._overlay(folder)
            measure = unmutated.Unmutated(campaign.client, campaign.seed, self.drawn.place, overlay)
            for number, (name, parts) in enumerate(todo.items(), 1):
                known[name] = measure.measured(name, parts, known.get(name, unmutated.EMPTY))
                self.state.keep()
                self._told(name, known[name], number, len(todo))
        if all("refused" in known[name] for name in names):
            raise ValueError(known[names[0]]["refused"])

    def _overlay(self, folder: Path) -> Overlay:
        overlay = Overlay(self.drawn.place, folder, self.campaign.interpreter)
        overlay.check(self.campaign.subject)
        return overlay

    def _try(self, folder: Path, until: float | None) -> None:
        """Try what is left, each job with a copy of its own."""
        todo = self._left()
        if not todo:
            return
        jobs = min(self.campaign.jobs, len(todo))
        with contextlib.ExitStack() as stack:
            kits: queue.Queue[Kit] = queue.Queue()
            for number in range(jobs):
                kits.put((self._ground(stack), self._overlay(folder / f"job-{number}")))

            def one(mutant: Mutant) -> None:
                if until is not None and time.monotonic() >= until:
                    return
                with _taken(kits) as (ground, overlay):
                    self._decide(mutant, self._tried(mutant, ground, overlay))

            with ThreadPoolExecutor(jobs) as threads:
                futures = [threads.submit(one, mutant) for mutant in todo]
                try:
                    for future in futures:
                        future.result()
                except BaseException:
                    threads.shutdown(wait=False, cancel_futures=True)
                    raise

    def _ground(self, stack: contextlib.ExitStack) -> Ground:
        """What the client shows, and a pool that drives it, for as long as the stack."""
        campaign, known = self.campaign, self.state.unmutated
        driven = next(name for name in campaign.names() if "refused" not in known[name])
        plan = campaign.passes[0].plan(campaign.client, campaign.seed)
        setup = plan.setup(scope_of(plan.profile, driven, {}))
        return Ground(
            client=campaign.client,
            seed=campaign.seed,
            original=stack.enter_context(Pool(setup, 1, campaign.interpreter)),
            shown=unmutated.merged(list(known.values())) | campaign.known,
        )

    def _tried(self, mutant: Mutant, ground: Ground, overlay: Overlay) -> Json:
        """What comes of one mutant, with what was known of it before."""
        before = self.state.results.get(mutant.id, {"passes": {}, "runs": 0})
        parts = self._parts_left(mutant)
        passes = {**before["passes"], **{part.name: part.runs for part in parts}}
        reached = unmutated.reaching(self.state.unmutated, *mutant.lines)
        scopes = [name for name in self.campaign.names() if name in reached]
        if not scopes:
            return {"verdict": "not reached", "passes": passes, "runs": 0, "scopes": []}
        overlay.write(mutant.applied(self.drawn.source))
        trial = Trial(ground, overlay, before["runs"])
        kill = trial.through(parts, scopes)
        result: Json = {
            "verdict": "killed" if kill else "survived",
            "passes": passes,
            "runs": trial.runs,
            "scopes": scopes,
        }
        return {**result, "kill": attrs.asdict(kill)} if kill else result

    def _decide(self, mutant: Mutant, result: Json) -> None:
        with self._lock:
            self.state.results[mutant.id] = result
            self.state.keep()
            decided = len(self.drawn.chosen) - len(self._left())
            self._told(mutant.id, result, decided, len(self.drawn.chosen))


@contextlib.contextmanager
def _taken(kits: queue.Queue[Kit]) -> Iterator[Kit]:
    kit = kits.get()
    try:
        yield kit
    finally:
        kits.put(kit)
