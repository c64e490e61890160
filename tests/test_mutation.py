"""Mutants: what is changed, what is drawn, how it is tried, and what is said of it.

The fast tests mutate a double that is written for it. The slow ones mutate the real client.
"""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections import Counter
from pathlib import Path

import attrs
import pytest

from realtime_conformance.mutation import equivalent, sample, score, state
from realtime_conformance.mutation.campaign import Campaign, Conducted, Drawn
from realtime_conformance.mutation.mutants import mutants_of
from realtime_conformance.mutation.operators import OPERATORS
from realtime_conformance.mutation.overlay import NotFound, Overlay, place_of
from realtime_conformance.mutation.passes import PASSES, graph_of, left, passes
from realtime_conformance.mutation.targets import (
    REALTIME,
    SUBJECT,
    LeftOut,
    Targets,
    targets_of,
)
from realtime_conformance.pool import Interpreter
from realtime_conformance.resume import BadState
from realtime_protocol.graph import enumerate_graph
from test_cli import invoke

EQUIVALENT = Path(__file__).parent.parent / "known-issues" / "equivalent-mutants.json"


def changes(body: str, operator: str = "") -> list[tuple[str, str]]:
    """What is replaced by what in a function with this body."""
    source = "def f(x):\n" + textwrap.indent(body, "    ") + "\n"
    found = mutants_of(source.encode(), Targets()).all
    return [(one.before, one.after) for one in found if operator in ("", one.operator)]


# -- operators --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "operator", "expected"),
    [
        ("return x > 0", "comparison", [(">", ">="), (">", "<=")]),
        ("return x is not None", "comparison", [("is not", "is")]),
        ("return x not in y", "comparison", [("not in", "in")]),
        ("return a and b", "boolean", [("and", "or")]),
        ("return a // b", "arithmetic", [("//", "*")]),
        ("return not a.b", "drop-not", [("not a.b", "(a.b)")]),
        ("if a or b:\n    g()", "negate", [("a or b", "not (a or b)")]),
        ("if a < b < c:\n    g()", "negate", [("a < b < c", "not (a < b < c)")]),
        ("if a < b:\n    g()", "negate", []),
        ("if not a:\n    g()", "negate", []),
        ("if a:\n    g()", "force-true", [("a", "True")]),
        ("if a:\n    g()", "force-false", [("a", "False")]),
        ("if (a := g()):\n    h()", "force-true", [("a := g()", "(a := g()) or True")]),
        ("if a:\n    return", "drop-guard", [("a", "False")]),
        ("if a:\n    return", "force-false", []),
        ("if a:\n    return\nelse:\n    g()", "drop-guard", []),
        ("while a:\n    g()", "force-true", []),
        ("g(x)", "drop-call", [("g(x)", "pass")]),
        ("x = g(x)", "drop-call", []),
        ("self.x = 1", "drop-assignment", [("self.x = 1", "pass")]),
        ("self.x: int = 1", "drop-assignment", [("self.x: int = 1", "pass")]),
        ("self.x: int", "drop-assignment", []),
        ("x[0] += y", "drop-assignment", [("x[0] += y", "pass")]),
        ("y = g(x)", "lose-value", [("g(x)", "None")]),
        ("y = True", "lose-value", []),
        ("return 3, 0.5, True", "constant", [("3", "4"), ("0.5", "1.5"), ("True", "False")]),
        ("return 'a'", "constant", [("'a'", "'a?'")]),
        ("return x == 'a'", "constant", []),
        ("return 'for people'", "constant", []),
        ("raise E('a')", "", []),
        ("'a'", "", []),
        ("return shortuuid('a')", "", []),
        ("y: 'int' = x", "constant", []),
    ],
)
def test_an_operator_changes_what_it_says(body, operator, expected) -> None:
    """Each change is of one piece, and two operators do not make the same."""
    assert changes(body, operator) == expected


def test_an_awaited_call_is_dropped_with_its_await() -> None:
    """What is left is a statement."""
    found = mutants_of(b"async def f():\n    await g()\n", Targets()).all
    assert [(one.before, one.after) for one in found] == [("await g()", "pass")]


def test_every_operator_has_an_example() -> None:
    """So that none can be lost without a test."""
    examples = test_an_operator_changes_what_it_says.pytestmark[0].args[1]
    assert {name for _, name, expected in examples if expected} == {one.name for one in OPERATORS}
    assert len({one.name for one in OPERATORS}) == len(OPERATORS)


# -- what is mutated --------------------------------------------------------------------------

SOURCE = b'''"""A module."""
LIMIT = 3


class Session:
    """A session."""

    def begin(self, size=7):
        """Begin."""
        if size > 2:
            self.size = size
            logger.info("size", size)

        def later():
            self.close(1)

        return later

    @wrapped(9)
    def end(self): self.close(2)


def helper():
    return 5
'''

TARGETS = Targets(
    functions=("Session.*",),
    without=(LeftOut("*.end", "it ends"),),
    statements=(LeftOut(r"logger\.", "it only logs"),),
)


def test_functions_are_taken_by_name_and_the_others_are_told() -> None:
    """Neither a default, nor a decorator, nor a line of the module is changed."""
    found = mutants_of(SOURCE, TARGETS)
    assert {one.function for one in found.all} == {"Session.begin", "Session.begin.later"}
    assert found.left_out == {"Session.end": "it ends", "helper": TARGETS.reason("helper")}
    assert not {one.before for one in found.all} & {"7", "9", "3", '"size"'}


def test_a_mutant_changes_its_place_and_nothing_else() -> None:
    """Its lines are those of its statement; a head ends where the body begins."""
    for one in mutants_of(SOURCE, TARGETS).all:
        changed = one.applied(SOURCE).split(b"\n")
        differ = [
            n
            for n, pair in enumerate(zip(SOURCE.split(b"\n"), changed, strict=True), 1)
            if len(set(pair)) > 1
        ]
        assert differ == [one.line]
        assert one.lines[0] <= one.line <= one.lines[1]
        assert one.diff(SOURCE, "s.py").count("\n+ ") == 1
        assert one.compiles(SOURCE)


def test_ids_and_keys_name_one_mutant_each() -> None:
    """A key knows no line: the same code further down has the same keys."""
    found, moved = mutants_of(SOURCE, TARGETS).all, mutants_of(b"\n\n" + SOURCE, TARGETS).all
    assert len({one.id for one in found}) == len({one.key for one in found}) == len(found) > 5
    assert [one.key for one in found] == [one.key for one in moved]
    assert [one.id for one in found] == [one.id for one in moved]


def test_code_that_reads_the_same_is_told_apart_by_its_number() -> None:
    """Two calls in one function have two keys."""
    found = mutants_of(b"def f():\n    g()\n    g()\n", Targets()).all
    assert [one.occurrence for one in found] == [1, 2]


def test_what_is_no_python_is_refused() -> None:
    """With one line."""
    with pytest.raises(ValueError, match="expected Python to mutate"):
        mutants_of(b"def f(:\n", Targets())


def test_a_change_that_does_not_compile_is_noticed() -> None:
    """And one that changes nothing."""
    one = mutants_of(SOURCE, TARGETS).all[0]
    assert not attrs.evolve(one, after="if (").compiles(SOURCE)
    assert not attrs.evolve(one, after=one.before).compiles(SOURCE)


def test_the_table_for_livekit_is_for_livekit_alone() -> None:
    """Of a subject of one's own every function is taken."""
    assert targets_of("mine:Client") == Targets()
    assert targets_of(SUBJECT) is REALTIME
    assert REALTIME.reason("RealtimeSession._handle_response_done") == ""
    assert REALTIME.reason("RealtimeModel.with_azure")
    assert REALTIME.spared('logger.debug("x")')
    assert not REALTIME.spared("self.send_event(event)")


# -- the sample -------------------------------------------------------------------------------


def many() -> list:
    """Functions of very different size."""
    text = "".join(
        f"def f{number}():\n" + "    g()\n" * size for number, size in enumerate((1, 2, 30, 60))
    )
    return list(mutants_of(text.encode(), Targets()).all)


def drawn(size: int, seed: int = 0) -> list:
    return sample.drawn(many(), size, seed, lambda _: True)


def test_each_function_has_its_share() -> None:
    """One at least, and of the rest by size."""
    assert Counter(one.function for one in drawn(20)) == {"f0": 1, "f1": 1, "f2": 6, "f3": 12}
    assert Counter(one.function for one in drawn(3)) == {"f1": 1, "f2": 1, "f3": 1}
    assert drawn(93) == drawn(1000) == many()


@pytest.mark.parametrize("size", [1, 2, 5, 17, 50, 92])
def test_as_many_are_drawn_as_asked_for(size) -> None:
    """In the order of the file, the same for the same seed."""
    found = drawn(size)
    assert len({one.id for one in found}) == size
    assert found == drawn(size)
    assert [one.start for one in found] == sorted(one.start for one in found)


def test_another_seed_draws_others() -> None:
    """A function draws by seed and name alone."""
    assert drawn(20, seed=1) != drawn(20)


def test_what_is_unfit_is_not_drawn() -> None:
    """Another of the same function comes instead."""
    bad = drawn(20)[5]
    found = sample.drawn(many(), 20, 0, lambda one: one.id != bad.id)
    assert len(found) == 20
    assert bad not in found


# -- passes -----------------------------------------------------------------------------------


def test_passes_go_up_to_the_one_asked_for() -> None:
    """A limit is for all of them."""
    assert [one.name for one in passes("quick")] == [one.name for one in PASSES[:3]]
    assert [one.runs for one in passes("quick", 40)] == [40, 40, 40]
    assert [one.runs for one in passes("quick", 100)] == [60, 60, 100]
    with pytest.raises(ValueError, match="unknown depth 'nope'; expected one of choices, paths"):
        passes("nope")


def test_a_pass_is_made_again_only_with_more_runs() -> None:
    """All runs are more than any number."""
    (one,) = passes("choices", 40)
    assert left([one], {}) == [one]
    assert left([one], {"choices": 40}) == left([one], {"choices": 0}) == []
    assert left([one], {"choices": 39}) == [one]
    assert left([attrs.evolve(one, runs=0)], {"choices": 40})


def test_a_graph_is_shared_and_its_ways_are_counted_once() -> None:
    """They are those that the graph has anyway."""
    graph = graph_of("quick", "text-reply")
    assert graph is graph_of("quick", "text-reply")
    assert graph.ways() is graph.ways()
    assert graph.ways() == enumerate_graph(graph.machine).ways()


# -- argued equivalent ------------------------------------------------------------------------


def entry(**changed) -> dict:
    """An entry for a mutant of `SOURCE`."""
    found = next(one for one in mutants_of(SOURCE, TARGETS).all if one.operator == "comparison")
    keys = ("function", "operator", "statement", "before", "after")
    made = {key: getattr(found, key) for key in keys} | {"reason": "It is the same."} | changed
    return {key: value for key, value in made.items() if value is not None}


def on_file(folder, *entries):
    path = folder / "equivalent.json"
    path.write_text(json.dumps({"equivalents": entries}), "utf-8")
    return path


def test_an_entry_fits_a_mutant_by_its_code(tmp_path) -> None:
    """One that fits none is told."""
    found = mutants_of(b"\n\n" + SOURCE, TARGETS).all
    read = equivalent.read(on_file(tmp_path, entry(), entry(function="gone")))
    assert [one.id for one in found if one.key in read] == ["Session.begin/comparison/1"]
    (unfit,) = equivalent.unfit(read.values(), found)
    assert equivalent.told(unfit) == "comparison of gone, '>' -> '>=' in `if size > 2:`"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(reason=" ")], "expected a reason for comparison of Session.begin"),
        ([entry(reason=None)], "objects with function, operator, statement"),
        ([entry(line=3)], "got TypeError"),
        ([entry(), entry()], "once in"),
        ([7], "got TypeError"),
    ],
)
def test_a_bad_file_of_equivalents_is_refused(tmp_path, entries, expected) -> None:
    """One line, exit 2, nothing on standard output."""
    path = on_file(tmp_path, *entries)
    code, out, errors = invoke("mutants", "--equivalents", str(path))
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert expected in errors


def test_what_is_on_file_fits_the_installed_client() -> None:
    """Each entry names code that is there, in a function that is mutated."""
    entries = equivalent.read(EQUIVALENT)
    place = place_of(SUBJECT, Interpreter())
    assert entries
    assert (
        equivalent.unfit(entries.values(), mutants_of(place.path.read_bytes(), REALTIME).all) == []
    )


# -- the score --------------------------------------------------------------------------------


def test_the_score_leaves_out_what_is_argued_equivalent() -> None:
    """What was not tried counts as not killed."""
    verdicts = Counter({"killed": 6, "survived": 2, "not reached": 1, "not tried": 1})
    assert score.score(verdicts, 0) == 0.6
    assert score.score(verdicts, 2) == 0.75
    assert score.score(Counter(), 0) is None


# -- a campaign, with a double ----------------------------------------------------------------

TOY = '''
from doubles.reference import ReferenceClient


class Toy(ReferenceClient):
    """A client of which a part is written here, to be mutated."""

    def correct(self, reply, message):
        """As the reference does."""
        self.note = 1
        if message.heard_ms > 0:
            self.truncate(reply, message, message.heard_ms)
        else:
            self.delete(message.item)

    def never(self):
        """Nobody calls it."""
        self.note = 2

    def configure(self):
        """As the reference does."""
        super().configure()
'''

DEADLY = """super().configure()
        if self.ends():
            import os
            os._exit(3)

    def ends(self):
        return False
"""

EXPECTED = {
    "Toy.correct/drop-assignment/1": "survived",
    "Toy.correct/constant/1": "survived",
    "Toy.correct/comparison/1": "killed",
    "Toy.correct/comparison/2": "killed",
    "Toy.correct/force-true/1": "killed",
    "Toy.correct/force-false/1": "killed",
    "Toy.correct/constant/2": "survived",
    "Toy.correct/drop-call/1": "killed",
    "Toy.correct/drop-call/2": "killed",
    "Toy.never/drop-assignment/1": "not reached",
    "Toy.never/constant/1": "not reached",
    "Toy.configure/drop-call/1": "killed",
}
"""What comes of each mutant; 1 ms for 0 is none that a frame of sound could tell."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder with the toy."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.py").write_text(TOY, "utf-8")
    return folder


def campaign(folder, **changed) -> Campaign:
    made = Campaign(
        client="toy:Toy",
        subject="toy:Toy",
        scopes=("audio-reply",),
        passes=passes("paths", 25)[1:],
        interpreter=Interpreter(path=(str(folder),)),
    )
    return attrs.evolve(made, **changed)


def conducted(made: Campaign, only: str = "", told=None) -> dict:
    drawn = Drawn(made, only)
    return (Conducted(made, drawn, told) if told else Conducted(made, drawn)).conduct()


@pytest.fixture(scope="module")
def whole(toy):
    """A whole campaign and its state."""
    made = campaign(toy, state=toy / "state.json")
    return conducted(made), made


def test_faults_are_killed_and_the_rest_is_told(whole, toy) -> None:
    """Each mutant comes to its end, and the file is as it was."""
    report, _ = whole
    assert {one["id"]: one["verdict"] for one in report["mutants"]} == EXPECTED
    assert report["score"] == report["verdicts"]["killed"] / len(EXPECTED)
    assert (toy / "toy.py").read_text("utf-8") == TOY


def test_a_kill_says_what_it_was_and_where(whole) -> None:
    """A fingerprint, in a scope, after a number of runs, with a run that shows it."""
    report, _ = whole
    kills = {one["id"]: one["kill"] for one in report["mutants"] if "kill" in one}
    truncated = kills["Toy.correct/force-true/1"]
    assert truncated["sign"] == "fingerprint"
    assert truncated["fingerprint"].startswith("truncate-")
    assert truncated["scope"] == "audio-reply"
    assert 0 < truncated["runs"] <= 50
    assert truncated["scenario"].startswith("toy:Toy:quick:audio-reply:")


def test_a_whole_campaign_is_not_made_again(whole) -> None:
    """The same call tells nothing but what is on file."""
    report, made = whole
    told: list = []
    assert conducted(made, told=lambda *all_: told.append(all_)) == report
    assert told == []


def test_jobs_change_nothing(whole) -> None:
    """Neither the ends nor the runs."""
    report, made = whole
    twice = conducted(attrs.evolve(made, jobs=2, size=2, state=None))["mutants"]
    assert len(twice) == 2
    assert all(one in report["mutants"] for one in twice)


def test_a_campaign_goes_on(whole, tmp_path) -> None:
    """What was decided stands, and only what is left is tried."""
    report, made = whole
    kept = json.loads(made.state.read_text("utf-8"))
    del kept["results"]["Toy.correct/drop-call/1"]
    path = tmp_path / "state.json"
    path.write_text(json.dumps(kept), "utf-8")
    told: list = []
    again = conducted(attrs.evolve(made, state=path), told=lambda name, *_: told.append(name))
    assert told == ["Toy.correct/drop-call/1"]
    assert again == report


def test_more_runs_are_made_for_survivors_alone(whole, tmp_path) -> None:
    """Whoever is killed stays so, and the client is measured by as much."""
    _, made = whole
    path = tmp_path / "state.json"
    path.write_text(made.state.read_text("utf-8"), "utf-8")
    told: list = []
    deeper = attrs.evolve(made, state=path, passes=passes("paths", 30)[1:])
    report = conducted(deeper, told=lambda name, *_: told.append(name))
    left_over = {name for name, verdict in EXPECTED.items() if verdict != "killed"}
    assert set(told) == left_over | set(made.scopes)
    assert {one["id"]: one["verdict"] for one in report["mutants"]} == EXPECTED


def test_time_that_is_over_leaves_mutants_untried(toy) -> None:
    """And the report says so."""
    report = conducted(campaign(toy, seconds=1e-9, size=3))
    assert report["verdicts"]["not tried"] == 3
    assert report["score"] == 0


def test_what_the_client_itself_shows_kills_nobody(toy) -> None:
    """A fault that is there without the mutant is none of its own."""
    faulty = TOY.replace("message.heard_ms > 0", "message.heard_ms >= 0")
    (toy / "faulty.py").write_text(faulty, "utf-8")
    made = campaign(toy, client="faulty:Toy", subject="faulty:Toy")
    report = conducted(made, "Toy.correct/force-true/1")
    assert report["verdicts"]["survived"] == 1


def test_a_client_that_does_not_load_is_killed(toy) -> None:
    """A mutant need not be driven to be noticed."""
    (toy / "early.py").write_text(
        TOY + "\n\ndef _one():\n    return 1\n\n\nassert _one() == 1\n", "utf-8"
    )
    made = campaign(toy, client="early:Toy", subject="early:Toy")
    drawn = Drawn(made, "_one/constant/1")
    # the line runs when the module is loaded, before anyone looks on
    run = Conducted(made, drawn)
    mutant = attrs.evolve(drawn.chosen[0], lines=(9, 13))
    drawn.chosen = [mutant]
    (one,) = run.conduct()["mutants"]
    assert one["verdict"] == "killed"
    assert one["kill"]["sign"] == "refused"


def test_a_worker_that_dies_is_a_kill(toy) -> None:
    """Once is enough."""
    source = TOY.replace("super().configure()", DEADLY)
    (toy / "deadly.py").write_text(source, "utf-8")
    made = campaign(toy, client="deadly:Toy", subject="deadly:Toy")
    (one,) = conducted(made, "Toy.ends/constant/1")["mutants"]
    assert one["verdict"] == "killed"
    assert one["kill"]["sign"] == "lost"
    assert "ended with code 3" in one["kill"]["text"]


def test_an_argued_equivalent_is_left_out_of_the_score(whole, toy, tmp_path) -> None:
    """One that is killed was argued wrong, and counts."""
    report, made = whole
    keys = ("function", "operator", "statement", "before", "after", "occurrence")
    argued = [
        {key: one[key] for key in keys} | {"reason": "It is the same."}
        for one in report["mutants"]
        if one["id"] in ("Toy.correct/drop-assignment/1", "Toy.correct/drop-call/1")
    ]
    entries = equivalent.read(on_file(tmp_path, *argued))
    again = conducted(attrs.evolve(made, equivalents=entries))
    assert again["equivalent"] == 1
    assert again["score"] == report["verdicts"]["killed"] / (len(EXPECTED) - 1)
    assert [one["id"] for one in again["mutants"] if one["argued_wrong"]] == [
        "Toy.correct/drop-call/1"
    ]


# -- the copy ---------------------------------------------------------------------------------


def test_a_copy_takes_precedence_and_is_never_stale(toy, tmp_path) -> None:
    """Two changes of one size in one second are told apart, though Python compiles each."""

    interpreter = Interpreter(path=(str(toy),))
    place = place_of("toy:Toy", interpreter)
    assert place.path == toy / "toy.py"
    overlay = Overlay(place, tmp_path / "copy", interpreter)
    overlay.check("toy:Toy")
    command = [overlay.interpreter.python, "-c", "import toy; print(toy.X)"]
    for text in (b"X = 1\n", b"X = 2\n", b"X = 3\n"):
        overlay.write(text)
        done = subprocess.run(
            command, env=overlay.interpreter.environment(), capture_output=True, check=True
        )
        assert b"X = " + done.stdout.strip() + b"\n" == text
    assert (toy / "toy.py").read_text("utf-8") == TOY


def test_a_package_is_copied_whole(tmp_path) -> None:
    """From the outermost folder that is a regular package; a namespace is shared."""
    inner = tmp_path / "lib" / "space" / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("", "utf-8")
    (inner / "code.py").write_text("class C:\n    pass\n", "utf-8")
    interpreter = Interpreter(path=(str(tmp_path / "lib"),))
    place = place_of("space.outer.inner.code:C", interpreter)
    assert place.root.as_posix() == "space/outer"
    overlay = Overlay(place, tmp_path / "copy", interpreter)
    overlay.check("space.outer.inner.code:C")
    assert (tmp_path / "copy" / "space" / "outer" / "inner" / "code.py").is_file()
    assert not (tmp_path / "copy" / "space" / "__init__.py").exists()


def test_a_subject_that_is_not_there_is_refused() -> None:
    """By its name, with what went wrong."""
    with pytest.raises(NotFound, match="expected nope:Thing to be there to mutate, got ModuleNot"):
        place_of("nope:Thing", Interpreter())


# -- the state and the command ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[]", "to hold the state of mutants in format"),
        ("nonsense", "to hold the state of mutants, got no JSON"),
        ('{"format": 1, "of": {}}', "to hold the state of mutants in format"),
        (
            '{"format": 1, "of": {"seed": 1}, "unmutated": {}, "results": {}}',
            "of another seed: expected 0, got 1",
        ),
    ],
)
def test_a_state_of_something_else_is_refused(tmp_path, content, expected) -> None:
    """With the first thing that differs."""
    path = tmp_path / "state.json"
    path.write_text(content, "utf-8")
    with pytest.raises(BadState, match=expected):
        state.opened(path, {"seed": 0})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--depth", "nope"], "unknown depth 'nope'; expected one of choices"),
        (["--scope", "nope"], "unknown scope 'nope'; expected one of"),
        (["--client", "nope"], "unknown client 'nope'; expected one of"),
        (["--limit", "0"], "--limit must be positive, got 0"),
        (["--seconds", "-1"], "--seconds must be positive, got -1.0"),
        (["--jobs", "0"], "--jobs must be positive, got 0"),
        (["--state", "no/where"], "cannot write no/where"),
        (["--json", "no/where"], "cannot write no/where"),
        (["--known", "nope.json"], "cannot read known issues nope.json"),
        (["--equivalents", "nope.json"], "cannot read equivalent mutants nope.json"),
        (["--subject", "nope:Thing"], "expected nope:Thing to be there to mutate"),
        (["--subject", "nope"], "expected nope to be there to mutate"),
        (["--subject", "doubles.faulty:TruncatesUnheard", "--only", "x"], "unknown mutant 'x'"),
        (["--release", "not-a-version"], "expected a livekit version"),
    ],
)
def test_wrong_use_is_one_clear_line(tmp_path, monkeypatch, arguments, expected) -> None:
    """It exits with 2 and writes nothing."""
    monkeypatch.chdir(tmp_path)
    code, out, errors = invoke("mutants", "--scope", "muted-reply", *arguments)
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert expected in errors
    assert list(tmp_path.iterdir()) == []


def test_the_command_lists_tries_and_goes_on(toy, tmp_path, monkeypatch) -> None:
    """What is printed is what is in the file, and the goal decides the exit code."""
    monkeypatch.syspath_prepend(str(toy))
    common = ["mutants", "--client", "toy:Toy", "--subject", "toy:Toy", "--scope", "audio-reply"]
    common += ["--sample", "3"]
    code, out, _ = invoke(*common, "--list")
    assert code == 0
    assert out.count("@@") == 2 * 3
    assert out.endswith("3 drawn of 12, seed 0\n")
    files = ["--state", str(tmp_path / "state.json"), "--json", str(tmp_path / "all.json")]
    common += ["--depth", "choices", "--limit", "20", "--jobs", "1", *files]
    code, out, _ = invoke(*common, "--goal", "100")
    report = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert code == 1
    for one in report["mutants"]:
        assert f"{one['verdict']:11} {one['id']}" in out
    assert "not reached: no run executes the statement" in out
    assert "pass choices: at most 20 runs in a scope\n" in out
    killed = report["verdicts"]["killed"]
    assert out.endswith(f"score {report['score']:.1%}: {killed} of 3 killed\n")
    code, again, _ = invoke(*common, "--goal", "0")
    assert code == 0
    assert "[1/3]" not in again
    code, out, errors = invoke(*common, "--seed", "1")
    assert (code, out, len(errors.splitlines())) == (2, "", 1)
    assert "is of another seed: expected 1, got 0" in errors


# -- the real client --------------------------------------------------------------------------


@pytest.mark.slow  # loads the client several times, and makes some hundred runs
@pytest.mark.parametrize(
    ("mutant", "verdict"),
    [
        # a reply that the app interrupts is not cancelled any more
        ("RealtimeSession.interrupt/drop-call/1", "killed"),
        # a message is truncated at 0 where nothing of it was heard
        ("RealtimeSession.truncate/comparison/1", "killed"),
        # nobody passes a frame of another sample rate
        ("RealtimeSession._resample_audio/drop-assignment/1", "not reached"),
    ],
)
def test_the_client_is_mutated(mutant, verdict) -> None:
    """The newest installed release: what is dropped is missed, and what is not reached is told."""
    made = Campaign(scopes=("muted-reply", "text-reply"), passes=passes("paths")[1:])
    (one,) = conducted(made, mutant)["mutants"]
    assert one["verdict"] == verdict
