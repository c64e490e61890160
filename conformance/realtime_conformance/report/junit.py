"""The report as JUnit XML: what a CI service shows beside the log.

Laws:
- It fits `schemas/junit.xsd`.
- Every reason why a run failed stands in exactly one failure, and there is no failure without one,
  so a suite is red exactly if its run failed.
- What is known is no failure: a check whose violations are all on file is skipped, with their
  reasons, and so is one that had nothing to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

import attrs

from realtime_conformance.report.columns import Columns

Json = dict[str, Any]

NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


@attrs.frozen
class Case:
    """One test case: the reasons that make it fail are those that begin with one of `prefixes`."""

    name: str
    prefixes: tuple[str, ...]
    skipped: str = ""
    text: str = ""


def junit(columns: Columns) -> str:
    """One suite for each column, one case for each check and for each scope's coverage."""
    root = Xml.Element("testsuites", {"name": "realtime-conformance"})
    suites = [_suite(name, report) for name, report in columns.items()]
    root.extend(suites)
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, "unicode") + "\n"


def _suite(column: str, report: Json) -> Xml.Element:
    cases = list(_cases(report))
    failures = [_own(report, case, cases) for case in cases]
    counts = {
        "tests": len(cases),
        "failures": sum(map(bool, failures)),
        "errors": 0,
        "skipped": sum(bool(c.skipped) and not f for c, f in zip(cases, failures, strict=True)),
    }
    suite = Xml.Element("testsuite", {"name": clean(column)})
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    suite.set("time", f"{report['seconds']:.1f}")
    suite.append(_properties(report))
    classname = clean(f"{report['client']['name']}.{report['profile']}")
    for case, reasons in zip(cases, failures, strict=True):
        suite.append(_case(case, classname, reasons))
    return suite


def _cases(report: Json) -> Iterator[Case]:
    for check in report["checks"]:
        prefixes = (f"new violation: {check['id']} / ", f"check never spoke: {check['id']};")
        told = "\n\n".join(map(_told, check["findings"]))
        yield Case(check["id"], prefixes, _skipped(check), told)
    for scope in report["scopes"]:
        yield Case(f"coverage of {scope['name']}", (f"coverage of {scope['name']}: ",))
    yield Case("known issues still show", ("known issue is gone: ",))
    # whatever else there is to say
    yield Case("runs are made and the same again", ("",))


def _skipped(check: Json) -> str:
    if check["verdict"] == "vacuous":
        return f"never spoke; its premise is that {check['premise']}"
    if check["verdict"] == "exempt":
        return "the client tells nothing that it could be held to"
    known = {f["fingerprint"] for f in check["findings"] if f["verdict"] == "violation"}
    return f"{len(known)} known violations, on file" if known else ""


def _told(finding: Json) -> str:
    """A finding as text."""
    known = [f"on file: {finding['known']}"] if finding["known"] else []
    head = f"{finding['verdict']} in {finding['scope']}, {finding['count']} times"
    lines = [head, finding["fingerprint"], finding["text"], *known, finding["replay"]]
    # news is shown with its timeline; what is on file is on file
    news = finding["verdict"] == "violation" and not finding["known"]
    return "\n".join([*lines, *([finding["timeline"]] if news else [])])


def _own(report: Json, case: Case, cases: list[Case]) -> list[str]:
    """The reasons that belong to a case: the first that takes one has it."""

    def taker(reason: str) -> Case:
        return next(one for one in cases if reason.startswith(one.prefixes))

    return [reason for reason in report["reasons"] if taker(reason) is case]


def _properties(report: Json) -> Xml.Element:
    named: Mapping[str, str] = {
        "client": report["client"]["name"],
        "python": report["client"]["python"],
        **report["client"]["packages"],
    }
    found = Xml.Element("properties")
    for name, value in named.items():
        Xml.SubElement(found, "property", {"name": clean(name), "value": clean(value)})
    return found


def _case(case: Case, classname: str, reasons: list[str]) -> Xml.Element:
    element = Xml.Element("testcase", {"name": clean(case.name), "classname": classname})
    if reasons:
        failure = Xml.SubElement(element, "failure", {"message": clean(reasons[0])})
        failure.text = clean("\n\n".join(filter(None, ["\n".join(reasons), case.text])))
    elif case.skipped:
        Xml.SubElement(element, "skipped", {"message": clean(case.skipped)})
    if case.text and not reasons:
        Xml.SubElement(element, "system-out").text = clean(case.text)
    return element


def clean(text: str) -> str:
    """A text without what XML cannot hold."""
    return NO_XML.sub("\ufffd", text)
