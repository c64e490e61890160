"""The drawing of diagrams: well-formed, complete, without overlap, and the same every time."""

from __future__ import annotations

import itertools
from functools import cache
from xml.etree import ElementTree

import pytest

from realtime_protocol.bounds import SCOPES
from realtime_protocol.export.diagram import Diagram, all_diagrams, field_diagram
from realtime_protocol.export.layout import laid_out
from realtime_protocol.export.svg import to_svg
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.rules import FIELDS

SMALL = ("text-reply", "mcp-tools", "manual-turn", "muted-reply")
"""Scopes that are enumerated in no time."""


@cache
def graph(scope: str) -> Graph:
    """The graph of a scope."""
    return enumerate_graph(Machine(SCOPES[scope].bounds))


def drawn(diagrams, **arguments):
    """The picture, read by an XML parser."""
    return ElementTree.fromstring(to_svg(diagrams, **arguments))


def groups(picture, kind):
    """The groups of the picture with a class."""
    return [g for g in picture.iter() if kind in g.get("class", "").split()]


BACK = Diagram(
    "back",
    ("a",),
    (("x",), ("y",), ("z",), ("lost",)),
    (
        (("x",), ("y",), "one"),
        (("x",), ("z",), "long"),
        (("y",), ("z",), "two"),
        (("z",), ("x",), "again"),
        (("z",), ("y",), "a <b> & c"),
    ),
    (("x",),),
)
"""Arrows down, up, beside each other and over a row, and a state that no arrow leads to."""


@pytest.mark.parametrize("scope", SMALL)
def test_every_state_and_arrow_is_drawn(scope):
    """What the diagrams hold is in the picture, by its attributes, and nothing else is."""
    diagrams = all_diagrams(graph(scope))
    picture = drawn(diagrams)
    states = [g.get("data-state") for g in groups(picture, "state")]
    assert sorted(states) == sorted("/".join(node) for d in diagrams for node in d.nodes)
    arrows = [(g.get("data-source"), g.get("data-rules")) for g in groups(picture, "arrow")]
    expected = [("/".join(a), " ".join(r)) for d in diagrams for a, _, r in d.arrows()]
    assert sorted(arrows) == sorted(expected)


def test_the_initial_state_is_marked():
    """One state of the diagram is where a run begins."""
    initial = groups(drawn([BACK]), "initial")
    assert [g.get("data-state") for g in initial] == ["x"]


@pytest.mark.parametrize("diagram", [BACK, *(d for s in SMALL for d in all_diagrams(graph(s)))])
def test_no_two_boxes_overlap(diagram):
    """States, labels and bends of lines each have a place of their own, inside the picture."""
    layout = laid_out(diagram)
    boxes = {id(b): b for r in layout.routes for b in r.boxes}
    boxes |= {id(b): b for b in layout.states.values()}
    for one, other in itertools.combinations(boxes.values(), 2):
        apart = abs(one.x - other.x) >= (one.width + other.width) / 2
        assert apart or abs(one.y - other.y) >= (one.height + other.height) / 2
    for box in boxes.values():
        assert 0 <= box.x - box.width / 2 <= box.x + box.width / 2 <= layout.width
        assert 0 <= box.y - box.height / 2 <= box.y + box.height / 2 <= layout.height


def test_lines_go_through_the_rows_between():
    """An arrow over a row has a bend there, and each arrow begins and ends at its states."""
    layout = laid_out(BACK)
    for route in layout.routes:
        rows = [box.row for box in route.boxes]
        assert all(abs(a - b) == 1 for a, b in itertools.pairwise(rows))
        assert route.boxes[0] is layout.states[route.source]
        assert route.boxes[-1] is layout.states[route.target]
        assert route.label.lines == route.rules


def test_names_are_escaped_and_can_be_links():
    """A label is text, whatever is in it, and a link where it has an address."""
    picture = drawn([BACK], link=lambda rule: f"rules.html#{rule}" if rule == "one" else "")
    space = "{http://www.w3.org/2000/svg}"
    assert [a.get("href") for a in picture.iter(f"{space}a")] == ["rules.html#one"]
    assert "a <b> & c" in [text.text for text in picture.iter(f"{space}text")]


def test_the_same_diagrams_give_the_same_bytes():
    """Nothing depends on what was drawn before."""
    first = to_svg(all_diagrams(graph("text-reply")))
    to_svg([BACK])
    assert to_svg(all_diagrams(graph("text-reply"))) == first


def test_nothing_is_drawn_of_nothing():
    """No diagram is an empty picture."""
    assert len(drawn([])) == 0


def test_a_field_is_followed_over_several_scopes():
    """Its diagram has what any of them shows, its values in the order of their declaration."""
    field = next(f for f in FIELDS if f.name == "output")
    graphs = [graph(scope) for scope in SMALL]
    parts = [field_diagram([one], field) for one in graphs]
    whole = field_diagram(graphs, field)
    assert set(whole.nodes) == {node for part in parts for node in part.nodes}
    assert set(whole.edges) == {edge for part in parts for edge in part.edges}
    assert [n for (n,) in whole.nodes] == [v for v in field.values if (v,) in whole.nodes]
    assert len(whole.nodes) > min(len(part.nodes) for part in parts)


def test_a_field_that_is_live_nowhere_has_no_diagram():
    """Where bounds switch it off there is nothing to draw."""
    field = next(f for f in FIELDS if f.name == "speech")
    assert field_diagram([graph("manual-turn")], field) is None
