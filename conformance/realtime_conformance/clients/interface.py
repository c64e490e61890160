"""What the harness needs of a client under test, and what it hands to it.

Laws:
- A client is driven through these calls alone, and they use its public interface.
- Nothing of a client's private state is asked for.
- A client has the calls of the scopes that it is driven through; `needs` names what one lacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import attrs

from realtime_conformance.setting import Setting
from realtime_conformance.speaker import Speaker

FUNCTION = "look_up"
"""The function that the model calls in a tool round; it takes a `city` and gives back a text."""


class MissingSeam(Exception):
    """The installed client lacks something that the harness needs; says what, and what is there."""


class ToolFailed(Exception):
    """What an app's function raises where the scenario says that it ends with an error."""


class Http(Protocol):
    """What opens WebSockets: an `aiohttp.ClientSession`, or what stands for one."""

    @property
    def ws_connect(self) -> Callable[..., Awaitable[Any]]:
        """Open a connection to a URL; the result is what aiohttp hands out."""


async def _no_tools(call_id: str) -> str:
    raise ToolFailed(f"no function is called in this scope, got call {call_id}")


@attrs.frozen
class Seams:
    """What a client is connected to.

    `http` opens WebSockets and `speaker` plays. `base_url` and `http=None` let a client open its
    own socket instead. `setting` says how the client is to be set up. `carry_out` is what the
    app's function does: given the id of a call it waits until the scenario ends it, and gives back
    the output or raises `ToolFailed`.
    """

    http: Http | None
    speaker: Speaker
    base_url: str = "ws://realtime.invalid/v1"
    setting: Setting = attrs.field(factory=Setting)
    carry_out: Callable[[str], Awaitable[str]] = _no_tools

    @property
    def muted(self) -> bool:
        """Whether the agent has no audio output."""
        return self.setting.muted


class Client(Protocol):
    """One client under test, for one session."""

    async def start(self) -> None:
        """Start the agent and let it connect."""

    def generate_reply(self) -> None:
        """Agent code asks for a reply."""

    def interrupt(self) -> None:
        """Agent code interrupts the session."""

    def hear(self, seconds: float) -> None:
        """The microphone picks up `seconds` of speech."""

    async def close(self) -> None:
        """Close the session and wait for its end."""


class FullClient(Client, Protocol):
    """A client that can be driven through every scope; each further call is named after its act."""

    def generate_reply_again(self) -> None:
        """Agent code asks for another reply while one is under way."""

    def interrupt_handle(self) -> None:
        """Agent code interrupts the newest reply alone, by its handle."""

    def commit_user_turn(self) -> None:
        """Agent code ends a turn that is taken by hand, and wants a reply to it."""

    def clear_user_turn(self) -> None:
        """Agent code drops what was said since the last turn."""

    def update_chat_ctx(self) -> None:
        """Agent code adds a message of the user to the end of the context."""

    def update_chat_ctx_remove(self) -> None:
        """Agent code takes the oldest message of the user out of the context."""

    def update_instructions(self) -> None:
        """Agent code changes the instructions."""

    def update_tools(self) -> None:
        """Agent code changes the tools."""

    def update_options(self) -> None:
        """Agent code changes an option of the session."""

    def hand_over(self) -> None:
        """Agent code hands over to another agent, with other instructions and tools."""


def call_of(act: str) -> str:
    """The name of the call that carries out an act of the app."""
    return act.replace(".", "_")


def needs(client: object, acts: Iterable[str]) -> list[str]:
    """The calls for `acts` that a client lacks, sorted."""
    calls = {call_of(act) for act in acts}
    return sorted(call for call in calls if not callable(getattr(client, call, None)))
