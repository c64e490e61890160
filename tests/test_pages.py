"""The specification as pages: everything has a place, every link an end, and nothing is stale.

Laws:
- The pages are looked at as text, from a few small scopes; the slow tests build the whole manual,
  and change a rule in a copy of the project.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs
import pytest

from pages import commands, markdown, specification
from pages.examples import Example
from pages.source import ROOMS, Source
from realtime_conformance.checks import CHECKS
from realtime_protocol.assumptions import ASSUMPTIONS
from realtime_protocol.bounds import PROFILES, SCOPES
from realtime_protocol.errors import ERRORS
from realtime_protocol.properties import PROPERTIES
from realtime_protocol.recordings import DIALECTS
from realtime_protocol.rules import FIELDS, MACHINES, RULES
from realtime_protocol.vocabulary import EVENTS

ROOT = Path(__file__).resolve().parents[1]
FEW = {name: SCOPES[name] for name in ("text-reply", "two-parts", "mcp-tools")}


@cache
def pages():
    """The pages, with the graphs of a few small scopes."""
    return specification(Source(scopes=FEW))


@cache
def marks():
    """Every address, with the page that has it and how often."""
    found: dict[str, list[str]] = {}
    for name, text in pages().items():
        for address in re.findall(r"^\(([a-z]+-[^()\s]+)\)=$", text, re.MULTILINE):
            found.setdefault(address, []).append(name)
    return found


def section(kind, name):
    """What a page says below the address of a thing, up to the next one."""
    (page,) = marks()[markdown.label(kind, name)]
    behind = pages()[page].partition(f"{markdown.mark(kind, name)}\n")[2]
    return re.split(r"^\([a-z]+-\S+\)=$", behind, flags=re.MULTILINE)[0]


THINGS = {
    "machine": [module.__name__.rpartition(".")[2] for module in MACHINES],
    "rule": [rule.id for rule in RULES],
    "event": list(EVENTS),
    "error": list(ERRORS),
    "check": [check.id for check in CHECKS],
    "scope": list(FEW),
    "assumption": list(ASSUMPTIONS),
    "law": [p.id for p in PROPERTIES if not p.id.startswith(("fires.", "error."))],
}


@pytest.mark.parametrize("kind", THINGS)
def test_everything_has_one_place(kind):
    """Each thing of a kind has an address of its own, and the page has no other of that kind."""
    addresses = [a for a in marks() if a.startswith(f"{kind}-")]
    assert sorted(addresses) == sorted(markdown.label(kind, name) for name in THINGS[kind])
    assert all(len(places) == 1 for places in marks().values())


def test_no_two_addresses_are_the_same_in_a_page_of_html():
    """There they are spelled with fewer characters."""
    spelled = [markdown.anchor(*a.split("-", 1)) for a in marks()]
    assert len(set(spelled)) == len(spelled)


def test_every_rule_says_all_that_it_has():
    """Its sentence, its source, its confidence, its guard and its effect."""
    for rule in RULES:
        said = section("rule", rule.id)
        assert markdown.text(rule.why) in said
        assert f"**source**: {markdown.text(rule.source)}" in said
        assert f"**confidence**: {rule.confidence}" in said
        for part in markdown.conditions(rule.when):
            assert part in said
        for field, value in rule.then.items():
            assert f"| {markdown.code(field)} | {' '.join(markdown.code(value).split())} |" in said


def test_a_guard_is_shown_whole():
    """What is split into lines and joined again is the guard that was written."""
    import ast

    for rule in RULES:
        for guard in (rule.when, rule.permitted, rule.within):
            parts = markdown.conditions(guard)
            again = ast.parse(" and ".join(f"({part})" for part in parts) or "True", mode="eval")
            flat = [ast.unparse(p) for p in markdown._flat(again.body)]
            once = [ast.unparse(p) for p in markdown._flat(ast.parse(guard, mode="eval").body)]
            assert flat == [p for p in once if p != "True"] or (flat, once) == (["True"], ["True"])


def test_every_event_says_who_sends_it_and_by_which_rules():
    """One that no rule has says that too, with the reason if it is left out."""
    for event in EVENTS.values():
        said = section("event", event.name)
        assert f"**sent by**: the {event.direction}" in said
        own = [rule for rule in RULES if rule.event == event.name or rule.reads == event.name]
        assert all(markdown.link("rule", rule.id) in said for rule in own)
        assert own or event.scope or "No rule has it" in said
        assert not event.scope or f"**left out of the model**: {event.scope}" in said


def test_what_follows_an_event_is_said():
    """A text delta is made possible by its part, and makes the end of the text possible."""
    said = section("event", "response.output_text.delta")
    before, after = re.findall(r"\*\*(?:made possible by|makes possible)\*\*: (.*)", said)
    assert "response.content_part.added" in before
    assert "response.output_text.done" in after


def test_every_error_says_its_wording_and_what_triggers_it():
    """One that no rule sends says so."""
    for entry in ERRORS.values():
        said = section("error", entry.key)
        assert f"```text\n{entry.message}\n```" in said
        triggers = [r for r in RULES if entry.key in (r.error, *r.variants)]
        assert all(markdown.link("rule", rule.id) in said for rule in triggers)
        assert bool(triggers) != ("No rule sends it" in said)


def test_every_check_says_its_premise_and_its_source():
    """And shows the example that it is given."""
    example = Example(
        "text-reply", "it does wrong", "violation", "    0ms  client   => server: nothing"
    )
    text = specification(Source(scopes=FEW), {CHECKS[0].id: example})["checks.md"]
    assert text.count("    0ms  client   => server: nothing") == 1
    assert text.count("No example was made") == len(CHECKS) - 1
    for check in CHECKS:
        said = section("check", check.id)
        assert f"**says something if**: {markdown.text(check.premise)}" in said
        assert f"**source**: {markdown.text(check.source)}" in said


def test_scopes_have_the_counts_of_their_graphs():
    """The numbers are those that enumerating gives."""
    source = Source(scopes=FEW)
    for name, graph in source.graphs.items():
        numbers = (graph.nodes, graph.edges, len(graph.interruption_points()), graph.paths())
        row = " | ".join(f"{number:,}" for number in numbers)
        assert f"| {markdown.link('scope', name)} | {row} |" in pages()["scopes.md"]
        assert f"**model**: `{graph.machine.digest}`" in section("scope", name)
    assert all(f"### `{profile}`" in pages()["scopes.md"] for profile in PROFILES)


def test_open_rules_and_dialects_are_listed():
    """Every rule that says so, and every dialect of recordings."""
    text = pages()["questions.md"]
    assert all(markdown.link("rule", r.id) in text for r in RULES if "(open)" in r.source)
    assert all(f"| `{name}` |" in text for name in DIALECTS)


def test_fields_and_diagrams_are_shown():
    """Every field stands in a table, and one whose values have names is drawn if it changes."""
    together = "\n".join(pages().values())
    assert all(f"| `{field.name}` |" in together for field in FIELDS)
    assert '<g class="state" data-state="streaming">' in pages()["machines/response.md"]


def test_links_between_pages_have_ends():
    """What a link names is an address of some page, or a page with that heading."""
    for name, text in pages().items():
        here = ROOT / "docs" / "specification" / name
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, fragment = target.partition("#")
            if not path:
                # scopes that are not enumerated here have no address here
                assert fragment in marks() or fragment.removeprefix("scope-") in SCOPES, target
            elif (here.parent / path).resolve().is_relative_to(ROOT / "docs" / "specification"):
                raise AssertionError(f"expected pages of the specification by address: {target}")
            else:
                # the folder of the page itself is there after a build only
                assert (here.parent / path).resolve().exists(), target


def changed(rule_id, **changes):
    """The rooms of the rules with one rule changed."""
    assert any(rule.id == rule_id for rule in RULES)
    return [
        attrs.evolve(
            room,
            rules=tuple(attrs.evolve(r, **changes) if r.id == rule_id else r for r in room.rules),
        )
        for room in ROOMS
    ]


def test_a_rule_that_changes_is_a_page_that_changes():
    """Its section, the counts of the scopes and their digests change; nothing else is edited."""
    rule = next(r for r in RULES if r.id == "server.gives.up.incomplete")
    other = changed(
        rule.id, why="It is filtered once it has text.", when=f"{rule.when} and text[0] == 1"
    )
    after = specification(Source(other, FEW))
    before = pages()
    machine = "machines/response.md"
    assert "It is filtered once it has text." in after[machine]
    assert "and text[0] == 1" in after[machine]
    assert markdown.text(rule.why) in before[machine]
    assert markdown.text(rule.why) not in after[machine]
    counts = [p["scopes.md"].split("\n| [`text-reply`]")[1].split("\n")[0] for p in (before, after)]
    assert counts[0] != counts[1]
    digests = [re.findall(r"\*\*model\*\*: `(\w+)`", p["scopes.md"]) for p in (before, after)]
    assert not set(digests[0]) & set(digests[1])
    assert before["errors.md"] == after["errors.md"]


def test_a_rule_that_is_taken_away_is_gone():
    """Its section is not there any more, and what was left to say of its event is said."""
    rooms = [
        attrs.evolve(
            room, rules=tuple(r for r in room.rules if r.id != "server.rate_limits.updated")
        )
        for room in ROOMS
    ]
    after = specification(Source(rooms, FEW))
    assert "(rule-server.rate_limits.updated)=" not in after["machines/response.md"]
    assert "No rule has it" in after["events-server.md"].split("(event-rate_limits.updated)=")[1]


def test_commands_are_read_off_the_program():
    """Every command with every option of its help."""
    text = commands.page()
    for name, command in commands.commands():
        assert f"## `{name}`" in text
        done = subprocess_help(name)
        for shown, _, _ in commands.parameters(command):
            word = re.split(r"[ ,/]", shown)[0]
            assert word in done, (name, word)


def subprocess_help(name):
    """What `--help` prints for a command."""
    from typer.testing import CliRunner

    from realtime_conformance.cli import app

    return CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"}).stdout


# -- the whole manual, and a changed copy of the project --------------------------------------


class Links(HTMLParser):
    """The addresses and the links of one page."""

    def __init__(self):
        super().__init__()
        self.ids, self.links = set(), []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            if name in ("href", "src") and value:
                self.links.append((tag, value))


def links_of(path):
    """The parsed page."""
    parser = Links()
    parser.feed(path.read_text("utf-8"))
    return parser


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """The manual, built with warnings as errors and with a run that breaks each check."""
    pytest.importorskip("sphinx")
    out = tmp_path_factory.mktemp("manual")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(out / "trees"), str(ROOT / "docs"), str(out / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.mark.slow  # every scope is enumerated, and every check broken once
@pytest.mark.xdist_group("manual")
def test_the_manual_is_built_without_a_warning(manual):
    """All pages are there, and each check has its example."""
    assert (manual / "index.html").exists()
    for path in (ROOT / "docs").glob("*.md"):
        assert (manual / f"{path.stem}.html").exists()
    text = (manual / "specification" / "checks.html").read_text("utf-8")
    assert "No example was made" not in text
    assert text.count("VIOLATION") + text.count("ADVISORY") >= len(CHECKS)


@pytest.mark.slow  # as above
@pytest.mark.xdist_group("manual")
def test_no_link_of_the_manual_is_dead(manual):
    """Every link inside has its page and its place there, those in diagrams too."""
    parsed = {path: links_of(path) for path in manual.rglob("*.html")}
    dead = []
    for path, page in parsed.items():
        for _, link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                dead.append((path.name, link))
            elif parts.fragment and target.suffix == ".html":
                known = parsed[target].ids
                dead += [] if unquote(parts.fragment) in known else [(path.name, link)]
    assert dead == []


@pytest.mark.slow  # as above
@pytest.mark.xdist_group("manual")
def test_the_manual_needs_no_network(manual):
    """Nothing that a page loads comes from elsewhere."""
    for path in manual.rglob("*.html"):
        loaded = [link for tag, link in links_of(path).links if tag not in ("a",)]
        assert [link for link in loaded if urlsplit(link).scheme in ("http", "https")] == []


CHANGE = (
    'why="The response fails, before its first item or later."',
    'why="The response fails, and only before its first item."',
    'and response[r] == active and ending[r] == running"\n'
    '        f" and gives_up < FAILURES and {CALM}",\n'
    '        then={"ending[r]": "failed"',
    'and response[r] == active and ending[r] == running and opened[r] == 0"\n'
    '        f" and gives_up < FAILURES and {CALM}",\n'
    '        then={"ending[r]": "failed"',
)
"""What a person would edit in a rule: its sentence and its guard, each before and after."""

SAID = """
import json, sys
from pages import specification
from pages.source import Source
from realtime_conformance.engine import Plan, conduct
from realtime_protocol.bounds import SCOPES
few = {"text-reply": SCOPES["text-reply"]}
text = specification(Source(scopes=few))["machines/response.md"]
plan = Plan(client="doubles.reference:ReferenceClient", scopes=("text-reply",), limit=20)
(scope,) = conduct(plan)["scopes"]
json.dump([text, scope["model"], scope["reach"]["nodes"]["total"]], sys.stdout)
"""


def said_of(root):
    """The page, and what a report says of the model, of a copy of the project."""
    path = os.pathsep.join(str(root / room) for room in ("docs", "model", "conformance", "tests"))
    command = [sys.executable, "-c", SAID]
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow  # the client is driven beside each copy
def test_one_edit_of_a_rule_shows_everywhere(tmp_path):
    """The page, the counts of the graph and the report follow, without anyone editing them."""
    rooms = ("docs/pages", "model", "conformance", "tests/doubles")
    for room in rooms:
        shutil.copytree(ROOT / room, tmp_path / room)
    before = said_of(tmp_path)
    rules = tmp_path / "model" / "realtime_protocol" / "rules" / "response.py"
    text = rules.read_text("utf-8")
    for old, new in zip(CHANGE[::2], CHANGE[1::2], strict=True):
        assert text.count(old) == 1
        text = text.replace(old, new)
    rules.write_text(text, "utf-8")
    after = said_of(tmp_path)
    assert "only before its first item" not in before[0]
    assert "only before its first item" in after[0]
    assert before[1] != after[1]
    assert after[2] < before[2]
