"""The findings: every violation on file has a page, and no page says more than can be shown.

Laws:
- What is derived is looked at as text; the slow tests make the runs with the installed client.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from typer.testing import CliRunner

from pages import findings
from pages import markdown as md
from realtime_conformance.cli import app
from realtime_conformance.clients.livekit_agent import LivekitAgent
from realtime_conformance.reality import repeated
from realtime_conformance.reporting import FORMAT
from realtime_conformance.scenario import parse_id, scope_of
from realtime_protocol.machine import Machine
from realtime_protocol.rules import RULES

PAGES = {page.stem: page for page in findings.pages()}
SECTIONS = ("## Why", "## Doubt")
DERIVED = ("## Fingerprints", "## What it rests on", "## In real time", "## A run")


@pytest.fixture(autouse=True)
def _garbage_is_collected_by_the_runs() -> Iterator[None]:
    """Keep the collector to the ends of runs, and what was there before out of its way."""
    gc.collect()
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_every_known_issue_has_a_page_and_every_page_an_issue() -> None:
    """No violation of the agent is on file without a finding, and no finding without one."""
    found = findings.issues()
    assert set(found) == set(PAGES)
    assert sum(map(len, found.values())) == len(json.loads(findings.KNOWN.read_text())["issues"])


@pytest.mark.parametrize("name", sorted(set(PAGES) - {findings.IN_DOUBT}))
def test_a_page_says_why_and_doubts(name: str) -> None:
    """What is written by hand says where in the client it happens, and what speaks against it."""
    text = PAGES[name].read_text("utf-8")
    assert all(text.count(section) == 1 for section in SECTIONS)
    assert "livekit/agents/" in text
    assert not [section for section in DERIVED if section in text]


def test_every_finding_has_a_run_of_its_own() -> None:
    """Each but what is in doubt, for one of its fingerprints, by rules that there are."""
    labels = {
        scope: {rule.label for rule in Machine(scope_of("quick", scope, {}).bounds).rules}
        for scope in {run.scope for run in findings.runs().values()}
    }
    found = findings.issues()
    assert set(findings.runs()) == set(PAGES) - {findings.IN_DOUBT}
    for name, run in findings.runs().items():
        assert run.fingerprint in {issue.fingerprint for issue in found[name]}
        assert set(run.steps) <= labels[run.scope]


def test_every_violation_was_made_in_real_time() -> None:
    """What is on file of real time covers every known issue, and all of it is the same."""
    results = {one["fingerprint"]: one["result"] for one in findings.confirmed()["violations"]}
    on_file = {issue.fingerprint for alike in findings.issues().values() for issue in alike}
    assert on_file <= set(results)
    assert {results[fingerprint] for fingerprint in on_file} == {"same"}


def test_what_is_derived_says_all() -> None:
    """Fingerprints, rules with their confidence, real time, and that no run was made."""
    added = findings.completed(run_clients=False)
    assert set(added) == {*PAGES, "index"}
    for name, alike in findings.issues().items():
        text = added[name]
        # a cell of a table has single spaces
        assert all(" ".join(md.code(issue.fingerprint).split()) in text for issue in alike)
        assert f"{len(alike)} same." in text
        assert ("No run was made" in text) == (name != findings.IN_DOUBT)
        for rule in (rule for issue in alike for rule in findings.named(issue)):
            assert f"{md.link('rule', rule.id)} | {rule.confidence} | " in text
        assert f"({name}.md)" in added["index"]


def test_the_least_sure_rule_is_named() -> None:
    """A finding is as sure as the weakest rule that it rests on."""
    rules = {rule.confidence: rule for rule in RULES}
    assert findings.weakest([rules["documented"]]) == "documented"
    assert findings.weakest([rules["documented"], rules["observed"]]) == "observed"
    assert findings.weakest([rules["inferred"], rules["documented"]]) == "inferred"


def test_a_run_that_does_not_show_it_is_said() -> None:
    """A page never shows a timeline that has nothing to do with it."""
    gone = findings.Shown(False, "a-check", "the timeline", "id", "", ())
    told = "\n".join(findings._run(gone))
    assert "does not show it" in told
    assert "the timeline" not in told
    untold = attrs.evolve(gone, shows=True, untold="nobody looks")
    assert "No program" in "\n".join(findings._run(untold))
    assert "realtime-conformance export id --check a-check" in "\n".join(
        findings._run(attrs.evolve(untold, untold=""))
    )


@pytest.mark.slow  # a run of the published client for each finding
@pytest.mark.parametrize("name", sorted(findings.runs()))
def test_the_installed_client_shows_a_finding(name: str) -> None:
    """Its run shows its fingerprint, by an id that can be replayed, and rests on some rules."""
    told = findings.shown(findings.runs()[name])
    assert told.shows
    assert told.rules
    assert parse_id(told.scenario).scope == findings.runs()[name].scope
    assert told.timeline in "\n".join(findings._run(told))


@pytest.mark.slow  # a run of the command for each, which tries out what it writes
@pytest.mark.parametrize("name", sorted(findings.runs()))
def test_a_program_can_be_exported_or_it_is_said(name: str, tmp_path: Path) -> None:
    """The command of the page writes a program that shows the violation, or is not on the page."""
    told = findings.shown(findings.runs()[name])
    program = tmp_path / "finding.py"
    words = findings.exporting(told).replace("finding.py", str(program)).split()[1:]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, program.exists()) == ((2, False) if told.untold else (0, True))


@pytest.mark.slow  # seconds each, since time is real
@pytest.mark.realtime
@pytest.mark.parametrize("name", ["cut-call", "second-cancel", "unheard-reply", "lost-connection"])
def test_a_finding_in_real_time(name: str) -> None:
    """Over a real socket in real time it is the same."""
    run = findings.runs()[name]
    choices = run.make()[0].choices
    told = repeated(scope_of("quick", run.scope, {}), LivekitAgent, 0, choices, 60.0)
    assert run.fingerprint in told["verdicts"]["real"]
    assert told["verdicts"]["real"] == told["verdicts"]["virtual"]


@pytest.mark.slow  # runs of the published client
def test_what_is_on_file_is_made_from_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is told by the rules of its steps, and the results of real time are kept."""
    name = "cut-call"
    run, alike = findings.runs()[name], findings.issues()[name]
    finding = {
        "verdict": "violation",
        "fingerprint": run.fingerprint,
        "text": "",
        "scenario": findings.shown(run).scenario,
        "steps": [],
    }
    report, results = tmp_path / "report.json", tmp_path / "results.json"
    report.write_text(json.dumps({"format": FORMAT, "checks": [{"findings": [finding]}]}))
    on_file = findings.confirmed()
    results.write_text(json.dumps(on_file))
    monkeypatch.setattr(findings, "FOLDER", tmp_path)
    monkeypatch.setattr(findings, "issues", lambda: {name: alike})
    findings.main(report, results)
    assert findings.runs() == {name: run}
    assert findings.confirmed() == on_file
