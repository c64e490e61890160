"""The engine: reports that do not depend on the number of jobs, and reasons for every failure."""

from __future__ import annotations

import copy

import attrs
import pytest

from realtime_conformance.baseline import KnownIssue
from realtime_conformance.engine import Plan, conduct, findings_of, violations
from realtime_conformance.explorer import Explorer
from realtime_conformance.pool import Pool, Setup
from realtime_conformance.scenario import parse_id

# the module's report is made once
pytestmark = pytest.mark.xdist_group("engine")

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "TICKS": 0}
FAULTY = Plan(
    client="doubles.faulty:TruncatesUnheard", scopes=("muted-reply",), changes=SMALL, jobs=1
)


@pytest.fixture(scope="module")
def faulty():
    """The report of a client that truncates what was never heard."""
    return conduct(FAULTY)


def without_seconds(report):
    """A report without what depends on the machine."""
    report = copy.deepcopy(report)
    del report["seconds"]
    return report


def test_the_number_of_jobs_changes_nothing_but_the_time(faulty):
    """One job and two give the same report."""
    two = conduct(attrs.evolve(FAULTY, jobs=2))
    assert without_seconds(two) == without_seconds(faulty)


def test_every_reported_id_replays_byte_for_byte(faulty):
    """The digest of the trace and the timeline are those of the report."""
    findings = findings_of(faulty)
    assert findings
    with Pool(setup_of(findings[0]["scenario"]), 1) as pool:
        for finding in findings:
            shown = pool.show(parse_id(finding["scenario"]).choices)
            assert shown["digest"] == finding["trace_digest"]
            assert shown["timeline"] == finding["timeline"]
            assert finding["fingerprint"] in shown["fingerprints"]


def setup_of(scenario):
    """What a pool needs to replay an id."""
    run = parse_id(scenario)
    return Setup(client=run.client, profile=run.profile, scope=run.scope, changes=dict(run.changes))


def test_a_new_violation_fails(faulty):
    """The reason names the fingerprint and the id that replays it."""
    assert faulty["verdict"] == "fail"
    for fingerprint in violations(findings_of(faulty)):
        assert any(fingerprint in reason and "replay" in reason for reason in faulty["reasons"])


def test_violations_on_file_are_no_reason_and_stay_violations(faulty):
    """A known issue changes the exit, never the verdict of a check."""
    known = {f: KnownIssue(f, "why", ("quick",)) for f in violations(findings_of(faulty))}
    report = conduct(attrs.evolve(FAULTY, known=known))
    assert not any(reason.startswith("new violation") for reason in report["reasons"])
    verdicts = [check["verdict"] for check in report["checks"]]
    assert verdicts == [check["verdict"] for check in faulty["checks"]]
    assert all(f["known"] == "why" for f in findings_of(report) if f["verdict"] == "violation")


def test_a_known_issue_that_is_gone_fails():
    """The file must be updated when something was mended."""
    known = {"gone / since / long": KnownIssue("gone / since / long", "old", ("quick",))}
    report = conduct(attrs.evolve(FAULTY, known=known))
    assert "known issue is gone: gone / since / long" in report["reasons"]


def test_a_run_that_was_cut_short_fails():
    """Missing coverage is a reason, whatever the checks say."""
    report = conduct(attrs.evolve(FAULTY, client="doubles.reference:ReferenceClient", limit=3))
    assert any("runs were left unmade" in reason for reason in report["reasons"])
    assert any("closure is" in reason for reason in report["reasons"])


def test_bounds_below_the_profile_fail(faulty):
    """A small number cannot pass for a large one."""
    assert any("below the profile: TRANSCRIPTS=1" in reason for reason in faulty["reasons"])


def test_a_check_that_never_spoke_fails():
    """A client that truncates nothing leaves the premise of the truncation checks unheld."""
    client = "doubles.faulty:NeverCorrects"
    # in whatever scope, it truncates nothing: a run of each is enough to see that
    report = conduct(attrs.evolve(FAULTY, client=client, scopes=(), limit=1))
    silent = [check["id"] for check in report["checks"] if check["verdict"] == "vacuous"]
    assert "truncate-needs-audio" in silent
    assert any("check never spoke: truncate-needs-audio" in r for r in report["reasons"])


def test_exhaust_makes_every_path_of_cover_and_more():
    """What `cover` finds, `exhaust` finds too, and no path is made twice."""
    tiny = SMALL
    cover = conduct(attrs.evolve(FAULTY, changes=tiny))
    whole = conduct(attrs.evolve(FAULTY, changes=tiny, profile="standard", jobs=2))
    assert violations(findings_of(cover)).keys() == violations(findings_of(whole)).keys()
    assert whole["scenarios"] > cover["scenarios"]
    nodes = [report["scopes"][0]["reach"]["nodes"] for report in (cover, whole)]
    assert nodes[0] == nodes[1]


def test_a_burst_is_a_choice_and_stays_within_its_budget():
    """With a budget of one, more is explored, and every run has one burst at most."""
    settled = conduct(attrs.evolve(FAULTY, changes={**SMALL, "INTERRUPTIONS": 0}))
    burst = conduct(attrs.evolve(FAULTY, changes={**SMALL, "INTERRUPTIONS": 0}, bursts=1))
    assert burst["scenarios"] > settled["scenarios"]
    assert burst["scopes"][0]["closure"]["covered"] > settled["scopes"][0]["closure"]["covered"]


def test_a_run_that_differs_from_its_repeat_is_reported(monkeypatch):
    """Nondeterminism is a reason of its own."""
    show = Pool.show
    made = []

    def shaky(self, choices):
        made.append(choices)
        return {**show(self, choices), "digest": str(len(made))}

    monkeypatch.setattr(Pool, "show", shaky)
    report = conduct(FAULTY)
    assert any(reason.startswith("not the same when made again") for reason in report["reasons"])


def test_an_explorer_that_drops_work_is_noticed(monkeypatch):
    """Closure falls short when a branch is lost."""
    branch = Explorer._branch

    def forgetful(self, here, state, options, taken):
        if len(here) != 6:
            branch(self, here, state, options, taken)

    monkeypatch.setattr(Explorer, "_branch", forgetful)
    report = conduct(attrs.evolve(FAULTY, client="doubles.reference:ReferenceClient"))
    assert any("closure is" in reason for reason in report["reasons"])
