"""Pieces of Markdown, as MyST reads it: tables, names, addresses and links.

Laws:
- What stands in the data is shown as it is: no character of it is taken for Markdown.
- An address is made from the kind of a thing and its id in one place, so a link cannot miss it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

KINDS = ("machine", "rule", "event", "error", "check", "scope", "assumption", "law", "field")
"""What has an address."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def text(prose: str) -> str:
    """Prose that holds no Markdown; a piece between two backticks is shown as code."""
    pieces = prose.split("`")
    if len(pieces) % 2 == 0:
        return _SPECIAL.sub(r"\\\1", prose)
    return "".join(
        code(piece) if number % 2 else _SPECIAL.sub(r"\\\1", piece)
        for number, piece in enumerate(pieces)
    )


def code(name: object) -> str:
    """A name, or another piece of code, in a line."""
    shown = str(name).replace("|", r"\|")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def label(kind: str, name: str) -> str:
    """The address of a thing inside of the pages, with which a heading is marked."""
    assert kind in KINDS, kind
    return f"{kind}-{name}"


def mark(kind: str, name: str) -> str:
    """What stands in front of a heading that has an address."""
    return f"({label(kind, name)})="


def anchor(kind: str, name: str) -> str:
    """The same address as it stands in a page of HTML."""
    return re.sub(r"[^a-z0-9]+", "-", label(kind, name).lower()).strip("-")


def link(kind: str, name: str) -> str:
    """A link to a thing, which shows its name."""
    return f"[{code(name)}](#{label(kind, name)})"


def links(kind: str, names: Iterable[str], none: str = "none") -> str:
    """Links to several things."""
    return ", ".join(link(kind, name) for name in names) or none


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; cells are Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in rows]
    return [*lines, ""]


def facts(rows: Iterable[tuple[str, str]]) -> list[str]:
    """A list of what is said of one thing; what is empty is left out."""
    return [f"- **{name}**: {said}" for name, said in rows if said] + [""]


def conditions(guard: str) -> list[str]:
    """The parts of a guard that all have to hold, simplest layout first; none if it always does.

    Only parentheses and line breaks differ from how the rule is written.
    """
    tree = ast.parse(guard.strip(), mode="eval").body
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    found = [part for one in parts for part in _flat(one)]
    return [part for part in map(ast.unparse, found) if part != "True"]


def _flat(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for one in tree.values for part in _flat(one)]
    return [tree]


def joined(parts: Sequence[str]) -> list[str]:
    """Conditions that all have to hold, one in a line."""
    return [*parts[:1], *(f"and {part}" for part in parts[1:])]


def listing(language: str, lines: Iterable[str]) -> list[str]:
    """A block of code."""
    return [f"```{language}", *lines, "```", ""]


def page(title: str, about: str, *lines: str) -> str:
    """A page that is written from the data, and says so."""
    head = [
        f"# {title}",
        "",
        *about.strip().split("\n"),
        "",
        "This page is written from the rules when the manual is built.",
        "",
    ]
    return "\n".join([*head, *lines]).rstrip() + "\n"


def documentation(docstring: str) -> list[str]:
    """What a module says of itself: its sentence, its paragraphs and its laws."""
    return [text(line) if line.strip() else "" for line in docstring.strip().split("\n")] + [""]
