"""How fast states are enumerated: here, beside SPIN's own search of the exported model.

    python benchmarks/states.py [--scope text-reply ...] [--repeats 3] [--json]

Laws:
- Both make the same states: where the counts differ, the benchmark fails.
- Only the search is timed on either side; what comes before it once (unrolling and compiling the
  rules here, translating and compiling the model there) is shown beside it and is in no ratio.
- The two are timed in turn; a scope counts with the median of its repeats. The ratio is the result,
  the times belong to a machine.
- Automatic garbage collection is off, as in a worker; SPIN is compiled with -O2.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs

from realtime_conformance.spin import SpinNotFound, run_spin
from realtime_protocol.bounds import PROFILES
from realtime_protocol.export.promela import to_promela
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine

PROFILE = "quick"


class WrongCount(AssertionError):
    """SPIN found another number of states."""


@attrs.define
class Timed:
    """One scope: its states, and seconds of every repeat, ours and SPIN's."""

    name: str
    states: int = 0
    ours: list[float] = attrs.field(factory=list)
    spin: list[float] = attrs.field(factory=list)
    our_setup: list[float] = attrs.field(factory=list)
    spin_setup: list[float] = attrs.field(factory=list)


def main() -> None:
    """Measure and print."""
    asked = arguments()
    gc.disable()
    scopes = [Timed(name) for name in asked.scope or PROFILES[PROFILE].scopes]
    try:
        for _ in range(asked.repeats):
            for scope in scopes:
                time_once(scope)
    except SpinNotFound as missing:
        sys.exit(str(missing))
    figures = results(scopes) | {"repeats": asked.repeats}
    sys.stdout.write(json.dumps(figures) + "\n" if asked.json else table(figures))


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = list(PROFILES[PROFILE].scopes)
    parser.add_argument("--scope", action="append", choices=names, help="only this one; repeatable")
    parser.add_argument("--repeats", type=positive, default=3, help="times each is timed")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser.parse_args()


def positive(text: str) -> int:
    """A whole number above zero."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def time_once(scope: Timed) -> None:
    """Time our search and then SPIN's, once."""
    began = perf_counter()
    machine = Machine(PROFILES[PROFILE].scopes[scope.name].bounds)
    machine.successors(machine.initial)  # compiled when it is first asked for
    compiled = perf_counter()
    scope.states = enumerate_graph(machine).nodes
    scope.ours.append(perf_counter() - compiled)
    scope.our_setup.append(compiled - began)
    gc.collect()
    began = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = run_spin(to_promela(machine), Path(folder), optimise="-O2")
        scope.spin_setup.append(perf_counter() - began - found.seconds)
    scope.spin.append(found.seconds)
    if found.states != scope.states:
        raise WrongCount(f"expected {scope.states} states of {scope.name}, SPIN has {found.states}")


def results(scopes: Sequence[Timed]) -> dict[str, Any]:
    """All figures: a row for each scope, and one for all of them together."""
    rows = [row(scope) for scope in scopes]
    names = ("states", "ours_s", "spin_s", "our_setup_s", "spin_setup_s")
    whole = {name: sum(row[name] for row in rows) for name in names}
    return {"scopes": rows, "all": rates({"scope": "all", **whole})}


def row(scope: Timed) -> dict[str, Any]:
    """The figures of one scope; times in seconds, the median of the repeats."""
    return rates(
        {
            "scope": scope.name,
            "states": scope.states,
            "ours_s": statistics.median(scope.ours),
            "spin_s": statistics.median(scope.spin),
            "our_setup_s": statistics.median(scope.our_setup),
            "spin_setup_s": statistics.median(scope.spin_setup),
        }
    )


def rates(figures: dict[str, Any]) -> dict[str, Any]:
    """The same with states a second on both sides, and SPIN's over ours."""
    ours, spin = figures["states"] / figures["ours_s"], figures["states"] / figures["spin_s"]
    return {**figures, "ours": ours, "spin": spin, "ratio": spin / ours}


def table(figures: dict[str, Any]) -> str:
    """The figures as a person reads them."""
    head = ("scope", "states", "states/s", "SPIN/s", "ratio", "set-up s", "SPIN's s")
    lines = [
        f"{PROFILE} profile, median of {figures['repeats']} repeats; ratio: SPIN's rate over ours",
        "",
        line(head),
        *(line(cells(row)) for row in [*figures["scopes"], figures["all"]]),
    ]
    return "\n".join(lines) + "\n"


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """One row of the table."""
    return (
        row["scope"],
        f"{row['states']:,}",
        f"{row['ours']:,.0f}",
        f"{row['spin']:,.0f}",
        f"{row['ratio']:.1f}",
        f"{row['our_setup_s']:.2f}",
        f"{row['spin_setup_s']:.2f}",
    )


def line(texts: Sequence[str]) -> str:
    """Texts in columns: the first to the left, the others to the right."""
    return f"{texts[0]:<14}" + "".join(f"{text:>12}" for text in texts[1:])


if __name__ == "__main__":
    main()
