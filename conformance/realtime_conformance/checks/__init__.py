"""All checks, one family a file, in the order of the report."""

from __future__ import annotations

from realtime_conformance.checks import (
    connection,
    conversation,
    errors,
    heard,
    interruption,
    liveness,
    memory,
    playout,
    promises,
    requests,
    tools,
    truncation,
)
from realtime_conformance.checks.interface import Check

FAMILIES = (
    truncation,
    interruption,
    requests,
    playout,
    tools,
    connection,
    conversation,
    liveness,
    memory,
    heard,
    promises,
    errors,
)
CHECKS: tuple[Check, ...] = tuple(check for family in FAMILIES for check in family.CHECKS)
BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
