"""A run that is killed goes on from its state, and comes to the report of one that never was."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time

import attrs
import pytest
from typer.testing import CliRunner

from realtime_conformance import resume
from realtime_conformance.cli import app
from realtime_conformance.engine import Plan, conduct
from realtime_conformance.resume import BadState, Keeper, fits, read

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "TICKS": 0, "VAD": 0}
PLAN = Plan(
    client="doubles.faulty:TruncatesUnheard", scopes=("muted-reply", "audio-reply"), changes=SMALL
)
ARGUMENTS = ["--client", PLAN.client, "--jobs", "1", "--scope=muted-reply", "--scope=audio-reply"]
ARGUMENTS += [f"--bound={name}={value}" for name, value in SMALL.items()]


class Killed(Exception):
    """Stands for what ends a run in the middle."""


def without_seconds(report):
    """A report without what depends on the machine."""
    report = copy.deepcopy(report)
    del report["seconds"]
    return report


@pytest.fixture(scope="module")
def whole():
    """The report of a run that was never killed."""
    return without_seconds(conduct(attrs.evolve(PLAN, jobs=2)))


@pytest.fixture
def _at_every_step(monkeypatch):
    """Write the state whenever it can be written."""
    monkeypatch.setattr(resume, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(resume, "LARGEST_SHARE", 1e9)


@pytest.mark.usefixtures("_at_every_step")
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_report(tmp_path, whole):
    """In each scope, between any two requests; the state is taken away at the end."""
    plan = attrs.evolve(PLAN, state=tmp_path / "state")
    deaths = []

    def kill(scope, done, left):
        # further on each time, so that a scope is begun, gone on with and ended
        if done > 40 * (1 + len(deaths)) and len(deaths) < 6:
            deaths.append(scope)
            raise Killed

    report = None
    while report is None:
        try:
            report = conduct(plan, kill)
        except Killed:
            assert plan.state.exists()
    assert len(deaths) == 6
    assert without_seconds(report) == whole
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_can_be_resumed(tmp_path, whole):
    """By a signal that nothing can catch, on the command line."""
    state, folder = tmp_path / "state", tmp_path / "report"
    code = "from realtime_conformance import cli, resume; resume.INTERVAL_SECONDS = 0.2; cli.main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, "run", *ARGUMENTS, "--state", str(state)]
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    known = json.loads(state.read_text())
    assert known["open"]
    arguments = ["run", *ARGUMENTS, "--resume", str(state), "--report", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert without_seconds(json.loads((folder / "report.json").read_text())) == whole
    assert not state.exists()


def test_a_run_that_was_cut_short_leaves_its_state(tmp_path, whole):
    """A budget of seconds says so, and the rest can be made later."""
    plan = attrs.evolve(PLAN, state=tmp_path / "state")
    short = conduct(attrs.evolve(plan, seconds=1e-3))
    assert any("the budget of seconds was spent" in reason for reason in short["reasons"])
    assert short["scenarios"] < whole["scenarios"]
    assert plan.state.exists()
    assert without_seconds(conduct(plan)) == whole
    assert not plan.state.exists()


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The state of a run that was cut short."""
    path = tmp_path_factory.mktemp("state") / "state"
    conduct(attrs.evolve(PLAN, state=path, seconds=1e-3))
    return path


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (["--client", "doubles.reference:ReferenceClient"], "another client"),
        (["--profile", "standard"], "another profile"),
        (["--bound", "AUDIO=2"], "another model"),
        (["--scope", "text-reply"], "another scopes"),
        (["--strategy", "exhaust"], "another strategy"),
        (["--bursts", "1"], "another bursts"),
    ],
)
def test_a_state_of_another_run_is_refused(state, change, differs):
    """In one line that says what differs, with exit code 2 and the state left as it was."""
    before = state.read_bytes()
    result = CliRunner().invoke(app, ["run", *ARGUMENTS, "--resume", str(state), *change])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert differs in result.stderr
    assert state.read_bytes() == before


@pytest.mark.parametrize("name", ["version", "packages", "python"])
def test_a_state_of_another_release_is_refused(state, tmp_path, name):
    """Of the tool, of the packages of the client, of Python."""
    data = json.loads(state.read_text())
    data["of"][name] = "another"
    other = tmp_path / "state"
    other.write_text(json.dumps(data))
    with pytest.raises(BadState, match=f'another {name}: expected .*, got "another"'):
        conduct(attrs.evolve(PLAN, state=other))
    assert json.loads(other.read_text()) == data


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no json", "got no JSON"), ("[]", "in format 1"), ('{"format": 0, "of": {}}', "in format 1")],
)
def test_a_file_that_is_no_state_is_refused(tmp_path, text, expected):
    """It says what was expected."""
    path = tmp_path / "state"
    path.write_text(text)
    with pytest.raises(BadState, match=expected):
        read(path)


def test_what_differs_is_said_first():
    """The name, what was expected and what came, each cut to a line."""
    with pytest.raises(BadState, match=r'another client: expected "a", got "b"'):
        fits("file", {"of": {"client": "b"}}, {"client": "a"})
    with pytest.raises(BadState, match=r"\.\.\."):
        fits("file", {"of": {"model": {"x" * 200: 1}}}, {"model": {}})


def test_writing_takes_a_small_part_of_the_time(tmp_path, monkeypatch):
    """After a state that took long to write the next one waits longer."""
    now = [0.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    keeper = Keeper(tmp_path / "state")
    writings = []

    def slow():
        writings.append(now[0])
        now[0] += 10
        return {}

    while now[0] < 1000:
        keeper.offer(slow)
        now[0] += 1
    assert 10 * len(writings) <= 1000 * 2 * resume.LARGEST_SHARE
    assert len(writings) > 2


def test_nothing_is_written_where_no_file_was_named():
    """And nothing is taken away."""
    keeper = Keeper(None)
    keeper.write(dict)
    keeper.end()
