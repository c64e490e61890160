"""The pool: order, death, silence and refusal of workers."""

from __future__ import annotations

import sys
import textwrap

import pytest

from realtime_conformance import pool as pool_module
from realtime_conformance.blackbox import Begun, Box, Recorder
from realtime_conformance.pool import (
    Interpreter,
    Patience,
    Pool,
    Setup,
    WorkerLost,
    WorkerRefused,
    without,
)
from realtime_conformance.scenario import TICK

SETUP = Setup(client="stub", profile="quick", scope="audio-reply")

STUB = """
    import json, os, struct, sys, time
    setup = json.loads(sys.stdin.readline())
    print(json.dumps({"packages": {}, "python": "x", "tells": []}), flush=True)

    def begin(given):
        data = struct.pack(f"=3I{len(given)}I", 1, len(given), len(given), *given)
        with open(setup["box"], "r+b") as box:
            box.write(data)

    for line in sys.stdin:
        request = json.loads(line)
        for given in request.get("runs", ()):
            begin(given)
            if given[0] == 7:
                print("a last word", file=sys.stderr, flush=True)
                os._exit(3)
            if given[0] == 8:
                time.sleep(600)
            if given[0] == 9:
                print(json.dumps({"refused": "cannot do 9"}), flush=True)
                break
        else:
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


def requests(*batches):
    """Requests for runs, each run one choice."""
    return [{"runs": [[number] for number in batch]} for batch in batches]


@pytest.mark.parametrize("jobs", [1, 3])
def test_replies_come_in_the_order_of_the_requests(interpreter, jobs):
    """Whoever answers first, replies keep their order."""
    asked = requests((1,), (2,), (3,), (4,), (5,), (6,))
    with Pool(SETUP, jobs, interpreter) as pool:
        made = [reply["made"] for _, reply in pool.make(asked)]
    assert made == asked


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_worker_that_dies_is_replaced_and_the_rest_goes_on(interpreter, jobs):
    """The run that it was making is named, with its exit code and its last word."""
    with Pool(SETUP, jobs, interpreter) as pool:
        replies = [reply for _, reply in pool.make(requests((1, 7, 2), (3,), (7,), (4,)))]
    assert [reply.get("made") for reply in replies] == [
        {"runs": [[1], [2]]},
        {"runs": [[3]]},
        None,
        {"runs": [[4]]},
    ]
    loss = {"choices": [7], "how": "ended with code 3: a last word"}
    assert [reply["lost"] for reply in replies] == [[loss], [], [loss], []]
    assert replies[2]["results"] == []


def test_each_worker_has_a_number_of_its_own(interpreter):
    """What is named by number belongs to one worker, and never to the one in its place."""
    with Pool(SETUP, 1, interpreter) as pool:
        numbers = [number for number, _ in pool.make(requests((1,), (7, 2), (3,)))]
    assert numbers[0] != numbers[1] == numbers[2]


def test_a_worker_that_is_silent_is_replaced(interpreter, monkeypatch):
    """A worker that hangs is killed and named after a bounded time."""
    monkeypatch.setattr(pool_module, "SILENCE_SECONDS", 2.0)
    with Pool(SETUP, 1, interpreter) as pool:
        ((_, reply),) = pool.make(requests((8, 1)))
    assert reply["made"] == {"runs": [[1]]}
    (loss,) = reply["lost"]
    assert loss["choices"] == [8]
    assert loss["how"].startswith("said nothing for 2 s")


def test_too_many_losses_end_the_run(interpreter, monkeypatch):
    """Where every run ends its worker, something else is wrong."""
    monkeypatch.setattr(pool_module, "MOST_LOST", 2)
    with Pool(SETUP, 2, interpreter) as pool, pytest.raises(WorkerLost) as lost:
        list(pool.make(requests((7,), (7,), (7,), (7,))))
    assert "ended with code 3" in str(lost.value)
    assert "a last word" in str(lost.value)


def test_a_pool_may_have_less_patience(interpreter):
    """With none for losses the first one ends the run, and silence has a length of its own."""
    for number, how in ((7, "ended with code 3"), (8, "said nothing for 2 s")):
        with (
            Pool(SETUP, 1, interpreter, Patience(seconds=2.0, losses=0)) as pool,
            pytest.raises(WorkerLost, match=how),
        ):
            list(pool.make(requests((number, 1))))


def test_a_single_question_that_ends_a_worker_is_told(interpreter):
    """Its asker hears of it, and the next one is answered by another worker."""
    with Pool(SETUP, 1, interpreter) as pool:
        with pytest.raises(WorkerLost, match="ended with code 3"):
            pool.ask({"runs": [[7]]})
        assert pool.ask({"runs": [[1]]})["made"] == {"runs": [[1]]}


def test_a_tail_is_asked_for_again_without_what_was_lost():
    """A run is left out by what it was begun with; nothing is asked for a third time."""
    tail = {"tails": [1, 2], "budget": 16}
    again = without(tail, Begun((1, 2, 3), (1, 2, 3, 0)))
    assert again == {**tail, "lost": [[1, 2, 3]]}
    assert without(again, Begun((1, 2, 3), (1, 2, 3))) is None
    behind = without({"ticks": [1, 2], "turns": 9}, Begun((1, 130, 0), (1, 130, 0)))
    assert behind == {"ticks": [1, 2], "turns": 9, "lost": [[1, 130, 0]]}
    assert without({"draw": 4}, Begun((), (1,))) is None
    assert without({"walks": [[[1], [5]], [[2], []]]}, Begun((1,), (1, 0))) == {
        "walks": [[[2], []]]
    }


def test_a_refusal_is_passed_on(interpreter):
    """What a worker cannot do is said in its own words, and the worker goes on."""
    with Pool(SETUP, 1, interpreter) as pool:
        with pytest.raises(WorkerRefused, match="cannot do 9"):
            list(pool.make(requests((9,))))
        assert pool.ask({"runs": [[1]]})["made"] == {"runs": [[1]]}


def test_no_file_is_left(interpreter, monkeypatch, tmp_path):
    """What the workers recorded into is taken away, also where one was lost."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with Pool(SETUP, 2, interpreter) as pool:
        assert len(list(folder.iterdir())) == 2
        list(pool.make(requests((7, 1), (2,))))
    assert list(folder.iterdir()) == []


def test_a_recorder_keeps_what_a_run_was_begun_with():
    """Given choices and those that the run took, and nothing before the first run."""
    box = Box()
    try:
        assert box.read() is None
        recorder = Recorder(box.path)
        recorder.begin((3, 1, 2))
        recorder.take(9 + 11 * TICK)
        assert box.read() == Begun((3, 1, 2), (3, 1, 2, 9 + 11 * TICK))
        recorder.begin(())
        assert box.read() == Begun((), ())
    finally:
        box.remove()


def test_a_worker_that_does_not_come_up_is_reported(tmp_path, bare_python):
    """An interpreter without the package says so."""
    interpreter = Interpreter(python=bare_python, path=(str(tmp_path),), isolated=True)
    with pytest.raises(WorkerLost, match="realtime_conformance"), Pool(SETUP, 1, interpreter):
        pass
