"""Every check: what it says, when it says anything, why, and a run that breaks it."""

from __future__ import annotations

from collections.abc import Mapping

from pages import markdown as md
from pages.examples import Example
from realtime_conformance.checks import CHECKS
from realtime_conformance.checks.interface import Check


def page(examples: Mapping[str, Example]) -> str:
    """The page, with an example for each check that has one."""
    rows = [(md.link("check", check.id), md.text(check.about)) for check in CHECKS]
    lines = md.table(("check", "says"), rows)
    for check in CHECKS:
        lines += _check(check, examples.get(check.id))
    about = (
        "What is looked at in every run.\n"
        "What the verdicts mean, and what no check sees, is on\n"
        "[the page about checks](../checks.md)."
    )
    return md.page("The checks one by one", about, *lines)


SHOWN = {
    "violation": "This is its shortest run, with no step that can be left out:",
    "advisory": "It is allowed, so this is an advisory, in the first run that shows it:",
}


def _check(check: Check, example: Example | None) -> list[str]:
    rows = [
        ("says something if", md.text(check.premise)),
        ("source", md.text(check.source)),
        ("written in", md.code(f"{check.judge.__module__}.{check.judge.__name__}")),
    ]
    lines = [md.mark("check", check.id), f"## {md.code(check.id)}", ""]
    lines += [md.text(check.about[:1].upper() + check.about[1:].rstrip(".") + "."), ""]
    lines += md.facts(rows)
    if example is None:
        return [*lines, "No example was made when this page was written.", ""]
    return [
        *lines,
        f"A client that breaks it, in the scope {md.link('scope', example.scope)}: "
        f"{md.text(example.why)}.",
        SHOWN[example.verdict],
        "",
        *md.listing("text", example.timeline.split("\n")),
    ]
