"""The suite as a plain function: it returns the report, or raises with all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import realtime_conformance
from doubles.faulty import LogsException
from doubles.reference import ReferenceClient
from realtime_conformance import NotConformant, check_client
from realtime_conformance.clients.registry import UnknownClient
from realtime_conformance.pool import WorkerRefused

ROOT = Path(__file__).resolve().parents[1]
SCOPES = ("two-parts",)


def test_a_correct_client_gives_its_report():
    """The report is that of the command `run`."""
    report = check_client(ReferenceClient, scopes=SCOPES, jobs=1)
    assert report["verdict"] == "pass"
    assert report["client"]["name"] == "doubles.reference:ReferenceClient"
    assert [scope["name"] for scope in report["scopes"]] == list(SCOPES)


def test_a_faulty_client_raises_with_what_was_found():
    """It is an AssertionError that reads well and carries the findings."""
    with pytest.raises(AssertionError) as raised:
        check_client(LogsException, scopes=SCOPES, jobs=1)
    error = raised.value
    assert isinstance(error, NotConformant)
    assert error.reasons == error.report["reasons"]
    assert {finding["check"] for finding in error.findings} == {"no-swallowed-exception"}
    for finding in error.findings:
        assert f"realtime-conformance replay {finding['scenario']}" in str(error)
        assert finding["timeline"] in str(error)


def test_what_is_on_file_is_no_reason_to_raise(tmp_path):
    """A file of known issues is read, and what it holds is not new."""
    with pytest.raises(NotConformant) as raised:
        check_client(LogsException, scopes=SCOPES, jobs=2)
    issues = [
        {"fingerprint": f["fingerprint"], "reason": "old", "where": {"quick": list(SCOPES)}}
        for f in raised.value.findings
    ]
    path = tmp_path / "known.json"
    path.write_text(json.dumps({"issues": issues}))
    report = check_client(LogsException, scopes=SCOPES, jobs=2, known=path)
    assert any(check["verdict"] == "violation" for check in report["checks"])


def test_what_was_not_covered_raises():
    """A run that was cut short is no pass, though nothing was found."""
    with pytest.raises(NotConformant, match="runs were left unmade") as raised:
        check_client(ReferenceClient, scopes=SCOPES, limit=3, jobs=1)
    assert raised.value.findings == []


@pytest.mark.parametrize("client", [lambda seams: ReferenceClient(seams), 3])
def test_what_a_worker_cannot_import_is_refused(client):
    """It says what is expected: a name at the top of a module."""
    with pytest.raises(UnknownClient, match="at the top of a module"):
        check_client(client, scopes=SCOPES)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"client": "nope"}, "unknown client 'nope'"),
        ({"profile": "nope"}, "unknown profile 'nope'"),
        ({"scopes": ["nope"]}, "unknown scope 'nope'"),
        ({"bounds": {"NOPE": 1}}, "unknown bound 'NOPE'"),
    ],
)
def test_wrong_use_is_a_value_error(wrong, expected):
    """It says what was expected before anything is run."""
    with pytest.raises(ValueError, match=expected):
        check_client(**wrong)


def test_a_client_that_cannot_be_driven_is_told():
    """Nobody takes that for a violation."""
    with pytest.raises(WorkerRefused, match="TypeError"):
        check_client("os:sep", scopes=SCOPES, jobs=1)


def test_the_package_offers_it_without_loading_it():
    """A worker imports the package too, and must not load what explores."""
    code = (
        "import sys, realtime_conformance\n"
        "assert 'realtime_conformance.suite' not in sys.modules\n"
        "assert callable(realtime_conformance.check_client)\n"
    )
    path = os.pathsep.join(str(ROOT / room) for room in ("model", "conformance"))
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        realtime_conformance.nope  # noqa: B018


SCRIPT = """
from doubles.reference import ReferenceClient
from realtime_conformance import check_client


class Mine(ReferenceClient):
    pass


if __name__ == "__main__":
    print(check_client(Mine, scopes=["two-parts"], jobs=1)["client"]["name"])
"""


def test_a_client_of_a_script_is_found(tmp_path):
    """What stands in the script that was started is imported by its name."""
    (tmp_path / "my_check.py").write_text(SCRIPT)
    path = os.pathsep.join(str(ROOT / room) for room in ("model", "conformance", "tests"))
    done = subprocess.run(
        [sys.executable, "my_check.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "my_check:Mine\n"
