"""All checks, one family a file, in the order of the report."""

from __future__ import annotations

from realtime_conformance.checks import (
    calls,
    errors,
    heard,
    liveness,
    memory,
    playout,
    promises,
    requests,
    truncation,
)
from realtime_conformance.checks.interface import Check

CHECKS: tuple[Check, ...] = (
    truncation.CHECKS
    + requests.CHECKS
    + playout.CHECKS
    + calls.CHECKS
    + liveness.CHECKS
    + memory.CHECKS
    + heard.CHECKS
    + promises.CHECKS
    + errors.CHECKS
)
BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
