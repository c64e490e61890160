"""Recordings: every form is read, every fault is one clear line, every dialect speaks GA.

What is said about real recordings is looked up in the files beside the repository, and in their
index; without them those tests are skipped, and the synthetic sessions here say the rest.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_protocol.recordings import (
    ASSUMPTIONS,
    CLIENT_EVENTS,
    DIALECTS,
    FORMS,
    BadRecording,
    Line,
    Recording,
    dumped,
    parse,
    read,
    translate,
)

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"

FILES = sorted(TRACES.glob("*.jsonl"))

with_traces = pytest.mark.skipif(not FILES, reason="no recordings beside the repository")

GA_CLIENT = {
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
}

GA_SERVER = {
    "error",
    "session.created",
    "session.updated",
    "conversation.created",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.input_audio_transcription.failed",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.timeout_triggered",
    "input_audio_buffer.dtmf_event_received",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "output_audio_buffer.cleared",
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_call.in_progress",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "mcp_list_tools.in_progress",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "rate_limits.updated",
}
"""Facts 1.1 and 1.2, without the legacy `conversation.item.created`."""


def encoded(values: Sequence[object]) -> bytes:
    """A file of one JSON value a line."""
    return "".join(f"{json.dumps(value)}\n" for value in values).encode()


def events(recording: Recording) -> list[tuple[str, Mapping[str, Any]]]:
    """Who sent what, in order."""
    return [(line.direction, line.event) for line in recording.lines]


def session(*values: tuple[str, Mapping[str, Any]]) -> Recording:
    """A recording of these events, read from the form `recorded`."""
    return parse(encoded([{"dir": d, "t": None, "event": e} for d, e in values]), "synthetic")


# -- forms ------------------------------------------------------------------------------------

CREATED = {"type": "session.created", "event_id": "event_1", "session": {}}
UPDATE = {"type": "session.update", "session": {"type": "realtime"}}
BOTH = [("server", CREATED), ("client", UPDATE)]

SAME: dict[str, list[object]] = {
    "recorded": [
        {"dir": "server", "t": None, "event": CREATED},
        {"dir": "client", "event": UPDATE},
    ],
    "wire": [CREATED, UPDATE],
    "hooks-by-key": [
        {"openai_server_event_received": CREATED},
        {"openai_client_event_queued": UPDATE},
    ],
    "hooks-by-name": [
        {"name": "openai_server_event_received", "event": CREATED},
        {"name": "openai_client_event_queued", "event": UPDATE},
    ],
    "hooks-by-pair": [
        ["openai_server_event_received", CREATED],
        ["openai_client_event_queued", UPDATE],
    ],
}


@pytest.mark.parametrize("form", SAME)
def test_every_form_says_the_same(form: str) -> None:
    """The same session in each form, recognised and named, is the same recording."""
    data = encoded(SAME[form])
    assert events(parse(data, "x")) == BOTH
    assert parse(data, "x", form.partition("-")[0]) == parse(data, "x")


def test_every_client_event_of_a_wire_log_is_the_clients() -> None:
    """The direction of a plain event follows from its type; what is unknown is the server's."""
    names = [*sorted(GA_CLIENT), "transcription_session.update"]
    recording = parse(encoded([{"type": name} for name in [*names, *sorted(GA_SERVER), "x"]]), "x")
    assert [line.type for line in recording.lines if line.direction == "client"] == names
    assert set(names) == CLIENT_EVENTS


def test_an_event_may_have_fields_that_look_like_another_form() -> None:
    """`dtmf_event_received` has a field `event`, and is still a plain event."""
    event = {"type": "input_audio_buffer.dtmf_event_received", "event": "9", "received_at": 1}
    assert events(parse(encoded([event]), "x")) == [("server", event)]


def test_times_counts_and_gaps() -> None:
    """Milliseconds are kept, several appends stay one line, and a gap stays a line."""
    append = {"type": "input_audio_buffer.append"}
    lines = [
        {"dir": "client", "t": 75, "event": {**append, "_count": 55}},
        {"_gap": "not read"},
        {"dir": "server", "t": 80.5, "event": CREATED},
    ]
    assert parse(encoded(lines), "x").lines == (
        Line(1, "client", 75.0, append, count=55),
        Line(2, "client", None, {"_gap": "not read"}, gap=True),
        Line(3, "server", 80.5, CREATED),
    )
    hooked = parse(encoded([{"openai_server_event_received": CREATED, "t": 3}]), "x")
    assert hooked.lines[0].time_ms == 3.0


def test_a_gap_has_no_type_and_a_first_gap_no_form() -> None:
    """A gap names no event, and what follows it says how to read the file."""
    recording = parse(encoded([{"_gap": "start"}, CREATED]), "x")
    assert [line.type for line in recording.lines] == ["", "session.created"]


def test_lines_of_a_file_are_numbered_as_an_editor_shows_them() -> None:
    """Empty lines, Windows ends and a byte order mark change nothing; U+2028 ends no line."""
    text = json.dumps({"type": "error", "text": "a\u2028b\u0085c"}, ensure_ascii=False)
    data = b"\xef\xbb\xbf\r\n" + text.encode() + b"\r\n\n" + encoded([CREATED])
    recording = parse(data, "x")
    assert [(line.number, line.type) for line in recording.lines] == [
        (2, "error"),
        (4, "session.created"),
    ]
    assert recording.lines[0].event["text"] == "a\u2028b\u0085c"


# -- faults -----------------------------------------------------------------------------------

BAD = [
    (b"", "", "line 1: expected an event a line, got a file without any"),
    (b"\n \n", "", "line 1: expected an event a line, got a file without any"),
    (b'{"_gap": "all of it"}', "", "line 1: expected an event a line, got a file without any"),
    (b'{"type": "a"}\n\xff', "", "line 2: expected UTF-8, got the byte 0xff"),
    (b'\xef\xbb\xbf{"type": "a"}\n\n\xfe', "", "line 3: expected UTF-8, got the byte 0xfe"),
    ("{}".encode("utf-16"), "", "line 1: expected UTF-8, got the byte 0xff"),
    (b'{"type": "a"}\n{"typ', "", 'line 2: expected JSON, got {"typ: Unterminated string'),
    (b'{"type": "a", "n": NaN}', "", "NaN is not JSON"),
    (b'{"type": "a", "n": 1e999}', "", "1e999 is not JSON"),
    (b"[" * 100_000, "", "line 1: expected JSON, got [[["),
    (b"{}", "", 'line 1: expected an object with "dir", with "type", or with the name of a hook, '
     "got an object with nothing"),
    (b'"text"', "", 'got "text"'),
    (b'{"type": "a"}\n[]', "", "line 2: expected an event object, got a list of 0"),
    (b'{"type": "a"}\n{"id": 1}', "", "line 2: expected a text as type of the event, got null"),
    (b'{"type": ["a"]}', "", "line 1: expected a text as type of the event, got a list of 1"),
    (b'{"type": ""}', "", 'line 1: expected a text as type of the event, got ""'),
    (b'{"dir": "up", "event": {}}', "", 'expected "server" or "client" as dir, got "up"'),
    (b'{"dir": ["server"]}', "", 'expected "server" or "client" as dir, got a list of 1'),
    (b'{"dir": "server"}', "", "line 1: expected an event object, got null"),
    (b'{"dir": "server", "event": {}}', "", "expected a text as type of the event, got null"),
    (b'{"dir": "server", "t": "1", "event": {"type": "a"}}', "", 'null as t, got "1"'),
    (b'{"dir": "server", "t": true, "event": {"type": "a"}}', "", "null as t, got true"),
    (b'{"dir": "server", "t": 1%s, "event": {"type": "a"}}' % (b"0" * 400), "", "null as t, got 1"),
    (b'{"type": "a", "_count": 0}', "", "number of events from 1 on as _count, got 0"),
    (b'{"type": "a", "_count": true}', "", "number of events from 1 on as _count, got true"),
    (b'{"type": "a"}\n{"_gap": 3}', "", "line 2: expected a remark as _gap, got 3"),
    (b'["openai_server_event_received"]', "", "expected a hook and its event, got a list of 1"),
    (b'["other", {}]', "", 'expected one of the hooks openai_server_event_received, '
     'openai_client_event_queued, got "other"'),
    (b'[["a"], {}]', "", "openai_client_event_queued, got a list of 1"),
    (b'{"name": {"a": 1}}', "", "openai_client_event_queued, got an object with a"),
    (b'{"name": "openai_server_event_received"}', "", "expected an event object, got null"),
    (b'{"type": "a"}', "recorded", 'expected "server" or "client" as dir, got null'),
    (b'{"type": "a"}', "hooks", "openai_client_event_queued, got null"),
    (b'{"type": "a"}', "csv", "expected one of the forms recorded, wire, hooks, got 'csv'"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "form", "expected"), BAD)
def test_what_cannot_be_read_is_one_line(data: bytes, form: str, expected: str) -> None:
    """File, line, what was expected and what came."""
    with pytest.raises(BadRecording) as caught:
        parse(data, "some/file.jsonl", form or None)
    said = str(caught.value)
    assert said.startswith("some/file.jsonl")
    assert expected in said
    assert said.isprintable()
    assert len(said) < 400


def test_a_long_line_is_not_shown_whole() -> None:
    """An error shows the beginning of what came."""
    with pytest.raises(BadRecording) as caught:
        parse(b'{"type": "a"}\n' + b"x" * 10_000, "x")
    assert len(str(caught.value)) < 200


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    """A recording is named after its file, whether a path or a text names that."""
    file = tmp_path / "a.b--c.jsonl"
    file.write_bytes(encoded(SAME["wire"]))
    assert read(file) == read(str(file)) == read(file, "wire")
    assert read(file).name == "a.b--c"
    bare = tmp_path / ".log"
    bare.write_bytes(encoded(SAME["wire"]))
    assert read(bare).name == ".log"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("absent.jsonl", "No such file"), ("", "directory"), ("a\0b", "null"), ("\ud800", "")],
)
def test_what_is_no_file_is_said(tmp_path: Path, name: str, expected: str) -> None:
    """A path that is not there, is a directory, or cannot be one."""
    with pytest.raises(BadRecording, match="expected a readable file, got: ") as caught:
        read(str(tmp_path / name))
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_fault_in_a_file_names_the_file(tmp_path: Path) -> None:
    """The path as it was given stands before the line, on one line."""
    file = tmp_path / "two\nlines.jsonl"
    file.write_bytes(b"[]")
    with pytest.raises(BadRecording, match=r"two\\nlines.jsonl', line 1: expected a hook"):
        read(file)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["server", "client", "session.created", "openai_server_event_received"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dir", "t", "event", "type", "name", "_count", "_gap", "item"])
            | st.sampled_from(["openai_server_event_received", "session", "response", "content"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def outcome(data: bytes, form: str | None) -> Recording | str:
    """The recording, or the fault."""
    try:
        return parse(data, "x", form)
    except BadRecording as error:
        return str(error)


@given(data=st.binary(max_size=40), form=st.sampled_from([None, *FORMS]))
def test_no_bytes_break_the_reader(data: bytes, form: str | None) -> None:
    """Whatever a file holds, it is a recording or a fault of one line."""
    found = outcome(data, form)
    assert isinstance(found, Recording) or found.isprintable()


@given(values=st.lists(JSON, max_size=3), form=st.sampled_from([None, *FORMS]))
def test_no_json_breaks_reader_or_dialects(values: list[object], form: str | None) -> None:
    """Whatever shape a line has; what is read can be translated, written and read again."""
    found = outcome(encoded(values), form)
    if isinstance(found, Recording):
        for dialect in DIALECTS:
            assert translate(found, dialect).dialect == dialect
        again = parse(dumped(found).encode(), "x")
        numbered = [attrs.evolve(line, number=n) for n, line in enumerate(found.lines, 1)]
        assert list(again.lines) == numbered
    else:
        assert found.isprintable()


# -- facts of a recording ---------------------------------------------------------------------


def test_where_a_recording_starts_and_what_it_has() -> None:
    """The start is the server's first event, wherever the client begins; a gap is no client."""
    created, update = ("server", CREATED), ("client", UPDATE)
    assert session(created).starts == "from session.created"
    assert session(update, created).starts == "from session.created"
    assert session(update).starts == "later"
    assert session(("server", {"type": "session.updated"}), created).starts == "later"
    assert session(created, update).has_client
    assert not session(created).has_client
    gapped = parse(encoded([{"_gap": "client"}, CREATED]), "x")
    assert not gapped.has_client
    assert gapped.extent == "from session.created, 1 server events, no client side, 1 gaps"
    counted = parse(encoded([{"type": "input_audio_buffer.append", "_count": 3}, CREATED]), "x")
    assert counted.extent == "from session.created, 1 server events, 3 client events"


# -- dialects ---------------------------------------------------------------------------------


def test_an_unknown_dialect_is_refused_with_the_choices() -> None:
    """The error names what there is."""
    with pytest.raises(ValueError, match="unknown dialect 'klingon'; expected one of ga, beta, "):
        translate(session(("server", CREATED)), "klingon")


def test_ga_is_as_it_is() -> None:
    """The identity dialect changes nothing, not even what it does not know."""
    recording = session(("server", CREATED), ("server", {"type": "new", "item": {"content": [1]}}))
    assert translate(recording, "ga") == recording


def test_dialects_name_themselves_and_assume_what_is_known() -> None:
    """The table is consistent: every assumption is described, and taken by some dialect."""
    taken = [name for dialect in DIALECTS.values() for name in dialect.assumptions]
    assert set(taken) == ASSUMPTIONS.keys()
    assert all(name == dialect.name for name, dialect in DIALECTS.items())
    assert all(dialect.about and dialect.source for dialect in DIALECTS.values())
    renamed = {new for dialect in DIALECTS.values() for new in dialect.rename.values()}
    assert renamed <= GA_SERVER | GA_CLIENT
    assert all(not dialect.drop & (GA_SERVER | GA_CLIENT) for dialect in DIALECTS.values())


BETA = (
    ("server", {
        "type": "session.created",
        "session": {
            "modalities": ["audio", "text"], "voice": "alloy", "turn_detection": None,
            "input_audio_format": "pcm16", "temperature": 0.8, "max_response_output_tokens": "inf",
        },
    }),
    ("client", {"type": "response.create", "response": {"modalities": ["text"], "input": [
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]},
        {"type": "item_reference", "id": "item_1"},
    ]}}),
    ("server", {"type": "conversation.item.created", "item": {
        "id": "item_1", "content": [{"type": "input_text", "text": "hi"}, "[Object]"],
    }}),
    ("server", {"type": "response.content_part.added", "part": {"type": "audio"}}),
    ("server", {"type": "response.audio_transcript.delta", "delta": "a"}),
    ("server", {"type": "response.output_item.done", "item": {
        "id": "item_2", "content": [{"type": "audio", "transcript": "a"}],
    }}),
    ("server", {"type": "response.done", "response": {"modalities": ["audio", "text"], "output": [
        {"id": "item_2", "content": [{"type": "audio", "transcript": "a"}]}, "[Object]",
    ]}}),
)  # fmt: skip

BETA_IN_GA = (
    ("server", {
        "type": "session.created",
        "session": {
            "temperature": 0.8, "max_output_tokens": "inf", "output_modalities": ["audio"],
            "audio": {
                "input": {"turn_detection": None, "format": "pcm16"}, "output": {"voice": "alloy"},
            },
        },
    }),
    ("client", {"type": "response.create", "response": {"output_modalities": ["text"], "input": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "item_reference", "id": "item_1"},
    ]}}),
    ("server", {"type": "conversation.item.added", "item": {
        "id": "item_1", "content": [{"type": "input_text", "text": "hi"}, "[Object]"],
    }}),
    ("server", {"type": "response.content_part.added", "part": {"type": "audio"}}),
    ("server", {"type": "response.output_audio_transcript.delta", "delta": "a"}),
    ("server", {"type": "response.output_item.done", "item": {
        "id": "item_2", "content": [{"type": "output_audio", "transcript": "a"}],
    }}),
    ("server", {"type": "response.done", "response": {"output_modalities": ["audio"], "output": [
        {"id": "item_2", "content": [{"type": "output_audio", "transcript": "a"}]}, "[Object]",
    ]}}),
)  # fmt: skip


@pytest.mark.parametrize("dialect", ["beta", "beta-webrtc", "azure-voice-live"])
def test_beta_words_become_ga_words(dialect: str) -> None:
    """Names, contents inside of items, and flat settings; the type of a part stays."""
    assert events(translate(session(*BETA), dialect)) == list(BETA_IN_GA)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_translation_is_pure_and_happens_once(dialect: str) -> None:
    """The recording that was given is as before, and a second translation adds nothing."""
    recording = session(*BETA)
    before = copy.deepcopy(recording)
    once = translate(recording, dialect)
    assert recording == before
    assert translate(once, dialect) == once


def test_of_a_setting_in_both_forms_the_ga_one_is_kept() -> None:
    """A flat field beside the nested one does not overwrite it, and what is beside it stays."""
    flat = {"turn_detection": {"type": "server_vad"}, "input_audio_transcription": {"model": "a"}}
    nested = {"audio": {"input": {"transcription": {"model": "b"}, "transport": "json"}}}
    given_ = session(("server", {"type": "session.updated", "session": {**flat, **nested}}))
    assert translate(given_, "xai").lines[0].event["session"] == {
        "audio": {
            "input": {
                "transcription": {"model": "b"},
                "transport": "json",
                "turn_detection": {"type": "server_vad"},
            }
        }
    }


def test_events_of_its_own_are_set_aside_and_reported() -> None:
    """What GA has no word for is taken out with its line number; the rest keeps its own."""
    ping = {"type": "ping", "timestamp": 1}
    recording = session(("server", CREATED), ("server", ping), ("client", UPDATE))
    said = translate(recording, "xai")
    assert [line.number for line in said.lines] == [1, 3]
    assert said.set_aside == (Line(2, "server", None, ping),)
    assert said.dialect == "xai"
    assert recording.set_aside == ()


def test_a_role_is_left_to_messages() -> None:
    """GA gives none to calls and outputs, where one dialect has two that contradict each other."""
    call = {"id": "item_1", "type": "function_call", "role": "tool", "arguments": ""}
    message = {"id": "item_2", "type": "message", "role": "user", "content": []}
    added = [
        ("server", {"type": "conversation.item.added", "item": item}) for item in (call, message)
    ]
    done = ("server", {"type": "response.done", "response": {"output": [call, message]}})
    said = translate(session(*added, done), "xai")
    bare = {name: value for name, value in call.items() if name != "role"}
    assert [line.event["item"] for line in said.lines[:2]] == [bare, message]
    assert said.lines[2].event["response"]["output"] == [bare, message]
    assert translate(session(*added, done), "beta").lines[0].event["item"] == call


def test_an_unknown_event_is_left_for_the_acceptor() -> None:
    """A dialect neither drops nor renames what it does not know."""
    own = {"type": "response.animation_viseme.delta"}
    assert events(translate(session(("server", own)), "azure-voice-live")) == [("server", own)]


# -- the recordings beside the repository -----------------------------------------------------


def dialect_of(name: str) -> str:
    """The dialect of a recording, as the index describes it."""
    for part, dialect in (
        ("sideband", "webrtc-sideband"),
        ("voice_live", "azure-voice-live"),
        ("87a4313", "azure-voice-live"),
        ("xai", "xai"),
        ("feb2026", "beta"),
        ("liusida", "beta"),
        ("semantic-kernel", "beta-webrtc"),
    ):
        if part in name:
            return dialect
    return "ga"


@cache
def translated() -> tuple[Recording, ...]:
    """Every recording in GA words."""
    return tuple(translate(read(file), dialect_of(file.stem)) for file in FILES)


def indexed() -> dict[str, str]:
    """The rows of the index by the name of the recording."""
    text = (TRACES / "INDEX.md").read_text("utf-8")
    return dict(re.findall(r"^\| `([^`]+)` \|(.+)$", text, re.MULTILINE))


def counted(row: str) -> tuple[int, int]:
    """How many events of server and client a row of the index claims."""
    if found := re.search(r"\| (\d+) \((\d+) client\) \|", row):
        return int(found[1]) - int(found[2]), int(found[2])
    found = re.search(r"\| (\d+) server \+ (\d+) client \+ (\d+) appends \|", row)
    assert found is not None, row
    return int(found[1]), int(found[2]) + int(found[3])


@with_traces
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_recording_is_read_and_says_its_extent(file: Path) -> None:
    """As many events of each side as the index claims, and the start that it describes."""
    recording = read(file)
    row = indexed()[file.stem]
    server, client = counted(row)
    late = "first frame on the sideband" in row or "no session start" in row
    starts = "later" if late else "from session.created"
    gaps = ", 1 gaps" if "_gap line" in row else ""
    sent = f"{client} client events" if client else "no client side"
    assert recording.extent == f"{starts}, {server} server events, {sent}{gaps}"
    assert recording.has_client == (client > 0)


@with_traces
def test_every_recording_is_in_the_index() -> None:
    """No file and no row without the other."""
    assert indexed().keys() == {file.stem for file in FILES}


@with_traces
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_recording_is_written_and_read_again(file: Path) -> None:
    """Nothing is lost, and the other forms say the same where they can say it."""
    recording = read(file)
    assert parse(dumped(recording).encode(), file.stem) == recording
    plain = [line.event for line in recording.lines if not line.gap and line.count == 1]
    assert [line.event for line in parse(encoded(plain), "x").lines] == plain
    sent = [line.direction for line in recording.lines if not line.gap and line.count == 1]
    assert [line.direction for line in parse(encoded(plain), "x").lines] == sent


@with_traces
@pytest.mark.parametrize("number", range(len(FILES)), ids=lambda number: FILES[number].stem)
def test_every_recording_speaks_ga(number: int) -> None:
    """After translation every event has a GA name; only xAI has events of its own to set aside."""
    recording = translated()[number]
    assert {line.type for line in recording.server} <= GA_SERVER
    sent = {line.type for line in recording.lines if line.direction == "client" and not line.gap}
    assert sent <= GA_CLIENT
    assert bool(recording.set_aside) == (recording.dialect == "xai")
    assert len(recording.lines) + len(recording.set_aside) == len(read(FILES[number]).lines)


@with_traces
@pytest.mark.parametrize("number", range(len(FILES)), ids=lambda number: FILES[number].stem)
def test_every_recording_has_ga_contents(number: int) -> None:
    """No item of the assistant has a short content type, and no setting is flat."""
    for line in translated()[number].lines:
        response = line.event.get("response") or {}
        items = [line.event.get("item"), *response.get("output", ())]
        contents = [c for i in items if isinstance(i, dict) for c in i.get("content", ())]
        kinds = {content["type"] for content in contents if isinstance(content, dict)}
        if line.direction == "server":
            assert kinds <= {"output_audio", "output_text", "input_audio", "input_text"} | {
                "input_image"
            }
        assert "modalities" not in {**(line.event.get("session") or {}), **response}


@with_traces
def test_ga_recordings_need_no_translation() -> None:
    """Most recordings are GA, and there the server says nothing that an older dialect renames."""
    ga = [recording for recording in translated() if recording.dialect == "ga"]
    assert len(ga) > 25
    for recording in ga:
        assert translate(recording, "beta").server == recording.server


# -- assumptions are what recordings show -----------------------------------------------------

Holds = Callable[[Recording], bool | None]
"""Whether an assumption holds in a recording; None where nothing there could show it."""

DONE = "conversation.item.done"
ADDED = "conversation.item.added"
STARTED = "input_audio_buffer.speech_started"
LIMITS = "rate_limits.updated"


def types(recording: Recording) -> list[str]:
    return [line.type for line in recording.server]


def after(recording: Recording, kind: str) -> list[str]:
    """What follows each event of a type; nothing follows the last event."""
    names = types(recording)
    return [later for name, later in pairwise(names) if name == kind]


def all_of(found: Sequence[bool]) -> bool | None:
    return all(found) if found else None


def items(recording: Recording, kind: str) -> list[Mapping[str, Any]]:
    return [line.event["item"] for line in recording.server if line.type == kind]


def _no_item_done(recording: Recording) -> bool | None:
    return DONE not in types(recording) if ADDED in types(recording) else None


def _done_for_audio(recording: Recording) -> bool | None:
    spoken = {line.event["item_id"] for line in recording.server if line.type == STARTED}
    return {item["id"] for item in items(recording, DONE)} == spoken


def _limits_after_created(recording: Recording) -> bool | None:
    names = types(recording)
    before = [names[n - 1] for n, name in enumerate(names) if name == LIMITS]
    return all_of([name == "response.created" for name in before])


def _no_audio_deltas(recording: Recording) -> bool | None:
    names = types(recording)
    ends = "response.output_audio.done" in names
    return "response.output_audio.delta" not in names if ends else None


def _playout(recording: Recording) -> bool | None:
    names = [name for name in types(recording) if name.startswith("output_audio_buffer.")]
    ends = "response.output_audio.done" in types(recording)
    pairs = ["output_audio_buffer.started", "output_audio_buffer.stopped"] * len(names)
    return bool(names) and names == pairs[: len(names)] if ends else None


def _parts_without_text(recording: Recording) -> bool | None:
    parts = [
        line.event["part"] for line in recording.server if line.type == "response.content_part.done"
    ]
    return all_of([part["text"] == "" for part in parts if part["type"] == "text"])


def _item_at_speech(recording: Recording) -> bool | None:
    committed = after(recording, "input_audio_buffer.committed")
    return all_of([n == ADDED for n in after(recording, STARTED)] + [n != ADDED for n in committed])


def _repeats(recording: Recording) -> bool | None:
    ends = [
        line.event["item_id"]
        for line in recording.server
        if line.type.endswith("input_audio_transcription.completed")
    ]
    return len(ends) > len(set(ends)) if ends else None


def _early_response(recording: Recording) -> bool | None:
    if len(after(recording, STARTED)) < 2:
        return None
    names = types(recording)
    return names.index("response.created") < names.index("input_audio_buffer.committed")


def _transcript_first(recording: Recording) -> bool | None:
    chain = [
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_audio.done",
        "response.output_item.done",
    ]
    pairs = list(pairwise(chain))
    return all_of([later == found for one, later in pairs for found in after(recording, one)])


def _one_by_one(recording: Recording) -> bool | None:
    opened = [line for line in recording.server if line.type == "response.output_item.added"]
    responses = [line.event["response_id"] for line in opened]
    if len(set(responses)) == len(responses):
        return None
    return all(line.event["output_index"] == 0 for line in opened)


def _cut_without_closing(recording: Recording) -> bool | None:
    names = types(recording)
    if "response.done" not in names or names.count(STARTED) < 2:
        return None
    second = [n for n, name in enumerate(names) if name == STARTED][1]
    ends = [line.event for line in recording.server if line.type == "response.done"]
    return names[second - 1] == "response.done" and ends[0]["response"]["output"] == []


def _unreliable(recording: Recording) -> bool | None:
    tools = [
        line.event["previous_item_id"]
        for line in recording.server
        if line.type == ADDED and line.event["item"]["type"].startswith("function_call")
    ]
    return all_of([place is None for place in tools])


def _replayed(recording: Recording) -> bool | None:
    first = [line.type for line in recording.lines if line.type in (ADDED, "session.updated")][:1]
    return first == [ADDED] or None


EVIDENCE: dict[str, Holds] = {
    "no_session_created": lambda recording: recording.starts == "later",
    "no_item_done": _no_item_done,
    "item_done_for_input_audio_only": _done_for_audio,
    "rate_limits_after_created": _limits_after_created,
    "no_audio_deltas": _no_audio_deltas,
    "output_audio_buffer": _playout,
    "part_done_without_text": _parts_without_text,
    "conversation_created": lambda recording: (
        after(recording, "session.created") == ["conversation.created"]
    ),
    "items_replayed": _replayed,
    "item_at_speech_started": _item_at_speech,
    "transcription_repeats": _repeats,
    "response_before_commit": _early_response,
    "transcript_closed_first": _transcript_first,
    "items_one_by_one": _one_by_one,
    "cut_without_closing": _cut_without_closing,
    "previous_item_id_unreliable": _unreliable,
    "contents_left_out": lambda recording: all_of(
        [
            "content" not in item
            for item in items(recording, "response.output_item.added")
            if item["type"] == "message"
        ]
    ),
    "bare_responses": lambda recording: all_of(
        [
            "conversation_id" not in line.event["response"]
            for line in recording.server
            if line.type == "response.done"
        ]
    ),
}


@with_traces
@pytest.mark.parametrize("name", ASSUMPTIONS)
def test_recordings_bear_an_assumption_out(name: str) -> None:
    """It holds in every recording of its dialects that could show it, and in no GA recording."""
    with_it = [r for r in translated() if name in DIALECTS[r.dialect].assumptions]
    shown = [(r.name, EVIDENCE[name](r)) for r in with_it]
    assert [n for n, holds in shown if holds is False] == []
    assert [n for n, holds in shown if holds]
    ga = [r for r in translated() if r.dialect == "ga"]
    assert [r.name for r in ga if EVIDENCE[name](r)] == []


def test_every_assumption_has_its_evidence() -> None:
    """The table above knows every assumption and no other."""
    assert EVIDENCE.keys() == ASSUMPTIONS.keys()
