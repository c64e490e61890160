"""The events of the scope: wire name, direction, beta name; and the catalogue of errors.

Laws:
- Wire names are spelled exactly as on the wire, in the GA form; the beta form stands beside it.
- Every event that a rule names is here, and a test fails when one is not.
"""

from __future__ import annotations

from typing import Literal

import attrs

Direction = Literal["client", "server"]


@attrs.frozen
class Event:
    """One wire event; `beta` is its name before GA, empty where it had none."""

    name: str
    direction: Direction
    source: str
    beta: str

    @classmethod
    def of(cls, name: str, direction: Direction, source: str, beta: str | None = None) -> Event:
        """An event whose beta name is the same unless said otherwise."""
        return cls(name, direction, source, name if beta is None else beta)


@attrs.frozen
class ErrorEntry:
    """One `error` event of the server; `message` may hold `{id}`, `{has}` and `{asked}`."""

    key: str
    code: str
    message: str
    source: str
    type: str = "invalid_request_error"


EVENTS: dict[str, Event] = {
    event.name: event
    for event in (
        Event.of("session.update", "client", "SDK session_update_event.py"),
        Event.of("input_audio_buffer.append", "client", "SDK input_audio_buffer_append_event.py"),
        Event.of("response.create", "client", "SDK response_create_event.py"),
        Event.of("response.cancel", "client", "SDK response_cancel_event.py"),
        Event.of("conversation.item.truncate", "client", "SDK conversation_item_truncate_event.py"),
        Event.of("conversation.item.delete", "client", "SDK conversation_item_delete_event.py"),
        Event.of("session.created", "server", "SDK session_created_event.py"),
        Event.of("session.updated", "server", "SDK session_updated_event.py"),
        Event.of(
            "input_audio_buffer.speech_started",
            "server",
            "SDK input_audio_buffer_speech_started_event.py",
        ),
        Event.of(
            "input_audio_buffer.speech_stopped",
            "server",
            "SDK input_audio_buffer_speech_stopped_event.py",
        ),
        Event.of(
            "input_audio_buffer.committed", "server", "SDK input_audio_buffer_committed_event.py"
        ),
        Event.of(
            "conversation.item.added",
            "server",
            "SDK conversation_item_added.py",
            "conversation.item.created",
        ),
        Event.of("conversation.item.done", "server", "SDK conversation_item_done.py", ""),
        Event.of(
            "conversation.item.truncated", "server", "SDK conversation_item_truncated_event.py"
        ),
        Event.of("conversation.item.deleted", "server", "SDK conversation_item_deleted_event.py"),
        Event.of("response.created", "server", "SDK response_created_event.py"),
        Event.of("response.output_item.added", "server", "SDK response_output_item_added_event.py"),
        Event.of(
            "response.content_part.added", "server", "SDK response_content_part_added_event.py"
        ),
        Event.of(
            "response.output_audio_transcript.delta",
            "server",
            "SDK response_audio_transcript_delta_event.py",
            "response.audio_transcript.delta",
        ),
        Event.of(
            "response.output_audio.delta",
            "server",
            "SDK response_audio_delta_event.py",
            "response.audio.delta",
        ),
        Event.of(
            "response.output_audio.done",
            "server",
            "SDK response_audio_done_event.py",
            "response.audio.done",
        ),
        Event.of(
            "response.output_audio_transcript.done",
            "server",
            "SDK response_audio_transcript_done_event.py",
            "response.audio_transcript.done",
        ),
        Event.of("response.content_part.done", "server", "SDK response_content_part_done_event.py"),
        Event.of("response.output_item.done", "server", "SDK response_output_item_done_event.py"),
        Event.of("response.done", "server", "SDK response_done_event.py"),
        Event.of("error", "server", "SDK realtime_error_event.py"),
    )
}

ERRORS: dict[str, ErrorEntry] = {
    entry.key: entry
    for entry in (
        ErrorEntry(
            "response_cancel_not_active",
            "response_cancel_not_active",
            "Cancellation failed: no active response found",
            "facts 8 #1",
        ),
        ErrorEntry(
            "unsupported_content_type",
            "unsupported_content_type",
            "Only model output audio messages can be truncated",
            "facts 8 #5",
        ),
        ErrorEntry(
            "truncate_too_long",
            "invalid_value",
            "Audio content of {has}ms is already shorter than {asked}ms",
            "facts 8 #6",
        ),
        ErrorEntry(
            "item_truncate_invalid_item_id",
            "item_truncate_invalid_item_id",
            "Item with item_id not found: {id}",
            "facts 8 #7",
        ),
        ErrorEntry(
            "item_delete_invalid_item_id",
            "item_delete_invalid_item_id",
            "Error deleting item: the item with id '{id}' does not exist.",
            "facts 8 #8",
        ),
    )
}
