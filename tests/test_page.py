"""The report as one HTML file: whole, safe, small, and the same twice; and the coverage in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from realtime_conformance.drawing import diagrams
from realtime_conformance.ledger import Ledger
from realtime_conformance.report.columns import columns
from realtime_conformance.report.page import LARGEST, embedded, issues_of, page
from realtime_protocol.bounds import SCOPES
from realtime_protocol.export.diagram import all_diagrams
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from sample_reports import broken, check, clean, finding, report, scope, step

Json = dict[str, Any]


class Reader(HTMLParser):
    """The elements of a page, with their attributes, and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        """What follows is text again."""
        self._within = ""

    def handle_data(self, data: str) -> None:
        """Note a text."""
        into = self.scripts if self._within == "script" else self.words
        if self._within != "style":
            into.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(text: str) -> Json:
    """The data inside a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    data: Json = json.loads(found[1])
    return data


def sample(*reports: Json) -> str:
    """The page of some reports."""
    return page(columns(reports))


def test_nothing_is_fetched() -> None:
    """No element names anything outside of the file, and a policy forbids it besides."""
    text = sample(broken(), clean())
    seen = Reader(text)
    named = [
        attributes[name]
        for _, attributes in seen.elements
        for name in ("src", "href", "srcset", "action", "data", "poster")
        if attributes.get(name)
    ]
    assert named
    assert all(str(value).startswith(("#", "data:,")) for value in named)
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [m["content"] for m in seen.all("meta") if "http-equiv" in m]
    assert str(policy).startswith("default-src 'none'")


def test_the_same_reports_give_the_same_page() -> None:
    """Byte for byte."""
    assert sample(broken(), clean()) == sample(broken(), clean())


def test_every_id_is_there_once_and_every_link_leads_somewhere() -> None:
    """Links within the page point at ids of it, and deep links do not depend on what else is."""
    seen = Reader(sample(broken(), clean()))
    ids = [attributes["id"] for _, attributes in seen.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for link in seen.all("a"):
        target = str(link["href"])[1:].partition("?")[0]
        assert target in ids
    alone = Reader(sample(report(check("no-rejected-event", finding()))))
    (anchor,) = [a["id"] for a in alone.all("article")]
    assert anchor in ids


HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }}
[server_error] <!-- "' \u2028"""


def test_what_a_client_says_is_text() -> None:
    """It can neither end the data nor become an element, and none of it is lost."""
    odd = finding(text=HOSTILE, known=HOSTILE, clause=HOSTILE, steps=[step(HOSTILE, note=HOSTILE)])
    text = sample(report(check("no-rejected-event", odd)))
    plain = sample(report(check("no-rejected-event", finding(known="on file"))))
    seen, usual = Reader(text), Reader(plain)
    assert [name for name, _ in seen.elements] == [name for name, _ in usual.elements]
    assert "49" not in "".join(seen.words)
    assert any(HOSTILE in words for words in seen.words)
    assert data_of(text)["runs"][0][0]["label"] == HOSTILE


def test_embedded_data_is_the_same_data() -> None:
    """With what could end a script spelled otherwise."""
    text = embedded({"a<b": ["</script>", "<!--", "\u2028"]})
    assert "<" not in text
    assert json.loads(text) == {"a<b": ["</script>", "<!--", "\u2028"]}


def test_a_finding_of_several_columns_is_told_once() -> None:
    """With every column and scope that shows it, what is new first, and its shortest run first."""
    short = finding(scope="race", timeline="-")
    reports = columns([broken(), report(check("no-rejected-event", short), release="1.0.0")])
    issues = issues_of(reports)
    assert [issue.state for issue in issues] == ["new", "known", "advisory"]
    assert issues[0].names("column") == list(reports)
    assert issues[0].names("scope") == ["text-reply", "race"]
    assert issues[0].shortest["scope"] == "race"


def test_a_run_that_shows_several_findings_is_kept_once() -> None:
    """And so is what was known beside its steps."""
    text = sample(broken(), broken())
    data = data_of(text)
    # those of the sample differ in what the check says
    assert len(data["runs"]) == 3
    assert len(data["known"]) == len({json.dumps(known) for known in data["known"]}) == 3
    buttons = [b for b in Reader(text).all("button") if b.get("class") == "open"]
    assert sorted(int(str(b["data-run"])) for b in buttons) == [0, 0, 1, 1, 2, 2]


def large(number: int) -> Json:
    """A finding whose run takes a megabyte."""
    return finding(clause=f"clause-{number}", steps=[step(f"{number}" * 1_000_000)])


def test_a_page_is_never_too_large() -> None:
    """What is known is left out before what is new; the command that makes it again stays."""
    known = {**large(8), "known": "on file"}
    text = sample(report(check("no-rejected-event", known, *map(large, range(1, 6)))))
    assert LARGEST - 1_100_000 < len(text.encode()) <= LARGEST
    kept = [run[0]["label"][0] for run in data_of(text)["runs"]]
    assert kept == ["1", "2", "3", "4"]
    assert text.count("too large for this file") == 2
    assert text.count('<code class="command">') == 6


def test_a_report_without_findings_has_a_page() -> None:
    """It says so."""
    assert "Nothing was found." in sample(clean())


def test_a_check_that_a_column_lacks_is_said_to_be_absent() -> None:
    """Reports of different versions can stand side by side."""
    text = sample(report(check("old"), release="1"), report(check("new"), release="2"))
    assert text.count("not checked") == 2


# -- coverage on diagrams ---------------------------------------------------------------------


@pytest.fixture(scope="module", params=["text-reply", "muted-reply"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """The graph of a scope."""
    return enumerate_graph(Machine(SCOPES[request.param].bounds))


def flags(drawn: list[Json]) -> Iterator[bool]:
    """What is said of every node and rule."""
    for diagram in drawn:
        yield from (node["covered"] for node in diagram["nodes"])
        yield from (rule["covered"] for arrow in diagram["arrows"] for rule in arrow["rules"])


def test_all_is_covered_if_every_edge_was_taken(graph: Graph) -> None:
    """And the diagrams are those of the exports."""
    edges = {(state, *edge) for state, outgoing in graph.successors.items() for edge in outgoing}
    drawn = diagrams(Ledger(graph, edges=edges))
    assert all(flags(drawn))
    assert [one["name"] for one in drawn] == [one.name for one in all_diagrams(graph)]
    count = sum(len(one.nodes) + len(one.edges) for one in all_diagrams(graph))
    assert len(list(flags(drawn))) == count


def test_nothing_but_the_beginning_is_covered_without_a_run(graph: Graph) -> None:
    """The initial states, and no rule."""
    drawn = diagrams(Ledger(graph))
    for diagram in drawn:
        for node in diagram["nodes"]:
            assert node["covered"] == node["initial"]
    assert not any(r["covered"] for d in drawn for a in d["arrows"] for r in a["rules"])


def test_one_edge_covers_what_it_changes(graph: Graph) -> None:
    """The first step of a session is in the diagram of the connection, and in no other."""
    initial = graph.machine.initial
    first = graph.successors[initial][0]
    drawn = diagrams(Ledger(graph, edges={(initial, *first)}))
    covered = {
        (diagram["name"], rule["id"])
        for diagram in drawn
        for arrow in diagram["arrows"]
        for rule in arrow["rules"]
        if rule["covered"]
    }
    assert covered == {("connection", graph.machine.rules[first[0]].id)}


def test_a_rule_is_covered_where_it_was_taken_only(graph: Graph) -> None:
    """The same rule between two other nodes is another matter."""
    for diagram in all_diagrams(graph):
        labels = [label for _, _, label in diagram.edges]
        for label in {label for label in labels if labels.count(label) > 1}:
            (number, *_) = graph.machine.numbers(label)
            edge = next(
                (state, *step)
                for state, outgoing in graph.successors.items()
                for step in outgoing
                if step[0] == number
            )
            drawn = diagrams(Ledger(graph, edges={edge}))
            (same,) = [one for one in drawn if one["name"] == diagram.name]
            rules = [r for arrow in same["arrows"] for r in arrow["rules"] if r["id"] == label]
            assert 0 < sum(rule["covered"] for rule in rules) < len(rules)
            return
    pytest.fail("expected a rule that leads between more than two nodes")


# -- pictures ---------------------------------------------------------------------------------


def test_every_scope_has_its_pictures() -> None:
    """Each once, with the states and arrows of the diagram in the order of the report."""
    scopes = ("updates", "manual-turn")
    drawn = [diagrams(Ledger(enumerate_graph(Machine(SCOPES[name].bounds)))) for name in scopes]
    parts = [scope(name, diagrams=each) for name, each in zip(scopes, drawn, strict=True)]
    data = data_of(sample(report(scopes=[*parts, scope("audio-reply", diagrams=drawn[0])])))
    assert data["coverage"]["updates"] == data["coverage"]["audio-reply"]
    for name, each in zip(scopes, drawn, strict=True):
        (marks,) = data["coverage"][name].values()
        for mark, diagram in zip(marks, each, strict=True):
            picture = Xml.fromstring(data["diagrams"][mark["picture"]]["svg"])
            states = [e.get("data-state") for e in picture.iter() if e.get("data-state")]
            assert sorted(states) == sorted("/".join(n["values"]) for n in diagram["nodes"])
            arrows = [e.get("data-rules") for e in picture.iter() if e.get("data-rules")]
            expected = [" ".join(r["id"] for r in arrow["rules"]) for arrow in diagram["arrows"]]
            assert arrows == expected
