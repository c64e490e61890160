"""What the harness needs of a client under test, and what it hands to it.

Laws:
- A client is driven through these calls alone, and they use its public interface.
- Nothing of a client's private state is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs

from realtime_conformance.speaker import Speaker


class MissingSeam(Exception):
    """The installed client lacks something that the harness needs; says what, and what is there."""


class Http(Protocol):
    """What opens WebSockets: an `aiohttp.ClientSession`, or what stands for one."""

    @property
    def ws_connect(self) -> Callable[..., Awaitable[Any]]:
        """Open a connection to a URL; the result is what aiohttp hands out."""


@attrs.frozen
class Seams:
    """What a client is connected to.

    `http` opens WebSockets and `speaker` plays; a `muted` agent is given no audio output and hands
    nothing over. `base_url` and `http=None` let a client open its own socket instead.
    """

    http: Http | None
    speaker: Speaker
    base_url: str = "ws://realtime.invalid/v1"
    muted: bool = False


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
