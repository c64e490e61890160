"""Scopes and profiles: their bounds, and exact counts of their graphs."""

from __future__ import annotations

from collections.abc import Mapping

from pages import markdown as md
from pages.source import Source
from realtime_protocol.bounds import NOTHING_BUT_AUDIO, PROFILES, Profile, Scope
from realtime_protocol.graph import Graph


def page(source: Source) -> str:
    """The page."""
    counted = {name: _counts(graph) for name, graph in source.graphs.items()}
    rows = [
        (md.link("scope", name), *(f"{count:,}" for count in counts))
        for name, counts in counted.items()
    ]
    total = [f"{sum(column):,}" for column in zip(*counted.values(), strict=True)]
    lines = ["## How large the scopes are", "", *md.table(COUNTS, [*rows, ("together", *total)])]
    lines += [
        "A node is a state that a correct run can reach, and a path a walk from the beginning to",
        "where nothing is left to do but to disturb; see",
        "[words of coverage](../model.md#words-of-coverage).",
        "",
        "## The scopes",
        "",
    ]
    for name, scope in source.scopes.items():
        lines += _scope(scope, source.graphs[name], source)
    lines += ["## Profiles", ""]
    for profile in PROFILES.values():
        lines += _profile(profile, source.scopes)
    return md.page("Scopes and profiles", "Parts of the protocol with bounds of their own.", *lines)


COUNTS = ("scope", "nodes", "edges", "interruption points", "paths")


def _counts(graph: Graph) -> tuple[int, int, int, int]:
    return graph.nodes, graph.edges, len(graph.interruption_points()), graph.paths()


def _scope(scope: Scope, graph: Graph, source: Source) -> list[str]:
    taken = [rule.id for rule in source.rules if scope.name in source.steps.taken.get(rule.id, ())]
    rows = [
        ("model", md.code(graph.machine.digest)),
        ("bounds", _bounds(_differs(scope.bounds, NOTHING_BUT_AUDIO)) or "those of every scope"),
        ("fields", str(len(graph.machine.fields))),
        ("rules that have a step", f"{len(taken)} of {len(source.rules)}"),
    ]
    about = md.text(scope.about[:1].upper() + scope.about[1:] + ".")
    heading = [md.mark("scope", scope.name), f"### {md.code(scope.name)}", "", about, ""]
    return heading + md.facts(rows) + ["Its rules: " + md.links("rule", taken) + ".", ""]


def _differs(bounds: Mapping[str, int], from_: Mapping[str, int]) -> dict[str, int]:
    return {name: bounds[name] for name in NOTHING_BUT_AUDIO if bounds[name] != from_[name]}


def _bounds(bounds: Mapping[str, int]) -> str:
    return ", ".join(md.code(f"{name}={value}") for name, value in bounds.items())


def _profile(profile: Profile, scopes: Mapping[str, Scope]) -> list[str]:
    """A profile, with the bounds of the scopes that are wider in it; those are not enumerated."""
    wider = {
        name: _differs(scope.bounds, scopes[name].bounds)
        for name, scope in profile.scopes.items()
        if name in scopes
    }
    rows = [
        ("covers", md.text(profile.about)),
        ("strategy", md.code(profile.cover)),
        ("runs for a tail, at least", str(profile.tail_runs or "")),
        ("scopes whose tails are gone step by step", md.links("scope", _of(profile, scopes), "")),
        *((f"least bounds of {md.code(name)}", _bounds(b)) for name, b in profile.least.items()),
        *((f"wider in {md.code(name)}", _bounds(bounds)) for name, bounds in wider.items()),
    ]
    return [f"### {md.code(profile.name)}", "", *md.facts(rows)]


def _of(profile: Profile, scopes: Mapping[str, Scope]) -> list[str]:
    return [name for name in sorted(profile.thorough) if name in scopes]
