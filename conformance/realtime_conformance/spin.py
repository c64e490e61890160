"""Runs SPIN on an exported model: the only part of this package that starts other programs.

Laws:
- SPIN reduces nothing here: it stores every state that it reaches, so its count is a count.
- A search that did not end by itself raises; no number of it is reported.
- What failed is reported by the name of the check.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import attrs

from realtime_protocol.export.promela import checks_of

COMPILERS = ("gcc", "cc", "clang")

TRANSLATE = ("-a", "-o1", "-o2", "-o3")
"""Nothing is taken out of the model before it is checked; without `-o2` states would be missed."""

COMPILE = ("-w", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=4096", "-DMEMLIM=8192")

STATES = re.compile(r"^\s*(\d+) states, stored", re.MULTILINE)
TRANSITIONS = re.compile(r"^\s*(\d+) transitions \(", re.MULTILINE)
ERRORS = re.compile(r"errors: (\d+)")
VIOLATED = re.compile(r"^pan:\d+: (.*) \(at depth \d+\)", re.MULTILINE)
ASSERTED = re.compile(r"assertion violated \(?(holds_\d+)\b")

UNFINISHED = ("Search not completed", "max search depth too small")
MOST = 4000
"""Characters of what a program said that an error repeats, from the end."""


class SpinNotFound(RuntimeError):
    """SPIN or a C compiler is not installed."""


class SpinFailed(RuntimeError):
    """SPIN, the compiler or the checker did not end as it should, with what it said."""


@attrs.frozen(kw_only=True)
class SpinResult:
    """What a complete search found.

    `transitions` counts the steps that it took, those that change nothing included, and 1 for the
    way into the initial state. `failed` names every check that failed somewhere, sorted; `errors`
    counts where. `seconds` is the wall time of the search, without translating and compiling.
    """

    states: int
    transitions: int
    errors: int
    failed: tuple[str, ...]
    seconds: float


def run_spin(
    source: str,
    workdir: Path,
    *,
    optimise: str = "-O1",
    depth: int = 100_000,
    hash_bits: int = 22,
    seconds: float = 600,
) -> SpinResult:
    """Check a model that `to_promela` wrote, in all its states, with all files in `workdir`.

    `optimise` is what the compiler is told: more takes longer and makes the search faster.
    `depth` is the longest path that can be followed, 2 ** `hash_bits` the size of the table to
    begin with, and `seconds` the time that each program may take.

    Raises:
        SpinNotFound: `spin` or a C compiler is not on the path.
        SpinFailed: one of them failed, or the search ended before everything was seen.
    """
    spin, compiler = _found("spin"), _found(*COMPILERS)
    (workdir / "model.pml").write_text(source, encoding="utf-8")
    _said([spin, *TRANSLATE, "model.pml"], workdir, seconds)
    _said([compiler, optimise, *COMPILE, "-o", "pan", "pan.c"], workdir, seconds)
    began = perf_counter()
    # -c0: go on behind an error; -n: do not list what was not reached
    report = _said(["./pan", "-c0", "-n", f"-m{depth}", f"-w{hash_bits}"], workdir, seconds)
    return read_report(report, source, perf_counter() - began)


def read_report(report: str, source: str, seconds: float = 0.0) -> SpinResult:
    """The result of a search from what the checker printed.

    Raises:
        SpinFailed: the search was not complete, or something else than a check failed.
    """
    states, transitions, errors = (
        pattern.search(report) for pattern in (STATES, TRANSITIONS, ERRORS)
    )
    ended = not any(sign in report for sign in UNFINISHED)
    if not (ended and states and transitions and errors):
        raise SpinFailed(f"expected a complete search, got:\n{report[-MOST:]}")
    return SpinResult(
        states=int(states[1]),
        transitions=int(transitions[1]),
        errors=int(errors[1]),
        failed=_failed(report, source),
        seconds=seconds,
    )


def _failed(report: str, source: str) -> tuple[str, ...]:
    names = checks_of(source)
    found = set()
    for violation in set(VIOLATED.findall(report)):
        asserted = ASSERTED.search(violation)
        if asserted is None:
            raise SpinFailed(f"expected only checks to fail, got {violation!r}")
        found.add(names[asserted[1]])
    return tuple(sorted(found))


def _found(*programs: str) -> str:
    for program in programs:
        path = shutil.which(program)
        if path is not None:
            return path
    raise SpinNotFound(f"expected {' or '.join(programs)} on the path; install it to run SPIN")


def _said(command: Sequence[str], workdir: Path, seconds: float) -> str:
    """What a program printed; SpinFailed if it did not end well, and in time."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=workdir, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise SpinFailed(f"{name} took more than {seconds} s") from None
    said = done.stdout + done.stderr
    if done.returncode:
        raise SpinFailed(f"{name} ended with {done.returncode}:\n{said[-MOST:]}")
    return said
