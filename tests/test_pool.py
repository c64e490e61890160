"""The pool: order, death, silence and refusal of workers."""

from __future__ import annotations

import sys
import textwrap

import pytest

from realtime_conformance import pool as pool_module
from realtime_conformance.pool import Interpreter, Pool, Setup, WorkerLost, WorkerRefused

SETUP = Setup(client="stub", profile="quick", scope="audio-reply")

STUB = """
    import json, os, sys, time
    setup = json.loads(sys.stdin.readline())
    print(json.dumps({"packages": {}, "python": "x"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        run = (request.get("runs") or [[0]])[0][0]
        if run == 7:
            print("a last word", file=sys.stderr, flush=True)
            os._exit(3)
        if run == 8:
            time.sleep(600)
        if run == 9:
            print(json.dumps({"refused": "cannot do 9"}), flush=True)
            continue
        print(json.dumps({"made": request, "pid": os.getpid()}), flush=True)
"""


@pytest.fixture
def interpreter(tmp_path):
    """An interpreter whose worker is a stub that dies, hangs or refuses on request."""
    package = tmp_path / "realtime_conformance"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "worker.py").write_text(textwrap.dedent(STUB))
    return Interpreter(python=sys.executable, path=(str(tmp_path),), isolated=True)


@pytest.mark.parametrize("jobs", [1, 3])
def test_replies_come_in_the_order_of_the_requests(interpreter, jobs):
    """Whoever answers first, replies keep their order."""
    batches = [[(number,)] for number in (1, 2, 3, 4, 5, 6)]
    with Pool(SETUP, jobs, interpreter) as pool:
        made = [reply["made"]["runs"] for _, reply in pool.make(batches)]
    assert made == [[[number]] for number in (1, 2, 3, 4, 5, 6)]


def test_a_worker_that_dies_is_reported_with_what_it_did(interpreter):
    """Its exit code, its request and its last word are said."""
    with Pool(SETUP, 1, interpreter) as pool, pytest.raises(WorkerLost) as lost:
        list(pool.make([[(1,)], [(7,)]]))
    assert "ended with code 3" in str(lost.value)
    assert '{"runs": [[7]]}' in str(lost.value)
    assert "a last word" in str(lost.value)


def test_a_worker_that_is_silent_is_reported(interpreter, monkeypatch):
    """A worker that hangs is killed and named after a bounded time."""
    monkeypatch.setattr(pool_module, "SILENCE_SECONDS", 0.5)
    with Pool(SETUP, 1, interpreter) as pool, pytest.raises(WorkerLost, match="said nothing"):
        list(pool.make([[(8,)]]))


def test_a_refusal_is_passed_on(interpreter):
    """What a worker cannot do is said in its own words."""
    with Pool(SETUP, 1, interpreter) as pool, pytest.raises(WorkerRefused, match="cannot do 9"):
        list(pool.make([[(9,)]]))


def test_a_worker_that_does_not_come_up_is_reported(tmp_path):
    """An interpreter without the package says so."""
    interpreter = Interpreter(python=sys.executable, path=(str(tmp_path),), isolated=True)
    if _has_package(interpreter):
        pytest.skip("the package is installed into this interpreter itself")
    with pytest.raises(WorkerLost, match="realtime_conformance"), Pool(SETUP, 1, interpreter):
        pass


def _has_package(interpreter):
    import subprocess

    command = [interpreter.python, "-c", "import realtime_conformance"]
    return subprocess.run(command, env=interpreter.environment(), check=False).returncode == 0
