"""Whether a worker grows: its memory over very many runs, printed at even distances.

    python benchmarks/memory.py [--client livekit-agent] [--runs 100000] [--every 10000]

Laws:
- The runs are those of `speed.py`, the happy paths and one interruption each, again and again: what
  grows has nothing new to remember.
- A run is all that a worker does: runner, model, wire format, every check, boiling down, JSON.
- What counts is the memory in use after a whole collection, not the highest ever, and the ratio to
  what it was after the first tenth, when all is imported and cached.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

from speed import PROFILE, SCOPE, chosen, positive, quieten

from realtime_conformance.batch import Batch
from realtime_conformance.clients.registry import load
from realtime_conformance.runner import Bench
from realtime_protocol.bounds import PROFILES

GROWTH_LIMIT = 1.05
"""Memory at the end over memory after the first tenth, at most."""

SCENARIOS = 200
"""Different runs among them."""

PAGE = 4096
"""Bytes of a page of memory, as `/proc` counts it."""


def main() -> None:
    """Measure and print; ends with 1 if the worker grew."""
    asked = arguments()
    quieten()
    bench = Bench(PROFILES[PROFILE].scopes[SCOPE], load(asked.client))
    sys.stdout.write(
        f"{asked.client}, {asked.runs:,} runs of {SCOPE}\n\n      runs   memory  runs/s\n"
    )
    seen = []
    for runs, megabytes, rate in measured(bench, asked.runs, asked.every):
        seen.append(megabytes)
        sys.stdout.write(f"{runs:>10,}{megabytes:>6.0f} MB{rate:>8.0f}\n")
        sys.stdout.flush()
    growth = seen[-1] / seen[0]
    sys.stdout.write(f"\nend over first: {growth:.3f}, at most {GROWTH_LIMIT}\n")
    raise SystemExit(int(growth > GROWTH_LIMIT))


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--client", default="livekit-agent", help="client to drive")
    parser.add_argument("--runs", type=positive, default=100_000, help="runs to make")
    parser.add_argument("--every", type=positive, default=10_000, help="runs between two lines")
    return parser.parse_args()


def measured(bench: Bench, runs: int, every: int) -> Iterator[tuple[int, float, float]]:
    """Runs made so far, megabytes in use, and runs in a second since the last line."""
    batch = Batch(bench)
    made = enumerate(islice(cycle(chosen(bench, SCENARIOS)), runs), 1)
    gc.collect()
    gc.freeze()
    began = perf_counter()
    for count, choices in made:
        json.dumps(batch.make([choices]), separators=(",", ":"))
        if count % every == 0 or count == runs:
            gc.collect()
            yield count, in_use(), every / (perf_counter() - began)
            began = perf_counter()


def in_use() -> float:
    """Megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * PAGE / 1e6


if __name__ == "__main__":
    main()
