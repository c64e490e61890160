"""What is made of reports for machines: schemas, JUnit XML, NDJSON, and reading them again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import xmlschema
from jsonschema import Draft202012Validator
from rich.console import Console

from realtime_conformance import report as room
from realtime_conformance.engine import Plan, conduct
from realtime_conformance.report import console as human
from realtime_conformance.report.columns import columns
from realtime_conformance.report.events import ndjson
from realtime_conformance.report.files import RENDERINGS, render
from realtime_conformance.report.junit import junit
from realtime_conformance.report.progress import SECONDS, Lines, shown
from realtime_conformance.report.reading import BadReport, read, schema
from sample_reports import broken, check, clean, finding, report, scope

# the module's report is made once
pytestmark = pytest.mark.xdist_group("reports")

Json = dict[str, Any]
XSD = Path(room.__file__).parent / "schemas" / "junit.xsd"
SMALL = {"TRANSCRIPTS": 1, "AUDIO": 1, "TICKS": 0}


@pytest.fixture(scope="module")
def real() -> Json:
    """The report of a client that truncates what was never heard, as report.json holds it."""
    plan = Plan(client="doubles.faulty:TruncatesUnheard", scopes=("muted-reply",), changes=SMALL)
    found: Json = json.loads(json.dumps(conduct(plan)))
    return found


def errors(data: Json, name: str) -> list[str]:
    """What keeps data from fitting a schema."""
    return [error.message for error in Draft202012Validator(schema(name)).iter_errors(data)]


def test_the_schemas_are_schemas() -> None:
    """By the definition of JSON Schema itself."""
    for name in ("report", "event"):
        Draft202012Validator.check_schema(schema(name))


def test_reports_fit_their_schema(real: Json) -> None:
    """One that was just made, and those that other tests are made of."""
    for one in (real, broken(), clean()):
        assert errors(one, "report") == []


@pytest.mark.parametrize("name", ["verdict", "scopes", "checks", "client"])
def test_what_a_report_lacks_is_noticed(name: str) -> None:
    """The schema requires what the renderings read."""
    data = broken()
    del data[name]
    assert errors(data, "report") == [f"'{name}' is a required property"]


@pytest.mark.parametrize("name", ["replay", "steps", "known", "text"])
def test_what_a_finding_lacks_is_noticed(name: str) -> None:
    """Deep inside too."""
    data = broken()
    del data["checks"][0]["findings"][0][name]
    assert errors(data, "report") == [f"'{name}' is a required property"]


def required(data: Any, shape: Json) -> Any:
    """What is left of data if all is left out that its schema does not require."""
    if "$ref" in shape:
        shape = schema("report")["$defs"][shape["$ref"].rpartition("/")[2]]
    if isinstance(data, list):
        return [required(part, shape["items"]) for part in data]
    if isinstance(data, dict) and "properties" in shape:
        kept = [name for name in data if name in shape["required"]]
        return {name: required(data[name], shape["properties"][name]) for name in kept}
    return data


def test_what_the_schema_requires_is_enough(real: Json) -> None:
    """Every rendering of the bare report is that of the whole one, and so is the terminal's."""
    bare = required(real, schema("report"))
    assert len(json.dumps(bare)) < len(json.dumps(real))
    for make in RENDERINGS.values():
        if make is not ndjson:  # which hands on what else there is
            assert make(columns([bare, clean()])) == make(columns([real, clean()]))
    assert events(bare)
    texts = []
    for one in (bare, real):
        out = io.StringIO()
        human.show(one, Console(file=out, width=80), "all")
        human.matrix(columns([one, clean()]), Console(file=out, width=80))
        texts.append(out.getvalue())
    assert texts[0] == texts[1]


# -- NDJSON -----------------------------------------------------------------------------------


def events(*reports: Json) -> list[Json]:
    """The events of some reports, each checked against the schema."""
    read = [json.loads(line) for line in ndjson(columns(reports)).splitlines()]
    for event in read:
        assert errors(event, "event") == []
    return read


def test_events_fit_their_schema(real: Json) -> None:
    """Each line is one; a column begins with its run and ends with its verdict."""
    found = events(real, broken(), clean())
    names = list(dict.fromkeys(event["column"] for event in found))
    assert names == list(columns([real, broken(), clean()]))
    for name in names:
        kinds = [event["event"] for event in found if event["column"] == name]
        assert (kinds[0], kinds[-1]) == ("run", "verdict")
        assert kinds.count("run") == kinds.count("verdict") == 1


def test_events_say_all_that_a_report_says(real: Json) -> None:
    """Every scope, check, finding and reason is there, in order."""
    found = events(real)
    said = {kind: [e for e in found if e["event"] == kind] for kind in ("scope", "check", "reason")}
    assert [event["name"] for event in said["scope"]] == [one["name"] for one in real["scopes"]]
    assert [event["id"] for event in said["check"]] == [one["id"] for one in real["checks"]]
    assert [event["text"] for event in said["reason"]] == real["reasons"]
    findings = [one["fingerprint"] for each in real["checks"] for one in each["findings"]]
    assert [e["fingerprint"] for e in found if e["event"] == "finding"] == findings
    assert findings


def test_an_event_of_an_unknown_kind_does_not_fit() -> None:
    """Nor one that lacks what its kind has."""
    event = events(clean())[0]
    assert errors({**event, "event": "walk"}, "event")
    assert errors({name: event[name] for name in event if name != "client"}, "event")


# -- JUnit ------------------------------------------------------------------------------------


def suites(*reports: Json) -> list[Xml.Element]:
    """The suites of some reports, after the whole was checked against the schema."""
    text = junit(columns(reports))
    xmlschema.XMLSchema(str(XSD)).validate(text)
    return Xml.fromstring(text).findall("testsuite")


ODD = report(
    check("no-rejected-event", finding()),
    check("comes-to-rest", premises=0),
    whole_profile=True,
    scopes=[scope(), scope("audio-reply")],
    reasons=[
        "check never spoke: comes-to-rest; its premise is that something was sent",
        "known issue is gone: no-rejected-event / x / y",
        "coverage of audio-reply: 3 runs were left unmade",
        "coverage of audio-reply: closure is 1 of 2 steps",
        "not the same when made again: some run",
        "a worker was lost to some run: it died",
        "something that nobody has thought of yet",
    ],
)


@pytest.mark.parametrize("name", ["odd", "broken", "clean"])
def test_a_suite_is_red_exactly_if_its_run_failed(name: str) -> None:
    """Every reason stands in exactly one failure, and there is no failure without one."""
    data = {"odd": ODD, "broken": broken(), "clean": clean()}[name]
    (suite,) = suites(data)
    failures = [case.findtext("failure") or "" for case in suite.iter("testcase")]
    failures = [text for text in failures if text]
    for reason in data["reasons"]:
        assert sum(reason in text.splitlines() for text in failures) == 1
    assert bool(failures) == (data["verdict"] == "fail")
    assert suite.get("failures") == str(len(failures))
    assert all(any(reason in text for reason in data["reasons"]) for text in failures)


def test_a_failure_stands_where_it_belongs() -> None:
    """With its check, its scope, or what else it is about."""
    (suite,) = suites(ODD)
    failed = {
        case.get("name"): len([line for line in text.splitlines() if line in ODD["reasons"]])
        for case in suite.iter("testcase")
        if (text := case.findtext("failure"))
    }
    assert failed == {
        "no-rejected-event": 1,
        "comes-to-rest": 1,
        "coverage of audio-reply": 2,
        "known issues still show": 1,
        "runs are made and the same again": 3,
    }


def test_a_real_report_is_junit(real: Json) -> None:
    """With the timeline of what is new, and the counts of what is there."""
    (suite,) = suites(real)
    failed = {c.get("name"): c.findtext("failure") for c in suite.iter("testcase") if len(c)}
    assert "server knows" in (failed["truncate-needs-audio"] or "")
    assert suite.get("tests") == str(len(list(suite.iter("testcase"))))


def test_what_is_known_or_silent_is_skipped() -> None:
    """A check with known violations only, and one without a premise; each says why."""
    (suite,) = suites(broken())
    skipped = {
        case.get("name"): element.get("message")
        for case in suite.iter("testcase")
        if (element := case.find("skipped")) is not None
    }
    assert skipped == {
        "comes-to-rest": "1 known violations, on file",
        "truncate-positive": "never spoke; its premise is that something was sent",
    }
    assert suite.get("skipped") == "2"


def test_the_schema_of_junit_refuses_what_is_none() -> None:
    """A case that failed and was skipped at once, and one without a name."""
    xsd = xmlschema.XMLSchema(str(XSD))
    good = '<testsuites tests="1"><testsuite name="a" tests="1">{}</testsuite></testsuites>'
    assert xsd.is_valid(good.format('<testcase name="b" classname="c"/>'))
    both = '<testcase name="b" classname="c"><skipped/><failure/></testcase>'
    assert not xsd.is_valid(good.format(both))
    assert not xsd.is_valid(good.format('<testcase classname="c"/>'))
    assert not xsd.is_valid(good.format('<testcase name="b" classname="c" time="soon"/>'))


def test_what_xml_cannot_hold_is_replaced() -> None:
    """A client may log anything; the file can be read all the same."""
    odd = finding(text="a\x1b[31m \x00 \ud800 <b> & ]]>", timeline="\x07")
    (suite,) = suites(report(check("no-rejected-event", odd)))
    text = next(suite.iter("failure")).text or ""
    assert "a\ufffd[31m \ufffd \ufffd <b> & ]]>" in text


# -- columns and files ------------------------------------------------------------------------


def test_columns_have_names_of_their_own() -> None:
    """By client and release; what is the same is counted."""
    reports = [clean("1.2.3"), clean("1.2.4"), clean("1.2.3"), {**clean(), "profile": "full"}]
    assert list(columns(reports)) == [
        "livekit-agent 1.2.3",
        "livekit-agent 1.2.4",
        "livekit-agent 1.2.3 (2)",
        "livekit-agent 1.2.3 full",
    ]


def test_every_rendering_is_written_in_one_piece(tmp_path: Path, real: Json) -> None:
    """Twice the same bytes, and no other file."""
    reports = columns([real, clean()])
    paths = render(tmp_path, reports)
    first = {path.name: path.read_bytes() for path in paths}
    assert set(first) == set(RENDERINGS) == {path.name for path in tmp_path.iterdir()}
    assert {path.name: path.read_bytes() for path in render(tmp_path, reports)} == first


def test_a_report_is_read_again(tmp_path: Path, real: Json) -> None:
    """What was written is what is read."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(real))
    assert read(path) == real


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "to hold a report, got no JSON"),
        ("[]", "in format 1, got None"),
        ('{"format": 2}', "in format 1, got 2"),
        ('{"format": 1}', "is a required property"),
        (json.dumps({**clean(), "verdict": "maybe"}), "$.verdict: 'maybe' is not one of"),
        (json.dumps({**clean(), "checks": ["x" * 500]}), "$.checks[0]: 'xxx"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """The refusal is one short line that says where."""
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(BadReport, match="report") as refused:
        read(path)
    assert expected in str(refused.value)
    assert len(str(refused.value)) < 250 + len(str(path))


# -- progress ---------------------------------------------------------------------------------


def test_a_terminal_gets_a_bar() -> None:
    """With the scope, and how many runs of how many are made."""
    out = io.StringIO()
    with shown("1.5.4", Console(file=out, force_terminal=True, width=200)) as told:
        told("text-reply", 3, 4)
    assert "1.5.4 text-reply" in out.getvalue()
    assert "3/7" in out.getvalue()


def test_a_log_gets_few_lines() -> None:
    """One when a scope begins, then one after a while, whatever the number of runs."""
    said: list[str] = []
    now = [0.0]

    class Log:
        """Keeps what is printed."""

        def print(self, text: Any, **_: Any) -> None:
            """Keep it."""
            said.append(str(text))

    lines = Lines("1.5.4", Log(), lambda: now[0])  # type: ignore[arg-type]
    for second in range(100):
        now[0] = second
        lines("text-reply" if second < 70 else "race", second, 100 - second)
    assert said == [
        f"1.5.4 {name}: {at} of 100 runs known so far are made"
        for name, at in (
            ("text-reply", 0),
            ("text-reply", int(SECONDS)),
            ("text-reply", int(2 * SECONDS)),
            ("race", 70),
        )
    ]
