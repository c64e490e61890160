"""The quick conformance run of the installed livekit release, one item for each check.

The run is made once, by the first item; known issues are on file with their reasons. Here it goes
through the scopes that the profile covers most thoroughly; a slow test goes through all of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from realtime_conformance import baseline
from realtime_conformance.checks import BY_ID
from realtime_conformance.engine import Plan, conduct
from realtime_protocol.bounds import QUICK

SCOPES = tuple(sorted(QUICK.thorough))
KNOWN = Path(__file__).parent.parent / "known-issues" / "livekit-agent.json"


def jobs():
    """All cores, or one where the suite itself is spread over them."""
    return 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count() or 1


@pytest.fixture(scope="session")
def report():
    """The report of the run."""
    return conduct(Plan(scopes=SCOPES, jobs=jobs(), known=baseline.read(KNOWN)))


@pytest.mark.parametrize("check", BY_ID)
def test_nothing_new_is_violated(report, check):
    """Every violation of the check is on file, and its premise held if it speaks of the scopes."""
    found = next(c for c in report["checks"] if c["id"] == check)
    new = [f for f in found["findings"] if f["verdict"] == "violation" and f["known"] is None]
    assert new == [], "\n\n".join(f"{f['scenario']}\n{f['timeline']}" for f in new)
    spoken_of = any(BY_ID[check].speaks_of(QUICK.scopes[name].bounds) for name in SCOPES)
    assert found["premises"] > 0 or not spoken_of


def test_the_promised_coverage_was_reached(report):
    """Closure is complete, every unvisited node is explained, and nothing known is gone."""
    assert report["reasons"] == []


def test_the_scope_is_as_large_as_the_profile_promises(report):
    """At least 1,500 nodes, and every interruption point of the graph that the client reaches."""
    reach = report["scopes"][0]["reach"]
    assert reach["nodes"]["total"] >= 1500
    assert reach["interruption_points"]["covered"] >= 100


@pytest.mark.slow  # some minutes on two cores
def test_the_whole_profile():
    """Every scope passes too, with what is on file, and no check of the profile is vacuous."""
    assert conduct(Plan(jobs=2, known=baseline.read(KNOWN)))["reasons"] == []


@pytest.mark.slow  # as above
def test_the_session_by_itself():
    """So does the session without the agent, in the scopes that are about failures.

    What it does not say of itself it is not asked.
    """
    plan = Plan(client="livekit-session", scopes=("text-reply", "reconnection"), jobs=2)
    known = baseline.read(KNOWN.with_name("livekit-session.json"))
    report = conduct(attrs.evolve(plan, known=known))
    assert report["reasons"] == []
    verdicts = {check["id"]: check["verdict"] for check in report["checks"]}
    assert "vacuous" not in {verdicts[check] for check in ("reconnection-keeps", "fault-is-told")}
    assert verdicts["states-rest"] == "exempt"
