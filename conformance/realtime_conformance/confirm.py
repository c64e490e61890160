"""Makes the violations of a report again over a real socket in real time, and compares.

Laws:
- A violation is the same if the run in real time shows its fingerprint, as a violation, and no
  other that the run in virtual time does not show, and lacks none.
- What could not be made in the time that it may take is not replayable, and says why: that is no
  confirmation, and no refutation either.
- One run for each scenario, however many violations it shows; the shortest of each violation.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import attrs

from realtime_conformance.pool import Interpreter, Pool, Setup, WorkerLost, WorkerRefused
from realtime_conformance.reporting import findings_of
from realtime_conformance.scenario import Scenario, parse_id
from realtime_conformance.stored import replace_text

Json = dict[str, Any]

FORMAT = 1
"""Shape of what is written for programs."""

Result = Literal["same", "different", "not replayable"]

RESULTS: dict[Result, str] = {
    "same": "the run in real time breaks the same things as in virtual time",
    "different": "it breaks something else, or does not come as far",
    "not replayable": "it could not be made in the time that it may take",
}

Told = Callable[[str, int, int], None]
"""Told a scope, how many of its runs are made, and how many are not."""


class NothingToConfirm(ValueError):
    """A report without a violation."""


@attrs.frozen
class Violation:
    """One fingerprint of a report, and the shortest run that shows it."""

    fingerprint: str
    text: str
    scenario: str


@attrs.frozen
class Confirmed:
    """What became of one violation.

    `lacks` and `besides` are the fingerprints that only the run in virtual time shows, and only
    that in real time; `seconds` is how long the run takes by its own clock.
    """

    violation: Violation
    result: Result
    why: str = ""
    lacks: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    seconds: float = 0.0


def violations_of(report: Json) -> list[Violation]:
    """The violations of a report by fingerprint, each with the run that ends first.

    Raises:
        NothingToConfirm: there is none.
    """
    found: dict[str, list[Json]] = {}
    for finding in findings_of(report):
        if finding["verdict"] == "violation":
            found.setdefault(finding["fingerprint"], []).append(finding)
    if not found:
        raise NothingToConfirm("expected a report with violations to confirm, got none")
    shortest = {fingerprint: min(alike, key=_length) for fingerprint, alike in found.items()}
    return [
        Violation(fingerprint, finding["text"], finding["scenario"])
        for fingerprint, finding in sorted(shortest.items())
    ]


def _length(finding: Json) -> tuple[int, int, str]:
    """How long a run lasts, in milliseconds, and how many choices it has."""
    last = max((step["at"] for step in finding["steps"]), default=0)
    return last, len(finding["scenario"]), finding["scenario"]


def setup_of(run: Scenario) -> Setup:
    """What a worker drives to make a run."""
    return Setup(
        client=run.client,
        profile=run.profile,
        scope=run.scope,
        changes=dict(run.changes),
        bursts=run.bursts,
    )


def confirm(
    violations: Sequence[Violation],
    interpreter: Interpreter,
    jobs: int,
    most: float,
    progress: Told = lambda *_: None,
) -> list[Confirmed]:
    """Make the runs of violations again in real time; several at once, since they mostly sleep.

    The results are in the order of `violations`. `most` is in seconds, for each run.

    Raises:
        BadId: a run belongs to another model.
        WorkerRefused, WorkerLost: the client cannot be driven.
    """
    runs = {one.scenario: parse_id(one.scenario) for one in violations}
    groups: dict[str, list[str]] = {}
    for name, run in runs.items():
        groups.setdefault(repr(setup_of(run)), []).append(name)
    counter = _Counter(len(runs), progress)

    def made(names: Iterable[str]) -> dict[str, Json]:
        return _made({name: runs[name] for name in names}, interpreter, most, counter)

    # the longest group first, so that nobody waits for it alone
    order = sorted(groups.values(), key=len, reverse=True)
    with ThreadPoolExecutor(jobs) as threads:
        replies = {name: told for part in threads.map(made, order) for name, told in part.items()}
    return [judged(one, replies[one.scenario]) for one in violations]


class _Counter:
    """Counts the runs of all groups, and tells of them."""

    def __init__(self, total: int, progress: Told) -> None:
        self._left, self._done = total, 0
        self._progress = progress
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left, self._done = self._left - 1, self._done + 1
            self._progress("in real time", self._done, self._left)


def _made(
    runs: dict[str, Scenario], interpreter: Interpreter, most: float, counter: _Counter
) -> dict[str, Json]:
    """What came of runs of one setup, one after another."""
    replies = {}
    with Pool(setup_of(next(iter(runs.values()))), 1, interpreter) as pool:
        for name, run in runs.items():
            try:
                replies[name] = pool.real(run.choices, most)
            except (WorkerLost, WorkerRefused) as error:
                replies[name] = {"lost": str(error)}
            counter()
    return replies


def judged(violation: Violation, reply: Json) -> Confirmed:
    """What a run in real time says of a violation that the run in virtual time shows."""
    if "lost" in reply:
        return Confirmed(violation, "not replayable", reply["lost"])
    needed = reply["needed"]
    if reply["verdicts"]["virtual"].get(violation.fingerprint) != "violation":
        why = "the run does not show it in virtual time any more: make the report anew"
        return Confirmed(violation, "not replayable", why, seconds=needed)
    if reply["real"] is None:
        result: Result = "not replayable" if reply["late"] else "different"
        return Confirmed(violation, result, reply["why"], seconds=needed)
    lacks, besides = _differing(reply["verdicts"])
    same = not (lacks or besides)
    return Confirmed(violation, "same" if same else "different", "", lacks, besides, needed)


def compared(verdicts: dict[str, dict[str, str]]) -> list[str]:
    """What is printed of one run that was made twice: whether both break the same, or what not."""
    lacks, besides = _differing(verdicts)
    if not (lacks or besides):
        return ["in real time: the same as in virtual time"]
    return [
        "in real time: not the same as in virtual time",
        *(f"  only in virtual time: {name}" for name in lacks),
        *(f"  only in real time: {name}" for name in besides),
    ]


def _differing(verdicts: dict[str, dict[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What only the run in virtual time breaks, and what only that in real time does."""
    virtual, real = (set(verdicts[time].items()) for time in ("virtual", "real"))
    lacks, besides = (
        tuple(f"{verdict}: {name}" for name, verdict in sorted(only))
        for only in (virtual - real, real - virtual)
    )
    return lacks, besides


def lines(confirmed: Sequence[Confirmed]) -> list[str]:
    """What is printed: one line for each violation, with what came instead, and the sum."""
    told = []
    for one in confirmed:
        told.append(f"{one.result:14}  {one.violation.fingerprint}")
        told += [f"{'':14}  {one.why}"] if one.why else []
        told += [f"{'':14}  only in virtual time: {name}" for name in one.lacks]
        told += [f"{'':14}  only in real time: {name}" for name in one.besides]
        if one.result != "same":
            told.append(
                f"{'':14}  realtime-conformance replay {one.violation.scenario} --real-time"
            )
    counts = {name: sum(one.result == name for one in confirmed) for name in RESULTS}
    told.append(
        f"{len(confirmed)} violations: "
        + ", ".join(f"{count} {name}" for name, count in counts.items())
    )
    return told


def write(path: Path, report: Json, most: float, confirmed: Sequence[Confirmed]) -> None:
    """Replace a file with the results, for programs."""
    client = report["client"]
    data = {
        "format": FORMAT,
        "client": {name: client[name] for name in ("name", "release")},
        "packages": {k: v for k, v in client["packages"].items() if k.startswith("livekit")},
        "most_seconds": most,
        "violations": [
            {
                **attrs.asdict(one.violation),
                "result": one.result,
                "why": one.why,
                "only_virtual": list(one.lacks),
                "only_real": list(one.besides),
                "seconds": one.seconds,
            }
            for one in confirmed
        ],
    }
    replace_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
