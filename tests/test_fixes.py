"""Faults of past releases: the rows on file, and when releases count as told apart.

The fast tests drive doubles in place of releases. The slow ones build real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from packaging.version import Version

from realtime_conformance import fixes
from realtime_conformance.cli import app
from realtime_conformance.engine import Plan, conduct, findings_of, silent
from realtime_conformance.fixes import BadFixes, Fix, Row, Side
from realtime_conformance.pool import Interpreter
from realtime_conformance.stops import begins
from test_cli import invoke

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "TICKS": 0}
FAULT = Fix(
    name="a-fault",
    fault="Something went wrong.",
    last_with="the old one",
    first_without="the new one",
    scope="muted-reply",
    sought=("truncate-needs-audio",),
    bounds=SMALL,
    client="doubles.faulty:TruncatesUnheard",
)


def tried(fix: Fix = FAULT) -> Row:
    """A row, with one interpreter for both releases."""
    return fixes.try_out(fix, lambda _: Interpreter(), 1, silent)


# -- the file ---------------------------------------------------------------------------------


def test_the_rows_on_file_are_whole() -> None:
    """Names differ, each goes from a release to a later one, and something is sought."""
    rows = fixes.read()
    assert len({row.name for row in rows}) == len(rows) > 0
    for row in rows:
        assert Version(row.last_with) < Version(row.first_without)
        assert row.fault.endswith(".")
        assert row.checks


def written(folder: Path, **changes: object) -> Path:
    """A file of one row, with some keys changed; None leaves one out."""
    row = {"name": "one", "fault": "It broke.", "last_with": "1.0", "first_without": "1.1"}
    row |= {"scope": "muted-reply", "sought": ["truncate-positive"], **changes}
    path = folder / "rows.json"
    kept = {key: value for key, value in row.items() if value is not None}
    path.write_text(json.dumps({"fixes": [kept]}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sought": ["nope"]}, "one seeks 'nope'; expected one of truncate-needs-audio"),
        ({"sought": ["truncate-positive", "nope / x"]}, "one seeks 'nope'; expected one of"),
        ({"sought": []}, "one seeks 'nothing'; expected one of"),
        ({"scope": "nope"}, "unknown scope 'nope'; expected one of audio-reply"),
        ({"profile": "nope"}, "unknown profile 'nope'; expected one of quick"),
        ({"bounds": {"NOPE": 1}}, "unknown bound 'NOPE'; expected one of"),
        ({"fault": None}, "expected rows.json to hold a list `fixes` of objects with name, fault"),
        ({"release": "1.0"}, "got TypeError"),
        ({"bounds": 7}, "got TypeError"),
    ],
)
def test_a_bad_row_is_refused_in_one_line(tmp_path, monkeypatch, changes, expected) -> None:
    """The line says what was expected and what came, before anything is run."""
    monkeypatch.chdir(tmp_path)
    name = written(tmp_path, **changes).name
    code, out, errors = invoke("fixes", "--file", name)
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert expected in errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--file", "nope.json"], "cannot read nope.json: No such file"),
        (["--row", "nope"], "unknown row 'nope'; expected one of "),
        (["--jobs", "0", "--row", "{first}"], "jobs must be at least 1, got 0"),
    ],
)
def test_wrong_use_is_one_clear_line(tmp_path, monkeypatch, arguments, expected) -> None:
    """It exits with 2 and builds no environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = fixes.read()[0].name
    code, out, errors = invoke("fixes", *(one.format(first=first) for one in arguments))
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert expected in errors
    assert list(tmp_path.iterdir()) == []


def test_rows_are_chosen_by_name() -> None:
    """In the order they are asked for; all of them if none is."""
    other = attrs.evolve(FAULT, name="other")
    assert fixes.named((FAULT, other), ["other"]) == [other]
    assert fixes.named((FAULT, other), []) == [FAULT, other]
    with pytest.raises(BadFixes, match="expected one of a-fault, other"):
        fixes.named((FAULT, other), ["other", "nope"])


# -- what is sought ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("check", True), ("check / clause", True), ("check / clause / rule + rule", True),
        ("che", False), ("check / cl", False), ("clause", False), ("check / clause / rule", False),
    ],
)  # fmt: skip
def test_a_beginning_has_whole_parts(sought: str, found: bool) -> None:
    """A part that is cut names nothing."""
    assert begins("check / clause / rule + rule", (sought,)) is found
    assert begins("check / clause / rule + rule", ("other", sought)) is found


def test_what_is_sought_ends_a_run_and_is_all_that_is_reported() -> None:
    """Fewer runs are made, and other findings of the same client are left out."""
    plan = Plan(client=FAULT.client, scopes=(FAULT.scope,), changes=SMALL)
    whole, found = conduct(plan), conduct(attrs.evolve(plan, sought=FAULT.sought))
    assert found["scenarios"] < whole["scenarios"]
    assert {one["check"] for one in findings_of(whole)} > {"truncate-needs-audio"}
    assert {one["check"] for one in findings_of(found)} == {"truncate-needs-audio"}
    unfound = conduct(attrs.evolve(plan, sought=("redundant-cancel",)))
    assert unfound["scenarios"] == whole["scenarios"]
    assert findings_of(unfound) == []


# -- when releases are told apart -------------------------------------------------------------


def side(**changes: object) -> Side:
    """What a release showed: by default nothing, in all of its runs."""
    known = {"release": "9.9", "runs": 10, "left": 0, "premises": 1, "trouble": ""}
    return Side(**{**known, **changes})  # type: ignore[arg-type]


SHOWS = {"check": "check", "fingerprint": "check / clause / ", "scenario": "a:b:c", "text": "oh"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (SHOWS, {}, None),
        (SHOWS, {"premises": 0}, None),
        (SHOWS, {"left": 5}, None),
        ({}, None, "to show the fault, but 10 runs show nothing of it"),
        ({**SHOWS, "trouble": "a worker was lost"}, {}, "to show the fault, but a worker was lost"),
        (SHOWS, SHOWS, "to be silent, but a:b:c shows check / clause / "),
        (SHOWS, {"trouble": "a worker was lost"}, "to be silent, but a worker was lost"),
        (SHOWS, {"left": 5, "premises": 0}, "but in 10 runs the premise of the check never held"),
        (SHOWS, {"left": 5, "runs": 9}, "in at least 10 runs, but only 9 were made"),
    ],
)
def test_what_tells_releases_apart(before, after, expected) -> None:
    """A finding on the one side, and enough silence on the other."""
    later = None if after is None else side(**after)
    row = Row(fix=FAULT, before=side(**before), after=later)
    assert len(row.failures) == (expected is not None)
    assert expected is None or expected in row.failures[0]
    assert any("FAILED" in line for line in fixes.lines(row)) == bool(row.failures)


def test_a_fault_that_is_still_there_is_found_on_both_sides() -> None:
    """The row fails, and each side has a run that replays."""
    row = tried()
    assert row.before.check == "truncate-needs-audio"
    assert row.after is not None
    assert row.after.scenario == row.before.scenario
    assert "expected the new one to be silent, but" in row.failures[0]
    assert row.before.scenario in "\n".join(fixes.lines(row))


def test_a_fault_that_never_was_is_not_looked_for_further() -> None:
    """The row fails on its first side, where every run of the scope was made."""
    row = tried(attrs.evolve(FAULT, client="doubles.reference:ReferenceClient"))
    assert (row.before.fingerprint, row.before.left, row.after) == ("", 0, None)
    assert "expected the old one to show the fault" in row.failures[0]
    plain = json.loads(fixes.as_json([row]))["rows"][0]
    assert (plain["flips"], plain["failures"]) == (False, row.failures)
    assert plain["fix"]["name"] == "a-fault"


# -- real releases ----------------------------------------------------------------------------


@pytest.mark.slow  # needs the package index, and makes some hundred runs
@pytest.mark.parametrize("name", ["second-message", "unclosed-generation"])
def test_a_row_tells_its_releases_apart(name: str) -> None:
    """One command shows the fault before and its absence after."""
    code, out, _ = invoke("fixes", "--row", name, "--json", "--jobs", "2")
    (row,) = json.loads(out)["rows"]
    assert (code, row["flips"], row["failures"]) == (0, True, [])
    assert row["before"]["check"] in {one.partition(" / ")[0] for one in row["fix"]["sought"]}
    assert row["before"]["scenario"]
    assert row["after"]["fingerprint"] == ""


def test_the_command_teaches_itself() -> None:
    """Its help says what its exit code means."""
    assert "fixes" in {command.name for command in app.registered_commands}
    code, out, _ = invoke("fixes", "--help")
    assert code == 0
    assert "xit code 0" in out
