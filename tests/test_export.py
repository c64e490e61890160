"""The formats of other tools: sorted and the same each time, and nothing of the graph is lost."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import networkx as nx
import pytest

from realtime_protocol.bounds import QUICK, rebounded
from realtime_protocol.export import EXPORTS
from realtime_protocol.export.as_json import to_json
from realtime_protocol.export.diagram import (
    Diagram,
    UnknownField,
    all_diagrams,
    diagram,
    machine_diagrams,
    title,
)
from realtime_protocol.export.dot import graph_to_dot, to_dot
from realtime_protocol.export.graphml import to_graphml
from realtime_protocol.export.laws import after, invariants, law_of, preconditions
from realtime_protocol.export.mermaid import to_mermaid
from realtime_protocol.export.promela import (
    PromelaError,
    Spelling,
    checks_of,
    ranges,
    spelling,
    to_promela,
)
from realtime_protocol.expressions import ALLOWED, Translator, parse
from realtime_protocol.graph import Graph, GraphTooLarge, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.properties import Kind, Property
from realtime_protocol.rule import Rule
from realtime_protocol.rules import MACHINES
from realtime_protocol.state import Field

SCOPE = "text-reply"

FIELDS = (
    Field("door", "a door", ("shut", "ajar", "end"), over=("DOORS",)),
    Field("rung", "how often somebody rang", limit="2", budget=True),
    Field("lamp", "the lamp never changes", ("off", "on")),
)
"""A house, small enough to be read."""

RULES = (
    Rule(
        id="client.rings", actor="client", event="ring.bell", why="", source="", sends=True,
        confidence="documented", argument_limit="1", address="1",
        when="rung < 2", then={"rung": "rung + 1"},
    ),
    Rule(
        id="server.opens", actor="server", event="open", why="", source="", reads="ring.bell",
        confidence="documented", over={"d": "DOORS"},
        when="argument == d and door[d] == shut", then={"door[d]": "ajar"},
    ),
    Rule(
        id="user.shuts", actor="user", event="shut", why="", source="", over={"d": "DOORS"},
        confidence="documented", when="door[d] == ajar", then={"door[d]": "end"},
    ),
)  # fmt: skip

DOORS = """\
stateDiagram-v2
  state "shut" as door__shut
  state "ajar" as door__ajar
  state "end" as door__end
  [*] --> door__shut
  door__shut --> door__ajar : server.opens
  door__ajar --> door__end : user.shuts
"""


@cache
def house() -> Graph:
    """The graph of the house with two doors."""
    return enumerate_graph(Machine({"DOORS": 2}, RULES, FIELDS))


def doors(**changes: Any) -> Diagram:
    """The diagram of any door."""
    return diagram(house(), ["door"], declared=FIELDS, **changes)


@cache
def reply() -> Graph:
    """The graph of a small scope of the project."""
    return enumerate_graph(Machine(QUICK.scopes[SCOPE].bounds))


# -- diagrams ---------------------------------------------------------------------------------


def test_a_diagram_is_the_quotient() -> None:
    """Nodes are the combinations that occur, edges the rules between them, in all slots at once."""
    found = doors()
    assert found.nodes == (("shut",), ("ajar",), ("end",))
    assert found.edges == (
        (("shut",), ("ajar",), "server.opens"),
        (("ajar",), ("end",), "user.shuts"),
    )
    assert found.initial == (("shut",),)


def test_a_diagram_of_one_slot() -> None:
    """A field named with its slot is followed there only, beside fields without slots."""
    found = diagram(house(), ["door[0]", "rung"], declared=FIELDS)
    assert ("ajar", "0") not in found.nodes
    assert (("shut", "1"), ("ajar", "1"), "server.opens") in found.edges
    assert found.caption(("ajar", "1")) == "door[0]=ajar\nrung=1"


def test_a_diagram_of_all_fields_is_the_graph() -> None:
    """With every field and without an inbox nothing is merged."""
    quiet = enumerate_graph(Machine({"DOORS": 2}, [RULES[2]], [_begins_ajar(), *FIELDS[1:]]))
    found = diagram(quiet, ["door[0]", "door[1]"], declared=FIELDS)
    assert (len(found.nodes), len(found.edges)) == (quiet.nodes, quiet.edges) == (4, 4)


def _begins_ajar() -> Field:
    return Field("door", "a door", ("shut", "ajar", "end"), over=("DOORS",), initial=1)


def test_a_diagram_against_the_states() -> None:
    """In a scope of the project, every combination of values that a state has is a node."""
    graph = reply()
    machine = graph.machine
    found = diagram(graph, ["response", "ending"])
    states = {
        (
            machine.member("response[0]", machine.value(state, "response[0]")),
            machine.member("ending[0]", machine.value(state, "ending[0]")),
        )
        for state in graph.successors
    }
    assert set(found.nodes) == states
    assert len(found.nodes) == len(states)
    ends = {end for source, target, _ in found.edges for end in (source, target)}
    assert ends <= states
    assert all(source != target for source, target, _ in found.edges)


def test_machines_have_diagrams() -> None:
    """Each machine is drawn, by kind of slot, with the fields whose values have names."""
    every = all_diagrams(reply())
    by_machine = [each for module in MACHINES for each in machine_diagrams(reply(), title(module))]
    assert every == by_machine
    assert [each.fields for each in machine_diagrams(reply(), "response")] == [
        ("response", "ending"),
        ("kind", "output"),
    ]
    assert machine_diagrams(reply(), "requests")[0].fields[0] == "asked"
    assert machine_diagrams(reply(), "mcp") == []
    assert all(len(each.nodes) < 40 for each in every)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (["dor"], "'dor' is no live field"),
        (["lamp"], "'lamp' is no live field"),
        (["door[2]"], "is no live field of this graph; expected one of door, rung"),
    ],
)
def test_unknown_fields(fields: list[str], said: str) -> None:
    """A field that is not there, or never changes, is an error that names what there is."""
    with pytest.raises(UnknownField, match=re.escape(said)):
        diagram(house(), fields, declared=FIELDS)


def test_different_slots() -> None:
    """Fields over different slots have no common places to be followed in."""
    said = "same slots, or with a slot, got response over RESPONSES, item over ITEMS"
    with pytest.raises(UnknownField, match=said):
        diagram(reply(), ["response", "item"])
    with pytest.raises(UnknownField, match="got response over RESPONSES, output over OUTS"):
        diagram(reply(), ["response", "output"])
    together = diagram(reply(), ["response[0]", "output", "turn"])
    assert ("active", "opened", "none") in together.nodes


def test_unknown_machine() -> None:
    """The machines that there are stand in the error."""
    with pytest.raises(UnknownField, match="unknown machine 'reply'; expected one of connection"):
        machine_diagrams(reply(), "reply")


def test_too_many_nodes() -> None:
    """What nobody could read is refused, with both numbers."""
    with pytest.raises(GraphTooLarge, match="at most 2 nodes, door have 3"):
        doors(limit=2)
    bounds = rebounded(QUICK.scopes[SCOPE], {"TEXTS": 8}).bounds
    longer = enumerate_graph(Machine(bounds))
    with pytest.raises(GraphTooLarge, match=f"at most 500 nodes for a picture, got {longer.nodes}"):
        graph_to_dot(longer)


# -- pictures ---------------------------------------------------------------------------------


def test_mermaid() -> None:
    """A small diagram, as it is written; no value is taken for a word of the language."""
    assert to_mermaid([doors()]) == DOORS


def test_several_diagrams_in_mermaid() -> None:
    """Each of several diagrams is a state that holds its own."""
    text = to_mermaid([doors(), diagram(house(), ["rung"], declared=FIELDS)])
    assert '  state "door" as door {\n    state "shut" as door__shut\n' in text
    assert "    rung__0 --> rung__1 : client.rings\n" in text
    assert text.count("{") == text.count("}") == 2


def test_dot() -> None:
    """A small diagram, as it is written."""
    assert to_dot([doors()]).splitlines()[2:-2] == [
        "  subgraph cluster_0 {",
        '    label="door";',
        '    "door: shut" [label="shut", style=bold];',
        '    "door: ajar" [label="ajar"];',
        '    "door: end" [label="end"];',
        '    "door: shut" -> "door: ajar" [label="server.opens"];',
        '    "door: ajar" -> "door: end" [label="user.shuts"];',
    ]


def test_labels_between_two_nodes_are_drawn_once() -> None:
    """Several rules that lead from one node to another share an arrow, sorted."""
    edges = tuple((("0",), ("1",), name) for name in ("a.b", "c"))
    drawn = Diagram("n", ("n",), (("0",), ("1",)), edges, (("0",),))
    assert "  n__0 --> n__1 : a.b<br/>c\n" in to_mermaid([drawn])
    assert '"n: 0" -> "n: 1" [label="a.b\\nc"];' in to_dot([drawn])


def test_a_whole_graph_in_dot() -> None:
    """Every node shows what is not as in the beginning, every edge its rule."""
    lines = graph_to_dot(house()).splitlines()
    assert '  0 [label="initial"];' in lines
    assert any("rung=1\\ninbox=['ring.bell(1, 0)']" in line for line in lines)
    assert any('[label="client.rings(1)"]' in line for line in lines)
    assert sum(" -> " in line for line in lines) == house().edges
    assert len(lines) == house().nodes + house().edges + 3


@pytest.mark.parametrize("name", ["dot", "mermaid"])
def test_pictures_show_what_occurs(name: str) -> None:
    """Every value that a field of a machine's diagram has in some state is in the picture."""
    text, graph = EXPORTS[name](reply()), reply()
    drawn = {field for each in all_diagrams(graph) for field in each.fields}
    for field in graph.machine.fields:
        base = field.name.partition("[")[0]
        if field.values and base in drawn:
            occurring = {graph.machine.value(state, field.name) for state in graph.successors}
            assert all(field.values[value] in text for value in occurring)
    for rule in graph.machine.rules:
        if rule.id in ("network.open", "server.session.created", "server.response.done"):
            assert rule.id in text


# -- whole graphs -----------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [house, reply])
def test_json_holds_the_graph(graph: Callable[[], Graph]) -> None:
    """Nodes and edges can be read back: each state spelled out, each step with its ends."""
    given = graph()
    read = json.loads("".join(to_json(given)))
    assert read["counts"]["nodes"] == len(read["nodes"]) == given.nodes
    assert read["counts"]["edges"] == len(read["edges"]) == given.edges
    assert read["bounds"] == given.machine.bounds
    assert read["digest"] == given.machine.digest
    states = [dict(zip(read["fields"], node, strict=True)) for node in read["nodes"]]
    assert states == [given.machine.show(state) for state in given.successors]
    numbers = {state: number for number, state in enumerate(given.successors)}
    assert read["edges"] == [
        [numbers[state], numbers[target], given.machine.rules[rule].label, argument]
        for state, outgoing in given.successors.items()
        for rule, argument, target in outgoing
    ]


@pytest.mark.parametrize("graph", [house, reply])
def test_graphml_holds_the_graph(graph: Callable[[], Graph]) -> None:
    """networkx reads back as many nodes and edges, and what is on them."""
    given = graph()
    text = "".join(to_graphml(given))
    read = nx.read_graphml(io.BytesIO(text.encode()), force_multigraph=True)
    assert (read.number_of_nodes(), read.number_of_edges()) == (given.nodes, given.edges)
    for number, state in enumerate(given.successors):
        shown = given.machine.show(state)
        inbox = shown.pop("inbox")
        assert isinstance(inbox, list)
        # an empty text and none at all are the same in XML
        assert read.nodes[str(number)].pop("inbox", None) in (", ".join(inbox), None)
        assert read.nodes[str(number)] == shown
    rules = given.machine.rules
    steps = [
        (rules[number].id, rules[number].label, rules[number].actor, rules[number].event, argument)
        for outgoing in given.successors.values()
        for number, argument, _ in outgoing
    ]
    keys = ("rule", "label", "actor", "event", "argument")
    found = [tuple(data[key] for key in keys) for *_, data in read.edges(data=True)]
    assert sorted(found) == sorted(steps)


def test_graphml_escapes() -> None:
    """What means something in XML is no trouble in a name."""
    field = Field("a", "", ("<&>", '"'))
    rule = Rule(
        id="user.<", actor="user", event="&", why="", source="", confidence="inferred",
        when="a == 0", then={"a": "1"},
    )  # fmt: skip
    graph = enumerate_graph(Machine({}, [rule], [field]))
    read = nx.read_graphml(io.BytesIO("".join(to_graphml(graph)).encode()))
    assert [values["a"] for _, values in read.nodes(data=True)] == ["<&>", '"']
    assert [values["rule"] for *_, values in read.edges(data=True)] == ["user.<"]


# -- all formats ------------------------------------------------------------------------------

HASHES = """
import hashlib, sys
from realtime_protocol.bounds import QUICK
from realtime_protocol.export import EXPORTS
from realtime_protocol.machine import Machine
machine = Machine(QUICK.scopes[sys.argv[1]].bounds)
for name, export in EXPORTS.items():
    print(name, hashlib.sha256(export(machine).encode()).hexdigest())
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_bytes(seed: str) -> None:
    """Another process with another hash seed writes the same, from a machine as from its graph."""
    model = str(Path(__file__).resolve().parents[1] / "model")
    said = subprocess.run(
        [sys.executable, "-c", HASHES, SCOPE],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": model},
        capture_output=True,
        text=True,
        check=True,
    )
    mine = {
        name: hashlib.sha256(export(reply()).encode()).hexdigest()
        for name, export in EXPORTS.items()
    }
    assert dict(line.split() for line in said.stdout.splitlines()) == mine
    assert list(mine) == ["dot", "mermaid", "svg", "graphml", "json", "promela"]


# -- Promela: expressions ---------------------------------------------------------------------

SPELL = Spelling({"a": "f_a", "b": "f_b", "c": "f_c", "argument": "inbox_argument[0]"}, {})

SPELLED = {
    "a == 1": "f_a == 1",
    "a and b": "f_a && f_b",
    "a == 1 and b != 2 or c": "(f_a == 1 && f_b != 2) || f_c",
    "a and (b or c)": "f_a && (f_b || f_c)",
    "not a": "!f_a",
    "not not a": "!(!f_a)",
    "not a == 1": "!(f_a == 1)",
    "a < b <= c": "(f_a < f_b) && (f_b <= f_c)",
    "a > 1 and b >= a": "f_a > 1 && f_b >= f_a",
    "a in (1, 2)": "f_a == 1 || f_a == 2",
    "a in (1,)": "f_a == 1",
    "a in ()": "0",
    "a not in (1, 2) and b": "(f_a != 1 && f_a != 2) && f_b",
    "a not in ()": "1",
    "a + 1 - b": "(f_a + 1) - f_b",
    "a - (1 - b)": "f_a - (1 - f_b)",
    "2 * a + 1 < 3 * (b - 1)": "((2 * f_a) + 1) < (3 * (f_b - 1))",
    "a // 2": "(f_a >= 0 -> f_a / 2 : -((2 - 1 - f_a) / 2))",
    "a % 2": "(f_a % 2 + 2) % 2",
    "a if b else c": "(f_b -> f_a : f_c)",
    "a if b == 1 else c + 1": "((f_b == 1) -> f_a : (f_c + 1))",
    "min(a, 2)": "(f_a <= 2 -> f_a : 2)",
    "max(a, b, c)": "(f_a >= (f_b >= f_c -> f_b : f_c) -> f_a : (f_b >= f_c -> f_b : f_c))",
    "len(inbox) > 0": "inbox_length > 0",
    "argument == 0": "inbox_argument[0] == 0",
    "(a == 1) + (b == 1)": "(f_a == 1) + (f_b == 1)",
    "(a == 1 and b == 1) + c": "(f_a == 1 && f_b == 1) + f_c",
    "True": "1",
}


@pytest.mark.parametrize("text", SPELLED)
def test_expressions_in_promela(text: str) -> None:
    """Each form of the language, as it is spelled; what it means is left to SPIN."""
    assert SPELL(parse(text)) == SPELLED[text]


def test_every_operator_is_spelled() -> None:
    """No operator of the expression language is missing above."""
    resolved_away = {"Subscript", "GeneratorExp", "comprehension", "Expression", "Store", "Load"}
    written = {type(node) for text in SPELLED for node in ast.walk(parse(text))}
    assert {kind.__name__ for kind in set(ALLOWED) - written} <= resolved_away


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a // b", "expected a number above 0 as divisor, got 'a // b'"),
        ("a % 0", "expected a number above 0 as divisor"),
        ("(a or b) + 1", "expected a number, got 'a or b'"),
        ("a == (b and c)", "expected a number, got 'b and c'"),
        ("a in b", "expected members in parentheses, got 'b'"),
        ("len(a)", r"no translation of 'len\(a\)'"),
        ("a == (1, 2)", r"no translation of '\(1, 2\)'"),
        ("d", "no variable 'd'; expected one of"),
    ],
)
def test_what_has_no_translation(text: str, said: str) -> None:
    """An error with the text, and never a model that says something else."""
    with pytest.raises(PromelaError, match=said):
        SPELL(parse(text))


# -- Promela: models --------------------------------------------------------------------------


def test_the_model_of_a_house() -> None:
    """Fields, messages and steps of a small machine, as they are written."""
    lines = [line.strip() for line in to_promela(house().machine).splitlines()]
    for line in (
        "byte f_door_1 = 0; /* 0 shut, 1 ajar, 2 end */",
        "byte f_rung = 0; /* a number */",
        "#define m_ring_bell 1",
        "byte inbox_slot[CAPACITY] = 0;",
        ":: d_step { /* client.rings(0) */",
        "(f_rung < 2) && inbox_length < CAPACITY ->",
        "f_rung = f_rung + 1; put(m_ring_bell, 1, 1) }",
        ":: d_step { /* server.opens[1] */",
        "inbox_event[0] == m_ring_bell && (inbox_argument[0] == 1 && f_door_1 == 0) ->",
        "f_door_1 = 1; take() }",
        ":: d_step { !(inbox_length < CAPACITY) -> assert(holds_0) }",
    ):
        assert line in lines
    assert not any("lamp" in line for line in lines)


def test_one_step_for_each_rule_and_argument() -> None:
    """Nothing is left out of the model but steps that cannot change anything."""
    machine = reply().machine
    ways = [
        resolved.limit + 1 if resolved.rule.sends else 1
        for resolved in machine.resolved
        if not resolved.stays
    ]
    text = to_promela(machine)
    assert text.count(":: d_step { /* ") == sum(ways)
    assert all(f"/* {r.rule.label}" in text for r in machine.resolved if not r.stays)


def test_right_sides_read_old_values() -> None:
    """Only what an earlier assignment has overwritten is put aside before."""
    swap = Rule(
        id="user.swaps", actor="user", event="swap", why="", source="", confidence="inferred",
        when="x < 2", then={"x": "y + 1", "y": "x", "z": "z + 1"},
    )  # fmt: skip
    fields = [Field(name, "", limit="3") for name in "xyz"]
    text = to_promela(Machine({}, [swap], fields))
    assert "hidden int new_0;" in text
    assert "new_0 = f_x; f_x = f_y + 1; f_y = new_0; f_z = f_z + 1 }" in text


def test_types_hold_the_range() -> None:
    """A type has room for one value more than the field, so that a wrong one is seen."""
    declared = {}
    for top in (254, 255, 32_767):
        grows = Rule(
            id="user.grows", actor="user", event="grow", why="", source="", confidence="inferred",
            when=f"x < {top}", then={"x": f"x + {top}"},
        )  # fmt: skip
        text = to_promela(Machine({}, [grows], [Field("x", "", limit=str(top))]))
        declared[top] = next(line for line in text.splitlines() if " f_x = " in line).split()[0]
    assert declared == {254: "byte", 255: "short", 32_767: "int"}


def test_checks() -> None:
    """Invariants and preconditions are named in the model; fields that never change are numbers."""
    machine = house().machine
    translator = Translator(FIELDS, machine.bounds)
    text = to_promela(
        machine,
        {"dark": translator.resolve("lamp == off and door[0] != end")},
        {"rang before": ("server.opens[1]", translator.resolve("argument == 1 and rung > 0"))},
        capacity=3,
    )
    assert list(checks_of(text).values()) == ["the inbox has room", "dark", "rang before"]
    assert ":: d_step { !(0 == 0 && f_door_0 != 2) -> assert(holds_1) }" in text
    fails = "!(inbox_argument[0] == 1 && f_rung > 0)"
    assert f"if :: {fails} -> assert(holds_2) :: else -> skip fi;\n" in text
    assert "#define CAPACITY 3\n" in text


def test_ranges() -> None:
    """There is one invariant for each live field."""
    text = to_promela(house().machine, ranges(house().machine))
    assert "!((0 <= f_door_1) && (f_door_1 <= 2))" in text
    assert "rung is in range" in checks_of(text).values()
    assert len(ranges(house().machine)) == len(house().machine.fields)


def test_wrong_checks() -> None:
    """A rule that is not there, a name that is not there, and a name that breaks the comment."""
    with pytest.raises(PromelaError, match=r"no rule 'server\.opens' under these"):
        to_promela(house().machine, {}, {"x": ("server.opens", parse("True"))})
    with pytest.raises(PromelaError, match="no variable 'chimney'"):
        to_promela(house().machine, {"x": parse("chimney == 1")})
    for name in ("x */", "the inbox has room"):
        with pytest.raises(PromelaError, match="name of its own that fits a comment"):
            to_promela(house().machine, {name: parse("True")})
    with pytest.raises(PromelaError, match="name of its own"):
        to_promela(house().machine, {"x": parse("True")}, {"x": ("client.rings", parse("True"))})


def test_messages_of_one_spelling() -> None:
    """Two events that would have one name in the model are an error, not one message."""
    both = [attrs.evolve(RULES[0], id=f"client.{n}", event=n) for n in ("a.b", "a_b")]
    with pytest.raises(PromelaError, match="expected events that differ in their letters"):
        to_promela(Machine({"DOORS": 2}, both, FIELDS))


def test_unknown_message() -> None:
    """A message that nobody sends has no number."""
    knocks = ast.parse("event == 'knock'", mode="eval").body
    with pytest.raises(PromelaError, match=r"no message 'knock'; expected one of \['ring.bell'\]"):
        spelling(house().machine)(knocks)


# -- laws -------------------------------------------------------------------------------------


def law(kind: Kind, **changes: Any) -> Property:
    """A law about responses."""
    return Property(id="some-law", kind=kind, of="server", about="", source="", **changes)


def test_laws_as_checks() -> None:
    """Laws become checks by slot and by rule, named after them; other kinds are left out."""
    machine = reply().machine
    always = law("invariant", over={"r": "RESPONSES"}, given="begun > r", holds="response[r] > 0")
    before = law("precondition", rules=("server.response.d*",), holds="response[r] == active")
    keeps = law("stable", given="turns > 0", holds="(begun, cut[0])", unless=("user.*",))
    sometimes = law("sometimes", holds="begun == 1")
    every = [always, before, keeps, sometimes]
    holds = {name: ast.unparse(each) for name, each in invariants(machine, every).items()}
    assert holds == {"some-law[0]": "not begun > 0 or response_0 > 0"}
    found = preconditions(machine, every)
    assert found["some-law before server.response.done[0]"][0] == "server.response.done[0]"
    interrupted = ast.unparse(found["some-law before app.interrupt"][1])
    assert interrupted.startswith("not turns > 0 or (cut_0 == (1 if response_0 in ")
    assert "some-law before user.barges_in[0]" not in found
    assert {law_of(name) for name in [*holds, *found]} == {"some-law"}


def test_what_is_after_a_step() -> None:
    """Fields have their new values, and the inbox its new length; the rest is as before."""
    rings, opens = house().machine.resolved[0], house().machine.resolved[1]
    both = parse("rung + max(rung, len(inbox))")
    assert ast.unparse(after(both, rings)) == "rung + 1 + max(rung + 1, len(inbox) + 1)"
    assert ast.unparse(after(both, opens)) == "rung + max(rung, len(inbox) + -1)"
    clears = attrs.evolve(opens, rule=attrs.evolve(opens.rule, clears=True))
    assert ast.unparse(after(both, clears)) == "rung + max(rung, 0)"
    assert ast.unparse(both) == "rung + max(rung, len(inbox))"
