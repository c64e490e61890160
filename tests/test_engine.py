"""The engine: reports that do not depend on the number of jobs, and reasons for every failure."""

from __future__ import annotations

import copy

import attrs
import pytest

from realtime_conformance import findings
from realtime_conformance import pool as pool_module
from realtime_conformance.baseline import KnownIssue
from realtime_conformance.engine import Plan, conduct, findings_of, violations
from realtime_conformance.pool import Pool, Setup, WorkerLost
from realtime_conformance.scenario import parse_id
from realtime_conformance.shrink import shrink
from realtime_conformance.strategies.cover import Cover

# the module's report is made once
pytestmark = pytest.mark.xdist_group("engine")

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "TICKS": 0}
HERE = {"quick": ("muted-reply",)}
"""Where an issue on file is expected."""

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
    known = {f: KnownIssue(f, "why", HERE) for f in violations(findings_of(faulty))}
    report = conduct(attrs.evolve(FAULTY, known=known))
    assert not any(reason.startswith("new violation") for reason in report["reasons"])
    verdicts = [check["verdict"] for check in report["checks"]]
    assert verdicts == [check["verdict"] for check in faulty["checks"]]
    assert all(f["known"] == "why" for f in findings_of(report) if f["verdict"] == "violation")


def test_a_known_issue_that_is_gone_fails():
    """The file must be updated when something was mended."""
    known = {"gone / since / long": KnownIssue("gone / since / long", "old", HERE)}
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


@pytest.mark.slow  # the graphs of all scopes are enumerated
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
    whole = conduct(attrs.evolve(FAULTY, changes=tiny, strategy="exhaust", jobs=2))
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
        shown = show(self, choices)
        first, second, *rest = shown["trace"].splitlines()
        return {**shown, "trace": "\n".join([first, str(len(made)) + second, *rest])}

    monkeypatch.setattr(Pool, "show", shaky)
    report = conduct(FAULTY)
    told = [r for r in report["reasons"] if r.startswith("not the same when made again: doubles.")]
    assert len(told) == len(findings_of(report))
    assert all("not deterministic: event 2: expected " in reason for reason in told)
    assert all('{"t": 0' in reason.partition(", got ")[2] for reason in told)


def test_a_finding_that_does_not_come_back_is_reported(monkeypatch):
    """So is one that its own run does not show, though the run is the same each time."""
    show = Pool.show
    monkeypatch.setattr(Pool, "show", lambda *given: {**show(*given), "fingerprints": {}})
    report = conduct(FAULTY)
    assert any("expected truncate-needs-audio / " in text for text in report["unstable"])


def test_the_run_of_a_violation_is_shrunk(faulty):
    """No step of it can be left out, and the report says how many were."""
    violated = [f for f in findings_of(faulty) if f["verdict"] == "violation"]
    assert violated
    assert all(finding["minimal"] for finding in violated)
    assert all(finding["left_out"] >= 0 for finding in violated)
    with Pool(setup_of(violated[0]["scenario"]), 1) as pool:
        for finding in violated:
            shrunk = shrink(pool, parse_id(finding["scenario"]).choices, finding["fingerprint"])
            assert (shrunk.left_out, shrunk.minimal) == (0, True)


def test_a_long_run_is_shrunk_before_it_is_reported(monkeypatch, faulty):
    """Where the explorer keeps the longest run, the report says how much of it was not needed."""
    note = findings.note

    def latest_first(found, finding, choices):
        note(found, [*finding[:3], -finding[3], *finding[4:]], choices)

    monkeypatch.setattr(findings, "note", latest_first)
    longest = findings_of(conduct(FAULTY))
    assert any(finding["left_out"] for finding in longest)
    assert {f["fingerprint"] for f in longest} == {f["fingerprint"] for f in findings_of(faulty)}


def test_an_explorer_that_drops_work_is_noticed(monkeypatch):
    """Closure falls short when a branch is lost."""
    branch = Cover.branch

    def forgetful(self, choices, option):
        if len(choices) != 7:
            branch(self, choices, option)

    monkeypatch.setattr(Cover, "branch", forgetful)
    report = conduct(attrs.evolve(FAULTY, client="doubles.reference:ReferenceClient"))
    assert any("closure is" in reason for reason in report["reasons"])


# -- strategies -------------------------------------------------------------------------------

TINY = {**SMALL, "DELTA": 1, "STEP": 1, "VAD": 0}


@pytest.mark.parametrize(
    "more",
    [{"strategy": "exhaust"}, {"strategy": "random", "seed": 3}, {"strategy": "random-walk"}],
    ids=lambda more: more["strategy"],
)
def test_every_strategy_is_independent_of_the_number_of_jobs(more):
    """One job and two give the same report; another seed gives other runs."""
    plan = attrs.evolve(FAULTY, changes=TINY, limit=150, **more)
    one = conduct(plan)
    assert without_seconds(conduct(attrs.evolve(plan, jobs=2))) == without_seconds(one)
    assert one["scenarios"] == 150
    if "random" in plan.strategy:
        other = conduct(attrs.evolve(plan, seed=4))
        assert other["scopes"][0]["reach"] != one["scopes"][0]["reach"]


def test_what_is_drawn_by_chance_promises_no_coverage():
    """Nodes that were not visited and checks that never spoke are no reason to fail."""
    plan = attrs.evolve(FAULTY, client="doubles.reference:ReferenceClient")
    report = conduct(attrs.evolve(plan, strategy="random-walk", limit=5))
    assert report["scopes"][0]["unvisited"]["unexplained"] > 0
    assert [reason for reason in report["reasons"] if "below the profile" not in reason] == []


def test_what_hypothesis_draws_is_in_the_report():
    """Each example is a run, and the same seed gives the same."""
    plan = attrs.evolve(FAULTY, strategy="hypothesis", limit=15)
    plan = attrs.evolve(plan, client="doubles.reference:ReferenceClient")
    report = conduct(plan)
    assert report["scenarios"] >= 15
    assert report["scopes"][0]["reach"]["nodes"]["covered"] > 10
    assert without_seconds(conduct(plan)) == without_seconds(report)


def test_a_stop_condition_ends_the_whole_run():
    """After the first violation no further scope is begun, and that is said."""
    plan = attrs.evolve(FAULTY, scopes=("muted-reply", "audio-reply"), stop=("violation",))
    report = conduct(plan)
    first, second = report["scopes"]
    assert first["scenarios"] > 0 == second["scenarios"]
    assert second["frontier_left"] == 1
    assert any("stopped at what was asked for" in reason for reason in report["reasons"])


# -- workers that are lost --------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["cover", "exhaust"])
@pytest.mark.parametrize(("client", "how"), [("Dies", "code 3: so it ends"), ("Hangs", "said not")])
def test_a_run_that_takes_its_worker_with_it_is_named(monkeypatch, client, how, strategy):
    """The id of the run is a reason to fail, the rest is made, and jobs change nothing."""
    monkeypatch.setattr(pool_module, "SILENCE_SECONDS", 4.0)
    plan = attrs.evolve(
        FAULTY, client=f"doubles.fatal:{client}", changes=TINY, strategy=strategy, limit=250
    )
    report = conduct(plan)
    assert 0 < len(report["lost"]) <= pool_module.MOST_LOST
    for loss in report["lost"]:
        assert how in loss["how"]
        assert any(loss["scenario"] in reason for reason in report["reasons"])
    assert report["scenarios"] > 100
    if client == "Dies":
        assert without_seconds(conduct(attrs.evolve(plan, jobs=2))) == without_seconds(report)
        scenario = report["lost"][0]["scenario"]
        with Pool(setup_of(scenario), 1) as pool, pytest.raises(WorkerLost):
            pool.show(parse_id(scenario).choices)


def test_a_worker_that_is_lost_when_a_finding_is_made_again_is_named(monkeypatch):
    """The finding is kept, said not to repeat, and the loss is a reason."""

    def losing(self, choices):
        raise WorkerLost("a worker ended", "ended with code 9")

    monkeypatch.setattr(Pool, "show", losing)
    report = conduct(attrs.evolve(FAULTY, changes=TINY))
    assert findings_of(report)
    assert any("it ended with code 9" in reason for reason in report["reasons"])
    assert any(reason.startswith("not the same when made again") for reason in report["reasons"])
