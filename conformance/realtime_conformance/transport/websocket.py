"""A WebSocket over a real socket on the loopback interface: both ends in this process.

Laws:
- Each direction is FIFO, as on the line in memory, and the two have the same shape: `http` is what
  a client opens its connection with, `socket` is the server's end of the newest connection.
- The server listens on 127.0.0.1 at a port that the system chooses; nothing leaves the machine.
- It needs an ordinary event loop: sockets know no virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType

import aiohttp
from aiohttp import web

from realtime_conformance.transport.gate import Gate

HOST = "127.0.0.1"


class LoopbackSocket:
    """The server's end of one connection."""

    def __init__(self, end: web.WebSocketResponse, transport: asyncio.BaseTransport | None) -> None:
        self._end = end
        self._transport = transport
        self._outgoing: asyncio.Queue[str | int] = asyncio.Queue()
        self.closed = False

    def deliver(self, text: str) -> None:
        """Put one text frame on its way to the client."""
        self._outgoing.put_nowait(text)

    def hang_up(self, code: int) -> None:
        """Close the connection behind what is on its way."""
        self._outgoing.put_nowait(code)

    def drop(self) -> None:
        """Break the connection; what is on its way is lost."""
        self.closed = True
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    async def send_all(self) -> None:
        """Send what is on its way, in order, until cancelled or closed."""
        while not self.closed:
            frame = await self._outgoing.get()
            if isinstance(frame, int):
                self.closed = True
                await self._end.close(code=frame)
            else:
                with suppress(ConnectionError):  # what is said to one that has gone is lost
                    await self._end.send_str(frame)


class LoopbackServer:
    """A server for one client at a time; a context manager, listening while it is entered.

    `on_open` gets the headers of each handshake that succeeds, `on_message` the text of each frame,
    and `on_close` is told when the client closes a connection. With `on_knock`, which is told of
    each handshake that begins, they wait at `gate`; without it they succeed at once.
    """

    http: aiohttp.ClientSession
    """Opens connections; closed on leaving."""
    url: str
    """Base URL of the server; any path under it is answered."""

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
        self.socket: LoopbackSocket | None = None

    async def __aenter__(self) -> LoopbackServer:
        """Listen.

        Raises:
            OSError: there is no loopback interface, or no port left.
        """
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        # a client that keeps its end open must not hold up the end of a run
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"ws://{HOST}:{self._runner.addresses[0][1]}/v1"
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection and stop listening."""
        await self.http.close()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        status = await self.gate.passed()
        if status:
            return web.Response(status=status)
        end = web.WebSocketResponse()
        await end.prepare(request)
        socket = self.socket = LoopbackSocket(end, request.transport)
        self._on_open(request.headers)
        sending = asyncio.create_task(socket.send_all())
        try:
            async for frame in end:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._on_message(frame.data)
        finally:
            if not socket.closed:
                self._on_close()
            socket.closed = True
            sending.cancel()
        return end
