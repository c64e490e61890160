"""The manual: every command in it is there, and does what the page says.

Laws:
- The fast tests look at every command that any page mentions; the slow ones run the marked blocks
  of each page in their order, in one shell, as a reader would.
- `ID`, `FILE.jsonl` and `CUT.jsonl` stand for what a reader has; the tests put theirs in place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache

import pytest
import yaml

from manual import PAGES, ROOT, blocks, fences, lines
from pages import commands
from test_specification import CREATED, STARTED, STOPPED, recorded

WORKFLOW = ROOT / "docs" / "examples" / "conformance.yml"
PROGRAM = "realtime-conformance"

ELSEWHERE = {
    # a command of the manual, and what runs it: a file of the project, and the text in it
    "python3 -m venv .venv": ("README.md", "python3 -m venv .venv"),
    ".venv/bin/python -m pip install uv": ("README.md", ".venv/bin/python -m pip install -q uv"),
    ".venv/bin/uv pip install --python .venv/bin/python -c constraints.txt -e '.[dev]'": (
        "README.md",
        ".venv/bin/uv pip install -q --python .venv/bin/python -c constraints.txt -e '.[dev]'",
    ),
    "pytest": ("README.md", ".venv/bin/python -m pytest"),
    "pytest -m slow": (".ci/run", "pytest -m slow"),
    ".ci/run": (".ci/run", "set -euo pipefail"),
    "ruff check .": (".ci/run", "ruff check ."),
    "ruff format --check .": (".ci/run", "ruff format --check ."),
    "mypy": (".ci/run", "mypy"),
    "python -m sphinx -W -b html docs docs/_build/html": (
        "tests/test_pages.py",
        '"-m", "sphinx", "-W"',
    ),
    "realtime-conformance replay ID --real-time": (
        "tests/test_cli.py",
        'invoke("replay", shown, "--real-time")',
    ),
    "PYTHONPATH=docs python -m pages.findings reports/report.json confirmed.json": (
        "tests/test_findings.py",
        "findings.main(report, results)",
    ),
    "realtime-conformance confirm reports/report.json --json confirmed.json": (
        "tests/test_cli.py",
        'invoke("confirm", str(report), "--json", str(results))',
    ),
}

BY_CI = {("README.md", "tests"): ".ci/readme_command.py tests | bash"}
"""Blocks that CI cuts out and runs by itself."""


@cache
def known():
    """Every command of the program with the options that it takes."""
    found = {}
    for name, command in commands.commands():
        words = {
            w for shown, _, _ in commands.parameters(command) for w in re.split(r"[ ,/]+", shown)
        }
        found[name] = {word for word in words if word.startswith("-")} | {"--help"}
    return found


def mentioned(text):
    """The words behind the name of the program, for each time that it stands in a piece of code."""
    for line in lines(text):
        for part in re.split(r"\|\||&&|;|\|", line):
            words = part.split()
            if words and words[0].split("/")[-1] == PROGRAM:
                yield words[1:]


def code_of(page):
    """Every piece of code of a page: blocks, and what stands between two backticks."""
    yield from (text for language, text in fences(page) if language in ("", "sh"))
    outside = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    yield from (code for code in re.findall(r"`([^`\n]+)`", outside) if code.startswith(PROGRAM))


def is_there(words):
    """Whether a command exists with its options; a word in capitals stands for one of several."""
    if not words or words[0].isupper():
        return True
    name = next((n for n in known() if words[: len(n.split())] == n.split()), None)
    if name is None:
        return words in (["--help"], ["ledger"])
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    return options <= known()[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_mentioned_is_there(page):
    """Command and options, in blocks and in the text."""
    for code in code_of(page):
        for words in mentioned(code):
            assert is_there(words), f"{page.name}: {PROGRAM} {' '.join(words)}"


def test_a_command_that_is_not_there_is_seen():
    """The test above can fail."""
    assert is_there(["run", "--scope", "race"])
    assert not is_there(["walk"])
    assert not is_there(["run", "--nope"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_commands_is_run(page):
    """Each is marked, with a name of its own, so that a test can cut it out."""
    marked = blocks(page)
    texts = [block.text for block in marked if block.kind in ("command", "run elsewhere")]
    assert [text for language, text in fences(page) if language == "sh"] == texts
    names = [block.name for block in marked if block.kind != "run elsewhere"]
    assert len(set(names)) == len(names)
    # the marks that were meant are those that were read
    assert len(re.findall(r"^<!-- ", page.read_text("utf-8"), re.MULTILINE)) == len(marked)


def test_what_is_run_elsewhere_is_run_there():
    """Each command has a place where CI or another test runs it."""
    for page in PAGES:
        for block in blocks(page):
            for line in lines(block.text) if block.kind == "run elsewhere" else ():
                file, text = ELSEWHERE[line]
                assert text in (ROOT / file).read_text("utf-8"), line
    for (page, name), text in BY_CI.items():
        assert name in [block.name for block in blocks(ROOT / page)]
        assert text in (ROOT / ".ci" / "run").read_text("utf-8")


# -- the example of a workflow ----------------------------------------------------------------


def steps():
    """The steps of both jobs of the workflow."""
    data = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    assert set(data["jobs"]) == {"pinned", "newest"}
    return {name: job["steps"] for name, job in data["jobs"].items()}


def test_the_workflow_is_what_github_expects():
    """Triggers, permissions, and jobs whose steps run a command or use an action of a version."""
    data = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    triggers = data[True]  # `on` is a truth value to YAML 1.1
    assert set(triggers) == {"pull_request", "schedule", "workflow_dispatch"}
    assert re.fullmatch(r"[\d*]+( [\d*]+){4}", triggers["schedule"][0]["cron"])
    assert data["permissions"] == {"contents": "read"}
    for job in data["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest"
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_the_commands_of_the_workflow_are_there():
    """Each command of this project exists with its options, and the scopes with it."""
    from realtime_protocol.bounds import SCOPES

    found = [
        words for job in steps().values() for s in job for words in mentioned(s.get("run", ""))
    ]
    assert len(found) == 4
    assert all(is_there(words) for words in found)
    scopes = [words[n + 1] for words in found for n, word in enumerate(words) if word == "--scope"]
    assert scopes
    assert set(scopes) <= set(SCOPES)


def test_the_workflow_keeps_the_report_whatever_the_verdict():
    """The folder that is written is the one that is kept, and a failed run keeps it too."""
    for job in steps().values():
        (words,) = (w for s in job for w in mentioned(s.get("run", "")) if w[0] == "run")
        (kept,) = (s for s in job if s.get("uses", "").startswith("actions/upload-artifact"))
        assert kept["with"]["path"] == words[words.index("--report") + 1]
        assert kept["if"] == "always()"
        assert job.index(kept) == len(job) - 1


def test_the_nightly_job_takes_pre_releases():
    """It installs the newest livekit, whatever the project pins."""
    (install,) = (
        s["run"] for s in steps()["newest"] if "pip install --upgrade" in s.get("run", "")
    )
    assert "pip install --upgrade --pre livekit-agents livekit-plugins-openai" in install


def test_the_page_shows_the_workflow():
    """What is pasted is what is tested."""
    assert "{literalinclude} examples/conformance.yml" in (ROOT / "docs" / "ci.md").read_text(
        "utf-8"
    )


def test_the_options_of_the_plugin_are_those_of_the_page():
    """Each of them and no other."""
    from realtime_conformance.pytest_plugin import OPTIONS, PREFIX

    text = (ROOT / "docs" / "ci.md").read_text("utf-8")
    rows = re.findall(rf"^\| `{PREFIX}(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(OPTIONS)


# -- running the pages ------------------------------------------------------------------------

LAUNCHER = """#!{python}
import sys
from realtime_conformance.cli import main
sys.argv[0] = "realtime-conformance"
main()
"""

ID = """
import json
from pathlib import Path
report = json.loads(Path("reports/report.json").read_text())
print(next(c["shortest"] for c in report["checks"] if c["id"] == "truncate-positive"))
"""


def folder_for(page, folder):
    """What a reader of the page has at hand: known issues, recordings, the files of the page."""
    shutil.copytree(ROOT / "known-issues", folder / "known-issues")
    shutil.copytree(ROOT / "docs" / "findings", folder / "docs" / "findings")
    recorded(folder, CREATED, STARTED, STOPPED, name="FILE.jsonl")
    recorded(folder, CREATED, STOPPED, STARTED, name="CUT.jsonl")
    (folder / "id.py").write_text(ID)
    for block in blocks(page):
        if block.kind == "file":
            (folder / block.name).write_text(block.text)


def on_path(folder):
    """An environment whose `realtime-conformance` and `python` are those of this project."""
    programs = folder / "programs"
    programs.mkdir()
    launcher = programs / PROGRAM
    launcher.write_text(LAUNCHER.format(python=sys.executable))
    launcher.chmod(0o755)
    python = programs / "python"
    # a link would be taken for an interpreter without the packages of this one
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    sources = os.pathsep.join(str(ROOT / room) for room in ("model", "conformance"))
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": sources}


def script_of(chosen):
    """One shell script that runs the blocks in their order and says how each ended."""
    parts = []
    for number, block in enumerate(chosen):
        text = re.sub(r"\bID\b", '"$(python3 id.py)"', block.text)
        if block.kind == "python":
            text = f"cat > page_{number}.py <<'THE END'\n{text}THE END\npython page_{number}.py\n"
        parts.append(f'{{\n{text}}}\necho "ended: {block.name}: $?"\n')
    return "".join(parts)


def run(chosen, folder, environment):
    """What the blocks print; each has to end with the exit code that the page says."""
    done = subprocess.run(
        ["bash", "-c", script_of(chosen)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    expected = [f"ended: {block.name}: {block.code}" for block in chosen]
    ended = re.findall(r"^ended: .*$", done.stdout, re.MULTILINE)
    assert ended == expected, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def chosen_of(page, *without):
    """The blocks of a page that are run."""
    runs = ("command", "python")
    return [b for b in blocks(page) if b.kind in runs and b.name not in without]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Runs a page where the project is not installed but found; gives what it printed."""

    def do(name, *without):
        page = ROOT / name
        folder_for(page, tmp_path)
        return run(chosen_of(page, *without), tmp_path, on_path(tmp_path))

    return do


def test_the_page_about_the_model(here):
    """Properties, covers, and recordings that fit and do not."""
    printed = here("docs/model.md")
    text = (ROOT / "docs" / "model.md").read_text("utf-8")
    (shown,) = re.findall(r"```text\n(holds .*?)```", text, re.DOTALL)
    assert shown in printed
    assert "accepted  FILE" in printed
    assert "is refused: no rule allows it" in printed


@pytest.mark.slow  # the agent is driven
def test_the_page_about_checks(here, tmp_path):
    """What was put on file passes after that, and waits to be explained."""
    here("docs/checks.md")
    assert "to be explained: " in (tmp_path / "known.json").read_text()


@pytest.mark.slow  # the example is driven
def test_the_page_about_clients(here):
    """The example passes, by the command and from Python."""
    printed = here("docs/clients.md")
    assert "runs were left unmade" in printed
    assert printed.split("ended: ")[2].strip().endswith("pass")


@pytest.mark.slow  # the agent and its session are driven
def test_the_page_about_ci(here):
    """A first file of known issues, a plan, and the plain function."""
    printed = here("docs/ci.md")
    assert "runs were left unmade" in printed


@pytest.mark.slow  # the agent is driven
def test_the_page_about_reports(here, tmp_path):
    """Reports are written, read again, and put side by side."""
    page = ROOT / "docs" / "reports.md"
    folder_for(page, tmp_path)
    one, two = chosen_of(page)
    environment = on_path(tmp_path)
    run([one], tmp_path, environment)
    for name in ("a", "b"):
        shutil.copytree(tmp_path / "reports", tmp_path / name)
    run([two], tmp_path, environment)
    assert (tmp_path / "both" / "report.html").exists()


@pytest.mark.slow  # the agent is driven
def test_the_page_about_mutants(here):
    """What would be planted, and one that is noticed."""
    printed = here("docs/mutation.md")
    assert "5 drawn of" in printed
    assert "killed      RealtimeSession.interrupt/drop-call/1: " in printed
    assert "1 of 1 killed" in printed


@pytest.mark.slow  # needs the package index, and drives an old release
def test_the_tutorial_as_a_new_user(tmp_path):
    """From a checkout without anything installed to the file that shows the bug."""
    page = ROOT / "docs" / "tutorial.md"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "id.py").write_text(ID)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    printed = run(chosen_of(page), tmp_path, environment)
    assert "output audio messages can be truncated" in printed
    assert "VIOLATION truncate-positive" in printed.split("ended: run")[1].split("ended: replay")[0]
    assert "FAULT:" not in printed.split("ended: export")[1]
    assert (tmp_path / "empty_truncate.py").read_text().startswith(('"""', "#"))


@pytest.mark.slow  # as above
def test_the_commands_of_the_readme(here):
    """Those that need no client; its run is made as the tutorial is, and its tests by CI."""
    printed = here("README.md", "run", "tests")
    assert "stateDiagram-v2" in printed
    assert "accepted  FILE" in printed
