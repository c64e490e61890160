"""What to run: which client, through which scopes, how, for how long, and what to keep of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from realtime_conformance import baseline
from realtime_conformance.pool import Interpreter, Setup
from realtime_conformance.scenario import Scenario, scope_of
from realtime_conformance.stops import Stop, at_first_of, begins, stops
from realtime_conformance.strategies import Reduction, check_name
from realtime_protocol.bounds import PROFILES, Scope

MOST_BURSTS = 3
"""The largest preemption bound: each burst more multiplies the runs."""


@attrs.frozen(kw_only=True)
class Plan:
    """What to run.

    `strategy` is that of the profile if it is empty, and so are `bursts` if they are None. `limit`
    is the budget of each scope in runs and `seconds` that of all of them together; 0 for none.
    `sought` are beginnings of fingerprints: the run ends at the first violation that has one, and
    no other finding is reported.
    `state`, `ledger` and `unvisited` are files: what an unfinished run goes on from, what was
    covered, and what was not. `release` is the livekit release that `interpreter` was made for;
    empty for what is installed beside this.
    """

    client: str = "livekit-agent"
    profile: str = "quick"
    scopes: tuple[str, ...] = ()
    """Names of scopes; empty for all of the profile."""
    changes: Mapping[str, int] = attrs.field(factory=dict)
    bursts: int | None = None
    jobs: int = 1
    strategy: str = ""
    limit: int = 0
    seconds: float = 0.0
    stop: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    seed: int = 0
    reduction: Reduction = "on"
    known: Mapping[str, baseline.KnownIssue] = attrs.field(factory=dict)
    interpreter: Interpreter = attrs.field(factory=Interpreter)
    release: str = ""
    state: Path | None = None
    ledger: Path | None = None
    unvisited: Path | None = None

    def bounded(self) -> list[Scope]:
        """The scopes with their bounds.

        Raises:
            ValueError: an unknown profile, scope, bound, strategy or stop condition, or a number
                out of its range.
        """
        if self.profile not in PROFILES:
            expected = ", ".join(PROFILES)
            raise ValueError(f"unknown profile {self.profile!r}; expected one of {expected}")
        check_name(self.strategy or PROFILES[self.profile].cover)
        stops(self.stop)
        if not 0 <= self.preemptions <= MOST_BURSTS:
            raise ValueError(f"bursts must be from 0 to {MOST_BURSTS}, got {self.bursts}")
        if self.jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {self.jobs}")
        names = self.scopes or PROFILES[self.profile].scopes
        return [scope_of(self.profile, name, self.changes) for name in names]

    def how(self, scope: str) -> str:
        """The name of the strategy for a scope."""
        return self.strategy or PROFILES[self.profile].cover_of(scope)

    @property
    def preemptions(self) -> int:
        """How many server events of a run may come right behind another."""
        return PROFILES[self.profile].bursts if self.bursts is None else self.bursts

    @property
    def stops(self) -> tuple[Stop, ...]:
        """What ends the exploration before its frontier is empty."""
        return stops(self.stop) + ((at_first_of(self.sought),) if self.sought else ())

    def reports(self, fingerprint: str) -> bool:
        """Whether a finding is one to report."""
        return not self.sought or begins(fingerprint, self.sought)

    def setup(self, scope: Scope) -> Setup:
        """What the workers of a scope drive."""
        return Setup(
            client=self.client,
            profile=self.profile,
            scope=scope.name,
            changes=dict(self.changes),
            bursts=self.preemptions,
        )

    def run(self, choices: tuple[int, ...], scope: str) -> Scenario:
        """The run of a scope with these choices."""
        changes = tuple(sorted(self.changes.items()))
        return Scenario(self.client, self.profile, scope, changes, self.preemptions, choices)

    def replay(self, scenario: str) -> str:
        """The command that makes the run with this id again, beside the same release."""
        release = f" --release {self.release}" if self.release else ""
        return f"realtime-conformance replay {scenario}{release}"
