"""The command `doctor`: what is installed, which seams it has, and what will work."""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
import textwrap

import pytest
from typer.testing import CliRunner

from realtime_conformance import doctor
from realtime_conformance.cli import app
from realtime_conformance.clients.livekit_seams import MODEL, SEAMS, Seam, is_there
from realtime_conformance.doctor import NotExamined, examine, told
from realtime_conformance.pool import Interpreter
from realtime_conformance.probe import PACKAGES
from realtime_protocol.bounds import SCOPES
from realtime_protocol.machine import Machine
from test_cli import LIVEKIT_WITHOUT_SEAM

NEEDED = [seam for seam in SEAMS if seam.need or seam.act]


@functools.cache
def acts(scope):
    """What agent code does in a scope."""
    return {rule.event for rule in Machine(SCOPES[scope].bounds).rules if rule.actor == "app"}


def installed():
    """Whether livekit is here."""
    try:
        importlib.import_module("livekit.plugins.openai")
    except ImportError:
        return False
    return True


needs_livekit = pytest.mark.skipif(not installed(), reason="livekit is not installed")


@pytest.fixture(scope="module")
def here():
    """What is found of the interpreter that runs the tests."""
    return examine(Interpreter())


@needs_livekit
def test_what_is_installed_here_works(here):
    """The agent can be driven through every scope, and one reply was tried."""
    assert here["works"]
    assert here["tried"] == {"scope": "audio-reply", "failed": ""}
    assert here["scopes"] == {name: [] for name in SCOPES}
    assert set(here["packages"]) == set(PACKAGES)
    assert {seam["name"] for seam in here["seams"]} == {seam.name for seam in SEAMS}


@needs_livekit
def test_everything_that_is_found_is_told(here):
    """Each package, program and seam has a line, which begins with whether it is there."""
    text = told(here)
    for seam in here["seams"]:
        mark = "ok" if seam["there"] else "--"
        assert any(f"  {mark}  {seam['name']} " in line for line in text.split("\n"))
    assert all(f"{name} " in text for name in (*here["packages"], *here["programs"]))
    assert "19 of 19 scopes".replace("19", str(len(SCOPES))) in text


def lacking(seam):
    """What a look at a livekit without one seam finds."""
    seams = [
        {"name": s.name, "about": s.about, "there": s is not seam, "need": s.need, "act": s.act}
        for s in SEAMS
    ]
    return {"missing": "", "seams": seams}


@pytest.mark.parametrize("seam", NEEDED, ids=lambda seam: seam.name)
def test_a_needed_seam_that_is_missing_takes_scopes_away(seam):
    """All of them, those with written replies, or those in which agent code does the act."""
    without = {name for name, scope in SCOPES.items() if list(doctor._lacks(scope, lacking(seam)))}
    if seam.need == "all":
        assert without == set(SCOPES)
    elif seam.need == "written":
        assert without == {name for name, scope in SCOPES.items() if not scope.bounds["AUDIO_OUT"]}
    else:
        expected = {name for name in SCOPES if {seam.act, f"{seam.act}.remove"} & acts(name)}
        assert expected
        assert expected <= without
        assert without < set(SCOPES)


@pytest.mark.parametrize(
    "seam", [seam for seam in SEAMS if seam not in NEEDED], ids=lambda seam: seam.name
)
def test_a_seam_that_nothing_needs_takes_no_scope_away(seam):
    """It is adapted to: the client is made without it."""
    assert not any(list(doctor._lacks(scope, lacking(seam))) for scope in SCOPES.values())


def test_every_act_of_a_seam_is_one_of_the_rules():
    """An act that nobody does would need nothing."""
    assert {seam.act for seam in SEAMS if seam.act} <= set().union(*map(acts, SCOPES))


def test_a_seam_is_read_off_signatures():
    """A class, a method or an argument that is not there is a seam that is not there."""
    accepts = pytest.importorskip("realtime_conformance.clients.livekit_parts").accepts
    assert is_there(Seam("json:JSONDecoder", "", argument="strict"), accepts)
    assert is_there(Seam("json:JSONDecoder", "", member="decode"), accepts)
    assert not is_there(Seam("json:JSONDecoder", "", argument="nope"), accepts)
    assert not is_there(Seam("json:JSONDecoder", "", member="nope"), accepts)
    assert not is_there(Seam("json:Nope", "", argument="strict"), accepts)
    assert not is_there(Seam("no_such_module:Nope", ""), accepts)
    assert Seam(MODEL, "", argument="x").name == "RealtimeModel(x=...)"


def beside(tmp_path, files):
    """What `doctor --json` says where other modules come first."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    return subprocess.run(
        [sys.executable, "-m", "realtime_conformance.cli", "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_livekit_that_lacks_a_seam_fails(tmp_path):
    """The seam is named, no scope is left, and so is what came of trying."""
    done = beside(tmp_path, LIVEKIT_WITHOUT_SEAM)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    there = {seam["name"]: seam["there"] for seam in found["seams"]}
    assert there["RealtimeModel(base_url=...)"]
    assert not there["RealtimeModel(http_session=...)"]
    assert all("RealtimeModel(http_session=...)" in lacks for lacks in found["scopes"].values())
    assert "to take 'http_session'" in found["tried"]["failed"]


def test_where_there_is_no_livekit_that_is_said(tmp_path):
    """Nothing of it is there, and nothing is tried."""
    done = beside(tmp_path, {"livekit/__init__.py": "", "livekit/rtc.py": ""})
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert "expected livekit-agents and livekit-plugins-openai to be installed" in found["missing"]
    assert found["seams"] == []
    assert all(lacks == ["livekit"] for lacks in found["scopes"].values())
    assert "-- " in told(found)


def test_an_interpreter_that_cannot_run_this_is_refused(bare_python):
    """One line says what was tried."""
    with pytest.raises(NotExamined, match="expected /no/such/python to run this project"):
        examine(Interpreter(python="/no/such/python"))
    with pytest.raises(NotExamined, match="No module named"):
        examine(Interpreter(path=("/nowhere",), isolated=True, python=bare_python))


def test_wrong_use_is_one_line():
    """As of every other command."""
    result = CliRunner().invoke(app, ["doctor", "--release", "not-a-version"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow  # needs an environment of its own
def test_an_old_release_is_looked_at():
    """It can be driven, but not with written replies."""
    result = CliRunner().invoke(app, ["doctor", "--release", "1.0.16", "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["packages"]["livekit-agents"] == "1.0.16"
    assert found["tried"]["failed"] == ""
    assert found["scopes"]["audio-reply"] == []
    assert found["scopes"]["text-reply"] == ["RealtimeModel(modalities=...)"]
