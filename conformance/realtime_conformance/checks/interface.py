"""What a check is: a named property, its premise, and its verdicts on one run.

Laws:
- A check reads a history and nothing else: not the client, not its release.
- Its premise is counted, so a check that never had anything to say is seen.
- A fingerprint names the check, the rule that was broken and the rules that enabled it, never a
  scenario, so that the same fault has the same fingerprint on every path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import attrs

from realtime_conformance.history import History

Verdict = Literal["violation", "advisory"]


@attrs.frozen
class Finding:
    """One breach.

    `position` is the entry of the history where it happened, `clause` the rule that was broken,
    `enabled_by` the rules that led to it, and that of the server's answer where that is the breach.
    """

    verdict: Verdict
    position: int
    clause: str
    enabled_by: tuple[str, ...]
    text: str


@attrs.frozen
class Judgement:
    """What a check says of one run: how often its premise held, and what it found."""

    premises: int
    findings: tuple[Finding, ...]


@attrs.frozen
class Check:
    """One property; `source` says where it comes from.

    `needs` names the calls of `accounts.TELLS` that a client has to have: one that lacks them is
    exempt, since it says nothing that could be held against it.
    """

    id: str
    about: str
    premise: str
    source: str
    judge: Callable[[History], Judgement]
    needs: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    subject: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    """Bounds without which a scope holds nothing that the check could speak of."""

    def exempts(self, tells: Iterable[str]) -> bool:
        """Whether the check has nothing to ask of a client that tells of itself by these calls."""
        return not set(self.needs) <= set(tells)

    def fingerprint(self, finding: Finding) -> str:
        """What makes two findings the same."""
        return " / ".join((self.id, finding.clause, " + ".join(finding.enabled_by)))

    def speaks_of(self, bounds: Mapping[str, int]) -> bool:
        """Whether a scope with these bounds holds the subject of the check."""
        return all(bounds[name] > 0 for name in self.subject)


def judged(premises: int, findings: Iterable[Finding]) -> Judgement:
    """A judgement from any iterable of findings."""
    return Judgement(premises, tuple(findings))


def enabling(*rules: str) -> tuple[str, ...]:
    """The enabling rules without empty ones."""
    return tuple(rule for rule in rules if rule)
