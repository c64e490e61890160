"""The line of a correct client: handshakes, retries, planned reconnections, and the end.

Laws:
- There is one connection at a time, and what was to be sent on one is never sent on the next.
- After a drop, an expiry or a planned end the client connects anew; after a handshake that was
  refused it waits first. After a fatal error, or once it was closed, it does not.
- Nothing is sent to a server that has said that it is about to close.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from realtime_conformance.clients.interface import Seams

Wire = dict[str, Any]

RETRY_SECONDS = 1.0
"""How long a client waits after a handshake that was refused."""

FATAL = ("insufficient_quota", "invalid_api_key", "account_deactivated")
"""Codes of errors after which no session is to be had."""


class Link:
    """Connects, sends in order, and hands every server event to its handler."""

    def __init__(self, seams: Seams) -> None:
        assert seams.http is not None
        self.http, self.url, self.setting = seams.http, seams.base_url, seams.setting
        self.socket: Any = None
        """The connection that may be written to; None while there is none."""
        self.outgoing: asyncio.Queue[Wire] = asyncio.Queue()
        self.over = False
        """No other connection is to follow."""
        self.outlived = False
        """The session has lasted as long as it is to last."""
        self.timer: asyncio.TimerHandle | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to connect."""
        self.spawn(self.live())

    async def close(self) -> None:
        """Close for good, and wait for whatever runs."""
        self.over = True
        if self.socket is not None:
            await self.socket.close()
        self.disconnected()
        tasks = {task for task in self.tasks if not task.done()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run beside everything else until the client is closed."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def live(self) -> None:
        """One connection after another."""
        while not self.over:
            await self.serve()

    async def serve(self) -> None:
        """One connection, from its handshake to its end."""
        try:
            socket = await self.http.ws_connect(f"{self.url}/realtime", headers={})
        except aiohttp.ClientError:
            await asyncio.sleep(RETRY_SECONDS)
            return
        self.socket, self.outgoing = socket, asyncio.Queue()
        writing = asyncio.create_task(self.write(socket, self.outgoing))
        self.connected()
        try:
            await self.read(socket)
        finally:
            writing.cancel()
        self.disconnected()

    def connected(self) -> None:
        """A connection is there."""
        if self.setting.session_seconds is not None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(self.setting.session_seconds, self.outlive)

    def disconnected(self) -> None:
        """The connection has ended, whoever ended it."""
        self.socket, self.outlived = None, False
        if self.timer is not None:
            self.timer.cancel()

    def hang_up(self) -> None:
        """Close the connection; nothing is sent on it any more."""
        socket, self.socket = self.socket, None
        if socket is not None:
            self.spawn(shut(socket))

    def outlive(self) -> None:
        """The session is to be begun anew, as soon as nothing is under way."""
        self.outlived = True
        self.go_on()

    def is_quiet(self) -> bool:
        """Whether nothing is under way that the end of a connection would cut."""
        return True

    def go_on(self) -> None:
        """Do what has waited for the end of something else."""
        if self.outlived and self.is_quiet():
            self.hang_up()

    def send(self, event: str, **body: Any) -> None:
        """Put one event on its way, in order; without a connection there is nobody to tell."""
        if self.socket is not None:
            self.outgoing.put_nowait({"type": event, **body})

    async def write(self, socket: Any, outgoing: asyncio.Queue[Wire]) -> None:
        """Send what is on its way, until the connection is gone."""
        with contextlib.suppress(ConnectionResetError):
            while True:
                await socket.send_str(json.dumps(await outgoing.get()))

    async def read(self, socket: Any) -> None:
        """Hand every server event to its handler, until the connection ends."""
        while (frame := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            self.handle(json.loads(frame.data))
            self.go_on()

    def handle(self, event: Wire) -> None:
        """Call the handler of an event; an event without one needs no answer."""
        name = "on_" + event["type"].replace(".", "_")
        handler: Callable[[Wire], None] = getattr(self, name, lambda _: None)
        handler(event)

    def on_error(self, event: Wire) -> None:
        """Most errors need nothing; some end the session, and a few of these end all of them."""
        code = event["error"]["code"]
        if code in FATAL:
            self.over = True
        if code in FATAL or code == "session_expired":
            self.hang_up()


async def shut(socket: Any) -> None:
    """Close a connection."""
    await socket.close()
