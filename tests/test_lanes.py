"""Timelines: steps as data, and their drawing in three lanes."""

from __future__ import annotations

from typing import Any

import pytest

from doubles.faulty import TruncatesUnheard
from doubles.reference import ReferenceClient
from realtime_conformance.lanes import WIDTH, cut, drawn
from realtime_conformance.runner import Bench, Outcome
from realtime_conformance.timeline import render
from realtime_protocol.bounds import SCOPES, audio_reply
from realtime_protocol.rules import RULES
from sample_reports import step

pytestmark = pytest.mark.usefixtures("heap_set_aside")

Json = dict[str, Any]
LANES = {"people", "client", "server"}


def interrupted(scope: str, client: Any = ReferenceClient) -> list[Outcome]:
    """A plain run of a scope, and one for each step that was offered along it and not taken."""
    bench = Bench(SCOPES[scope], client)
    plain = bench.run()
    return [plain] + [
        bench.run((*plain.choices[:at], number))
        for at, offer in enumerate(plain.offers)
        for number in range(len(offer.options))
        if number != offer.taken
    ]


@pytest.mark.parametrize("scope", ["text-reply", "tool-round", "reconnection", "hand-over"])
def test_every_step_has_its_lane_and_fits(scope: str) -> None:
    """Lines are of ASCII, no wider than a terminal, and no step is nameless."""
    for outcome in interrupted(scope):
        shown = render(outcome)
        assert all(step["label"] for step in shown["steps"])
        assert {step[end] for step in shown["steps"] for end in ("from", "to")} <= LANES
        assert shown["timeline"] == drawn(shown["steps"])
        assert shown["timeline"].isascii()
        assert max(map(len, shown["timeline"].splitlines())) <= WIDTH


def test_what_stays_in_a_lane_has_no_arrow() -> None:
    """What the server does in silence is told to nobody; its rules are those without an event."""
    silent = {rule.id for rule in RULES if rule.actor == "server" and not rule.event}
    steps = [s for o in interrupted("text-reply") for s in render(o)["steps"]]
    seen = [step for step in steps if step["rule"] in silent]
    assert {step["label"] for step in seen} >= {
        "reads response.create, accepts it",
        "reads response.cancel, accepts it",
        "gives up failed",
        "gives up incomplete",
    }
    assert {(step["from"], step["to"]) for step in seen} == {("server", "server")}
    line = next(line for line in drawn(seen).splitlines() if "accepts it" in line)
    assert ">" not in line
    assert "<" not in line


def test_what_goes_over_the_network_is_not_told_to_the_speaker() -> None:
    """A socket is opened and closed towards the server; audio is handed to people."""
    steps = [s for o in interrupted("reconnection") for s in render(o)["steps"]]
    ends = {step["label"]: step["to"] for step in steps if step["who"] == "client"}
    assert ends["connect"] == ends["close"] == "server"
    assert ends["speaker: capture"] == ends["speaker: flush"] == "people"


def test_a_breach_stands_below_its_step_with_what_was_known() -> None:
    """The knowledge is that of before the step, and both sides have theirs."""
    bench = Bench(audio_reply(), TruncatesUnheard)
    plain = bench.run()
    outcomes = [bench.run((*plain.choices[:at], 1)) for at in range(6, len(plain.choices))]
    shown = next(
        shown
        for shown in map(render, outcomes)
        if any("truncate-needs-audio" in text for text in shown["findings"])
    )
    broken = next(one for one in shown["steps"] if one["findings"])
    assert broken["label"] == "conversation.item.truncate"
    assert (broken["from"], broken["to"]) == ("client", "server")
    assert broken["server"]["audio sent"] == "0 ms"
    assert broken["client"]["audio delivered"] == "0 ms"
    lines = shown["timeline"].splitlines()
    at = next(number for number, line in enumerate(lines) if "conversation.item.truncate" in line)
    below = "\n".join(lines[at:])
    known, told = below.index("server knows: response active"), below.index("!! VIOLATION")
    assert known < below.index("client could know: audio delivered 0 ms") < told


def test_changes_add_up_to_the_state() -> None:
    """What the steps change, one after the other, is what the last state differs in."""
    outcome = Bench(audio_reply(), ReferenceClient).run()
    machine = outcome.history.machine
    entries = [entry for entry in outcome.history.entries if entry.phase == "main"]
    added: Json = {}
    for one in render(outcome)["steps"]:
        if one["phase"] == "main":
            added.update(one["changes"])
    last = machine.show(entries[-1].after)
    assert added
    assert added.pop("inbox") == (", ".join(last["inbox"]) or "empty")
    assert added == {name: str(last[name]) for name in added}
    unchanged = set(machine.at) - set(added)
    first = machine.show(machine.initial)
    budgets = {field.name for field in machine.fields if field.budget}
    assert all(first[name] == last[name] for name in unchanged - budgets)


def test_equal_steps_are_drawn_once() -> None:
    """With their number; one that a check speaks of is always drawn by itself."""
    breach = {"check": "c", "verdict": "violation", "text": "t", "fingerprint": "f"}
    alike = [step("pong"), step("pong"), step("pong", findings=[breach])]
    text = drawn(alike)
    assert text.count("pong") == 2
    assert "pong (2 times)" in text


def test_a_name_that_is_too_long_is_parted_at_a_dot() -> None:
    """Nothing of it is lost."""
    name = "conversation.item.input_audio_transcription.completed"
    lines = drawn([step(name)]).splitlines()[1:]
    pieces = [line.strip(" |<-0ms") for line in lines]
    assert len(pieces) == 2
    assert "".join(pieces) == name
    assert pieces[0].endswith((".", "_"))


def test_what_comes_after_the_last_breach_is_counted() -> None:
    """A counterexample ends with what it shows; without a breach it is drawn whole."""
    breach = {"check": "c", "verdict": "violation", "text": "t", "fingerprint": "f"}
    steps = [step("one"), step("two", findings=[breach]), step("three"), step("four")]
    text = cut(steps)
    assert "three" not in text
    assert text.endswith("... 2 more steps, in which nothing more is found")
    assert cut(steps[:1]) == drawn(steps[:1])
