"""The errors of the server, with their exact strings.

Laws:
- A message is the wording that was seen, with `{placeholders}` where it varies; a wording that only
  emulators use is not here. Where no wording is public, the template is `{wording}` alone.
- An error fits one entry at most. What one error was called over time is one entry: the newest form
  stands first, and is the one that a server of the model sends.
- Every entry says where it comes from and how sure that is; what a third party states without its
  frames is `inferred`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Literal

import attrs

from realtime_protocol.rule import Confidence

Where = Literal[
    "error",
    "response.done",
    "conversation.item.input_audio_transcription.failed",
    "close",
    "http",
]

PLACEHOLDERS: dict[str, str] = {
    "id": "the item, response or call that the message names",
    "has": "what there is, in ms or in requests; a number",
    "asked": "what was asked for, in ms or in requests; a number",
    "path": "the parameter, as in item.content[0].text",
    "value": "the value that was refused",
    "values": "the values that would do, as the server lists them",
    "pattern": "the regular expression that the value must match",
    "limit": "the greatest length or number",
    "length": "the length that was given",
    "minutes": "the longest session",
    "session": "the session",
    "model": "the model",
    "organization": "the organization",
    "wait": "how long to wait, with its unit",
    "wording": "text that is not public, or varies freely",
}
"""What the placeholders of messages and params stand for."""

_FREE = frozenset({"value", "values", "pattern", "model", "organization", "wait", "wording"})
"""Those that may hold spaces; the others are one word."""


@attrs.frozen
class ErrorEntry:
    """One error of the server.

    `message` and `param` may hold `PLACEHOLDERS`; `param` is None where it was null or is unknown.
    `code` is the key unless given.
    `also` are older or other forms of the same error, each a code and a message.
    `where` is the event that carries it, or the frame or reply: of a `close` the message is the
    reason, with neither type nor code. `status` is then the close code, or the HTTP status.
    """

    key: str
    message: str
    source: str
    code: str | None = attrs.field(kw_only=True)
    type: str = attrs.field(kw_only=True, default="invalid_request_error")
    param: str | None = attrs.field(kw_only=True, default=None)
    also: tuple[tuple[str | None, str], ...] = attrs.field(kw_only=True, default=())
    where: Where = attrs.field(kw_only=True, default="error")
    status: int | None = attrs.field(kw_only=True, default=None)
    confidence: Confidence = attrs.field(kw_only=True, default="observed")

    @code.default
    def _key_as_code(self) -> str:
        return self.key

    @classmethod
    def close(cls, key: str, status: int, reason: str, source: str) -> ErrorEntry:
        """The close frame of a server that ends the connection."""
        return cls(key, reason, source, code=None, type="", where="close", status=status)

    @classmethod
    def fatal(cls, key: str) -> ErrorEntry:
        """A code that livekit takes for final; nothing else is known of it."""
        return cls(key, "{wording}", "facts 8 #36: code LK l.292", confidence="inferred")

    @property
    def forms(self) -> tuple[tuple[str | None, str], ...]:
        """Every code and message of this error, the newest first."""
        return ((self.code, self.message), *self.also)

    @property
    def placeholders(self) -> frozenset[str]:
        """What a caller must give to format the message and the param."""
        texts = [*(message for _, message in self.forms), self.param or ""]
        return frozenset(
            name for text in texts for _, name, _, _ in Formatter().parse(text) if name
        )


_OLD_ACTIVE = "Conversation already has an active response"
_NOT_AUDIO = "Only model output audio messages can be truncated"
_TOO_LONG = "Audio content of {has}ms is already shorter than {asked}ms"
_NO_SUCH_ITEM = "Item with item_id not found: {id}"
_AZURE_TROUBLE = (
    "{wording} You can retry your request, or contact us through our help center at "
    "aoai-realtimeapi-dri@microsoft.com if the error persists. "
    "(Please include the session ID {session} {wording})"
)
_AZURE_LIMIT = "Rate limit reached for this deployment."
_MAXIMUM = "Your session hit the maximum duration of {minutes} minutes."

ERRORS: dict[str, ErrorEntry] = {
    entry.key: entry
    for entry in (
        # -- responses
        ErrorEntry(
            "response_cancel_not_active",
            "Cancellation failed: no active response found",
            "facts 8 #1",
        ),
        ErrorEntry(
            "conversation_already_has_active_response",
            "Conversation already has an active response in progress: {id}. "
            "Wait until the response is finished before creating a new one.",
            "facts 8 #4; older #3, #2",
            also=(("conversation_already_has_active_response", _OLD_ACTIVE), (None, _OLD_ACTIVE)),
        ),
        ErrorEntry(
            "conversation_too_long",
            "Conversation is too long to create a Response.",
            "facts 8 #33",
            confidence="inferred",
        ),
        # -- items
        ErrorEntry(
            "unsupported_content_type", _NOT_AUDIO, "facts 8 #5", also=((None, _NOT_AUDIO),)
        ),
        ErrorEntry(
            "truncate_too_long",
            _TOO_LONG,
            "facts 8 #6",
            code="invalid_value",
            also=((None, _TOO_LONG),),
        ),
        ErrorEntry(
            "item_truncate_invalid_item_id",
            _NO_SUCH_ITEM,
            "facts 8 #7",
            also=(("invalid_value", _NO_SUCH_ITEM),),
            confidence="inferred",
        ),
        ErrorEntry(
            "item_delete_invalid_item_id",
            "Error deleting item: the item with id '{id}' does not exist.",
            "facts 8 #8",
        ),
        ErrorEntry(
            "item_retrieve_invalid_item_id",
            "Error retrieving item: the item with id '{id}' does not exist.",
            "facts 8 #9",
        ),
        ErrorEntry(
            "item_create_duplicate_item_id",
            "Error adding item: an item with id '{id}' already exists.",
            "facts 8 #10",
        ),
        ErrorEntry(
            "item_create_invalid_previous_item_id",
            "Error adding item: the previous item with id '{id}' does not exist.",
            "facts 8 #11",
            confidence="inferred",
        ),
        ErrorEntry(
            "invalid_tool_call_id",
            "Tool call ID '{id}' not found in conversation.",
            "facts 8 #15",
        ),
        # -- the form of an event
        ErrorEntry(
            "string_pattern_mismatch",
            "Invalid '{path}': string does not match pattern. "
            "Expected a string that matches the pattern '{pattern}'.",
            "facts 8 #12",
            code="invalid_value",
            param="{path}",
        ),
        ErrorEntry(
            "string_above_max_length",
            "Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
            "but got a string with length {length} instead.",
            "facts 8 #14, #13",
            param="{path}",
        ),
        ErrorEntry(
            "missing_required_parameter",
            "Missing required parameter: '{path}'.",
            "facts 8 #16, #17",
            param="{path}",
        ),
        ErrorEntry(
            "unknown_parameter", "Unknown parameter: '{path}'.", "facts 8 #18", param="{path}"
        ),
        ErrorEntry(
            "invalid_value",
            "Invalid value: '{value}'. Supported values are: {values}.",
            "facts 8 #19; CAS test_openai_ws/test_message_history_seeding has the other form",
            param="{path}",
            also=(("invalid_value", "Invalid value: '{value}'. Value must be {values}."),),
        ),
        ErrorEntry(
            "invalid_event",
            "The 'type' field is missing.",
            "facts 8 #20",
            confidence="documented",
        ),
        # -- input audio
        ErrorEntry(
            "input_audio_buffer_commit_empty",
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
            "audio, but buffer only has {has:.2f}ms of audio.",
            "facts 8 #21; older #21b",
            also=((None, "Error committing input audio buffer: the buffer is empty."),),
        ),
        ErrorEntry(
            "transcription_failed",
            "Input transcription failed for item '{id}'.",
            "facts 8 #34",
            code="DeploymentNotFound",
            type="server_error",
            where="conversation.item.input_audio_transcription.failed",
        ),
        # -- session and connection
        ErrorEntry(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            "facts 8 #22",
        ),
        ErrorEntry("session_expired", _MAXIMUM, "facts 8 #23"),
        ErrorEntry.close("session_expired_close", 1001, _MAXIMUM, "facts 8 #24"),
        ErrorEntry.close(
            "beta_api_shape_disabled",
            4000,
            "invalid_request_error.beta_api_shape_disabled",
            "facts 8 #25",
        ),
        ErrorEntry.close(
            "invalid_api_key_close", 3000, "invalid_request_error.invalid_api_key", "facts 8 #26"
        ),
        ErrorEntry(
            "call_id_not_found",
            "No session found for the provided call_id",
            "facts 8 #35",
            param="",
            where="http",
            status=404,
        ),
        # -- account
        ErrorEntry(
            "credit_balance_exhausted",
            "You have no credits remaining. Add credits to continue using the API at "
            "platform.openai.com/settings/organization/billing/.",
            "facts 8 #27",
            type="insufficient_quota",
            where="http",
            status=429,
        ),
        ErrorEntry.fatal("insufficient_quota"),
        ErrorEntry.fatal("invalid_api_key"),
        ErrorEntry.fatal("account_deactivated"),
        ErrorEntry.fatal("billing_hard_limit_reached"),
        # -- trouble and limits of the server
        ErrorEntry(
            "server_error",
            "The server had an error while processing your request. Sorry about that! Please "
            "contact us through our help center at help.openai.com if the error persists. "
            "(include session ID in your message: {session}). We recommend you retry your request.",
            "facts 8 #28",
            code=None,
            type="server_error",
            where="response.done",
        ),
        ErrorEntry(
            "azure_server_error",
            _AZURE_TROUBLE,
            "facts 8 #29",
            code=None,
            type="server_error",
            also=(("server_error", _AZURE_TROUBLE),),
        ),
        ErrorEntry(
            "rate_limit_exceeded",
            "Rate limit reached for {model} in organization {organization} on requests per day "
            "(RPD): Limit {limit}, Used {has}, Requested {asked}. Please try again in {wait}. "
            "Visit platform.openai.com/account/rate-limits to learn more.",
            "facts 8 #30",
            where="response.done",
        ),
        ErrorEntry(
            "inference_rate_limit_exceeded",
            _AZURE_LIMIT,
            "facts 8 #31",
            where="response.done",
            confidence="inferred",
        ),
        ErrorEntry(
            "azure_rate_limit_exceeded",
            _AZURE_LIMIT,
            "facts 8 #31",
            code=None,
            type="rate_limit_exceeded",
            confidence="inferred",
        ),
        ErrorEntry(
            "input_image_safety_violation",
            "Input image was rejected by the safety system. If you believe this is an error, "
            "contact us at help.openai.com and include the request ID {session}",
            "facts 8 #32",
            where="response.done",
        ),
    )
}


def matches(entry: ErrorEntry, error: Mapping[str, object]) -> bool:
    """Whether an `error` object of the wire is this one: same type, and a code with its message.

    For a close frame give `{"message": reason}`.
    """
    message = error.get("message")
    return (
        isinstance(message, str)
        and error.get("type", "") == entry.type
        and any(
            error.get("code") == code and _pattern(template).fullmatch(message)
            for code, template in entry.forms
        )
    )


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """What a message of this template looks like."""
    return re.compile(
        "".join(
            re.escape(text) + ("" if name is None else ".+" if name in _FREE else r"\S+")
            for text, name, _, _ in Formatter().parse(template)
        ),
        re.DOTALL,
    )
