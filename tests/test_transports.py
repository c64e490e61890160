"""Both transports are the same line to a client that speaks aiohttp, and to the server's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest

from realtime_conformance.transport.memory import MemorySession
from realtime_conformance.transport.websocket import HOST, LoopbackServer

MANY = [f"text {number} \u00e9 {'x' * (number % 7) * 500}" for number in range(200)]
PATIENCE_SECONDS = 5.0


@attrs.define
class Line:
    """One transport in use: what the client gets, and what the server's end has seen."""

    transport: MemorySession | LoopbackServer
    received: list[str] = attrs.field(factory=list)
    handshakes: list[Mapping[str, str]] = attrs.field(factory=list)
    said: list[str] = attrs.field(factory=list)
    """What the server's end was told beside that: `knock` and `close`."""

    def end(self) -> Any:
        """The server's end of the newest connection; None before there is one."""
        return self.transport.socket

    async def connect(self, **headers: str) -> Any:
        """The client's end of a new connection."""
        url = f"{self.transport.url}/realtime?model=m"
        return await self.transport.http.ws_connect(url=url, headers=headers)


Heard = tuple[list[Mapping[str, str]], list[str], list[str]]
"""Handshakes, texts, and what else the server's end was told."""


def told(heard: Heard, gated: bool) -> dict[str, Any]:
    """What a transport tells, as its arguments."""
    handshakes, received, said = heard
    knock = {"on_knock": lambda: said.append("knock")} if gated else {}
    return {
        "on_open": handshakes.append,
        "on_message": received.append,
        "on_close": lambda: said.append("close"),
        **knock,
    }


@asynccontextmanager
async def in_memory(gated: bool = False) -> AsyncIterator[Line]:
    """A line in memory."""
    heard: Heard = ([], [], [])
    session = MemorySession(**told(heard, gated))
    yield Line(session, heard[1], heard[0], heard[2])
    await session.close()


@asynccontextmanager
async def over_loopback(gated: bool = False) -> AsyncIterator[Line]:
    """A line over a real socket."""
    heard: Heard = ([], [], [])
    async with LoopbackServer(**told(heard, gated)) as server:
        yield Line(server, heard[1], heard[0], heard[2])


both = pytest.mark.parametrize(
    "transport", [in_memory, pytest.param(over_loopback, marks=pytest.mark.realtime)]
)
Transport = Callable[[bool], Any]


def on(transport: Transport, part: Callable[[Line], Awaitable[None]], gated: bool = False) -> None:
    """Run a part of a test on a line, for a few seconds at most."""

    async def body() -> None:
        async with transport(gated) as line:
            await part(line)

    asyncio.run(asyncio.wait_for(body(), PATIENCE_SECONDS))


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; the time limit of the test is the limit of this."""
    while not holds():
        await asyncio.sleep(0.001)


async def texts(socket: Any, count: int) -> list[str]:
    """The next `count` texts from the server."""
    frames = [await socket.receive() for _ in range(count)]
    assert {frame.type for frame in frames} == {aiohttp.WSMsgType.TEXT}
    return [frame.data for frame in frames]


@both
def test_the_handshake_reaches_the_server(transport: Transport) -> None:
    """There is no end before it, and one after it, with the client's headers."""

    async def part(line: Line) -> None:
        assert line.end() is None
        socket = await line.connect(Asks="something")
        await until(line.end)
        assert [headers["Asks"] for headers in line.handshakes] == ["something"]
        assert not socket.closed
        assert not line.end().closed

    on(transport, part)


@both
def test_the_way_to_the_server_is_in_order(transport: Transport) -> None:
    """What a client sends arrives, once and in order."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        for text in MANY:
            await socket.send_str(text)
        await until(lambda: len(line.received) >= len(MANY))
        assert line.received == MANY

    on(transport, part)


@both
def test_the_way_to_the_client_is_in_order(transport: Transport) -> None:
    """What the server's end delivers arrives, once and in order."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await until(line.end)
        for text in MANY:
            line.end().deliver(text)
        assert await texts(socket, len(MANY)) == MANY

    on(transport, part)


@both
def test_the_two_ways_do_not_wait_for_each_other(transport: Transport) -> None:
    """Both can be full at once."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await until(line.end)
        for text in MANY:
            line.end().deliver(text)
            await socket.send_str(text)
        await until(lambda: len(line.received) >= len(MANY))
        assert await texts(socket, len(MANY)) == line.received == MANY

    on(transport, part)


@both
def test_a_reader_that_waits_is_woken(transport: Transport) -> None:
    """A client may wait before there is anything to read."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await until(line.end)
        waiting = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        line.end().deliver("late")
        assert (await waiting).data == "late"
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(timeout=0.01)

    on(transport, part)


@both
def test_a_close_by_the_client_is_seen_at_both_ends(transport: Transport) -> None:
    """The server's end is closed, reading says so, and nothing can be sent any more."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await until(line.end)
        await socket.send_str("last words")
        assert await socket.close()
        assert not await socket.close()
        await until(lambda: line.end().closed)
        assert line.received == ["last words"]
        assert socket.closed
        assert socket.close_code == 1000
        assert socket.exception() is None
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED
        with pytest.raises(ConnectionResetError):
            await socket.send_str("too late")

    on(transport, part)


@both
def test_a_close_does_not_lose_what_was_sent_before(transport: Transport) -> None:
    """All of it is there when the end is."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        for text in MANY:
            await socket.send_str(text)
        await socket.close()
        await until(lambda: line.end().closed)
        assert line.received == MANY

    on(transport, part)


@both
def test_a_client_can_connect_again(transport: Transport) -> None:
    """The newest connection is the one that the server speaks on."""

    async def part(line: Line) -> None:
        first = await line.connect()
        await until(line.end)
        old = line.end()
        await first.close()
        second = await line.connect()
        await until(lambda: line.end() is not old)
        line.end().deliver("hello")
        assert await texts(second, 1) == ["hello"]
        assert len(line.handshakes) == 2

    on(transport, part)


@both
def test_a_handshake_waits_at_the_gate(transport: Transport) -> None:
    """There is no connection until it is let in; one after the other, in order."""

    async def part(line: Line) -> None:
        first = asyncio.create_task(line.connect(Number="1"))
        await until(lambda: line.transport.gate)
        assert (line.said, line.handshakes, line.end()) == (["knock"], [], None)
        second = asyncio.create_task(line.connect(Number="2"))
        await until(lambda: len(line.said) > 1)
        line.transport.gate.admit()
        await first
        line.transport.gate.admit()
        await second
        assert [headers["Number"] for headers in line.handshakes] == ["1", "2"]
        assert not line.transport.gate

    on(transport, part, gated=True)


@both
def test_a_handshake_can_be_refused(transport: Transport) -> None:
    """The client gets the status as aiohttp's own error, and may try again."""

    async def part(line: Line) -> None:
        refused = asyncio.create_task(line.connect())
        await until(lambda: line.transport.gate)
        line.transport.gate.refuse(503)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await refused
        assert caught.value.status == 503
        assert "503" in str(caught.value)
        assert (line.handshakes, line.end()) == ([], None)
        again = asyncio.create_task(line.connect())
        await until(lambda: line.transport.gate)
        line.transport.gate.admit()
        assert not (await again).closed

    on(transport, part, gated=True)


def test_a_handshake_that_was_given_up_is_not_decided() -> None:
    """The decision is about the oldest one that still waits."""

    async def part(line: Line) -> None:
        given_up = asyncio.create_task(line.connect(Number="1"))
        await until(lambda: line.transport.gate)
        given_up.cancel()
        await until(given_up.done)
        kept = asyncio.create_task(line.connect(Number="2"))
        await until(lambda: line.transport.gate)
        line.transport.gate.admit()
        await kept
        assert [headers["Number"] for headers in line.handshakes] == ["2"]

    on(in_memory, part, gated=True)


@both
def test_the_server_can_close(transport: Transport) -> None:
    """The client reads what was sent before, the code, and then the end; it did not close."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await until(line.end)
        line.end().deliver("last words")
        line.end().hang_up(1001)
        assert await texts(socket, 1) == ["last words"]
        frame = await socket.receive()
        assert (frame.type, frame.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED
        assert (socket.closed, socket.close_code) == (True, 1001)
        assert line.said == []

    on(transport, part)


@both
def test_a_connection_can_break(transport: Transport) -> None:
    """The client reads the end, and can send nothing more; it did not close."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await until(line.end)
        line.end().drop()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED
        assert (socket.closed, socket.close_code) == (True, 1006)
        with pytest.raises(ConnectionResetError):
            await socket.send_str("too late")
        assert line.said == []

    on(transport, part)


@both
def test_who_closed_is_told(transport: Transport) -> None:
    """A close by the client is told once."""

    async def part(line: Line) -> None:
        socket = await line.connect()
        await socket.close()
        await until(lambda: line.said)
        await socket.close()
        assert line.said == ["close"]

    on(transport, part)


@pytest.mark.realtime
def test_the_loopback_server_ends_with_its_connections_open() -> None:
    """It listens on the loopback interface alone, and leaving it closes what is open."""

    async def part() -> None:
        async with LoopbackServer(lambda _: None, lambda _: None) as server:
            assert server.url.startswith(f"ws://{HOST}:")
            socket = await server.http.ws_connect(server.url)
        assert server.http.closed
        assert socket.closed or (await socket.receive()).type is not aiohttp.WSMsgType.TEXT

    asyncio.run(asyncio.wait_for(part(), PATIENCE_SECONDS))
