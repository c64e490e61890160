"""Every event of the protocol: who sends it, when it may come, and what follows.

Laws:
- When an event may come is what the rules with that event say; what follows is read off the graphs.
- An event that the model leaves out is here all the same, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pages import markdown as md
from pages.source import Source
from realtime_protocol.rule import Rule
from realtime_protocol.vocabulary import EVENTS, Event

ABOUT = {
    "client": "What a client sends. Nothing of it has an effect before the server has read it.",
    "server": "What the server sends.",
}


def pages(source: Source) -> dict[str, str]:
    """A page for the events of each direction."""
    return {f"events-{direction}.md": _direction(direction, source) for direction in ABOUT}


def _direction(direction: str, source: Source) -> str:
    events = [event for event in EVENTS.values() if event.direction == direction]
    rows = [(md.link("event", event.name), md.text(event.meaning)) for event in events]
    lines = md.table(("event", "meaning"), rows)
    for event in events:
        lines += _event(event, source)
    return md.page(f"{direction.capitalize()} events", ABOUT[direction], *lines)


def _event(event: Event, source: Source) -> list[str]:
    own = [rule for rule in source.rules if rule.event == event.name]
    answers = [rule for rule in source.rules if rule.reads == event.name]
    beta = "not there" if not event.beta else "the same" if event.beta == event.name else ""
    rows = [
        ("sent by", f"the {event.direction}"),
        ("in beta", beta or md.code(event.beta)),
        ("also seen as", ", ".join(map(md.code, event.aliases))),
        ("source", md.text(event.source)),
        ("confidence", ", ".join(sorted({rule.confidence for rule in own}))),
        ("left out of the model", md.text(event.scope)),
    ]
    lines = [
        md.mark("event", event.name),
        f"## {md.code(event.name)}",
        "",
        md.text(event.meaning),
        "",
    ]
    lines += md.facts(rows)
    if own:
        lines += ["It may come by these rules:", "", *md.table(HEAD, map(_may_come, own))]
    elif not event.scope:
        lines += ["No rule has it: the model gives it no effect of its own.", ""]
    if answers:
        lines += ["The server reads it by these:", "", *md.table(HEAD, map(_may_come, answers))]
    return lines + md.facts(_follows(own, source))


HEAD = ("rule", "what it is", "confidence")


def _may_come(rule: Rule) -> tuple[str, str, str]:
    return md.link("rule", rule.id), md.text(rule.why), rule.confidence


def _follows(own: Iterable[Rule], source: Source) -> Iterator[tuple[str, str]]:
    """What the steps with an event make possible, and what makes them possible."""
    mine = {rule.id for rule in own if rule.id in source.steps.taken}
    if not mine:
        return
    opened = {other for rule in mine for other in source.steps.opens[rule]}
    openers = {rule for rule, others in source.steps.opens.items() if others & mine}
    yield "made possible by", _named(openers, source)
    yield "makes possible", _named(opened, source)


def _named(ids: Iterable[str], source: Source) -> str:
    """Rules by their events, those of the wire first; acts and silent steps by their clause ids."""
    wanted = set(ids)
    rules = [rule for rule in source.rules if rule.id in wanted]
    events = dict.fromkeys(rule.event for rule in rules if rule.event in EVENTS)
    others = [rule.id for rule in rules if rule.event not in EVENTS]
    parts = [md.links("event", events, ""), md.links("rule", others, "")]
    return ", ".join(part for part in parts if part) or "nothing"
