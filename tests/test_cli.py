"""The command line: exit codes, one clear line for wrong use, and nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest
from typer.testing import CliRunner

from realtime_conformance import cli
from realtime_conformance.cli import app
from realtime_conformance.pool import Interpreter
from realtime_conformance.report.files import RENDERINGS
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
        (["run", "--strategy", "best"], "unknown strategy 'best'; expected one of cover, paths"),
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
        (["matrix", "1.0.0", "--scope", "nope"], "unknown scope 'nope'"),
        (["matrix", "1.0.0", "--known", "nope.json"], "cannot read known issues nope.json"),
        (["run", "--timelines", "some"], "unknown choice of timelines 'some'; expected one of new"),
        (["report", "nope.json", "--report", "out"], "cannot read the report nope.json"),
        (["ledger", "merge", "nope", "-o", "c"], "cannot read the ledger nope"),
        (["confirm", "nope.json"], "cannot read the report nope.json"),
        (
            [
                "replay",
                f"livekit-agent:quick:audio-reply:{DIGEST}:0",
                "--real-time",
                "--most-seconds",
                "0",
            ],
            "--most-seconds must be positive, got 0.0",
        ),
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


@pytest.mark.realtime
def test_violations_are_confirmed_in_real_time(tmp_path):
    """Each is made again and told, for people and for programs; and one alone by its id."""
    invoke("run", *FAULTY, "--report", str(tmp_path))
    report, results = tmp_path / "report.json", tmp_path / "results.json"
    code, out, _ = invoke("confirm", str(report), "--json", str(results))
    read = json.loads(results.read_text())
    assert code == 0, out
    assert {one["result"] for one in read["violations"]} == {"same"}
    known = {
        finding["fingerprint"]
        for check in json.loads(report.read_text())["checks"]
        for finding in check["findings"]
        if finding["verdict"] == "violation"
    }
    assert known == {one["fingerprint"] for one in read["violations"]}
    assert all(f"same            {fingerprint}" in out for fingerprint in known)
    code, out, _ = invoke("confirm", str(report), "--most-seconds", "0.001")
    assert code == 1
    assert "within 0.001 s of real time" in out or ", and may take 0.001" in out
    assert out.endswith(f" 0 same, 0 different, {len(known)} not replayable\n")
    shown = read["violations"][0]["scenario"]
    code, out, _ = invoke("replay", shown, "--real-time")
    assert (code, out.splitlines()[-1]) == (1, "in real time: the same as in virtual time")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}'])
def test_what_is_no_report_is_not_confirmed(tmp_path, content):
    """It is said in one line, and no results are written."""
    (tmp_path / "report.json").write_text(content)
    results = tmp_path / "results.json"
    code, _, errors = invoke("confirm", str(tmp_path / "report.json"), "--json", str(results))
    assert (code, len(errors.splitlines()), results.exists()) == (2, 1, False)


def test_a_report_without_violations_has_nothing_to_confirm(tmp_path):
    """It is wrong use, and not a success."""
    client = ["--client", "doubles.reference:ReferenceClient", "--jobs", "1", "--limit", "2"]
    invoke("run", *client, *SMALL, "--report", str(tmp_path))
    code, _, errors = invoke("confirm", str(tmp_path / "report.json"))
    assert code == 2
    assert "expected a report with violations to confirm, got none" in errors


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
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"report.json", "report.html", "junit.xml", "events.ndjson"}


def test_a_report_says_first_what_will_be_done_and_last_what_came_of_it(tmp_path):
    """The command that replays what is new stands at the end, and where the report lies."""
    _, out, errors = invoke("run", *FAULTY, "--report", str(tmp_path))
    lines = out.splitlines()
    assert lines[1].split() == ["client", f"{FAULTY[1]},", "as", "it", "is", "installed"]
    assert lines[-1] == f"written: {tmp_path / 'events.ndjson'}"
    report = json.loads((tmp_path / "report.json").read_text())
    replay = next(c["findings"][0]["replay"] for c in report["checks"] if c["violations"])
    assert f"    {replay}" in lines[lines.index(next(x for x in lines if x.startswith("FAIL"))) :]
    assert errors.splitlines()[0].startswith(f"{FAULTY[1]} muted-reply: ")


def test_a_matrix_has_a_column_for_each_release_and_can_be_read_again(tmp_path, monkeypatch):
    """One report for all, one report.json for each; what is made of those is the same bytes."""
    monkeypatch.setattr(cli, "_interpreter", lambda release: Interpreter())
    options = [*FAULTY[:4], "--scope", "muted-reply", "--limit", "60", "--report", str(tmp_path)]
    code, out, _ = invoke("matrix", "1.0.11", "2.0.0", *options)
    assert code == 1, "a budget keeps it from its coverage"
    assert "cut short: the budget of 60 runs was spent" in out
    files = [tmp_path / version / "report.json" for version in ("1.0.11", "2.0.0")]
    for path, version in zip(files, ("1.0.11", "2.0.0"), strict=True):
        report = json.loads(path.read_text())
        assert report["client"]["release"] == version
        found = [finding for check in report["checks"] for finding in check["findings"]]
        assert found
        assert all(finding["replay"].endswith(f" --release {version}") for finding in found)
    again = tmp_path / "again"
    code, said, _ = invoke("report", *map(str, files), "--report", str(again))
    assert code == 0
    assert {path.name for path in again.iterdir()} == set(RENDERINGS)
    for name in RENDERINGS:
        assert (again / name).read_bytes() == (tmp_path / name).read_bytes()
    assert said.replace(str(again), str(tmp_path)) in out


def test_a_release_that_cannot_be_driven_keeps_no_other_from_its_column(tmp_path, monkeypatch):
    """It is named with the reason, it fails the matrix, and it leaves no folder."""

    def interpreter(release):
        return Interpreter(path=(str(tmp_path / "no-doubles"),), isolated=release == "1.0.0")

    monkeypatch.setattr(cli, "_interpreter", interpreter)
    folder = tmp_path / "out"
    options = [*FAULTY[:4], "--scope", "muted-reply", "--limit", "20", "--report", str(folder)]
    code, out, _ = invoke("matrix", "1.0.0", "2.0.0", *options)
    assert code == 1
    assert "1.0.0 cannot be driven: " in out
    assert {path.name for path in folder.iterdir()} == {"2.0.0", *RENDERINGS}
    code, _, errors = invoke("matrix", "1.0.0", *options)
    assert code == 2
    assert errors.startswith("realtime-conformance: 1.0.0: ")


def test_one_report_is_read_again_as_it_was_printed(tmp_path):
    """With a timeline, which `run` has printed too."""
    _, out, _ = invoke("run", *FAULTY, "--report", str(tmp_path))
    code, said, _ = invoke("report", str(tmp_path / "report.json"))
    assert code == 0
    assert "user, app, speaker" in said
    assert said in out
    _, short, _ = invoke("report", str(tmp_path / "report.json"), "--timelines", "none")
    assert "user, app, speaker" not in short


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
    commands = ("run", "plan", "replay", "export", "search", "matrix", "report", "doctor", "fixes")
    for command in commands:
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
