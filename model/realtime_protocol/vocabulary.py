"""Every event of the protocol: wire name, direction, meaning, source, and its other names.

Laws:
- Wire names are spelled exactly as on the wire, in the GA form; the beta form stands beside it.
  Azure's preview api-versions use the beta names too (facts 1.2).
- Every event that the SDK's unions or a rule name is here, and a test fails when one is not.
- What the model leaves out is here all the same, with the reason; nothing is left out silently.
- A name on the wire, of whichever era, stands for one event: `ga_name` says which.

Translation sessions speak another vocabulary, and vendors of a like protocol have events of their
own (`ping`); neither is here.
"""

from __future__ import annotations

import difflib
from typing import Literal

import attrs

from realtime_protocol.errors import ERRORS, ErrorEntry, matches

__all__ = [
    "ERRORS",
    "EVENTS",
    "Direction",
    "ErrorEntry",
    "Event",
    "UnknownEvent",
    "ga_name",
    "matches",
    "out_of_scope",
]

Direction = Literal["client", "server"]


@attrs.frozen
class Event:
    """One wire event.

    `meaning` is one sentence.
    `beta` is the name before GA: the same unless given, empty where there was no such event.
    `aliases` are further names that were seen.
    `scope` is empty if the model covers the event, else the reason why it does not.
    `source` is the event's own file of the SDK, named after it, unless given.
    """

    name: str
    direction: Direction
    meaning: str
    beta: str = attrs.field(kw_only=True)
    aliases: tuple[str, ...] = attrs.field(kw_only=True, default=())
    scope: str = attrs.field(kw_only=True, default="")
    source: str = attrs.field(kw_only=True)

    @beta.default
    def _same_name(self) -> str:
        return self.name

    @source.default
    def _own_file(self) -> str:
        return f"SDK {self.name.replace('.', '_')}_event.py"

    @classmethod
    def renamed(cls, name: str, beta: str, meaning: str) -> Event:
        """A server event that beta calls otherwise; its file of the SDK kept the beta name."""
        source = f"SDK {beta.replace('.', '_')}_event.py"
        return cls(name, "server", meaning, beta=beta, source=source)

    @classmethod
    def new_in_ga(cls, name: str, meaning: str) -> Event:
        """A server event that beta did not have; the SDK names the files of these more briefly."""
        return cls(name, "server", meaning, beta="", source=f"SDK {name.replace('.', '_')}.py")


class UnknownEvent(ValueError):
    """A wire name that no event has; `closest` are the known names most like it."""

    def __init__(self, name: str, closest: tuple[str, ...]) -> None:
        super().__init__(f"no event is called {name!r}; closest are {', '.join(closest)}")
        self.name = name
        self.closest = closest


EVENTS: dict[str, Event] = {
    event.name: event
    for event in (
        # -- session
        Event("session.update", "client", "Change the configuration."),
        Event("session.created", "server", "The socket is open and this is the configuration."),
        Event("session.updated", "server", "The configuration that is now in effect."),
        Event(
            "session.close",
            "client",
            "End the session.",
            beta="",
            scope="translation sessions",
            source="facts 1.1: one Azure server lists it as valid (OBS-2nd)",
        ),
        Event(
            "transcription_session.update",
            "client",
            "Change the configuration of a transcription session.",
            scope="beta only",
            source="facts 1.1: SDK beta types",
        ),
        Event(
            "transcription_session.created",
            "server",
            "A transcription session is open and this is its configuration.",
            scope="beta only",
            source="facts 1.2: SDK beta types",
        ),
        Event(
            "transcription_session.updated",
            "server",
            "The configuration of the transcription session that is now in effect.",
            scope="beta only",
            source="facts 1.2: SDK beta types",
        ),
        Event(
            "error",
            "server",
            "A client event was rejected, or the server is in trouble.",
            source="SDK realtime_error_event.py",
        ),
        Event("rate_limits.updated", "server", "What is left of each rate limit."),
        # -- input audio
        Event("input_audio_buffer.append", "client", "Add audio; there is no reply."),
        Event("input_audio_buffer.commit", "client", "Turn the buffer into a user item."),
        Event("input_audio_buffer.clear", "client", "Drop the audio that is not committed."),
        Event("input_audio_buffer.committed", "server", "The buffer became a user item."),
        Event("input_audio_buffer.cleared", "server", "The buffer is empty, as asked."),
        Event("input_audio_buffer.speech_started", "server", "The server heard speech begin."),
        Event("input_audio_buffer.speech_stopped", "server", "The server heard speech end."),
        Event.new_in_ga(
            "input_audio_buffer.timeout_triggered", "The user was silent for `idle_timeout_ms`."
        ),
        Event(
            "input_audio_buffer.dtmf_event_received",
            "server",
            "The caller pressed a key.",
            beta="",
            scope="SIP only",
        ),
        # -- output audio that the server plays
        Event(
            "output_audio_buffer.clear", "client", "Stop the playout.", scope="WebRTC and SIP only"
        ),
        Event(
            "output_audio_buffer.started",
            "server",
            "The playout of a response began.",
            aliases=("output_audio_buffer.audio_started",),
            source="SDK realtime_server_event.py",
        ),
        Event(
            "output_audio_buffer.stopped",
            "server",
            "The playout of a response came to its end.",
            aliases=("output_audio_buffer.audio_stopped",),
            source="SDK realtime_server_event.py",
        ),
        Event(
            "output_audio_buffer.cleared",
            "server",
            "The playout was cut.",
            source="SDK realtime_server_event.py",
        ),
        # -- conversation
        Event("conversation.item.create", "client", "Add an item, of any kind but model audio."),
        Event("conversation.item.retrieve", "client", "Ask for the server's copy of an item."),
        Event("conversation.item.truncate", "client", "Cut the audio that was not played."),
        Event("conversation.item.delete", "client", "Remove an item."),
        Event("conversation.created", "server", "The default conversation exists; not seen in GA."),
        Event(
            "conversation.item.added",
            "server",
            "An item entered the conversation, maybe without its content yet.",
            beta="conversation.item.created",
            source="SDK conversation_item_added.py",
        ),
        Event(
            "conversation.item.created",
            "server",
            "An item entered the conversation: the name that beta has for it.",
            beta="",
            scope="beta only: conversation.item.added in GA",
        ),
        Event.new_in_ga("conversation.item.done", "An item is final."),
        Event(
            "conversation.item.retrieved",
            "server",
            "The server's copy of an item, as asked.",
            source="SDK realtime_server_event.py",
        ),
        Event("conversation.item.truncated", "server", "Audio and transcript were cut, as asked."),
        Event("conversation.item.deleted", "server", "An item was removed, as asked."),
        Event(
            "conversation.item.input_audio_transcription.delta",
            "server",
            "A piece of the transcript of the user's audio.",
        ),
        Event.new_in_ga(
            "conversation.item.input_audio_transcription.segment",
            "A stretch of the transcript with its speaker and times.",
        ),
        Event(
            "conversation.item.input_audio_transcription.completed",
            "server",
            "The transcript of one user item is whole.",
        ),
        Event(
            "conversation.item.input_audio_transcription.failed",
            "server",
            "One user item has no transcript, and this is why.",
        ),
        # -- response
        Event("response.create", "client", "Start a response."),
        Event("response.cancel", "client", "Stop a response."),
        Event("response.created", "server", "A response began."),
        Event("response.done", "server", "A response ended: its status, output and usage."),
        Event("response.output_item.added", "server", "An output item opened."),
        Event("response.output_item.done", "server", "An output item closed."),
        Event("response.content_part.added", "server", "A part of a message opened."),
        Event("response.content_part.done", "server", "A part of a message closed."),
        Event.renamed("response.output_text.delta", "response.text.delta", "A piece of the text."),
        Event.renamed("response.output_text.done", "response.text.done", "The text is whole."),
        Event.renamed(
            "response.output_audio_transcript.delta",
            "response.audio_transcript.delta",
            "A piece of the transcript of the model's audio.",
        ),
        Event.renamed(
            "response.output_audio_transcript.done",
            "response.audio_transcript.done",
            "The transcript of the model's audio is whole.",
        ),
        Event.renamed(
            "response.output_audio.delta", "response.audio.delta", "A piece of the audio."
        ),
        Event.renamed("response.output_audio.done", "response.audio.done", "The audio is whole."),
        Event("response.function_call_arguments.delta", "server", "A piece of a call's arguments."),
        Event("response.function_call_arguments.done", "server", "A call's arguments are whole."),
        # -- MCP
        Event.new_in_ga(
            "mcp_list_tools.in_progress", "The server asks an MCP server for its tools."
        ),
        Event.new_in_ga("mcp_list_tools.completed", "The tools of an MCP server are known."),
        Event.new_in_ga("mcp_list_tools.failed", "The tools of an MCP server could not be listed."),
        Event.new_in_ga(
            "response.mcp_call_arguments.delta", "A piece of the arguments of an MCP call."
        ),
        Event.new_in_ga(
            "response.mcp_call_arguments.done", "The arguments of an MCP call are whole."
        ),
        Event.new_in_ga("response.mcp_call.in_progress", "An MCP call runs."),
        Event.new_in_ga("response.mcp_call.completed", "An MCP call gave its result."),
        Event.new_in_ga("response.mcp_call.failed", "An MCP call failed."),
    )
}

_GA_NAMES: dict[str, str] = {name: name for name in EVENTS}
# a name that beta has for another event means that one: conversation.item.created
_GA_NAMES |= {
    other: event.name
    for event in EVENTS.values()
    for other in (event.beta, *event.aliases)
    if other
}


def ga_name(wire_name: str) -> str:
    """The GA name of an event as it stands in a recording of any era.

    Raises `UnknownEvent` for a name that no event ever had.
    """
    try:
        return _GA_NAMES[wire_name]
    except KeyError:
        closest = difflib.get_close_matches(wire_name, _GA_NAMES, n=3, cutoff=0.0)
        raise UnknownEvent(wire_name, tuple(closest)) from None


def out_of_scope() -> dict[str, str]:
    """The events that the model leaves out, and why."""
    return {event.name: event.scope for event in EVENTS.values() if event.scope}
