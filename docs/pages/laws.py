"""What the rules add up to: every property that they are checked for."""

from __future__ import annotations

from pages import markdown as md
from pages.source import Source
from realtime_protocol.properties import PROPERTIES, Property

KINDS = {
    "invariant": "Every state is so.",
    "precondition": "The state before every step of these rules is so.",
    "stable": "No step changes this any more.",
    "leads-to": "Whenever its premise holds, this comes, there or later.",
    "sometimes": "Some scope shows this, or the model says nothing of it.",
}


def page(source: Source) -> str:
    """The page; what is made for each rule and each error by itself is only counted."""
    known = {rule.id for rule in source.rules}
    written = [law for law in PROPERTIES if not law.id.startswith(("fires.", "error."))]
    lines = [
        f"Beside these there are {len(PROPERTIES) - len(written)} properties that say that each "
        "rule has a step somewhere and that each error of a rule is sent.",
        "",
    ]
    for kind, about in KINDS.items():
        lines += [f"## {kind}", "", about, ""]
        for law in written:
            lines += _law(law, known) if law.kind == kind else []
    about = (
        "Checked on the graph of every scope; see [properties](../model.md#properties).\n"
        "Laws of the client bind a correct one only, all others hold whatever the client does."
    )
    return md.page("Laws", about, *lines)


def _law(law: Property, known: set[str]) -> list[str]:
    rows = [
        ("whose", f"the {law.of}"),
        ("for each", ", ".join(f"{md.code(n)} of {md.code(s)}" for n, s in law.over.items())),
        ("of the rules", _rules(law.rules, known)),
        ("unless by", _rules(law.unless, known)),
        ("source", md.text(law.source)),
    ]
    lines = [md.mark("law", law.id), f"### {md.code(law.id)}", "", md.text(law.about), ""]
    lines += md.facts(rows)
    for name, guard in (("given", law.given), ("holds", law.holds)):
        parts = md.conditions(guard)
        if parts:
            lines += [f"{md.code(name)}:", "", *md.listing("text", md.joined(parts))]
    return lines


def _rules(patterns: tuple[str, ...], known: set[str]) -> str:
    return ", ".join(md.link("rule", p) if p in known else md.code(p) for p in patterns)
