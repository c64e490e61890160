"""What a plan says of the number of runs holds for the runs that are made."""

from __future__ import annotations

from random import Random

import attrs
import pytest
from typer.testing import CliRunner

from realtime_conformance.cli import app
from realtime_conformance.engine import Plan, conduct
from realtime_conformance.forecast import Prober, forecasts, measure
from realtime_conformance.live import Live
from realtime_conformance.pool import Pool
from realtime_conformance.strategies import relation_of
from realtime_conformance.strategies.random import by_paths
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "TICKS": 0, "VAD": 0}
PLAN = Plan(client="doubles.reference:ReferenceClient", scopes=("muted-reply",), changes=SMALL)


def invoke(*arguments):
    """Exit code, standard output and standard error of a call."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def rows(plan, measured=None):
    """The forecast of each strategy, by its name."""
    (scope,) = plan.bounded()
    return {row.strategy: row for row in forecasts(plan, scope, measured)}


@pytest.mark.parametrize("reduction", ["on", "off"])
@pytest.mark.parametrize("strategy", ["cover", "paths", "exhaust"])
def test_the_runs_that_are_made_are_within_the_bounds(strategy, reduction):
    """At least and at most hold, and the least is not trivial."""
    plan = attrs.evolve(PLAN, strategy=strategy, reduction=reduction)
    (scope,) = plan.bounded()
    row = rows(plan, measure(plan, scope))[strategy]
    report = conduct(plan)
    assert report["scopes"][0]["frontier_left"] == 0
    assert 1 < row.least <= report["scenarios"] <= row.most


@pytest.mark.parametrize("reduction", ["on", "off"])
def test_probes_are_right_on_average(reduction):
    """The mean of many of them is the number of runs that are made."""
    plan = attrs.evolve(PLAN, strategy="exhaust", reduction=reduction)
    (scope,) = plan.bounded()
    machine = Machine(scope.bounds)
    made = conduct(plan)["scopes"][0]["scenarios"]
    with Pool(plan.setup(scope), 1) as pool:
        weights = by_paths(enumerate_graph(machine))
        prober = Prober(machine, relation_of(machine, reduction), weights, Live(pool.ask))
        probes = [prober.probe(Random(number)) for number in range(400)]
    assert made / 1.25 < sum(probes) / len(probes) < made * 1.25
    assert len(set(probes)) > 10


def test_ticks_begin_with_the_measured_run():
    """At least each of its turns is disturbed."""
    plan = attrs.evolve(PLAN, strategy="ticks", client="test_ticks:Slow")
    (scope,) = plan.bounded()
    row = rows(plan, measure(plan, scope))["ticks"]
    assert 1 < row.least <= conduct(plan)["scenarios"]


def test_exhaust_makes_at_most_the_paths():
    """Their number is exact, and a reduction does not lower the bound."""
    (scope,) = PLAN.bounded()
    paths = enumerate_graph(Machine(scope.bounds)).paths()
    assert rows(PLAN)["exhaust"].most == paths
    assert rows(attrs.evolve(PLAN, reduction="off"))["exhaust"].most == paths


def test_what_is_drawn_is_the_budget():
    """Or what is drawn where there is none."""
    assert rows(PLAN)["random"].least == rows(PLAN)["random"].most == 1000
    assert rows(attrs.evolve(PLAN, limit=7))["random-walk"].most == 7
    assert rows(attrs.evolve(PLAN, limit=7))["hypothesis"].least == 7


def test_bursts_are_not_counted():
    """The graph does not hold them, so there is no upper bound."""
    row = rows(attrs.evolve(PLAN, bursts=1))["exhaust"]
    assert row.most is None


ARGUMENTS = ["plan", "--client", PLAN.client, "--scope=muted-reply", "--jobs=1"]
ARGUMENTS += [f"--bound={name}={value}" for name, value in SMALL.items()]


def test_a_plan_names_every_strategy_and_marks_the_one_of_the_profile():
    """With a time for each, as the client was measured."""
    code, out, _ = invoke(*ARGUMENTS, "--profile", "standard")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[1] for line in lines[1:]] == [
        "cover", "paths*", "exhaust", "ticks", "random", "random-walk", "hypothesis",
    ]  # fmt: skip
    assert "unknown" not in out


def test_a_rate_that_was_not_measured_is_unknown():
    """Not asked for, or of a client that cannot be driven."""
    _, out, _ = invoke(*ARGUMENTS, "--no-measure")
    assert out.count("unknown") == 7
    plan = attrs.evolve(PLAN, client="os:sep")
    assert measure(plan, *plan.bounded()) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--strategy", "best"], "unknown strategy 'best'; expected one of cover, paths"),
        (["--limit", "0"], "--limit must be positive, got 0"),
        (["--bursts", "4"], "bursts must be from 0 to 3, got 4"),
        (["--jobs", "0"], "jobs must be at least 1, got 0"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments, expected):
    """With exit code 2, before anything is measured."""
    code, _, errors = invoke(*ARGUMENTS, *arguments)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert expected in errors
