"""What the commands do that need the model alone: `graph`, `accept` and `properties`.

Laws:
- They drive no client and import none.
- Exit 0: what was asked for holds. 1: a recording is no behaviour of the model, or a property is
  violated. 2: wrong use, in one line, with no file written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.console import Console
from rich.text import Text

from realtime_protocol.acceptance import Verdict, accept
from realtime_protocol.assumptions import ASSUMPTIONS, assumed
from realtime_protocol.bounds import SCOPES, Scope, rebounded
from realtime_protocol.export import EXPORTS
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.paths import KINDS, cover
from realtime_protocol.properties import PROPERTIES, evaluate, find
from realtime_protocol.recordings import DIALECTS, read, translate

DEFAULT_LIMIT = 2_000_000
"""Nodes beyond which a graph is refused rather than let fill the memory."""


def verdicts(
    files: list[Path], dialect: str, assumptions: list[str], form: str | None
) -> Iterator[Verdict]:
    """What becomes of each recording.

    Raises:
        ValueError: a file cannot be read, or an event, dialect or assumption is unknown.
    """
    assumed(assumptions)
    for file in files:
        recording = translate(read(file, form), dialect)
        yield accept(recording, (*DIALECTS[dialect].assumptions, *assumptions))


def told(verdict: Verdict, rules: bool) -> str:
    """A verdict as a person reads it."""
    if verdict.refusal is not None:
        return f"refused   {verdict.name}\n          {verdict.refusal}"
    notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
    lines = [
        f"accepted  {verdict.name}{notes}",
        f"          {verdict.steps} server events; {verdict.nodes} nodes and {verdict.edges} edges "
        f"visited by {len(verdict.rules)} rules; {verdict.looseness:.1f} event types possible at "
        "a step",
    ]
    return "\n".join(lines + [f"          {rule}" for rule in verdict.rules if rules])


def scoped(name: str, changes: dict[str, int], assumptions: list[str]) -> Scope:
    """A scope of the model under bounds and assumptions of one's own.

    Raises:
        ValueError: an unknown scope, bound or assumption, or a bound out of its range.
    """
    if name not in SCOPES:
        raise ValueError(f"unknown scope {name!r}; expected one of {', '.join(SCOPES)}")
    return rebounded(SCOPES[name], {**assumed(assumptions), **changes})


def counts(graph: Graph) -> dict[str, int]:
    """The size of a graph."""
    return {
        "nodes": graph.nodes,
        "edges": graph.edges,
        "interruption_points": len(graph.interruption_points()),
        "paths": graph.paths(),
    }


def exported(machine: Machine, form: str, limit: int) -> str:
    """The graph of a machine in one of the formats; promela is written without enumerating.

    Raises:
        ValueError: an unknown format, or more nodes than `limit`.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown format {form!r}; expected one of {', '.join(FORMATS)}")
    if form == "promela":
        return EXPORTS[form](machine)
    graph = enumerate_graph(machine, limit)
    if form == "counts":
        return json.dumps(counts(graph), indent=1) + "\n"
    if form == "covers":
        return "".join(f"{cover(graph, kind)}\n" for kind in KINDS)
    return EXPORTS[form](graph)


FORMATS = ("counts", "covers", *EXPORTS)

FileArguments = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Recorded sessions, an event a line.")
]
DialectOption = Annotated[
    str, typer.Option(help=f"The server that was recorded: {', '.join(DIALECTS)}.")
]
AssumeOption = Annotated[
    list[str],
    typer.Option("--assume", help=f"An answer to an open question: {', '.join(ASSUMPTIONS)}."),
]


def print_verdicts(found: Iterator[Verdict], *, as_json: bool, rules: bool) -> bool:
    """Print each verdict as it comes; whether all were accepted."""
    console = Console(soft_wrap=True)
    accepted = True
    for verdict in found:
        accepted &= verdict.accepted
        text = json.dumps(_plain(verdict)) if as_json else told(verdict, rules)
        console.print(Text(text))
    return accepted


def _plain(verdict: Verdict) -> dict[str, Any]:
    return attrs.asdict(verdict)


def print_properties(names: list[str], scope: str, machine: Machine, limit: int) -> bool:
    """Print what each property comes to in a scope; whether none is violated.

    Without names, those that every scope must keep; what some scope must show has to be asked for.

    Raises:
        ValueError: an unknown property, or more nodes than `limit`.
    """
    laws = [find(name) for name in names] or [law for law in PROPERTIES if law.kind != "sometimes"]
    rows = evaluate([(scope, enumerate_graph(machine, limit))], laws)
    console = Console(soft_wrap=True)
    for row in rows:
        console.print(Text(f"{row.outcome:<9} {row.kind:<12} {row.premise:>8}  {row.id}"))
        if row.outcome == "violated" and row.verdict is not None:
            console.print(Text("".join(f"            {step}\n" for step in row.verdict.path)))
            console.print(Text("".join(f"            ... {step}\n" for step in row.verdict.loop)))
    return all(row.outcome != "violated" for row in rows)
