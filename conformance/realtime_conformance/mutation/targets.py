"""What is mutated, and what is not, as one table of names.

Laws:
- Code is found by looking: through a public name of the client, in whatever file it lives.
- A function that no pattern takes is left out, and said to be, with why.
- What is left out inside of a function is whole statements, by their text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

import attrs

SUBJECT = "livekit.plugins.openai.realtime:RealtimeSession"
"""The public name through which the session code of livekit is found, in every release."""


@attrs.frozen
class LeftOut:
    """Functions by a pattern of their names, or statements by their text, and why."""

    pattern: str
    reason: str


@attrs.frozen(kw_only=True)
class Targets:
    """What to mutate in one file.

    `functions` are patterns of qualified names, of which those in `without` are left out;
    `statements` are regular expressions, and what begins with one is left out with all in it.
    """

    functions: Sequence[str] = ("*",)
    without: Sequence[LeftOut] = ()
    statements: Sequence[LeftOut] = ()

    def reason(self, function: str) -> str:
        """Why a function is left out; empty if it is to be mutated."""
        for left in self.without:
            if fnmatchcase(function, left.pattern):
                return left.reason
        taken = any(fnmatchcase(function, pattern) for pattern in self.functions)
        return "" if taken else OUTSIDE

    def spared(self, statement: str) -> str:
        """Why a statement is left out; empty if it is to be mutated."""
        return next((s.reason for s in self.statements if re.match(s.pattern, statement)), "")


OUTSIDE = "not part of a session: options, types, or a helper that no pattern takes"

_LOGGING = "it only logs"
_METRICS = "metrics and telemetry: no check is about them"
_AZURE = "the dialect of Azure, which no scope speaks"
_TYPES = "an assertion that only tells types apart"

REALTIME = Targets(
    functions=(
        "RealtimeSession.*",
        "_ResponseGeneration.*",
        "_is_fatal_error",
        "_server_turn_taking_enabled",
        "RealtimeModel.session",
        "RealtimeModel.update_options",
        "RealtimeModel.aclose",
    ),
    without=(
        LeftOut("RealtimeSession._emit_transcription_metrics", _METRICS),
        LeftOut("_warn_on_*", _LOGGING),
        LeftOut("*azure*", _AZURE),
        LeftOut("_convert_model", _AZURE),
        LeftOut("process_base_url", "the address of the server: the transport takes any"),
        LeftOut(
            "RealtimeSession._create_ws_url_and_headers",
            "the address of the server and its key: the transport takes any",
        ),
        LeftOut("RealtimeSession.push_video", "video, which no scope has"),
        LeftOut("*.__repr__", "it is only shown"),
    ),
    statements=(
        LeftOut(r"logger\.", _LOGGING),
        LeftOut(r"(el)?if lk_oai_debug\b", _LOGGING),
        LeftOut(r"(el)?if [^\n]*\bis_azure\b", _AZURE),
        LeftOut(r"(provider_label|msg|message|error_type|status_type|status_reason) = ", _LOGGING),
        LeftOut(r"(metrics|usage|ttft|duration|t0)\b[^=\n]* = ", _METRICS),
        LeftOut(r"(created|first_token)_timestamp = ", _METRICS),
        LeftOut(r"self\._current_generation\._first_token_timestamp = ", _METRICS),
        LeftOut(r"self\.emit\(\s*\"metrics_collected\"", _METRICS),
        LeftOut(r"self\._report_connection_acquired\(", _METRICS),
        LeftOut(r"self\._emit_transcription_metrics\(", _METRICS),
        LeftOut(r"if self\._current_generation\._first_token_timestamp is None", _METRICS),
        LeftOut(r"self\.emit\(\s*\"openai_", "raw events that are shown to whoever looks on"),
        LeftOut(r"assert\b", _TYPES),
    ),
)
"""The session code of the plugin."""


def targets_of(subject: str) -> Targets:
    """What to mutate of a subject: the table for livekit, every function of one's own."""
    return REALTIME if subject == SUBJECT else Targets()
