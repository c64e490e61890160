"""The catalogue of errors: the exact wording of each, and what triggers it.

Laws:
- What triggers an error is the rules that name it; one that no rule names says so.
"""

from __future__ import annotations

from pages import markdown as md
from pages.source import Source
from realtime_protocol.errors import ERRORS, PLACEHOLDERS, ErrorEntry


def page(source: Source) -> str:
    """The page."""
    rows = [
        (md.link("error", entry.key), md.code(entry.where), md.text(entry.message))
        for entry in ERRORS.values()
    ]
    lines = md.table(("error", "comes in", "wording"), rows)
    for entry in ERRORS.values():
        lines += _error(entry, source)
    placeholders = [(md.code(f"{{{name}}}"), md.text(what)) for name, what in PLACEHOLDERS.items()]
    lines += ["## Placeholders", "", *md.table(("placeholder", "stands for"), placeholders)]
    about = "What the server says when it refuses something, or is in trouble."
    return md.page("Errors", about, *lines)


def _error(entry: ErrorEntry, source: Source) -> list[str]:
    triggers = [rule for rule in source.rules if entry.key in (rule.error, *rule.variants)]
    rows = [
        ("comes in", md.code(entry.where)),
        ("type", entry.type and md.code(entry.type)),
        ("code", md.code(entry.code) if entry.code is not None else "null"),
        ("param", "" if entry.param is None else md.code(entry.param)),
        ("status", "" if entry.status is None else str(entry.status)),
        ("source", md.text(entry.source)),
        ("confidence", entry.confidence),
    ]
    lines = [md.mark("error", entry.key), f"## {md.code(entry.key)}", ""]
    lines += md.listing("text", [entry.message])
    lines += md.facts(rows)
    if entry.also:
        forms = [(_code(code), md.text(message)) for code, message in entry.also]
        lines += ["Older and other forms:", "", *md.table(("code", "wording"), forms)]
    if not triggers:
        return [*lines, "No rule sends it: the model leaves its trigger out.", ""]
    found = [
        (md.link("rule", rule.id), md.text(rule.why), md.code(rule.reads) if rule.reads else "")
        for rule in triggers
    ]
    return [*lines, "Triggered by:", "", *md.table(("rule", "what it is", "answers"), found)]


def _code(code: str | None) -> str:
    return "null" if code is None else md.code(code)
