"""The steps of a run drawn as text: three lanes, an arrow for each step, in 79 columns of ASCII.

Laws:
- It fits a terminal of 80 columns and the log of a CI job; it needs no colour and no Unicode.
- It is made of the steps alone, so a report on file can be drawn again.
- What is known is drawn below a step that a check speaks of, or that the server rejects.
- Equal steps in a row are drawn once, with their number.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

Json = dict[str, Any]

WIDTH = 79
"""Columns of a line."""
MARGIN = 9
"""Columns for the time; the lifeline of people comes next."""
NEAR, FAR = 23, 44
"""Columns between the lifelines of people and client, and between those of client and server."""

HEADER = f"{'time':>7}  {'user, app, speaker':<{NEAR - 2}}client{'server':>{FAR - 1}}"
FRESH = "a fresh turn, to see whether the session goes on"


def drawn(steps: Sequence[Json]) -> str:
    """All steps."""
    return "\n".join(_lines(steps))


def cut(steps: Sequence[Json]) -> str:
    """The steps up to the last one that a check speaks of, and how many come after it."""
    last = max((n for n, step in enumerate(steps) if step["findings"]), default=len(steps) - 1)
    rest = len(steps) - last - 1
    lines = [*_lines(steps[: last + 1])]
    if rest:
        lines.append(f"{'':{MARGIN}}... {rest} more steps, in which nothing more is found")
    return "\n".join(lines)


def _lines(steps: Sequence[Json]) -> Iterator[str]:
    yield HEADER
    phase = "main"
    for _, alike in groupby(steps, key=_appearance):
        step, *more = alike
        if step["phase"] != phase:
            yield f"{'':{MARGIN}}{f' {FRESH} ':-^{WIDTH - MARGIN}}"
            phase = step["phase"]
        yield from _arrow(step, 1 + len(more))
        if step["findings"] or step["rejects"]:
            yield from _known(step)
        for finding in step["findings"]:
            text = f"!! {finding['verdict'].upper()} {finding['check']}: {finding['text']}"
            yield from _wrapped(text, MARGIN - 3, MARGIN)


def _appearance(step: Json) -> Any:
    """What two steps must have in common to be drawn once; those that matter never have it."""
    if step["findings"] or step["rejects"]:
        return id(step)
    keys = ("at", "phase", "from", "to", "label", "detail", "note")
    return [step[key] for key in keys]


def caption(step: Json, times: int = 1) -> str:
    """What a step says, in one line."""
    notes = [step["note"], f"{times} times" if times > 1 else ""]
    note = ", ".join(filter(None, notes))
    return " ".join(filter(None, [step["label"], step["detail"], f"({note})" if note else ""]))


def _arrow(step: Json, times: int) -> Iterator[str]:
    """A step between its lanes, in as many lines as its text needs."""
    near = "people" in (step["from"], step["to"])
    gap = NEAR if near else FAR
    text = caption(step, times)
    time = f"{step['at']:>5}ms"
    for number, line in enumerate(_folded(text, gap - 4)):
        drawn = _span(step, line, gap) if number == 0 else _beside(step, line, gap)
        left, right = (drawn, " " * FAR) if near else (" " * NEAR, drawn)
        yield f"{time if number == 0 else '':<{MARGIN}}|{left}|{right}|"


def _span(step: Json, text: str, gap: int) -> str:
    """The first line of a step: an arrow, or a mark at the lane in which it stays."""
    if step["from"] == step["to"]:
        return f"* {text}".ljust(gap) if step["from"] == "client" else f"{text} *".rjust(gap)
    if _rightwards(step):
        return f"- {text} ".ljust(gap - 1, "-") + ">"
    return "<" + f" {text} -".rjust(gap - 1, "-")


def _beside(step: Json, text: str, gap: int) -> str:
    """A further line of a step, below the first."""
    leftwards = not _rightwards(step) and step["from"] != step["to"]
    at_server = step["from"] == step["to"] == "server"
    return f"{text}  ".rjust(gap) if leftwards or at_server else f"  {text}".ljust(gap)


ORDER = ("people", "client", "server")


def _rightwards(step: Json) -> bool:
    return ORDER.index(step["from"]) < ORDER.index(step["to"])


def _known(step: Json) -> Iterator[str]:
    """What server and client know, each in a paragraph."""
    for who, said in (("server knows", "server"), ("client could know", "client")):
        parts = ", ".join(f"{name} {value}" for name, value in step[said].items())
        yield from _wrapped(f"{who}: {parts}", MARGIN + 2, MARGIN + 4)


def _wrapped(text: str, first: int, others: int) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * first,
        subsequent_indent=" " * others,
        break_on_hyphens=False,
    )


def _folded(text: str, width: int) -> Iterator[str]:
    """A text in lines; a word that is too long is parted behind a dot or an underscore."""
    for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
        rest = line
        while len(rest) > width:
            at = max(rest.rfind(mark, 0, width) for mark in "._") + 1 or width
            yield rest[:at]
            rest = rest[at:]
        yield rest
