"""What the sources leave open: assumptions with the rules that read them, and open rules."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pages import markdown as md
from pages.source import Source
from realtime_protocol.assumptions import ASSUMPTIONS, OPEN_QUESTIONS, Assumption
from realtime_protocol.recordings import DIALECTS
from realtime_protocol.rule import Rule


def page(source: Source) -> str:
    """The page."""
    lines = ["## Rules that take one of several answers", ""]
    rows = [
        (md.link("rule", rule.id), md.text(rule.why), md.text(rule.source), rule.confidence)
        for rule in source.rules
        if "(open)" in rule.source
    ]
    lines += md.table(("rule", "the answer that is taken", "source", "confidence"), rows)
    lines += ["## Other answers", "", "Each is off unless it is named with `--assume`.", ""]
    for assumption in OPEN_QUESTIONS:
        lines += _assumption(assumption, source.rules)
    lines += ["## Differences of dialects", ""]
    open_ = {assumption.name for assumption in OPEN_QUESTIONS}
    for name, assumption in ASSUMPTIONS.items():
        lines += [] if name in open_ else _assumption(assumption, source.rules)
    lines += ["## Dialects", ""]
    lines += md.table(
        ("dialect", "server", "assumptions", "source"),
        [
            (md.code(d.name), md.text(d.about), md.links("assumption", d.assumptions),
             md.text(d.source))
            for d in DIALECTS.values()
        ],
    )  # fmt: skip
    about = (
        "Where sources leave a point open a rule takes one answer; an assumption names another.\n"
        "What the rules leave out is on [the page about the model](../model.md#what-is-left-out)."
    )
    return md.page("Open questions", about, *lines)


def _assumption(assumption: Assumption, rules: Iterable[Rule]) -> list[str]:
    bounds = [md.code(f"{name}={value}") for name, value in assumption.bounds.items()]
    read = [rule.id for rule in rules if any(_reads(rule, name) for name in assumption.bounds)]
    rows = [
        ("sets", ", ".join(bounds) or "nothing: it only says where a recording begins"),
        ("read by", md.links("rule", read, "no rule: it says what events hold")),
        ("source", md.text(assumption.source)),
    ]
    heading = [md.mark("assumption", assumption.name), f"### {md.code(assumption.name)}", ""]
    return [*heading, md.text(assumption.about), "", *md.facts(rows)]


def _reads(rule: Rule, bound: str) -> bool:
    """Whether a bound stands in any expression of a rule."""
    texts = (rule.when, rule.permitted, rule.within, *rule.then.values())
    return any(re.search(rf"\b{bound}\b", text) for text in texts)
