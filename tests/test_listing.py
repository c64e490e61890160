"""Files of coverage: what was not visited is listed whole, and ledgers add up between runs."""

from __future__ import annotations

import json
from collections import Counter

import attrs
import pytest
from typer.testing import CliRunner

from realtime_conformance.cli import app
from realtime_conformance.engine import Plan, conduct
from realtime_conformance.listing import LISTED, BadLedger, merge, read

SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "DELTA": 1, "STEP": 1, "TICKS": 0, "VAD": 0}
PLAN = Plan(client="doubles.reference:ReferenceClient", scopes=("muted-reply",), changes=SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ledgers of two runs by chance and of one that covers all, and what that did not visit."""
    folder = tmp_path_factory.mktemp("ledgers")
    for seed in (1, 2):
        plan = attrs.evolve(PLAN, strategy="random-walk", limit=20, seed=seed)
        conduct(attrs.evolve(plan, ledger=folder / f"seed{seed}"))
    conduct(attrs.evolve(PLAN, ledger=folder / "cover", unvisited=folder / "unvisited"))
    return folder


@pytest.fixture(scope="module")
def report():
    """The report of the run that covers all."""
    return conduct(PLAN)


def invoke(*arguments):
    """Exit code, standard output and standard error of a call."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


def covered(path):
    """What is covered by one ledger alone, of each part, and the closure."""
    (scope,) = merge([path], path.with_suffix(".merged"))
    parts = {name: part["covered"] for name, part in scope["reach"].items()}
    return {**parts, "closure": scope["closure"]["covered"]}


def test_a_ledger_on_file_says_what_the_report_says(folder, report):
    """Written, read and counted anew, every figure is the same."""
    (scope,) = merge([folder / "cover"], folder / "again")
    expected = report["scopes"][0]
    for name in ("closure", "reach", "at_rest", "outside", "unvisited", "model"):
        assert scope[name] == expected[name]


def test_merging_is_a_union(folder):
    """In any order the same, twice the same once, and no less than each alone."""
    one, two = folder / "seed1", folder / "seed2"
    both = merge([one, two], folder / "both")
    assert merge([two, one, one, folder / "both"], folder / "other way") == both
    together = covered(folder / "both")
    assert together["paths"] > max(covered(one)["paths"], covered(two)["paths"])
    assert all(together[name] >= count for name, count in covered(one).items())


def test_what_was_covered_adds_nothing(folder):
    """A run by chance visits no node that covering all does not."""
    merged = merge([folder / "cover", folder / "seed1"], folder / "more")
    (alone,) = merge([folder / "cover"], folder / "alone")
    assert merged[0]["reach"]["nodes"] == alone["reach"]["nodes"]


def test_ledgers_are_merged_on_the_command_line(folder):
    """The union is written, and printed as the report prints it."""
    code, out, _ = invoke("ledger", "merge", folder / "seed1", folder / "seed2", "-o", folder / "c")
    assert code == 0
    assert "scope muted-reply" in out
    assert "edge pairs" in out
    assert read(folder / "c")["scopes"].keys() == {"muted-reply"}


def damaged(folder, tmp_path, change):
    """A ledger that was changed."""
    data = json.loads((folder / "seed1").read_text())
    change(data)
    path = tmp_path / "ledger"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: data["scopes"]["muted-reply"].update(model="000000"), "is of model 000000"),
        (lambda data: data.update(client="other"), "another client: expected"),
        (lambda data: data.update(profile="standard"), "another profile: expected"),
        (lambda data: data.update(changes={}), "another changes: expected"),
        (lambda data: data.update(format=0), "to hold a ledger in format 1"),
        (lambda data: data["scopes"].update(nope={}), "unknown scope 'nope'"),
        (lambda data: data["scopes"]["muted-reply"].update(edges=[[10**6, 0, 0, 0]]), "is damaged"),
        (lambda data: data["scopes"]["muted-reply"].pop("states"), "is damaged"),
    ],
)
def test_a_ledger_that_does_not_fit_is_refused(folder, tmp_path, change, expected):
    """In one line, with exit code 2 and nothing written."""
    bad = damaged(folder, tmp_path, change)
    output = tmp_path / "merged"
    code, _, errors = invoke("ledger", "merge", folder / "seed2", bad, "-o", output)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert expected in errors
    assert not output.exists()


def test_a_file_that_is_none_is_refused(tmp_path):
    """Missing, or no JSON."""
    with pytest.raises(BadLedger, match="cannot read the ledger"):
        read(tmp_path / "nothing")
    (tmp_path / "text").write_text("text")
    with pytest.raises(BadLedger, match="got no JSON"):
        read(tmp_path / "text")


def test_all_that_was_not_visited_is_listed_with_why(folder, report):
    """As many nodes as are missing, for the same reasons; and the steps that were not taken."""
    lines = [json.loads(line) for line in (folder / "unvisited").read_text().splitlines()]
    (scope,) = report["scopes"]
    why = Counter(line["why"] for line in lines if line["what"] == "node")
    expected = {k: v for k, v in scope["unvisited"].items() if v and k != "total"}
    assert dict(why) == expected
    reach = scope["reach"]
    missing = {part: reach[part]["total"] - reach[part]["covered"] for part in reach}
    steps = Counter(line["what"] for line in lines if "step" in line)
    assert steps.total() == missing["edges"]
    assert steps["point"] == missing["interruption_points"]
    assert all(line["scope"] == "muted-reply" and line["node"] for line in lines)


def test_a_report_lists_some_of_them(report):
    """No more than so many, what is unexplained first."""
    (scope,) = report["scopes"]
    assert len(scope["unvisited_nodes"]) == min(LISTED, scope["unvisited"]["total"])
    partial = conduct(attrs.evolve(PLAN, strategy="random-walk", limit=3))
    assert partial["scopes"][0]["unvisited_nodes"][0]["why"] == "unexplained"
