"""Files of coverage: ledgers that can be merged between runs, and what was not visited.

Laws:
- A ledger on file says which client and which model it is of; one that fits neither is refused.
- A report lists some of the unvisited nodes, and a file all of them, each with why.
- Files are replaced in one piece.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from realtime_conformance.ledger import Ledger
from realtime_conformance.plain import Numbers, read_states
from realtime_conformance.plan import Plan
from realtime_conformance.scenario import scope_of
from realtime_conformance.stored import read_json, replace_text
from realtime_protocol.graph import Graph, enumerate_graph
from realtime_protocol.machine import Machine
from realtime_protocol.state import State

Json = dict[str, Any]

FORMAT = 1
LISTED = 20
"""Unvisited nodes that a report lists for each scope."""


class BadLedger(ValueError):
    """A ledger that cannot be used: what was expected and what came."""


# -- what was not visited ---------------------------------------------------------------------


def shown(machine: Machine, state: State) -> str:
    """A state by what it differs in from the initial one."""
    initial = machine.show(machine.initial)
    different = [
        f"{name}={value}" for name, value in machine.show(state).items() if value != initial[name]
    ]
    return " ".join(different) or "the initial state"


def some_unvisited(ledger: Ledger) -> list[Json]:
    """A few nodes that no run was in, what is unexplained first, in the order of the graph."""
    nodes = ledger.unvisited_nodes()
    behind = {"unexplained": 0, "behind unvisited nodes": 2}
    order = sorted(nodes, key=lambda state: behind.get(nodes[state], 1))
    machine = ledger.graph.machine
    return [{"node": shown(machine, state), "why": nodes[state]} for state in order[:LISTED]]


def unvisited(ledger: Ledger) -> list[Json]:
    """Every node, step and interruption point that was not visited, and why."""
    machine = ledger.graph.machine
    found: list[Json] = [
        {"what": "node", "node": shown(machine, state), "why": why}
        for state, why in ledger.unvisited_nodes().items()
    ]
    for (source, number, argument), why in ledger.unvisited_edges().items():
        rule = machine.rules[number]
        what = "point" if rule.disturbs == "interruption" else "edge"
        step = f"{rule.label}({argument})" if argument else rule.label
        found.append({"what": what, "node": shown(machine, source), "step": step, "why": why})
    return found


# -- ledgers ----------------------------------------------------------------------------------


def ledger(of: Ledger) -> Json:
    """A ledger with its states, as plain data."""
    number = Numbers()
    saved = of.saved(number)
    return {**saved, "states": number.states}


def write(plan: Plan, parts: Sequence[Json]) -> None:
    """Write the files that a plan names."""
    if plan.unvisited is not None:
        lines = [
            json.dumps({"scope": part["summary"]["name"], **item}, ensure_ascii=False)
            for part in parts
            for item in part["unvisited"]
        ]
        replace_text(plan.unvisited, "".join(f"{line}\n" for line in lines))
    if plan.ledger is not None:
        scopes = {part["summary"]["name"]: _of_scope(part) for part in parts}
        save(plan.ledger, _head(plan.client, plan.profile, dict(plan.changes)), scopes)


def _head(client: str, profile: str, changes: dict[str, int]) -> Json:
    return {"format": FORMAT, "client": client, "profile": profile, "changes": changes}


def _of_scope(part: Json) -> Json:
    return {"model": part["summary"]["model"], **part["ledger"]}


def save(path: Path, head: Json, scopes: Json) -> None:
    """Write a file of ledgers."""
    replace_text(path, json.dumps({**head, "scopes": scopes}) + "\n")


def read(path: Path) -> Json:
    """A file of ledgers.

    Raises:
        BadLedger: the file cannot be read, or is none.
    """
    data = read_json(path, "the ledger", "a ledger", BadLedger)
    head = ("client", "profile", "changes", "scopes")
    if not isinstance(data, dict) or data.get("format") != FORMAT or not set(head) <= set(data):
        raise BadLedger(f"expected {path} to hold a ledger in format {FORMAT}")
    return data


def entered(path: Path, data: Json, scope: str) -> Ledger:
    """The ledger of one scope of a file, over a graph of which nothing was enumerated.

    Raises:
        BadLedger: it does not fit the model.
    """
    held = data["scopes"][scope]
    try:
        machine = Machine(scope_of(data["profile"], scope, data["changes"]).bounds)
    except ValueError as error:
        raise BadLedger(f"ledger {path}: {error}") from error
    if held.get("model") != machine.digest:
        raise BadLedger(
            f"ledger {path} of {scope} is of model {held.get('model')}, but this one is "
            f"{machine.digest}"
        )
    found = Ledger(Graph(machine, {}))
    try:
        found.restore(held, read_states(held["states"]))
    except (LookupError, TypeError, ValueError) as error:
        raise BadLedger(f"ledger {path} of {scope} is damaged: {error!r}") from error
    return found


def merge(paths: Sequence[Path], output: Path) -> list[Json]:
    """Merge ledgers of one client into one file; returns what it covers of each scope.

    Raises:
        BadLedger: one cannot be read, does not fit the model, or is of another client.
    """
    files = [(path, read(path)) for path in paths]
    head = {name: files[0][1][name] for name in ("client", "profile", "changes")}
    for path, data in files:
        for name, value in head.items():
            if data[name] != value:
                raise BadLedger(
                    f"ledger {path} is of another {name}: expected {value!r}, got {data[name]!r}"
                )
    merged: dict[str, Ledger] = {}
    for path, data in files:
        for scope in data["scopes"]:
            found = entered(path, data, scope)
            if scope in merged:
                merged[scope].merge(found)
            else:
                merged[scope] = found
    scopes = {
        scope: {"model": one.graph.machine.digest, **ledger(one)} for scope, one in merged.items()
    }
    save(output, _head(**head), scopes)
    return [_covered(scope, one) for scope, one in merged.items()]


def _covered(scope: str, of: Ledger) -> Json:
    """What a ledger covers of its whole graph."""
    whole = attrs.evolve(of, graph=enumerate_graph(of.graph.machine))
    return {
        "name": scope,
        "model": of.graph.machine.digest,
        "scenarios": len(of.paths),
        **whole.summary(),
    }
