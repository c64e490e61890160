"""Reproductions: one Python file that shows a violation with nothing of this project in it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from doubles.faults import FAULTS
from doubles.reference import ReferenceClient
from realtime_conformance import export
from realtime_conformance.checks import CHECKS
from realtime_conformance.cli import app
from realtime_conformance.clients.interface import call_of
from realtime_conformance.engine import Plan, conduct, findings_of
from realtime_conformance.environments import build, harness_archive
from realtime_conformance.export import NotReproduced, exported, try_out
from realtime_conformance.history import Evidence
from realtime_conformance.literals import Raw, literal
from realtime_conformance.outline import UNTOLD, NotShown, outline
from realtime_conformance.pool import Interpreter, Pool, Setup
from realtime_conformance.runner import Bench
from realtime_conformance.scenario import Scenario, parse_id
from realtime_conformance.setting import setting_of
from realtime_protocol.bounds import QUICK
from realtime_protocol.machine import Machine
from realtime_protocol.rules import RULES
from test_doubles import find, scope_of, small
from test_shrink import size

PACKAGES = {"livekit-agents": "1.0", "livekit-plugins-openai": "1.0", "attrs": "1.0"}
ALLOWED = {*sys.stdlib_module_names, "livekit", "openai", "aiohttp", "multidict", "yarl"}
VIOLATED = {
    name: fault
    for name, fault in FAULTS.items()
    if fault.verdict == "violation" and fault.scope == "audio-reply" and fault.check not in UNTOLD
}
ELSEWHERE = ("runs-interrupted", "cuts-kept-on", "reconnects-for-ever", "replays-backwards")
"""Faults of the checks that speak of no single spoken reply."""
VIOLATED.update((name, FAULTS[name]) for name in ELSEWHERE)
DRAWN = [
    name
    for name, fault in VIOLATED.items()
    if "TURNS" not in fault.bounds and fault.check not in UNTOLD
]
ADVISED = {"redundant-cancel", "redundant-truncate", "interrupted-is-cancelled"}
"""Checks that a fault of one reply breaks with no violation, so there is nothing to be told."""


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a call."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


# -- data as Python ----------------------------------------------------------------------------

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=90),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@given(plain, st.integers(60, 100))
def test_data_is_written_as_it_is(value: Any, width: int) -> None:
    """What is written evaluates to the data."""
    assert ast.literal_eval(literal(value, width, width)) == value


@given(st.dictionaries(st.text("abc", min_size=1), st.text("abc \\n\"'", max_size=300)))
def test_no_line_is_too_long(value: dict[str, str]) -> None:
    """Long texts are put on lines of their own."""
    assert max(map(len, literal(value, 100, 80).splitlines())) <= 100


def test_an_expression_stands_as_it_is() -> None:
    """It is no text."""
    assert literal({"a": Raw("f(1)")}, 80, 80) == '{"a": f(1)}'


# -- files -------------------------------------------------------------------------------------


@cache
def told(name: str) -> Any:
    """The outline of a run that shows a fault of a double."""
    fault = VIOLATED[name]
    found = [run for run in find(fault).found.values() if run.check == fault.check]
    run = min(found, key=lambda run: (run.verdict != "violation", run.rank))
    bench = Bench(scope_of(fault), fault.client)
    return json.loads(json.dumps(outline(bench.run(run.choices), fault.check)))


def assert_whole(text: str, folder: Path) -> None:
    """A file is Python 3.10, clean, narrow, and knows nothing but what comes with the client."""
    tree = ast.parse(text, feature_version=(3, 10))
    roots = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert roots <= ALLOWED
    assert "realtime_conformance" not in text
    assert "realtime_protocol" not in text
    assert max(map(len, text.splitlines())) <= 100
    path = folder / "file.py"
    path.write_text(text)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--target-version=py310"]
    done = subprocess.run([*ruff, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", DRAWN)
def test_a_file_is_whole_whatever_it_is_about(name: str, tmp_path: Path) -> None:
    """For the violation of each fault, of every check and of every kind."""
    seen = told(name)
    assert seen["check"] == VIOLATED[name].check
    assert_whole(exported(seen, PACKAGES, "3.10.1"), tmp_path)


def test_every_check_can_be_told() -> None:
    """But for those that no file looks at, each has a fault whose file is looked at."""
    known = {VIOLATED[name].check for name in DRAWN}
    assert known | ADVISED | set(UNTOLD) == {check.id for check in CHECKS}


def test_what_no_file_looks_at_is_refused() -> None:
    """By name; and a run that shows something else as well is told by that."""
    fault = FAULTS["keeps-deleted"]
    run = next(run for run in find(fault).found.values() if run.check == fault.check)
    outcome = Bench(small(fault), fault.client).run(run.choices)
    with pytest.raises(NotShown, match="got one of mirror-agrees"):
        outline(outcome)
    evidence = Evidence("error", "something else", len(outcome.history.entries))
    outcome.history.evidence.append(evidence)
    assert outline(outcome)["check"] == "no-swallowed-exception"


def act(kind: str, **more: Any) -> Any:
    """One act as a worker tells it."""
    empty = {
        "at": 0.0,
        "name": "",
        "call": "",
        "seconds": 0.0,
        "samples": 0,
        "rests": True,
        "ticks": 0,
    }
    return {"kind": kind, **empty, "text": "", "echoes": [], **more}


def everything(ticks: int = 0) -> list[Any]:
    """Every act that there is, some of them in a burst."""
    events = {(rule.actor, rule.event) for rule in RULES}
    app_acts = sorted(event for actor, event in events if actor == "app")
    text = json.dumps({"type": "a", "delta": "A" * 6400, "name": "made_up", "long": "x" * 300})
    echo = {"name": "made_up", "kind": "b", "number": 0, "path": ["c", "d"]}
    return [
        act("start"),
        *(act("network", name=name) for actor, name in sorted(events) if actor == "network"),
        act("deliver", text=text, rests=False, echoes=[echo]),
        act("deliver", text=text, at=3.0),
        act("rest", at=3.0),
        *(act("app", name=name, at=3.0) for name in app_acts if not name.startswith("tool_")),
        *(act("tool", name=name, call="c", at=3.0) for name in app_acts if name[:5] == "tool_"),
        act("hear", at=3.0, rests=False, ticks=ticks),
        act("play", at=3.0, seconds=0.1, samples=2400),
        act("report", at=3.1),
        act("deadline", at=3.1, seconds=10.0),
        act("pass", at=13.1, seconds=30.0),
    ]


@pytest.mark.parametrize("name", ["truncates-at-zero", "logs-exception", "falls-silent"])
@pytest.mark.parametrize("scope", sorted(QUICK.scopes))
def test_every_act_in_every_scope_can_be_written(name: str, scope: str, tmp_path: Path) -> None:
    """The calls of agent code are those of the adapter, and nothing in a file is undefined."""
    setting = attrs.asdict(setting_of(QUICK.scopes[scope].bounds))
    drawn = {**told(name), "acts": everything(), "setting": setting}
    text = exported(drawn, PACKAGES, "3.10.1")
    assert_whole(text, tmp_path)
    calls = [call_of(one["name"]) for one in everything() if one["kind"] == "app"]
    assert all(f"def {call}(self)" in text for call in calls)
    assert "sound(0, 100)" in text
    assert 'echo("b", 0, "c", "d")' in text
    assert "behind=True" in text
    assert "ticks" not in text


def test_ticks_are_written(tmp_path: Path) -> None:
    """What comes before the agent is at rest comes after so many turns of its loop."""
    text = exported({**told("truncates-at-zero"), "acts": everything(7)}, PACKAGES, "3.10.1")
    assert_whole(text, tmp_path)
    assert "await app.microphone.pick_up(4_800, ticks=7)" in text
    assert "await rest(ticks)" in text


def test_a_run_that_violates_nothing_is_not_told() -> None:
    """Neither is one that violates another check than the one that is asked for."""
    with pytest.raises(NotShown, match="expected a run that shows a violation, got none"):
        outline(Bench(small(), ReferenceClient).run())
    fault = VIOLATED["truncates-at-zero"]
    run = min(find(fault).found.values(), key=lambda run: run.rank)
    outcome = Bench(small(fault), fault.client).run(run.choices)
    with pytest.raises(NotShown, match="a violation of comes-to-rest, got none"):
        outline(outcome, "comes-to-rest")
    assert outline(outcome)["check"].startswith("truncate-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("print('nothing')", "code 0: nothing on standard error"),
        ("raise SystemExit(1)", "code 1: nothing on standard error"),
        ("1 / 0", "code 1: ZeroDivisionError"),
        ("import sys; print('FAULT: x', file=sys.stderr); sys.exit(2)", "code 2: FAULT: x"),
        ("while True: pass", "to end within 1 s"),
    ],
)
def test_a_file_that_shows_nothing_is_not_given_out(
    text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came instead is told."""
    monkeypatch.setattr(export, "TRIAL_SECONDS", 1.0)
    with pytest.raises(NotReproduced, match=expected):
        try_out(text, Interpreter())


def test_a_file_that_shows_its_fault_is_given_out() -> None:
    """It ends with 1 and one line that says so."""
    try_out("import sys; print('FAULT: x', file=sys.stderr); sys.exit(1)", Interpreter())


# -- the command -------------------------------------------------------------------------------


def late_reply(client: str = "livekit-agent") -> str:
    """The id of a run in which the server leaves a request for a reply without an answer."""
    setup = Setup(client=client, profile="quick", scope="text-reply")
    machine = Machine(QUICK.scopes["text-reply"].bounds)
    asks, late = (machine.numbers(name)[0] for name in ("app.generate_reply", "clock.deadline"))
    with Pool(setup, 1) as pool:
        steps = pool.trail(())["steps"]
        here = [step[0] for step in steps].index(asks)
        trail = pool.follow([*steps[: here + 1], (late, False, 0)])
    choices = tuple(trail["choices"][: trail["needed"]])
    return Scenario(client, "quick", "text-reply", choices=choices).id(machine.digest)


def test_what_the_installed_release_breaks_is_exported(tmp_path: Path) -> None:
    """An error that is logged and kept from the app: the file shows it, and replaces another."""
    path = tmp_path / "file.py"
    path.write_text("what was there before")
    scenario = late_reply()
    assert invoke("export", scenario, "--output", str(path)) == (0, "", "")
    assert_whole(path.read_text(), tmp_path)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("FAULT: ")
    assert "response.create" in done.stdout
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file.py"]
    missing = str(tmp_path / "no" / "file.py")
    code, _, errors = invoke("export", scenario, "--output", missing)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert f"cannot write {missing}: expected its folder to be there" in errors


DIGEST = Machine(QUICK.scopes["audio-reply"].bounds).digest


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nope"], "expected client:profile:scope:digest:choices, got 'nope'"),
        (["livekit-agent:quick:audio-reply:000000:0"], f"is {DIGEST}"),
        ([f"nope:quick:audio-reply:{DIGEST}:0"], "unknown client 'nope'"),
        (
            [f"doubles.reference:ReferenceClient:quick:audio-reply:{DIGEST}:0"],
            "expected a run of livekit-agent, got one of doubles.reference:ReferenceClient",
        ),
        ([f"livekit-agent:quick:audio-reply:{DIGEST}:"], "a run that shows a violation, got none"),
        ([f"livekit-agent:quick:audio-reply:{DIGEST}:09"], "choice 9 at step 1, but there are 1"),
        ([f"livekit-agent:quick:audio-reply:{DIGEST}:", "--check", "x"], "unknown check 'x'"),
        (
            [f"livekit-agent:quick:audio-reply:{DIGEST}:", "--release", "x"],
            "expected a livekit version",
        ),
    ],
)
def test_wrong_use_is_one_clear_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """It exits with 2, says what was expected and what came, and writes nothing."""
    path = tmp_path / "file.py"
    path.write_text("what was there before")
    code, out, errors = invoke("export", *arguments, "--output", str(path))
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert expected in errors
    assert path.read_text() == "what was there before"
    assert [one.name for one in tmp_path.iterdir()] == ["file.py"]


# -- from a release to a file ------------------------------------------------------------------

REPEATS = 10
"""How often a file has to say the same."""


@pytest.mark.slow  # builds the environments of two releases
def test_the_empty_truncate_from_the_release_that_has_it(tmp_path: Path) -> None:
    """Found, shrunk, exported; the file fails beside that release and passes beside a newer one."""
    environment = build("1.5.4")
    archive = harness_archive(environment.python.parent)
    interpreter = Interpreter(python=str(environment.python), path=(str(archive),), isolated=True)
    plan = Plan(scopes=("audio-reply",), jobs=2, limit=1500, interpreter=interpreter)
    found = [
        finding
        for finding in findings_of(conduct(plan))
        if (finding["check"], finding["verdict"]) == ("truncate-positive", "violation")
    ]
    shortest = min(found, key=lambda finding: len(finding["timeline"]))
    assert shortest["minimal"]
    assert shortest["unstable"] == ""
    assert removable(plan, interpreter, shortest) == []
    path = tmp_path / "file.py"
    arguments = ["--release", "1.5.4", "--check", "truncate-positive", "--output", str(path)]
    assert invoke("export", shortest["scenario"], *arguments)[0] == 0
    assert_whole(path.read_text(), tmp_path)
    assert repeated(environment.python, path) == {
        (1, "FAULT: truncate of item_reply_1 with audio_end_ms 0, but it has no audio")
    }
    assert repeated(build("1.8.9").python, path) == {(0, "")}


def removable(plan: Plan, interpreter: Interpreter, finding: Any) -> list[int]:
    """The steps of a run that can be left out, by leaving out each."""
    run = parse_id(finding["scenario"])
    setup = Setup(client=run.client, profile=run.profile, scope=run.scope)
    with Pool(setup, 1, interpreter) as pool:
        whole = pool.trail(run.choices)
        before = size(whole, finding["fingerprint"])
        rests = [
            size(pool.follow(whole["steps"][:n] + whole["steps"][n + 1 :]), finding["fingerprint"])
            for n in range(len(whole["steps"]))
        ]
    return [n for n, rest in enumerate(rests) if rest is not None and rest < before]


def repeated(python: Path, path: Path) -> set[tuple[int, str]]:
    """Exit code and last line on standard error of some runs of a file."""
    runs = [
        subprocess.run([str(python), str(path)], capture_output=True, text=True, check=False)
        for _ in range(REPEATS)
    ]
    return {(run.returncode, ["", *run.stderr.splitlines()][-1]) for run in runs}
