"""The vocabulary and the error catalogue, against the SDK, the facts and the recordings."""

from __future__ import annotations

import collections
import json
import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types import realtime
from openai.types.beta import realtime as beta_realtime

from realtime_protocol import vocabulary
from realtime_protocol.errors import ERRORS, PLACEHOLDERS, ErrorEntry, matches
from realtime_protocol.vocabulary import EVENTS, Direction, UnknownEvent, ga_name, out_of_scope

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"

SOURCES = ("SDK ", "GUIDE ", "CAS ", "facts ")
"""How a source begins; the keys are those of the facts, section 0."""

UNIONS: dict[Direction, tuple[Any, Any]] = {
    "client": (realtime.RealtimeClientEvent, beta_realtime.RealtimeClientEvent),
    "server": (realtime.RealtimeServerEvent, beta_realtime.RealtimeServerEvent),
}
"""The event unions of the openai package: GA and beta."""

NOT_IN_THE_PACKAGE: dict[str, str] = {}
"""In-scope events that the GA unions lack, each with the reason."""

NOT_IN_THE_BETA_PACKAGE = {
    "transcription_session.created": "documented for beta, but in no union of the package",
}

OTHER_VENDORS = {
    "ping": "xAI",
    "conversation.item.input_audio_transcription.updated": "xAI",
}
"""Recorded events of servers that are not OpenAI's."""

DIRECTIONS = pytest.mark.parametrize("direction", ["client", "server"])


def members(union: Any) -> dict[str, str]:
    """The wire name of every member of an event union of the package, and the file it is in."""
    classes = typing.get_args(typing.get_args(union)[0])
    return {
        typing.get_args(member.model_fields["type"].annotation)[0]: (
            f"{member.__module__.rpartition('.')[2]}.py"
        )
        for member in classes
    }


def drift(package: Iterable[str], ours: Iterable[str]) -> list[str]:
    """What one of two sets of names has and the other has not, one line each."""
    package, ours = set(package), set(ours)
    return [f"the vocabulary lacks {name}" for name in sorted(package - ours)] + [
        f"the package lacks {name}" for name in sorted(ours - package)
    ]


def spoken(direction: Direction) -> list[vocabulary.Event]:
    """The events that go one way."""
    return [event for event in EVENTS.values() if event.direction == direction]


# -- events -----------------------------------------------------------------------------------


@DIRECTIONS
def test_no_drift_from_the_package(direction: Direction) -> None:
    """Every event of the GA unions is in the vocabulary, and every event in scope is in a union."""
    package = members(UNIONS[direction][0])
    ours = {event.name for event in spoken(direction)}
    assert [line for line in drift(package, ours) if "vocabulary lacks" in line] == []
    in_scope = ours - set(out_of_scope()) - set(NOT_IN_THE_PACKAGE)
    assert [line for line in drift(package, in_scope) if "package lacks" in line] == []


@DIRECTIONS
def test_no_drift_from_the_beta_package(direction: Direction) -> None:
    """The beta names are those of the beta unions, and no others."""
    ours = {event.beta for event in spoken(direction)} - {"", *NOT_IN_THE_BETA_PACKAGE}
    assert drift(members(UNIONS[direction][1]), ours) == []


def test_drift_is_named() -> None:
    """An event that one side lacks is told by its name."""
    ours = {event.name for event in spoken("server")}
    package = members(realtime.RealtimeServerEvent)
    assert "the vocabulary lacks response.done" in drift(package, ours - {"response.done"})
    assert "the package lacks response.dome" in drift(package, ours | {"response.dome"})


def test_counts() -> None:
    """As many GA events as the facts count, and the known few beside them."""
    ga = {direction: set(members(unions[0])) for direction, unions in UNIONS.items()}
    assert (len(ga["client"]), len(ga["server"])) == (11, 46)
    assert set(EVENTS) - ga["client"] - ga["server"] == {
        "session.close",
        "transcription_session.update",
        "transcription_session.created",
        "transcription_session.updated",
    }


def test_out_of_scope() -> None:
    """What the model leaves out is known one by one."""
    assert out_of_scope() == {
        "output_audio_buffer.clear": "WebRTC and SIP only",
        "input_audio_buffer.dtmf_event_received": "SIP only",
        "conversation.item.created": "beta only: conversation.item.added in GA",
        "transcription_session.update": "beta only",
        "transcription_session.created": "beta only",
        "transcription_session.updated": "beta only",
        "session.close": "translation sessions",
    }


def test_exceptions_are_needed() -> None:
    """A name stands on a list of exceptions only as long as the rule does not hold for it."""
    ga = {name for unions in UNIONS.values() for name in members(unions[0])}
    beta = {name for unions in UNIONS.values() for name in members(unions[1])}
    assert set(NOT_IN_THE_PACKAGE) <= set(EVENTS) - ga
    assert set(NOT_IN_THE_BETA_PACKAGE) <= set(EVENTS) - beta


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
def test_event(event: vocabulary.Event) -> None:
    """An event is listed under its name, has a meaning of one sentence, and cites a source."""
    assert EVENTS[event.name] is event
    assert re.fullmatch(r"[A-Z][^.]*(\.[^ ][^.]*)*\.", event.meaning)
    assert event.source.startswith(SOURCES)


@DIRECTIONS
def test_cited_files(direction: Direction) -> None:
    """The file of the SDK that an event cites is the one that the package has it in."""
    files = members(UNIONS[direction][0])
    cited = {event.name: event.source for event in spoken(direction)}
    assert {name: f"SDK {file}" for name, file in files.items()} == {
        name: source for name, source in cited.items() if name in files
    }


@DIRECTIONS
def test_other_names_are_unique(direction: Direction) -> None:
    """No two events of a direction share a beta name or an alias."""
    names = [name for event in spoken(direction) for name in (event.beta, *event.aliases) if name]
    assert [name for name, count in collections.Counter(names).items() if count > 1] == []


@pytest.mark.parametrize(
    ("beta", "ga"),
    [
        ("conversation.item.created", "conversation.item.added"),
        ("response.text.delta", "response.output_text.delta"),
        ("response.text.done", "response.output_text.done"),
        ("response.audio.delta", "response.output_audio.delta"),
        ("response.audio.done", "response.output_audio.done"),
        ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
        ("response.audio_transcript.done", "response.output_audio_transcript.done"),
        ("output_audio_buffer.audio_started", "output_audio_buffer.started"),
        ("output_audio_buffer.audio_stopped", "output_audio_buffer.stopped"),
    ],
)
def test_renamed_events(beta: str, ga: str) -> None:
    """The names that changed, each with the one that it has now."""
    assert ga_name(beta) == ga


def test_no_other_event_was_renamed() -> None:
    """The seven names that livekit maps are all that differ between beta and GA (facts 1.2)."""
    renamed = {event.beta for event in EVENTS.values() if event.beta not in ("", event.name)}
    assert len(renamed) == 7


def test_ga_names() -> None:
    """A name is mapped once: GA names stay, and a beta name leads back to its event."""
    beta = {event.beta: event.name for event in EVENTS.values() if event.beta}
    assert {old: ga_name(old) for old in beta} == beta
    for event in EVENTS.values():
        assert ga_name(ga_name(event.name)) == ga_name(event.name)
        assert (ga_name(event.name) == event.name) != (event.name == "conversation.item.created")


def test_unknown_event() -> None:
    """A name that no event has is told back, with the three that are most like it."""
    with pytest.raises(UnknownEvent) as caught:
        ga_name("response.dome")
    assert isinstance(caught.value, ValueError)
    assert (caught.value.name, caught.value.closest[0]) == ("response.dome", "response.done")
    assert re.fullmatch(
        r"no event is called 'response\.dome'; closest are response\.done, (\S+), (\S+)",
        str(caught.value),
    )


@pytest.mark.parametrize("name", ["", "x", "Response.Done", "response.done "])
def test_names_are_exact(name: str) -> None:
    """Case and spaces count, and even a name like no other is told three that exist."""
    with pytest.raises(UnknownEvent) as caught:
        ga_name(name)
    assert len(caught.value.closest) == 3
    assert set(map(ga_name, caught.value.closest)) <= set(EVENTS)


# -- errors -----------------------------------------------------------------------------------

NEEDED = {
    "response_cancel_not_active",
    "unsupported_content_type",
    "truncate_too_long",
    "item_truncate_invalid_item_id",
    "item_delete_invalid_item_id",
    "conversation_already_has_active_response",
    "item_retrieve_invalid_item_id",
    "item_create_duplicate_item_id",
    "item_create_invalid_previous_item_id",
    "invalid_tool_call_id",
    "missing_required_parameter",
    "input_audio_buffer_commit_empty",
    "cannot_update_voice",
    "session_expired",
    "insufficient_quota",
    "server_error",
    "rate_limit_exceeded",
    "transcription_failed",
    "string_above_max_length",
    "unknown_parameter",
    "invalid_value",
    "conversation_too_long",
    "invalid_api_key",
}
"""Keys that rules refer to."""

SAMPLES: dict[str, Any] = {name: f"a_{name}" for name in PLACEHOLDERS} | {"has": 0, "asked": 120}

INVALID = "invalid_request_error"
ACTIVE = "conversation_already_has_active_response"
EMPTY = "input_audio_buffer_commit_empty"
HELD = "Conversation already has an active response"
TROUBLE = (
    "The server had an error while processing your request. Sorry about that! Please contact us "
    "through our help center at help.openai.com if the error persists. (include session ID in your "
    "message: sess_1). We recommend you retry your request."
)
AZURE_TROUBLE = (
    "The server had an error. You can retry your request, or contact us through our help center at "
    "aoai-realtimeapi-dri@microsoft.com if the error persists. (Please include the session ID "
    "sess_1 in your message.)"
)
ROWS: list[tuple[str, str, str, str | None, str]] = [
    # row of facts 8, key, type, code, message
    ("1", "response_cancel_not_active", INVALID, "response_cancel_not_active",
     "Cancellation failed: no active response found"),
    ("2", ACTIVE, INVALID, None, HELD),
    ("3", ACTIVE, INVALID, ACTIVE, HELD),
    ("4", ACTIVE, INVALID, ACTIVE,
     f"{HELD} in progress: resp_1. Wait until the response is finished before creating a new one."),
    ("5", "unsupported_content_type", INVALID, "unsupported_content_type",
     "Only model output audio messages can be truncated"),
    ("5", "unsupported_content_type", INVALID, None,
     "Only model output audio messages can be truncated"),
    ("6", "truncate_too_long", INVALID, "invalid_value",
     "Audio content of 2650ms is already shorter than 9100ms"),
    ("6", "truncate_too_long", INVALID, None,
     "Audio content of 2700ms is already shorter than 3207ms"),
    ("7", "item_truncate_invalid_item_id", INVALID, "item_truncate_invalid_item_id",
     "Item with item_id not found: item_1"),
    ("7", "item_truncate_invalid_item_id", INVALID, "invalid_value",
     "Item with item_id not found: item_1"),
    ("8", "item_delete_invalid_item_id", INVALID, "item_delete_invalid_item_id",
     "Error deleting item: the item with id 'item_1' does not exist."),
    ("9", "item_retrieve_invalid_item_id", INVALID, "item_retrieve_invalid_item_id",
     "Error retrieving item: the item with id 'item_1' does not exist."),
    ("10", "item_create_duplicate_item_id", INVALID, "item_create_duplicate_item_id",
     "Error adding item: an item with id 'item_1' already exists."),
    ("11", "item_create_invalid_previous_item_id", INVALID, "item_create_invalid_previous_item_id",
     "Error adding item: the previous item with id 'item_1' does not exist."),
    ("12", "string_pattern_mismatch", INVALID, "invalid_value",
     "Invalid 'item.id': string does not match pattern. Expected a string that matches the pattern "
     "'^[a-zA-Z0-9_-]+$'."),
    ("13", "string_above_max_length", INVALID, "string_above_max_length",
     "Invalid 'item.id': string too long. Expected a string with maximum length 32, but got a "
     "string with length 39 instead."),
    ("14", "string_above_max_length", INVALID, "string_above_max_length",
     "Invalid 'item.content[0].text': string too long. Expected a string with maximum length "
     "256000, but got a string with length 256001 instead."),
    ("15", "invalid_tool_call_id", INVALID, "invalid_tool_call_id",
     "Tool call ID 'call_1' not found in conversation."),
    ("16", "missing_required_parameter", INVALID, "missing_required_parameter",
     "Missing required parameter: 'item.content[0].text'."),
    ("17", "missing_required_parameter", INVALID, "missing_required_parameter",
     "Missing required parameter: 'session.type'."),
    ("18", "unknown_parameter", INVALID, "unknown_parameter",
     "Unknown parameter: 'session.totally_made_up_field'."),
    ("19", "invalid_value", INVALID, "invalid_value",
     "Invalid value: 'scooby.dooby.doo'. Supported values are: 'session.update', and 'x'."),
    ("20", "invalid_event", INVALID, "invalid_event", "The 'type' field is missing."),
    ("21", EMPTY, INVALID, EMPTY,
     "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but "
     "buffer only has 0.00ms of audio."),
    ("21b", EMPTY, INVALID, None, "Error committing input audio buffer: the buffer is empty."),
    ("22", "cannot_update_voice", INVALID, "cannot_update_voice",
     "Cannot update a conversation's voice if assistant audio is present."),
    ("23", "session_expired", INVALID, "session_expired",
     "Your session hit the maximum duration of 60 minutes."),
    ("24", "session_expired_close", "", None,
     "Your session hit the maximum duration of 30 minutes."),
    ("25", "beta_api_shape_disabled", "", None, "invalid_request_error.beta_api_shape_disabled"),
    ("26", "invalid_api_key_close", "", None, "invalid_request_error.invalid_api_key"),
    ("27", "credit_balance_exhausted", "insufficient_quota", "credit_balance_exhausted",
     "You have no credits remaining. Add credits to continue using the API at "
     "platform.openai.com/settings/organization/billing/."),
    ("28", "server_error", "server_error", None, TROUBLE),
    ("29", "azure_server_error", "server_error", None, AZURE_TROUBLE),
    ("29", "azure_server_error", "server_error", "server_error", AZURE_TROUBLE),
    ("30", "rate_limit_exceeded", INVALID, "rate_limit_exceeded",
     "Rate limit reached for gpt-realtime in organization org-1 on requests per day (RPD): Limit "
     "1000, Used 1000, Requested 1. Please try again in 1m26.4s. Visit "
     "platform.openai.com/account/rate-limits to learn more."),
    ("31", "inference_rate_limit_exceeded", INVALID, "inference_rate_limit_exceeded",
     "Rate limit reached for this deployment."),
    ("31", "azure_rate_limit_exceeded", "rate_limit_exceeded", None,
     "Rate limit reached for this deployment."),
    ("32", "input_image_safety_violation", INVALID, "input_image_safety_violation",
     "Input image was rejected by the safety system. If you believe this is an error, contact us "
     "at help.openai.com and include the request ID sess_1"),
    ("33", "conversation_too_long", INVALID, "conversation_too_long",
     "Conversation is too long to create a Response."),
    ("34", "transcription_failed", "server_error", "DeploymentNotFound",
     "Input transcription failed for item 'item_1'."),
    ("35", "call_id_not_found", INVALID, "call_id_not_found",
     "No session found for the provided call_id"),
    ("36", "insufficient_quota", INVALID, "insufficient_quota", "anything"),
    ("36", "invalid_api_key", INVALID, "invalid_api_key", "anything"),
    ("36", "account_deactivated", INVALID, "account_deactivated", "anything"),
    ("36", "billing_hard_limit_reached", INVALID, "billing_hard_limit_reached", "anything"),
]  # fmt: skip
"""Every row of the facts, section 8, with its placeholders filled in."""


def fitting(error: dict[str, Any]) -> list[str]:
    """The keys of the entries that an error of the wire fits."""
    return [key for key, entry in ERRORS.items() if matches(entry, error)]


def wire(kind: str, code: str | None, message: str) -> dict[str, Any]:
    """An error as it is on the wire; a close frame has a reason only."""
    return {"type": kind, "code": code, "message": message} if kind else {"message": message}


def rows(entry: ErrorEntry) -> set[str]:
    """The rows of the facts that an entry cites."""
    return set(re.findall(r"#(\d+b?)", entry.source))


@pytest.mark.parametrize(
    ("row", "key", "kind", "code", "message"), ROWS, ids=[f"{r[0]}-{r[1]}" for r in ROWS]
)
def test_exact_strings(row: str, key: str, kind: str, code: str | None, message: str) -> None:
    """An error as the facts give it fits the entry that cites the row, and no other entry."""
    assert fitting(wire(kind, code, message)) == [key]
    assert row in rows(ERRORS[key])


@pytest.mark.parametrize(
    ("row", "key", "kind", "code", "message"), ROWS, ids=[f"{r[0]}-{r[1]}" for r in ROWS]
)
def test_other_strings(row: str, key: str, kind: str, code: str | None, message: str) -> None:
    """Another type, an unknown code, another text or no text does not fit."""
    entry = ERRORS[key]
    assert not matches(entry, wire("other_error", code, message))
    assert not matches(entry, {**wire(kind, code, message), "code": "other_code"})
    assert not matches(entry, {"type": kind, "code": code})
    assert not matches(entry, wire(kind, code, ""))
    if entry.message != "{wording}":
        assert not matches(entry, wire(kind, code, f"{message} And more"))
        assert not matches(entry, wire(kind, code, f"Before it: {message}")) or row == "29"


@pytest.mark.parametrize(
    "error",
    [
        wire(INVALID, None, "Cancellation failed: no active response found"),
        wire(INVALID, None, "Item with item_id not found: item_1"),
        wire(INVALID, None, f"{HELD} in progress: resp_1."),
        wire(INVALID, "truncate_too_long", "Audio content of 1ms is already shorter than 2ms"),
        wire(INVALID, "invalid_value", "Audio content of ms is already shorter than 2ms"),
        wire(INVALID, "item_truncate_invalid_item_id",
             "Error truncating item: the item with id 'item_1' does not exist."),
        wire(INVALID, "unsupported_content_type",
             "Only assistant messages with audio can be truncated."),
        wire("", None, "going away"),
        {},
    ],
)  # fmt: skip
def test_what_is_no_entry(error: dict[str, Any]) -> None:
    """A null code that was never seen, a key for a code, and emulators' wordings fit nothing."""
    assert fitting(error) == []


def test_every_row_of_the_facts() -> None:
    """The catalogue covers all rows of the facts, and so do the strings of these tests."""
    expected = {*map(str, range(1, 37)), "21b"}
    assert {row for entry in ERRORS.values() for row in rows(entry)} == expected
    assert {row for row, *_ in ROWS} == expected
    assert {key for _, key, *_ in ROWS} == set(ERRORS)


@pytest.mark.parametrize("entry", ERRORS.values(), ids=lambda entry: entry.key)
def test_error(entry: ErrorEntry) -> None:
    """An entry is listed under its key, cites a source, and stands where something can be sent."""
    assert ERRORS[entry.key] is entry
    assert entry.source.startswith(SOURCES)
    assert entry.where in ("close", "http") or EVENTS[entry.where].direction == "server"
    assert (entry.status is not None) == (entry.where in ("close", "http"))
    assert (entry.type == "") == (entry.where == "close")


@pytest.mark.parametrize("entry", ERRORS.values(), ids=lambda entry: entry.key)
def test_error_formats(entry: ErrorEntry) -> None:
    """With its placeholders filled in, every form of an entry fits this entry and no other."""
    given = {name: SAMPLES[name] for name in entry.placeholders}
    for code, template in entry.forms:
        message = template.format(**given)
        assert "{" not in message
        assert fitting(wire(entry.type, code, message)) == [entry.key]
    assert "{" not in (entry.param or "").format(**given)


def test_placeholders() -> None:
    """Every placeholder is explained, and every one that is explained is used."""
    assert {name for entry in ERRORS.values() for name in entry.placeholders} == set(PLACEHOLDERS)


def test_the_buffer_is_spelled_with_cents() -> None:
    """The length of a buffer that is too short has two decimals, as on the wire."""
    entry = ERRORS["input_audio_buffer_commit_empty"]
    assert entry.message.format(has=0).endswith("buffer only has 0.00ms of audio.")


def test_keys_for_rules() -> None:
    """The keys that rules refer to exist, under the import that they use."""
    assert set(vocabulary.ERRORS) >= NEEDED
    assert vocabulary.ERRORS is ERRORS
    assert vocabulary.ErrorEntry is ErrorEntry


# -- recordings -------------------------------------------------------------------------------


def recorded() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every recorded event: the file's name, the direction, the event."""
    if not TRACES.is_dir():
        pytest.skip("the recorded sessions are not beside the project")
    for path in sorted(TRACES.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            if "event" in record:  # others mark a gap
                yield path.stem, record["dir"], record["event"]


def carried(event: dict[str, Any]) -> dict[str, Any] | None:
    """The error that an event carries."""
    if event["type"] == "response.done":
        details = event["response"].get("status_details")
        return details.get("error") if isinstance(details, dict) else None  # xAI has a string
    return event.get("error")


def test_recorded_errors() -> None:
    """Every error of the recordings fits one entry, in the event where the entry has it."""
    errors = [
        (event["type"], error, fitting(error))
        for _, _, event in recorded()
        if (error := carried(event))
    ]
    assert len(errors) >= 4
    for where, error, keys in errors:
        assert [ERRORS[key].where for key in keys] == [where], error


def test_recorded_names() -> None:
    """Every name of the recordings is known and goes the right way, other vendors' own aside."""
    seen = {(session, direction, event["type"]) for session, direction, event in recorded()}
    assert len(seen) > 100
    for session, direction, name in seen:
        if name in OTHER_VENDORS:
            assert "xai" in session
            with pytest.raises(UnknownEvent):
                ga_name(name)
        else:
            assert EVENTS[ga_name(name)].direction == direction
