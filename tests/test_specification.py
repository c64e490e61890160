"""The commands about the model alone: what they print, exit codes, and wrong use in one line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from realtime_conformance.cli import app
from realtime_conformance.specification import FORMATS
from realtime_protocol.bounds import SCOPES
from realtime_protocol.graph import enumerate_graph
from realtime_protocol.machine import Machine

CREATED = {"type": "session.created", "event_id": "event_1", "session": {}}
STARTED = {
    "type": "input_audio_buffer.speech_started",
    "event_id": "event_2",
    "audio_start_ms": 0,
    "item_id": "item_1",
}
STOPPED = {
    "type": "input_audio_buffer.speech_stopped",
    "event_id": "event_3",
    "audio_end_ms": 900,
    "item_id": "item_1",
}


def invoke(*arguments):
    """Exit code, standard output and standard error of a call."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def recorded(folder, *events, name="session.jsonl"):
    """A file with one server event a line."""
    path = folder / name
    lines = [json.dumps({"dir": "server", "t": None, "event": event}) for event in events]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_recording_that_fits_is_accepted(tmp_path):
    """With what is missing from it, and exit code 0."""
    code, output, _ = invoke("accept", recorded(tmp_path, CREATED, STARTED, STOPPED))
    assert code == 0
    assert output.startswith("accepted  session (without the client's side)")
    assert "3 server events" in output


def test_a_recording_that_does_not_fit_is_refused_with_the_reason(tmp_path):
    """Line, event, and what would have been accepted there; exit code 1."""
    code, output, _ = invoke("accept", recorded(tmp_path, CREATED, STOPPED, STARTED))
    assert code == 1
    assert "line 2: input_audio_buffer.speech_stopped is refused: no rule allows it" in output
    assert "accepted there: " in output


def test_a_dialect_is_accepted_under_its_name(tmp_path):
    """The item of a spoken turn comes with the speech, in one dialect and in no other."""
    item = {"id": "item_1", "type": "message", "status": "in_progress", "role": "user"}
    content = [{"type": "input_audio", "transcript": ""}]
    added = {
        "type": "conversation.item.added",
        "event_id": "event_9",
        "previous_item_id": None,
        "item": {**item, "content": content},
    }
    file = recorded(tmp_path, CREATED, STARTED, added, STOPPED)
    code, output, _ = invoke("accept", "--dialect", "xai", file)
    assert (code, output.split()[0]) == (0, "accepted")
    code, output, _ = invoke("accept", file)
    assert code == 1
    assert "line 3: conversation.item.added is refused" in output


def test_verdicts_as_json(tmp_path):
    """One object a recording, the good one and the bad one."""
    good = recorded(tmp_path, CREATED, STARTED, name="good.jsonl")
    bad = recorded(tmp_path, CREATED, CREATED, name="bad.jsonl")
    code, output, _ = invoke("accept", "--json", good, bad)
    first, second = map(json.loads, output.splitlines())
    assert code == 1
    assert (first["name"], first["accepted"], first["refusal"]) == ("good", True, None)
    assert (second["accepted"], second["refusal"]["line"]) == (False, 2)


def test_rules_of_an_accepted_recording(tmp_path):
    """Their clause ids, a line each."""
    _, output, _ = invoke("accept", "--rules", recorded(tmp_path, CREATED, STARTED))
    assert "server.session.created" in output.split()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["accept", "missing.jsonl"], "missing.jsonl"),
        (["accept", "words.txt"], "words.txt, line 1: expected JSON"),
        (["accept", "typo.jsonl"], "line 1: 'session.craeted' is no event of the protocol"),
        (["accept", "--dialect", "klingon", "good.jsonl"], "'klingon'"),
        (["accept", "--assume", "luck", "good.jsonl"], "unknown assumption 'luck'; expected one"),
        (["accept", "--format", "tape", "good.jsonl"], "'tape'"),
        (["graph", "--scope", "nope"], "unknown scope 'nope'; expected one of audio-reply"),
        (["graph", "--format", "oil"], "unknown format 'oil'; expected one of counts, covers"),
        (["graph", "--bound", "AUDIO=-1"], "expected NAME=N for --bound, got 'AUDIO=-1'"),
        (["graph", "--bound", "SPEAKER=7"], "bound SPEAKER must be at most 1, got 7"),
        (["graph", "--bound", "AUDIO=9", "--limit", "100"], "more than 100 nodes under bounds"),
        (["graph", "--assume", "luck"], "unknown assumption 'luck'"),
        (["graph", "--scope", "text-reply", "-o", "no/such/folder"], "cannot write"),
        (["properties", "nope"], "'nope'"),
    ],
)
def test_wrong_use_is_one_clear_line(tmp_path, monkeypatch, arguments, expected):
    """It exits with 2, says what was expected and what came, and writes nothing."""
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path, CREATED, name="good.jsonl")
    recorded(tmp_path, {"type": "session.craeted"}, name="typo.jsonl")
    (tmp_path / "words.txt").write_text("no JSON here\n", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    code, output, errors = invoke(*arguments)
    assert (code, len(errors.splitlines())) == (2, 1), (output, errors)
    assert expected in errors
    assert sorted(tmp_path.iterdir()) == before


def test_the_size_of_a_scope():
    """The same figures as those of the graph."""
    code, output, _ = invoke("graph", "--scope", "text-reply")
    graph = enumerate_graph(Machine(SCOPES["text-reply"].bounds))
    counts = json.loads(output)
    assert code == 0
    assert (counts["nodes"], counts["edges"]) == (graph.nodes, graph.edges)
    assert counts["paths"] == graph.paths()


def test_a_bound_of_ones_own_changes_the_size():
    """A second interruption makes the graph larger."""
    wider = ["--bound", "INTERRUPTIONS=2", "--bound", "DISTURBANCES=2"]
    sizes = [
        json.loads(invoke("graph", "--scope", "text-reply", *more)[1])["nodes"]
        for more in ([], wider)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_written_whole(tmp_path, form):
    """To a file as to standard output, and nothing is left beside it."""
    small = ["--scope", "text-reply", "--bound", "TEXTS=1", "--bound", "TICKS=0", "--format", form]
    path = tmp_path / "graph.out"
    code, output, _ = invoke("graph", *small)
    assert code == 0
    assert invoke("graph", *small, "-o", path)[0] == 0
    assert path.read_text(encoding="utf-8") == output
    assert output.endswith("\n")
    assert list(tmp_path.iterdir()) == [path]


def test_covers_are_printed_with_their_lower_bounds():
    """A line for each kind."""
    _, output, _ = invoke("graph", "--scope", "text-reply", "--format", "covers")
    assert [line.split()[3] for line in output.splitlines()] == [
        "nodes", "edges", "edge-pairs", "points",
    ]  # fmt: skip
    assert all("at least" in line for line in output.splitlines())


def test_properties_of_a_scope():
    """Each with its outcome and how often its premise held; exit code 0."""
    code, output, _ = invoke("properties", "response-ends", "--scope", "text-reply")
    assert code == 0
    outcome, kind, premise, name = output.split()
    assert (outcome, kind, name) == ("holds", "leads-to", "response-ends")
    assert int(premise) > 0
