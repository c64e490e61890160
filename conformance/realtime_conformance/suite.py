"""The suite as a plain function, for those who want no test framework.

Laws:
- It judges as the command `run` does: what fails there fails here, with the same reasons.
- A client is made in worker processes, so it has to be something that these can import.
- What fails is an AssertionError that reads well by itself and carries the whole report.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from realtime_conformance import baseline
from realtime_conformance.clients.interface import Client, Seams
from realtime_conformance.clients.registry import UnknownClient, address
from realtime_conformance.engine import Plan, conduct, findings_of
from realtime_conformance.strategies import Reduction

__all__ = ["NotConformant", "check_client", "counterexample", "is_new", "named"]

Json = dict[str, Any]

Factory = str | Callable[[Seams], Client]
"""A client by its name, or the callable that makes one."""


class NotConformant(AssertionError):
    """A client breaks something that is not on file, or was not covered as promised.

    `report` is the whole report, `reasons` why it failed, and `findings` the violations that are
    not on file, each with its `timeline`, its `scenario` to replay, its `fingerprint` and `text`.
    """

    def __init__(self, report: Json) -> None:
        self.report = report
        self.reasons: list[str] = report["reasons"]
        self.findings = [finding for finding in findings_of(report) if is_new(finding)]
        super().__init__(_told(report, self.findings))


def check_client(
    client: Factory = "livekit-agent",
    *,
    profile: str = "quick",
    scopes: Sequence[str] = (),
    bounds: Mapping[str, int] | None = None,
    bursts: int = 0,
    strategy: str = "",
    reduction: Reduction = "on",
    jobs: int | None = None,
    limit: int = 0,
    seconds: float = 0.0,
    seed: int = 0,
    known: str | Path | Mapping[str, baseline.KnownIssue] | None = None,
) -> Json:
    """Drive a client through the protocol; returns the report if it passes.

    `client` is `livekit-agent`, `livekit-session`, `module:attribute`, or a callable at the top of
    a module that takes `Seams` and returns a client. `scopes` are names, all of the profile if
    none are given. `jobs` is the number of worker processes, one for each core unless given.
    `limit` is the budget of runs in each scope and `seconds` that of all together; what they cut
    off fails. `known` is a file of known issues, or what was read of one.

    Raises:
        NotConformant: something new is violated, or the coverage that was promised was not reached.
        ValueError: an unknown client, profile, scope, bound or strategy, or a client that a worker
            cannot import by its name.
        WorkerRefused, WorkerLost: the client cannot be driven, or took too many workers with it.
    """
    plan = Plan(
        client=named(client),
        profile=profile,
        scopes=tuple(scopes),
        changes=dict(bounds or {}),
        bursts=bursts,
        strategy=strategy,
        reduction=reduction,
        jobs=jobs or os.cpu_count() or 1,
        limit=limit,
        seconds=seconds,
        seed=seed,
        known=_known(known),
    )
    plan.bounded()
    report = conduct(plan)
    if report["verdict"] != "pass":
        raise NotConformant(report)
    return report


def named(client: Factory) -> str:
    """The name by which a worker finds a client.

    Raises:
        UnknownClient: there is no such client, or a worker could not import it.
    """
    if isinstance(client, str):
        address(client)
        return client
    module, name = getattr(client, "__module__", ""), getattr(client, "__qualname__", "")
    if module == "__main__":
        module = _main_module()
    if not module or not name.isidentifier():
        raise UnknownClient(
            f"expected a client that a worker can import, at the top of a module, got {client!r}"
        )
    return address(f"{module}:{name}")


def _main_module() -> str:
    """The name under which the script that was started can be imported; empty if there is none."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    stem = Path(getattr(main, "__file__", "") or "").stem
    return stem if stem.isidentifier() else ""


def is_new(finding: Json) -> bool:
    """Whether a finding is a violation that is not on file."""
    return bool(finding["verdict"] == "violation" and finding["known"] is None)


def counterexample(finding: Json) -> str:
    """A violation as a person reads it: what it is, how to make it again, and how it went."""
    return (
        f"{finding['check']}: {finding['text']}\n"
        f"  {finding['fingerprint']}\n"
        f"  realtime-conformance replay {finding['scenario']}\n"
        f"{finding['timeline']}"
    )


def _known(known: str | Path | Mapping[str, baseline.KnownIssue] | None) -> baseline.Known:
    if known is None:
        return {}
    return baseline.read(Path(known)) if isinstance(known, (str, Path)) else dict(known)


def _told(report: Json, findings: Sequence[Json]) -> str:
    reasons = "".join(f"\n  {reason}" for reason in report["reasons"])
    shown = "".join(f"\n\n{counterexample(finding)}" for finding in findings)
    return (
        f"{report['client']['name']} does not pass, in {report['scenarios']} runs{reasons}{shown}"
    )
