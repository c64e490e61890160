"""A worker: a process of its own that makes runs and answers with plain data.

Laws:
- It speaks JSON lines: one request in, one reply out, on the descriptor that was its standard
  output; whatever a client prints goes to standard error.
- It runs under any interpreter that has a client installed, beside old releases of everything, so
  it imports nothing but the model, attrs and the client.
- Its hash seed is fixed by whoever starts it, and automatic garbage collection is off.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from typing import Any, TextIO

from realtime_conformance.batch import Batch
from realtime_conformance.blackbox import Recorder
from realtime_conformance.checks import CHECKS
from realtime_conformance.clients.interface import MissingSeam
from realtime_conformance.clients.registry import UnknownClient, load
from realtime_conformance.evidence import HarnessFault
from realtime_conformance.outline import NotShown, outline
from realtime_conformance.reality import repeated
from realtime_conformance.runner import BadChoice, Bench, NoConnection, Outcome, Wanted
from realtime_conformance.scenario import scope_of
from realtime_conformance.stepwise import Stepwise
from realtime_conformance.timeline import render
from realtime_conformance.trail import trail


class Undrivable(Exception):
    """A client that cannot be driven in a scope here, and why."""


REFUSALS = (
    UnknownClient, MissingSeam, NoConnection, BadChoice, HarnessFault, NotShown, Undrivable,
)  # fmt: skip


def packages() -> dict[str, str]:
    """Name and version of every installed distribution, sorted by name."""
    found = {dist.metadata["Name"].lower(): dist.version for dist in distributions()}
    return dict(sorted(found.items()))


class Worker:
    """Answers requests for one client in one scope."""

    def __init__(self, setup: dict[str, Any], box: str) -> None:
        scope = scope_of(setup["profile"], setup["scope"], setup["changes"])
        self.bench = Bench(scope, load(setup["client"]), setup["bursts"])
        self.recorder = Recorder(box)
        self.batch = Batch(self.bench, self.recorder)
        self._live: Stepwise
        # what the first runs import and cache belongs to no run
        self.tells = [self.bench.run().history.tells for _ in range(2)][-1]
        gc.unfreeze()  # what was known of another scope is not to be kept
        keep()

    @property
    def hello(self) -> dict[str, Any]:
        """What is driven, and on what."""
        return {
            "packages": packages(),
            "python": platform.python_version(),
            "tells": list(self.tells),
        }

    def runs(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make the runs whose choices are listed."""
        return self.batch.make(request["runs"])

    def tails(self, request: dict[str, Any]) -> dict[str, Any]:
        """Explore the tail of one interruption point."""
        return self.batch.tails(
            request["tails"], request["budget"], request["most"], request.get("lost", ())
        )

    def ticks(self, request: dict[str, Any]) -> dict[str, Any]:
        """Disturb the client in each turn behind one step."""
        return self.batch.ticks(request["ticks"], request["turns"], request.get("lost", ()))

    def walks(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make the runs that are listed, without what sleeps."""
        return self.batch.walks(request["walks"], request["hidden"], request["undisturbed"])

    def show(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one run and render it."""
        self.recorder.begin(request["show"])
        return render(self.bench.run(request["show"]))

    def real(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one run in virtual time, and again over a real socket in real time."""
        bench, choices = self.bench, request["real"]
        self.recorder.begin(choices)
        return repeated(bench.scope, bench.make_client, bench.bursts, choices, request["most"])

    def trail(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one run and say which steps it took."""
        return trail(self.bench.run(request["trail"]))

    def follow(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one run that takes the wanted steps where they are offered; as `trail`."""
        wanted = [Wanted(*step) for step in request["follow"]]
        return trail(self.bench.follow(wanted))

    def outline(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one run and tell what a reproduction of its violation needs."""
        return outline(self.bench.run(request["outline"]), request["check"])

    def live(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin, go on with, look at, or finish a run that is chosen step by step."""
        return LIVE[request["live"]](self, request)

    def _begin(self, _: dict[str, Any]) -> dict[str, Any]:
        self._live = Stepwise(self.bench, self.recorder)
        return self._node()

    def _take(self, request: dict[str, Any]) -> dict[str, Any]:
        self._live.take(request["choice"])
        return self._node()

    def _look(self, _: dict[str, Any]) -> dict[str, Any]:
        outcome = self._live.so_far
        return {"findings": [] if outcome is None else findings(outcome)}

    def _finish(self, _: dict[str, Any]) -> dict[str, Any]:
        outcome = self._live.finish()
        return {"findings": findings(outcome), **self.batch.reply([(0, outcome)])}

    def _node(self) -> dict[str, Any]:
        return {"state": self._live.node.state, "options": self._live.node.options}


LIVE = {
    "begin": Worker._begin,
    "take": Worker._take,
    "look": Worker._look,
    "finish": Worker._finish,
}
"""The parts of a conversation."""


def keep() -> None:
    """Spare what is alive between two requests every later collection.

    What a worker knows grows with its runs, and each run ends with a collection that would go
    through all of it; what is garbage by now is not to be spared, so it is collected first.
    """
    gc.collect()
    gc.freeze()


def findings(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """Check, verdict, fingerprint and text of everything that a run shows so far."""
    return [
        (check.id, finding.verdict, check.fingerprint(finding), finding.text)
        for check in CHECKS
        for finding in check.judge(outcome.history).findings
    ]


KINDS = {
    "show": Worker.show,
    "real": Worker.real,
    "trail": Worker.trail,
    "follow": Worker.follow,
    "outline": Worker.outline,
    "live": Worker.live,
    "tails": Worker.tails,
    "ticks": Worker.ticks,
    "walks": Worker.walks,
    "runs": Worker.runs,
}
"""What serves a request, by the name of what it asks for."""


def _answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    return next(serve for kind, serve in KINDS.items() if kind in request)(worker, request)


def _refusal(error: Exception) -> dict[str, Any]:
    kind = "" if isinstance(error, REFUSALS) else f"{type(error).__name__}: "
    return {"refused": f"{kind}{error}"}


def serve(requests: TextIO, reply: Callable[[dict[str, Any]], None]) -> None:
    """Answer every request until the input ends; the first of all says what is to be driven."""
    worker: Worker | None = None
    for line in requests:
        request = json.loads(line)
        try:
            if "setup" in request:
                worker = None  # what it keeps is let go first
                worker = _worker(request)
                reply(worker.hello)
            else:
                assert worker is not None
                reply(_answer(worker, request))
        except REFUSALS as error:
            reply(_refusal(error))
        keep()


def _worker(request: dict[str, Any]) -> Worker:
    """Whoever answers from now on."""
    try:
        return Worker(request["setup"], request["box"])
    except Exception as error:
        # whatever it is, this client cannot be driven here, and the asker must be told
        raise Undrivable(_refusal(error)["refused"]) from error


def main() -> None:
    """Serve on standard input and output."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    gc.disable()
    logging.lastResort = None
    logging.getLogger().addHandler(logging.NullHandler())

    def reply(answer: dict[str, Any]) -> None:
        channel.write(json.dumps(answer, separators=(",", ":")) + "\n")
        channel.flush()

    serve(sys.stdin, reply)


if __name__ == "__main__":
    main()
