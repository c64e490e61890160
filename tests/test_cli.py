"""The command line: exit codes, one clear line for wrong use, and nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest
from typer.testing import CliRunner

from realtime_conformance.cli import app
from realtime_protocol.bounds import audio_reply
from realtime_protocol.machine import Machine

SMALL = ["--scope=muted-reply"]
SMALL += [f"--bound={name}" for name in ("TRANSCRIPTS=1", "AUDIO=1", "TICKS=0")]
FAULTY = ["--client", "doubles.faulty:TruncatesUnheard", "--jobs", "1", *SMALL]
DIGEST = Machine(audio_reply().bounds).digest


def invoke(*arguments):
    """Exit code, standard output and standard error of a call."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--client", "nope"], "unknown client 'nope'; expected one of livekit-agent"),
        (["run", "--client", "nope:Thing"], "unknown client 'nope:Thing'"),
        (["run", "--profile", "nope"], "unknown profile 'nope'; expected one of quick, standard"),
        (["run", "--scope", "nope"], "unknown scope 'nope'; expected one of audio-reply"),
        (["run", "--bound", "AUDIO"], "expected NAME=N for --bound, got 'AUDIO'"),
        (["run", "--bound", "NOPE=1"], "unknown bound 'NOPE'"),
        (["run", "--bound", "AUDIO=0"], "bound AUDIO must be at least 1, got 0"),
        (["run", "--known", "nope.json"], "cannot read known issues nope.json"),
        (["run", "--update-known"], "--update-known needs --known"),
        (["run", "--update-known", "--known", "k", "--limit", "1"], "drop --limit"),
        (["run", "--update-known", "--known", "k", "--stop", "violation"], "drop --limit"),
        (["run", "--strategy", "best"], "unknown strategy 'best'; expected one of cover, exhaust"),
        (["run", "--stop", "bored"], "unknown stop condition 'bored'; expected one of frontier"),
        (["run", "--limit", "0"], "--limit must be positive, got 0"),
        (["run", "--limit", "-3"], "--limit must be positive, got -3"),
        (["run", "--seconds", "0"], "--seconds must be positive, got 0.0"),
        (["run", "--seconds", "nan"], "--seconds must be positive, got nan"),
        (["run", "--bursts", "-1"], "bursts must be from 0 to 3, got -1"),
        (["run", "--jobs", "0"], "jobs must be at least 1, got 0"),
        (["run", "--resume", "nope"], "there is no state to go on from in nope"),
        (["run", "--resume", "nope", "--state", "nope"], "not both"),
        (["run", "--ledger", "no/where"], "cannot write no/where"),
        (["run", "--unvisited", "no/where"], "cannot write no/where"),
        (["run", "--release", "not-a-version"], "expected a livekit version"),
        (["replay", "nope"], "expected client:profile:scope:digest:choices, got 'nope'"),
        (["replay", "livekit-agent:quick:audio-reply:000000:0"], f"is {DIGEST}"),
        (["replay", f"nope:quick:audio-reply:{DIGEST}:0"], "unknown client 'nope'"),
        (["matrix", "not-a-version"], "expected a livekit version"),
        (["matrix", "1.0.0", "--limit", "0"], "--limit must be positive, got 0"),
        (["ledger", "merge", "nope", "-o", "c"], "cannot read the ledger nope"),
        (["search", "--check", "nope"], "unknown check 'nope'; expected one of truncate-"),
    ],
)
def test_wrong_use_is_one_clear_line(tmp_path, monkeypatch, arguments, expected):
    """It exits with 2, says what was expected and what came, and leaves no file."""
    monkeypatch.chdir(tmp_path)
    code, _, errors = invoke(*arguments)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert expected in errors
    assert list(tmp_path.iterdir()) == []


def test_a_choice_that_a_node_does_not_offer_is_refused():
    """The refusal lists what there was."""
    code, _, errors = invoke(
        "replay", f"doubles.reference:ReferenceClient:quick:audio-reply:{DIGEST}:09"
    )
    assert code == 2
    assert "choice 9 at step 1, but there are 1: server.session.created" in errors


def test_a_report_folder_that_cannot_be_written_is_refused_first(tmp_path):
    """The folder is tried before any work is done."""
    (tmp_path / "file").write_text("")
    code, _, errors = invoke("run", *FAULTY, "--report", str(tmp_path / "file" / "deep"))
    assert code == 2
    assert "expected a folder that can be written" in errors


def test_a_client_that_cannot_be_driven_leaves_no_folder(tmp_path):
    """What was made for the report is taken away again."""
    folder = tmp_path / "a" / "b"
    code, _, errors = invoke("run", "--client", "os:sep", "--jobs", "1", "--report", str(folder))
    assert code == 2
    assert "TypeError" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_there_is_not_written_over(tmp_path):
    """It may be what is left of hours of work."""
    state = tmp_path / "state"
    state.write_text("precious")
    code, _, errors = invoke("run", *FAULTY, "--state", str(state))
    assert code == 2
    assert "exists; go on from it with --resume" in errors
    assert state.read_text() == "precious"


def test_a_run_writes_its_report_and_fails_on_what_is_new(tmp_path):
    """The report holds what the terminal says, and the exit code is 1."""
    code, out, _ = invoke("run", *FAULTY, "--report", str(tmp_path))
    report = json.loads((tmp_path / "report.json").read_text())
    assert code == 1
    assert report["verdict"] == "fail"
    checks = {check["id"]: check for check in report["checks"]}
    assert checks["truncate-needs-audio"]["verdict"] == "violation"
    assert checks["truncate-needs-audio"]["shortest"] in out
    assert {"nodes", "edges", "interruption_points", "paths"} <= set(report["scopes"][0]["reach"])
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_known_issues_are_written_and_then_expected(tmp_path):
    """After `--update-known` nothing is new; a mended client then has issues that are gone."""
    known = str(tmp_path / "known.json")
    code, _, _ = invoke("run", *FAULTY, "--known", known, "--update-known")
    assert code == 0
    _, out, _ = invoke("run", *FAULTY, "--known", known)
    assert "new violation" not in out
    mended = ["--client", "doubles.reference:ReferenceClient", "--jobs", "1", *SMALL]
    code, out, _ = invoke("run", *mended, "--known", known)
    assert code == 1
    assert "known issue is gone" in out


def test_a_replay_prints_the_same_bytes_every_time(tmp_path):
    """Twice the same id, twice the same trace; exit 1 because it breaks something."""
    invoke("run", *FAULTY, "--report", str(tmp_path))
    report = json.loads((tmp_path / "report.json").read_text())
    scenario = next(c["shortest"] for c in report["checks"] if c["verdict"] == "violation")
    first, second = invoke("replay", scenario, "--trace"), invoke("replay", scenario, "--trace")
    assert first == second
    assert first[0] == 1
    assert all(json.loads(line)["act"] for line in first[1].splitlines() if '"act": ""' not in line)


def test_help_teaches_every_command():
    """Each command says what it does and what its exit code means."""
    for command in ("run", "plan", "replay", "export", "search", "matrix", "doctor"):
        code, out, _ = invoke(command, "--help")
        assert code == 0
        assert "xit code 0" in out


AUDIO = ("--scope", "audio-reply")
LIVEKIT_WITHOUT_SEAM = {
    "livekit/__init__.py": "",
    "livekit/rtc.py": "class AudioFrame: ...\n",
    "livekit/agents/__init__.py": """
        class Agent: ...
        class AgentSession: ...
        class RunContext: ...
        def function_tool(*_, **__): ...
    """,
    "livekit/agents/llm.py": """
        class ChatContext: ...
        class ToolError(Exception): ...
    """,
    "livekit/agents/voice/__init__.py": "",
    "livekit/agents/voice/io.py": """
        class AudioInput:
            def __init__(self): ...
        class AudioOutput:
            def __init__(self, *, sample_rate): ...
    """,
    "livekit/plugins/__init__.py": "",
    "livekit/plugins/openai/__init__.py": """
        class realtime:
            class RealtimeModel:
                def __init__(self, *, base_url, api_key): ...
    """,
}


def test_a_livekit_that_lacks_a_seam_is_named(tmp_path):
    """The line says which argument was expected and which there are."""
    for name, text in LIVEKIT_WITHOUT_SEAM.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "realtime_conformance.cli", "run", "--jobs", "1", *AUDIO],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "to take 'http_session', it takes self, base_url, api_key" in done.stderr
