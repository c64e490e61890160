"""Released clients: the race that the project was started for is found where it is, and only there.

Each release runs in an environment resolved as of its own date.
"""

from __future__ import annotations

import pytest

from realtime_conformance.engine import Plan, conduct
from realtime_conformance.environments import build, harness_archive
from realtime_conformance.pool import Interpreter

TRUNCATION = ("truncate-needs-audio", "truncate-positive")


def verdicts(version, scope):
    """Verdict of every check for one release in one scope, and the reasons."""
    environment = build(version)
    archive = harness_archive(environment.python.parent)
    interpreter = Interpreter(python=str(environment.python), path=(str(archive),), isolated=True)
    report = conduct(Plan(scopes=(scope,), jobs=2, interpreter=interpreter))
    packages = report["client"]["packages"]
    assert packages["livekit-agents"] == packages["livekit-plugins-openai"] == version
    assert not any(reason.startswith("coverage") for reason in report["reasons"])
    return {check["id"]: check["verdict"] for check in report["checks"]}


@pytest.mark.slow
@pytest.mark.parametrize(("version", "scope"), [("1.5.4", "audio-reply"), ("1.6.4", "muted-reply")])
def test_the_empty_truncate_is_there(version, scope):
    """It violates both checks, and the server rejects it."""
    found = verdicts(version, scope)
    assert {found[check] for check in TRUNCATION} == {"violation"}
    assert found["no-rejected-event"] == "violation"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.6.5", "1.8.9"])
def test_the_empty_truncate_is_gone(version):
    """Neither check is violated where the release before still fails."""
    found = verdicts(version, "muted-reply")
    assert not {found[check] for check in TRUNCATION} & {"violation"}
    assert found["no-rejected-event"] == "pass"
