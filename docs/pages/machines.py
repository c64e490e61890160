"""A page for each machine: its fields, the diagram of each, and every rule.

Laws:
- A diagram is the union of what all scopes show of a field, and its labels lead to the rules.
"""

from __future__ import annotations

from pages import markdown as md
from pages.source import Room, Source
from realtime_protocol.export.diagram import field_diagram
from realtime_protocol.export.svg import to_svg
from realtime_protocol.rule import Rule
from realtime_protocol.state import Field
from realtime_protocol.vocabulary import EVENTS

MEANING = {
    "when": "the step is possible if",
    "permitted": "the protocol allows it to the client if",
    "within": "and the graph holds it if",
}
"""What the three conditions of a rule mean; see the page on the model."""


def pages(source: Source) -> dict[str, str]:
    """A page for each machine, and one that lists them."""
    written = {f"machines/{room.name}.md": _machine(room, source) for room in source.rooms}
    return {"machines.md": _overview(source), **written}


def _overview(source: Source) -> str:
    rows = [
        (
            md.link("machine", room.name),
            md.text(room.about.strip().split("\n")[0]),
            str(len(room.fields)),
            str(len(room.rules)),
        )
        for room in source.rooms
    ]
    toctree = ["{toctree}", ":hidden:", "", *(f"machines/{room.name}" for room in source.rooms)]
    return md.page(
        "Machines",
        "The rules are in rooms, one for each machine; together they are one transition system.",
        *md.table(("machine", "what it is", "fields", "rules"), rows),
        *md.listing(toctree[0], toctree[1:]),
    )


def _machine(room: Room, source: Source) -> str:
    lines = [*md.documentation(room.about), "## Fields", ""]
    lines += md.table(("field", "slots", "values", "meaning"), [_field(f) for f in room.fields])
    lines += ["## Diagrams", ""]
    for field in room.fields:
        lines += _diagram(field, room, source)
    lines += ["## Rules", ""]
    for rule in room.rules:
        lines += _rule(rule, source)
    heading = md.mark("machine", room.name)
    return f"{heading}\n" + md.page(f"The machine {md.code(room.name)}", "", *lines)


def _field(field: Field) -> tuple[str, str, str, str]:
    values = ", ".join(map(md.code, field.values)) or f"0 to {md.code(field.limit)}"
    budget = "; a budget" if field.budget else ""
    return (
        md.code(field.name),
        ", ".join(map(md.code, field.over)),
        values,
        md.text(field.meaning) + budget,
    )


def _diagram(field: Field, room: Room, source: Source) -> list[str]:
    """The diagram of a field whose values have names, where anything changes it."""
    drawn = field_diagram(source.graphs.values(), field) if field.values else None
    if drawn is None or not drawn.edges:
        return []
    own = {rule.id for rule in room.rules}
    rooms = {rule.id: other.name for other in source.rooms for rule in other.rules}

    def address(rule: str) -> str:
        page_ = "" if rule in own else f"{rooms[rule]}.html"
        return f"{page_}#{md.anchor('rule', rule)}"

    each = f", of each of {' and '.join(map(md.code, field.over))}" if field.over else ""
    picture = to_svg([drawn], address).rstrip().split("\n")
    return [
        f"### {md.code(field.name)}",
        "",
        f"{md.text(field.meaning[:1].upper() + field.meaning[1:])}{each}.",
        "",
        *md.listing("{raw} html", ['<div class="diagram">', *picture, "</div>"]),
    ]


def _rule(rule: Rule, source: Source) -> list[str]:
    steps = source.steps
    scopes = steps.taken.get(rule.id, ())
    rows = [
        ("who", f"the {rule.actor}"),
        ("event", _event(rule)),
        ("for each", ", ".join(f"{md.code(n)} of {md.code(s)}" for n, s in rule.over.items())),
        ("reads", rule.reads and md.link("event", rule.reads)),
        ("puts in flight", "yes" if rule.sends else ""),
        ("answers with", md.links("error", [e for e in (rule.error, *rule.variants) if e], "")),
        ("disturbs", rule.disturbs),
        ("overtaken by no other server step", "yes" if rule.urgent else ""),
        ("empties what is in flight", "yes" if rule.clears else ""),
        ("source", md.text(rule.source)),
        ("confidence", rule.confidence + (", open" if "(open)" in rule.source else "")),
        ("taken in", md.links("scope", scopes, "no scope")),
        ("makes possible", md.links("rule", sorted(steps.opens.get(rule.id, ())))),
        ("makes impossible", md.links("rule", sorted(steps.ends.get(rule.id, ())))),
    ]
    lines = [md.mark("rule", rule.id), f"### {md.code(rule.id)}", "", md.text(rule.why), ""]
    lines += md.facts(rows)
    for name, meaning in MEANING.items():
        parts = md.conditions(getattr(rule, name))
        if parts:
            lines += [f"{md.code(name)}: {meaning}", ""]
            lines += md.listing("text", md.joined(parts))
    if rule.then:
        lines += [f"{md.code('then')}: what changes, all at once", ""]
        lines += md.table(
            ("field", "becomes"), [(md.code(f), md.code(e)) for f, e in rule.then.items()]
        )
    return lines


def _event(rule: Rule) -> str:
    """The wire event of a step, or the name of an act that no wire sees."""
    if rule.event in EVENTS:
        return md.link("event", rule.event)
    return md.code(rule.event) if rule.event else "none that the client sees"
