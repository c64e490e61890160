"""The laws of the in-memory WebSocket, and how it compares with the one of aiohttp."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_conformance.clock import VirtualLoop, run_virtual
from realtime_conformance.transport.memory import MemorySession, MemorySocket

TEXT, CLOSED = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.CLOSED


def drive(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine at one instant of virtual time."""

    async def driven(loop: VirtualLoop) -> Any:
        task = asyncio.create_task(main())
        await loop.settle()
        assert task.done(), "it waits for something that does not come"
        assert loop.time() == 0.0
        return task.result()

    return run_virtual(driven)


ACTS = st.tuples(st.sampled_from(["up", "down", "read", "pause"]), st.sampled_from("abcdefgh"))


@settings(deadline=None, max_examples=50)
@given(st.lists(ACTS, max_size=20))
def test_each_direction_is_fifo_and_loses_nothing(acts: list[tuple[str, str]]) -> None:
    """Whatever the interleaving, each end gets exactly what the other sent, in that order."""
    up: list[str] = []
    down: list[str] = []

    async def main() -> None:
        socket = MemorySocket(up.append)
        sent: dict[str, list[str]] = {"up": [], "down": []}
        for act, text in acts:
            if act == "up":
                await socket.send_str(text)
                sent["up"].append(text)
                assert up == sent["up"]
            elif act == "down":
                socket.deliver(text)
                sent["down"].append(text)
            elif act == "read" and len(down) < len(sent["down"]):
                down.append(await _text(socket))
            else:
                await asyncio.sleep(0)
        while len(down) < len(sent["down"]):
            down.append(await _text(socket))
        assert (up, down) == (sent["up"], sent["down"])

    drive(main)


async def _text(socket: MemorySocket) -> str:
    message = await socket.receive()
    assert message.type is TEXT
    data: str = message.data
    return data


def test_a_message_reaches_the_server_at_once() -> None:
    """Sending does not yield: when it returns the server has the message, and nothing else ran."""
    seen: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(seen.append, "something else")
        await MemorySocket(seen.append).send_str("first")
        assert seen == ["first"]

    drive(main)


def test_a_reader_that_waits_is_woken() -> None:
    """A frame that comes while the client waits is delivered within the same instant."""

    async def main() -> list[str]:
        socket = MemorySocket(lambda _: None)
        reading = [asyncio.create_task(_text(socket)) for _ in range(2)]
        await asyncio.sleep(0)
        socket.deliver("one")
        socket.deliver("two")
        return list(await asyncio.gather(*reading))

    assert drive(main) == ["one", "two"]


def test_a_read_can_time_out_and_loses_no_frame() -> None:
    """A timeout is the client's own deadline; the frame that comes later is there for the next."""

    async def main(loop: VirtualLoop) -> tuple[str, float]:
        socket = MemorySocket(lambda _: None)
        reading = asyncio.create_task(socket.receive(timeout=2.0))
        await loop.settle()
        await loop.advance(3)
        assert isinstance(reading.exception(), asyncio.TimeoutError)
        socket.deliver("late")
        return await _text(socket), loop.time()

    assert run_virtual(main) == ("late", 3.0)


def test_after_the_end() -> None:
    """What was on its way is read first, then CLOSED for ever; sending raises; closing is once."""

    async def main() -> None:
        sent: list[str] = []
        socket = MemorySocket(sent.append)
        socket.deliver("on its way")
        assert (socket.closed, socket.close_code) == (False, None)
        assert await socket.close(code=4000, message=b"bye") is True
        assert (socket.closed, socket.close_code) == (True, 4000)
        assert await socket.close() is False
        assert socket.close_code == 4000
        with pytest.raises(ConnectionResetError):
            await socket.send_str("too late")
        assert sent == []
        assert await _text(socket) == "on its way"
        for _ in range(3):
            assert (await socket.receive()).type is CLOSED
        assert socket.exception() is None

    drive(main)


def test_closing_wakes_a_reader() -> None:
    """Who waits for a frame learns that none will come."""

    async def main() -> aiohttp.WSMsgType:
        socket = MemorySocket(lambda _: None)
        reading = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        await socket.close()
        return (await reading).type

    assert drive(main) is CLOSED


def test_a_session_opens_a_socket_each_time() -> None:
    """The server sees the headers of each handshake; every connection has a socket of its own."""

    async def main() -> None:
        opened: list[dict[str, str]] = []
        heard: list[str] = []
        session = MemorySession(lambda headers: opened.append(dict(headers)), heard.append)
        assert (session.socket, session.closed) == (None, False)
        first = await session.ws_connect("wss://one.invalid/v1", headers={"A": "1"}, heartbeat=3)
        assert session.socket is first
        second = await session.ws_connect(url="wss://two.invalid/v1")
        assert session.socket is second is not first
        assert opened == [{"A": "1"}, {}]
        first.deliver("to the first")
        await first.close()
        await second.send_str("from the second")
        assert heard == ["from the second"]
        assert not second.closed
        assert await _text(first) == "to the first"
        await session.close()
        assert session.closed

    drive(main)


# -- compared with aiohttp --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (MemorySocket, aiohttp.ClientWebSocketResponse),
        (MemorySession, aiohttp.ClientSession),
    ],
)
def test_there_is_nothing_that_aiohttp_does_not_have(ours: type, theirs: type) -> None:
    """A client that works with this works with aiohttp: each public name is there, as it is called.

    What the server's end uses is not the client's.
    """
    servers = {"deliver", "hang_up", "drop", "http", "url"}
    for name, function in vars(ours).items():
        if name.startswith("_") or name in servers:
            continue
        real = getattr(theirs, name)
        assert inspect.iscoroutinefunction(function) or not inspect.iscoroutinefunction(real), name
        named = [
            parameter.name
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        taken = inspect.signature(real).parameters
        rest = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
        assert rest or set(named) <= set(taken), name
    for attribute in ("closed", "close_code") if ours is MemorySocket else ("closed",):
        assert isinstance(getattr(theirs, attribute), property)


Peer = Callable[[str], Awaitable[None]]
Script = Callable[[Any, Peer], Coroutine[Any, Any, list[object]]]


async def _script(socket: Any, to_client: Peer) -> list[object]:
    """What a client does, and what it sees; the same for both kinds of sockets."""
    seen: list[object] = [socket.closed, socket.close_code, socket.exception()]
    await socket.send_str("hello")
    for text in ("one", "two"):
        await to_client(text)
    for _ in range(2):
        message = await socket.receive()
        seen.append((message.type, message.data))
    seen.append(await socket.close())
    seen += [socket.closed, socket.close_code, await socket.close()]
    seen.append((await socket.receive()).type)
    try:
        await socket.send_str("too late")
    except ConnectionResetError:
        seen.append("refused")
    seen.append(socket.exception())
    return seen


@pytest.mark.realtime
def test_a_real_socket_behaves_the_same() -> None:
    """The same client script sees the same on a real WebSocket of aiohttp."""

    async def in_memory() -> tuple[list[object], list[str]]:
        heard: list[str] = []
        session = MemorySession(lambda _: None, heard.append)
        socket = await session.ws_connect("ws://realtime.invalid")

        async def to_client(text: str) -> None:
            socket.deliver(text)

        return await _script(socket, to_client), heard

    async def real() -> tuple[list[object], list[str]]:
        heard: list[str] = []
        peers: list[web.WebSocketResponse] = []

        async def serve(request: web.Request) -> web.WebSocketResponse:
            peer = web.WebSocketResponse()
            await peer.prepare(request)
            peers.append(peer)
            async for message in peer:
                heard.append(message.data)  # noqa: PERF401
            return peer

        async def to_client(text: str) -> None:
            await peers[0].send_str(text)

        app = web.Application()
        app.router.add_get("/", serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as session:
                socket = await session.ws_connect(f"http://127.0.0.1:{runner.addresses[0][1]}/")
                return await _script(socket, to_client), heard
        finally:
            await runner.cleanup()

    assert drive(in_memory) == asyncio.run(asyncio.wait_for(real(), 10))
