"""An in-memory WebSocket: the client's end is what aiohttp hands out, the other end is ours.

Laws:
- Each direction is FIFO; nothing is lost but by the end of the connection, and nothing is delayed
  but by the event loop.
- Only the part of aiohttp's interface that a client may use in public is there.
- A handshake that waits at the gate may be refused there; the client gets what aiohttp raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from realtime_conformance.transport.gate import Gate

ABNORMAL = 1006
"""The close code of a connection that broke."""


class MemorySocket:
    """The client's end of one connection; `deliver`, `hang_up` and `drop` are the server's."""

    def __init__(
        self,
        on_message: Callable[[str], None],
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_message = on_message
        self._on_close = on_close
        self._incoming: asyncio.Queue[aiohttp.WSMessage] = asyncio.Queue()
        self.closed = False
        self.close_code: int | None = None

    def deliver(self, text: str) -> None:
        """The server's end: put one text frame on its way to the client."""
        self._incoming.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, text, None))

    def hang_up(self, code: int, reason: str = "") -> None:
        """The server's end: close; the client gets a close frame behind what is on its way."""
        self._incoming.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.CLOSE, code, reason))

    def drop(self) -> None:
        """The connection breaks: what is on its way to the client is lost."""
        while not self._incoming.empty():
            self._incoming.get_nowait()
        self._end(ABNORMAL)

    def _end(self, code: int) -> None:
        self.closed, self.close_code = True, code
        self._incoming.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None))

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
            message = await self._incoming.get()
        else:
            message = await asyncio.wait_for(self._incoming.get(), timeout)
        if message.type is aiohttp.WSMsgType.CLOSE:
            self.closed, self.close_code = True, message.data
        return message

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:  # noqa: ARG002
        """Close from the client's side; False if it was closed already."""
        if self.closed:
            return False
        self._end(code)
        self._on_close()
        return True

    def exception(self) -> BaseException | None:
        """The error of the connection: there is none in memory."""
        return None


class MemorySession:
    """Stands where an `aiohttp.ClientSession` would: every `ws_connect` opens a memory socket.

    `on_open` gets the headers of each handshake that succeeds, `on_message` the text of each frame,
    and `on_close` is told when the client closes a connection. With `on_knock`, which is told of
    each handshake that begins, they wait at `gate`; without it they succeed at once.
    """

    url = "ws://realtime.invalid/v1"

    def __init__(
        self,
        on_open: Callable[[Mapping[str, str]], None],
        on_message: Callable[[str], None],
        on_close: Callable[[], None] = lambda: None,
        on_knock: Callable[[], None] | None = None,
    ) -> None:
        self._on_open = on_open
        self._on_message = on_message
        self._on_close = on_close
        self.gate = Gate(on_knock)
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
        status = await self.gate.passed()
        if status:
            raise _refusal(status)
        self.socket = MemorySocket(self._on_message, self._on_close)
        self._on_open(headers or {})
        return self.socket

    @property
    def http(self) -> MemorySession:
        """What a client opens its connections with."""
        return self

    async def close(self) -> None:
        """Nothing to release."""
        self.closed = True


def _refusal(status: int) -> aiohttp.WSServerHandshakeError:
    """What aiohttp raises for a handshake that is answered with `status`."""
    nothing: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    url = URL("ws://realtime.invalid")
    info = aiohttp.RequestInfo(url, "GET", nothing, url)
    return aiohttp.WSServerHandshakeError(
        info, (), status=status, message="Invalid response status", headers=nothing
    )
