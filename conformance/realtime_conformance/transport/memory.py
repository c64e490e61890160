"""An in-memory WebSocket: the client's end is what aiohttp hands out, the other end is ours.

Laws:
- Each direction is FIFO; nothing is lost, and nothing is delayed but by the event loop.
- Only the part of aiohttp's interface that a client may use in public is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp


class MemorySocket:
    """The client's end of one connection."""

    def __init__(self, on_message: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._incoming: asyncio.Queue[aiohttp.WSMessage] = asyncio.Queue()
        self.closed = False
        self.close_code: int | None = None

    def deliver(self, text: str) -> None:
        """The server's end: put one text frame on its way to the client."""
        self._incoming.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, text, None))

    async def send_str(self, data: str, compress: int | None = None) -> None:  # noqa: ARG002
        """Send one text frame to the server."""
        if self.closed:
            raise ConnectionResetError("Cannot write to closing transport")
        self._on_message(data)

    async def receive(self, timeout: float | None = None) -> aiohttp.WSMessage:
        """The next frame from the server; a CLOSED message after the end."""
        if self.closed and self._incoming.empty():
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)
        if timeout is None:
            return await self._incoming.get()
        return await asyncio.wait_for(self._incoming.get(), timeout)

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:  # noqa: ARG002
        """Close from the client's side; False if it was closed already."""
        if self.closed:
            return False
        self.closed, self.close_code = True, code
        self._incoming.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None))
        return True

    def exception(self) -> BaseException | None:
        """The error of the connection: there is none in memory."""
        return None


class MemorySession:
    """Stands where an `aiohttp.ClientSession` would: every `ws_connect` opens a memory socket."""

    def __init__(
        self,
        on_open: Callable[[Mapping[str, str]], None],
        on_message: Callable[[str], None],
    ) -> None:
        self._on_open = on_open
        self._on_message = on_message
        self.socket: MemorySocket | None = None
        self.closed = False

    async def ws_connect(
        self,
        url: str,  # noqa: ARG002
        *,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> MemorySocket:
        """Open a connection; the handshake's headers reach the server."""
        self.socket = MemorySocket(self._on_message)
        self._on_open(headers or {})
        return self.socket

    async def close(self) -> None:
        """Nothing to release."""
        self.closed = True
