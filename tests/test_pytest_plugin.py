"""The pytest plugin, in projects of its own: what a user sees, with and without the option.

Laws:
- Each project is run by a process of its own, as a user would; doubles stand for the client.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from realtime_conformance.checks import CHECKS
from realtime_conformance.engine import Plan, conduct, violations
from realtime_conformance.engine import findings_of as all_findings

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "realtime_conformance.pytest_plugin"
INSTALLED = any(found.value == PLUGIN for found in entry_points(group="pytest11"))

SCOPE = "two-parts"
"""A scope that is explored in a second or two."""

FAULTY = "doubles.faulty:LogsException"
BROKEN = "no-swallowed-exception"
PREFIX = "realtime_conformance"


@pytest.fixture
def project(pytester, monkeypatch):
    """A project whose pytest finds this one, and the doubles; gives a function that runs it."""
    roots = [str(ROOT / room) for room in ("model", "conformance", "tests")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)

    def run(*arguments, **options):
        lines = [f"{PREFIX}_{name} = {json.dumps(value)}" for name, value in options.items()]
        pytester.makepyprojecttoml("\n".join(["[tool.pytest.ini_options]", *lines]))
        loaded = () if INSTALLED else ("-p", PLUGIN)
        return pytester.runpytest_subprocess(*loaded, "-p", "no:looptime_plugin", *arguments)

    return run


def quick(client=FAULTY, **rest):
    """Options of a short run."""
    return {"client": client, "scopes": [SCOPE], "jobs": "1", **rest}


def test_without_the_option_nothing_is_added_or_imported(project, pytester):
    """A project that has the package installed does not see it, nor pay for it."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            heavy = {"realtime_protocol", "networkx", "livekit", "typer"}
            ours = {name for name in sys.modules if name.startswith("realtime_conformance.")}
            assert not heavy & set(sys.modules)
            assert ours <= {"realtime_conformance.pytest_plugin"}
        """
    )
    result = project("-v")
    result.assert_outcomes(passed=1)
    # pytest itself lists what is installed
    told = [line for line in result.outlines if not line.startswith("plugins: ")]
    assert not [line for line in told if "realtime-conformance" in line]


def test_a_correct_client_passes(project, pytester):
    """An item for each check and one for the coverage, beside the project's own tests."""
    pytester.makepyfile("def test_of_the_project(): pass")
    result = project("--realtime-conformance", "-v", **quick("doubles.reference:ReferenceClient"))
    assert result.ret == 0
    report = conduct(Plan(client="doubles.reference:ReferenceClient", scopes=(SCOPE,)))
    spoke = sum(check["premises"] > 0 for check in report["checks"])
    result.assert_outcomes(passed=spoke + 2, skipped=len(CHECKS) - spoke)
    result.stdout.fnmatch_lines(
        [
            "realtime-conformance: doubles.reference:ReferenceClient*1 scopes, 1 jobs",
            f"*collected {len(CHECKS) + 2} items*",
            f"realtime-conformance::{SCOPE}::no-rejected-event PASSED*",
            f"realtime-conformance::{SCOPE}::coverage PASSED*",
        ]
    )


def test_a_new_violation_fails_with_its_timeline_and_the_command(project):
    """What is printed is enough to make the run again."""
    result = project("--realtime-conformance", **quick())
    assert result.ret == 1
    text = result.stdout.str()
    assert f"{BROKEN}: slip: a handler failed" in text
    assert re.search(rf"realtime-conformance replay {FAULTY}:quick:{SCOPE}:[0-9a-f]{{6}}:\w+", text)
    assert f"!! VIOLATION {BROKEN}" in text
    assert "Traceback" not in text
    result.stdout.fnmatch_lines([f"FAILED realtime-conformance::{SCOPE}::{BROKEN}*"])


def known_of(fault, tmp_path):
    """A file of known issues with what a fault shows, and how many checks it is of."""
    found = violations(all_findings(conduct(Plan(client=fault, scopes=(SCOPE,), jobs=2))))
    issues = [
        {"fingerprint": f, "reason": "an old one", "where": {"quick": [SCOPE]}} for f in found
    ]
    (tmp_path / "known.json").write_text(json.dumps({"issues": issues}))
    return len({fingerprint.split(" / ")[0] for fingerprint in found})


def test_what_is_on_file_is_expected(project, pytester):
    """It is an expected failure, with its reason; the coverage is as promised."""
    checks = known_of(FAULTY, pytester.path)
    result = project("--realtime-conformance", "-rx", **quick(known=["known.json"]))
    assert result.ret == 0
    assert result.parseoutcomes()["xfailed"] == checks
    assert "failed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines([f"XFAIL realtime-conformance::{SCOPE}::*an old one*"])


def test_what_is_on_file_and_gone_fails(project, pytester):
    """A client that was mended has a file that says too much."""
    known_of(FAULTY, pytester.path)
    options = quick("doubles.reference:ReferenceClient", known=["known.json"])
    result = project("--realtime-conformance", **options)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["known issue is gone: *", f"FAILED realtime-conformance::{SCOPE}::coverage*"]
    )


def test_coverage_that_was_not_reached_fails(project):
    """A limit cuts the run short, and no check is to blame."""
    options = quick("doubles.reference:ReferenceClient", limit="3")
    result = project("--realtime-conformance", **options)
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines([f"coverage of {SCOPE}: *runs were left unmade"])


def test_items_can_be_selected(project, pytester):
    """By the marker and by the names of scope and check, as any others."""
    pytester.makepyfile("def test_of_the_project(): raise AssertionError")
    options = quick("doubles.reference:ReferenceClient", scopes=[SCOPE, "mcp-tools"])
    result = project("--realtime-conformance", "-m", "realtime_conformance",
                     "-k", f"{SCOPE} and no-rejected-event", **options)  # fmt: skip
    result.assert_outcomes(passed=1, deselected=2 * (len(CHECKS) + 1))


def test_a_scope_is_explored_by_one_worker_of_xdist(project, pytester):
    """Its items stay together, so that they run where the report is; the result is the same."""
    pytest.importorskip("xdist")
    pytester.makeconftest(
        """
        import os
        from realtime_conformance import engine

        conduct = engine.conduct

        def counted(plan):
            with open("explored", "a") as file:
                file.write(" ".join(plan.scopes) + chr(10))
            return conduct(plan)

        engine.conduct = counted
        """
    )
    options = quick("doubles.reference:ReferenceClient", scopes=[SCOPE, "mcp-tools"])
    apart = project("--realtime-conformance", "-n", "2", "--dist", "loadscope", **options)
    assert apart.ret == 0
    explored = (pytester.path / "explored").read_text().split()
    assert sorted(explored) == ["mcp-tools", SCOPE]
    alone = project("--realtime-conformance", **options)
    assert alone.parseoutcomes() == apart.parseoutcomes()


def test_scattered_items_come_to_the_same_and_are_warned_of(project):
    """Each worker explores what it needs then, which the first lines advise against."""
    pytest.importorskip("xdist")
    result = project("--realtime-conformance", "-n", "2", **quick())
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["realtime-conformance: with --dist loadscope each scope*"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"client": "nope"}, "unknown client 'nope'; expected one of livekit-agent"),
        ({"profile": "nope"}, "unknown profile 'nope'; expected one of quick"),
        ({"scopes": ["nope"]}, "unknown scope 'nope'; expected one of audio-reply"),
        ({"bounds": ["AUDIO"]}, "expected NAME=N in realtime_conformance_bounds, got 'AUDIO'"),
        ({"bounds": ["NOPE=1"]}, "unknown bound 'NOPE'"),
        ({"known": ["nope.json"]}, "cannot read known issues"),
        ({"jobs": "many"}, "expected a whole number for realtime_conformance_jobs, got 'many'"),
        ({"bursts": "9"}, "bursts must be from 0 to 3, got 9"),
    ],
)
def test_wrong_options_end_the_session_at_once(project, options, expected):
    """One line says what was expected and what came."""
    result = project("--realtime-conformance", **options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: realtime-conformance: *{glob(expected)}*"])
    assert "Traceback" not in result.stderr.str()


def glob(text):
    """A text that fnmatch takes as it is."""
    return text.replace("[", "[[]")


def test_a_client_that_cannot_be_driven_is_named(project):
    """Every item of the scope fails with the one line that says why."""
    result = project("--realtime-conformance", **quick("os:sep"))
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": len(CHECKS) + 1}
    result.stdout.fnmatch_lines([f"os:sep cannot be driven through {SCOPE}: *TypeError*"])


SILENT = """
import pytest
from realtime_conformance.pytest_plugin import PREMISES

def pytest_collection_modifyitems(items):
    for item in items:
        item.runtest = lambda item=item: item.user_properties.append(
            (PREMISES, (item.scope, item.name, SPEAKS(item)))
        )
"""


@pytest.mark.parametrize(("speaks", "code"), [("1", 0), ("item.scope == 'race'", 0), ("0", 1)])
def test_a_check_that_never_spoke_fails_the_session(project, pytester, speaks, code):
    """Once every scope was asked, a check needs to have had something to say in one of them."""
    pytester.makeconftest(SILENT.replace("SPEAKS(item)", speaks))
    result = project("--realtime-conformance", client="doubles.reference:ReferenceClient")
    assert result.ret == code
    assert ("check never spoke: truncate-positive" in result.stdout.str()) == bool(code)


def test_nothing_is_said_of_silence_where_not_all_was_asked(project, pytester):
    """A part of the scopes may well have nothing for a check."""
    pytester.makeconftest(SILENT.replace("SPEAKS(item)", "0"))
    options = quick("doubles.reference:ReferenceClient")
    assert project("--realtime-conformance", **options).ret == 0
    result = project("--realtime-conformance", "-k", SCOPE, client=FAULTY)
    assert result.ret == 0


def test_the_entry_point_is_declared():
    """What is installed is found by pytest by itself."""
    if sys.version_info < (3, 11):
        pytest.skip("reads TOML")
    import tomllib

    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert data["project"]["entry-points"]["pytest11"] == {"realtime_conformance": PLUGIN}


@pytest.mark.slow  # the real agent is driven, a handful of runs in each of two scopes
def test_the_installed_agent_is_driven(project):
    """With a small limit the checks speak, and the coverage says that it fell short."""
    pytest.importorskip("livekit.agents")
    options = {"scopes": ["audio-reply", "text-reply"], "limit": "60", "jobs": "2"}
    result = project("--realtime-conformance", "-v", **options)
    assert result.ret == 1
    assert result.parseoutcomes()["passed"] > len(CHECKS) / 2
    result.stdout.fnmatch_lines(
        ["realtime-conformance: livekit-agent (livekit-agents *", "coverage of *left unmade"]
    )
