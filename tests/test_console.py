"""The report on a terminal: what stands where, in 80 columns, with nothing swallowed."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from realtime_conformance.plan import Plan
from realtime_conformance.report import console as human
from realtime_conformance.report.columns import columns
from sample_reports import broken, check, clean, finding, report, scope

Json = dict[str, Any]
TERMINAL = 80


def printed(show: Any, *arguments: Any, colour: bool = False) -> str:
    """What a function prints on a console, which is 80 columns wide."""
    out = io.StringIO()
    show(*arguments, Console(file=out, width=TERMINAL, force_terminal=colour, legacy_windows=False))
    return out.getvalue()


def shown(data: Json, timelines: str = "new") -> str:
    """A report as text."""
    return printed(lambda console: human.show(data, console, timelines))


def long_lines(text: str) -> list[str]:
    """What does not fit, but for commands."""
    return [
        line
        for line in text.splitlines()
        if len(line) >= TERMINAL and not line.strip().startswith("realtime-conformance replay")
    ]


def wordy(code: str = "[server_error]") -> Json:
    """A report in which everything is long, and has a code in it."""
    words = f"a fault that takes many words to tell, {code} among them, " * 4
    odd = finding(
        text=words, clause=words, scenario="x" * 90, replay="realtime-conformance replay x"
    )
    known = finding(text=words, known=words, scope="message-and-call", clause=f"{words} again")
    wide = {"covered": 123_456, "total": 383_866}
    reach = dict.fromkeys(("nodes", "edges", "edge_pairs", "interruption_points", "paths"), wide)
    return report(
        check("no-rejected-event", odd, known),
        scopes=[scope("message-and-call", reach=reach, cut_short="cut short: by the budget")],
        reasons=[f"coverage of message-and-call: {words}"],
    )


@pytest.mark.parametrize("timelines", human.TIMELINES)
def test_it_fits(timelines: str) -> None:
    """However long the texts are; a command is in one line, to be copied."""
    for data in (broken(), clean(), wordy()):
        text = shown(data, timelines)
        assert long_lines(text) == []
        assert "\x1b" not in text
    assert "realtime-conformance replay x\n" in shown(wordy())


def test_nothing_in_brackets_is_swallowed() -> None:
    """What a client says is no markup: other brackets make no difference."""
    for timelines in human.TIMELINES:
        text = shown(wordy("[server_error]"), timelines)
        assert "[server_error]" in text
        other = shown(wordy("(server_error)"), timelines)
        assert text.replace("[server_error]", "(server_error)") == other


def test_colours_say_nothing_that_the_words_do_not() -> None:
    """With colours taken out it is the same text."""
    plain = printed(human.show, broken())
    coloured = printed(human.show, broken(), colour=True)
    assert "\x1b[" in coloured
    out = io.StringIO()
    console = Console(file=out, width=TERMINAL, force_terminal=True, no_color=True)
    human.show(broken(), console)
    assert plain.split() == _without_codes(out.getvalue()).split()


def _without_codes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_what_is_to_be_read_first_stands_last() -> None:
    """Timelines, lists, coverage, checks, and at the end the verdict with what to do."""
    text = shown(broken())
    order = [
        "New violation 1 of 1",
        "user, app, speaker",
        "Known violations",
        "Advisories",
        "Coverage",
        "Checks",
        "FAIL: livekit-agent (livekit-agents 9.9.9, openai 8.8.8)",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    end = text[places[-1] :].splitlines()
    assert end[1] == "30 runs in 2 s; violations: 1 new, 1 known; advisories: 1"
    assert end[2].startswith("- new violation: no-rejected-event / client.ping / app.interrupt")
    assert end[3].strip() == finding()["replay"]


@pytest.mark.parametrize(("timelines", "drawings"), [("none", 0), ("new", 1), ("all", 2)])
def test_what_is_known_is_a_line_and_no_timeline(timelines: str, drawings: int) -> None:
    """Unless it is asked for; the reason why it is on file is there in any case."""
    text = shown(broken(), timelines)
    assert text.count("user, app, speaker") == drawings
    assert "on file: It waits for ever." in " ".join(text.split())
    assert text.count("abcdef:0002") == 1


def test_a_violation_of_several_scopes_is_told_once() -> None:
    """By its shortest run, with the sum of how often it was seen."""
    longer = finding(scope="race", timeline="longer than the other", count=5, scenario="b")
    text = shown(report(check("no-rejected-event", longer, finding())))
    assert text.count("user, app, speaker") == 1
    assert "seen 12 times in race, text-reply" in text
    assert "New violation 1 of 1" in text


def test_a_run_that_shows_several_violations_is_drawn_once() -> None:
    """The second says where it is drawn."""
    other = finding(clause="client.other")
    text = shown(report(check("no-rejected-event", finding(), other)))
    assert text.count("user, app, speaker") == 1
    assert "The timeline is that of 1 above." in text


def test_full_coverage_is_said_only_if_it_is_full() -> None:
    """It is rounded down."""
    closure = {"covered": 99_999, "total": 100_000, "by_reduction": 0}
    assert "99.9%" in shown(report(scopes=[scope(closure=closure)]))
    assert "100%" in shown(report(scopes=[scope()]))


def test_a_matrix_has_a_row_for_each_check_of_any_column() -> None:
    """And says what each column breaks, with the command."""
    reports = columns([broken(), report(check("a-new-check"), release="0.1")])
    text = printed(human.matrix, reports)
    rows = text[text.rindex("\ncheck ") :].splitlines()[2:]
    assert [row.split()[0] for row in rows] == [c["id"] for c in broken()["checks"]] + [
        "a-new-check"
    ]
    assert rows[0].split()[1:] == ["violation", "7x", "-"]
    assert rows[-1].split()[1:] == ["-", "pass"]
    assert finding()["replay"] in text
    assert "violations: 1 new, 1 known" in text
    assert "abcdef:0002" not in text
    assert long_lines(text) == []


def test_columns_are_headed_by_what_tells_them_apart() -> None:
    """A table of many releases fits, and no heading is empty."""
    assert human.heads(["a 1", "a 2"]) == ["1", "2"]
    assert human.heads(["a b 1", "a b 1 full"]) == ["1", "1 full"]
    assert human.heads(["a 1", "b 1"]) == ["a 1", "b 1"]
    assert human.heads(["a"]) == ["a"]
    assert human.heads(["a 1", "a"]) == ["a 1", "a"]


def test_it_is_said_what_will_be_done() -> None:
    """Client, release, scopes, strategy, budget, and where things go."""
    plan = Plan(release="1.5.4", scopes=("text-reply", "race"), jobs=2, limit=1500, seconds=60)
    text = printed(lambda console: human.announce(plan, console, ["report    reports"]))
    words = " ".join(text.split())
    for part in (
        "livekit-agent, release 1.5.4",
        "2 scopes of profile quick: text-reply, race",
        "cover; 2 worker processes, at most 1,500 runs in each scope, at most 60 s in all",
        "0 known issues",
        "report reports",
    ):
        assert part in words
    every = printed(lambda console: human.announce(Plan(), console))
    assert long_lines(every) == []
    assert "as it is installed" in every
