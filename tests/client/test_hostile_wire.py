"""Servers that break HTTP or WebSocket: a typed error, bounded memory, no second connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.client.dial import dial
from shellwire.client.endpoint import Target
from shellwire.client.http_head import MAX_HEAD
from shellwire.client.websocket import MAX_UNREAD, WebSocket
from shellwire.client.websocket_protocol import SocketClosed
from shellwire.errors import Disconnected, InvalidAnswer, ShellwireError, Unreachable
from tests.client.hostile import HostileServer, frame
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@contextlib.asynccontextmanager
async def answering(answer: bytes, *, closes: bool) -> AsyncIterator[str]:
    """Serve a port that answers any request with these bytes; yield its URL."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if not closes:
                await reader.read()
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(talk(reader, writer)))

    tasks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    finally:
        server.close()
        await asyncio.gather(*tasks)


UPGRADE = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
HANDSHAKES = {
    "ssh": (b"SSH-2.0-OpenSSH_9.6\r\n", "can't be reached: something else than HTTP"),
    "text": (b"HTTP/1.1\r\n\r\n", "an HTTP response without a status"),
    "endless": (b"HTTP/1.1 101 X\r\n" + b"A: b\r\n" * MAX_HEAD, f"more than {MAX_HEAD} bytes"),
    "long line": (b"HTTP/1.1 101 X\r\nA: " + b"b" * 2 * MAX_HEAD, f"more than {MAX_HEAD} bytes"),
    "page": (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhi", "it answered with 200"),
    "moved": (b"HTTP/1.1 301 Moved\r\n\r\n", "it answered with 301"),
    "429": (b"HTTP/1.1 429 X\r\nRetry-After: 9\x1b[m\r\n\r\n", r"try again in 9\x1b[m s"),
    "no key": (UPGRADE + b"\r\n", "it answered with 101"),
    "wrong key": (UPGRADE + b"Sec-WebSocket-Accept: AAAA\r\n\r\n", "it answered with 101"),
    "no upgrade": (b"HTTP/1.1 101 X\r\n\r\n", "it answered with 101"),
}


@pytest.mark.parametrize(("answer", "how"), HANDSHAKES.values(), ids=HANDSHAKES)
async def test_a_handshake_that_is_none(answer: bytes, how: str) -> None:
    async with answering(answer, closes=False) as url:
        with pytest.raises(Unreachable) as refusal:
            async with Client(url, token="x"):
                pytest.fail("it connected")
    assert how in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 X\r\nUpgr"], ids=["nothing", "half"])
async def test_a_server_that_hangs_up(answer: bytes) -> None:
    async with answering(answer, closes=True) as url:
        with pytest.raises(Unreachable, match="broke off the connection"):
            async with Client(url, token="x"):
                pytest.fail("it connected")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 X\r\nUpgr"], ids=["nothing", "half"])
async def test_a_server_that_stays_silent(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellwire.client.handshake.CONNECT_SECONDS", 0.1)
    async with answering(answer, closes=False) as url:
        with pytest.raises(Unreachable, match=r"has not answered in 0\.1 s"):
            async with Client(url, token="x"):
                pytest.fail("it connected")


FRAMES = {
    "masked": b"\x81\x85\0\0\0\0hello",
    "reserved bit": frame(b"x", first=0xA1),
    "compressed, not agreed": frame(b"x", first=0xC1),
    "unknown opcode": frame(b"x", first=0x87),
    "unknown control opcode": frame(b"x", first=0x8F),
    "long ping": frame(b"x" * 126, first=0x89),
    "ping in pieces": frame(b"x", first=0x09),
    "continuation of nothing": frame(b"x", first=0x80),
    "message inside a message": frame(b"x", first=0x01) + frame(b"y", first=0x81),
    "close of one byte": frame(b"x", first=0x88),
    "close code that is reserved": frame(struct.pack("!H", 1006), first=0x88),
    "close reason that is not UTF-8": frame(struct.pack("!H", 1000) + b"\xff", first=0x88),
    "64 bits of length": b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    "binary": frame(b"x", first=0x82),
    "text that is not UTF-8": frame(b'{"type": "pong", "request_id": "\xff"}'),
}


@pytest.mark.parametrize("content", FRAMES.values(), ids=FRAMES)
async def test_a_broken_frame(content: bytes) -> None:
    server = HostileServer(lambda _: content)
    async with server.serve(), Client(server.url, token="0") as client:
        for _ in range(2):
            with pytest.raises(InvalidAnswer, match="is no shellwire: it has sent"):
                await client.context().get()
    assert server.connections == 1


@pytest.mark.parametrize("content", [b"\x00" * 100, b"\xff" * 100], ids=["blocks", "ones"])
async def test_data_that_can_not_be_inflated(content: bytes) -> None:
    server = HostileServer(lambda _: frame(content, first=0xC1), deflate=True)
    async with server.serve(), Client(server.url, token="0") as client:
        with pytest.raises(InvalidAnswer):
            await client.context().get()
    assert server.connections == 1


@pytest.mark.parametrize("code", [1002, 1008, 1009, 4000])
async def test_close_codes_after_which_nothing_is_tried(code: int) -> None:
    server = HostileServer(lambda _: frame(struct.pack("!H", code) + b"why", first=0x88))
    async with server.serve(), Client(server.url, token="0", patience=0.1) as client:
        with pytest.raises(Disconnected, match=rf"closed the connection \({code} why\)"):
            await client.context().get()
    assert server.connections == 1


async def test_fragments_with_a_ping_between() -> None:
    state = {"type": "context_state", "context": "default", "cwd": "/", "env": {}}

    def answers(heard: dict[str, object]) -> bytes:
        text = json.dumps({**state, "id": heard.get("id"), "request_id": heard["request_id"]})
        first, second = text[:9].encode(), text[9:].encode()
        ping = frame(b"here", first=0x89)
        return b"".join(
            (frame(first, first=0x01), ping, frame(b"", first=0x00), frame(second, first=0x80))
        )

    server = HostileServer(answers)
    async with server.serve(), Client(server.url, token="0") as client:
        assert (await client.context().get()).cwd == "/"


class Peer(HostileServer):
    """A server that reads nothing after ``auth`` but what a test reads from ``reader``."""

    def __init__(self) -> None:
        super().__init__(lambda _: b"")
        self.is_ready = asyncio.Event()
        self.is_over = asyncio.Event()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def _receive(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the first message only."""
        if not self.heard:
            return await super()._receive(reader)
        self.is_ready.set()
        await self.is_over.wait()
        return None

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        await super()._converse(reader, writer)


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[WebSocket, Peer]]:
    """Yield a WebSocket and its peer; ``status`` has been received."""
    peer = Peer()
    async with peer.serve():
        ws = await dial(Target(peer.url, None, None), 60)
        try:
            async with asyncio.timeout(PATIENCE):
                await ws.send(b"{}")
                await ws.receive()
                await peer.is_ready.wait()
                yield ws, peer
        finally:
            peer.is_over.set()
            ws.abort()


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until the condition holds: asyncio announces no pause."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_reading_stops_while_nobody_receives() -> None:
    """The peer is stopped by its socket; every message arrives once somebody receives."""
    message = b'"' + b"x" * 65_000 + b'"'
    total = 400  # 26 MB
    async with connected() as (ws, peer):
        sending = asyncio.create_task(_send(peer, [frame(message)] * total))
        transport = ws._transport
        assert transport is not None
        await until(lambda: not transport.is_reading())
        assert not sending.done()
        assert ws._unread < MAX_UNREAD + 2 * len(message)
        assert len(ws._unfed) < 1 << 20
        for _ in range(total):
            assert await ws.receive() == message
        await sending


async def _send(peer: Peer, frames: list[bytes]) -> None:
    for each in frames:
        peer.writer.write(each)
        await peer.writer.drain()


async def test_pings_to_a_peer_that_reads_nothing() -> None:
    """It gets the last pong when it reads; the others would only fill our memory."""
    async with connected() as (ws, peer):
        upload = asyncio.create_task(ws.send(b"x" * (16 << 20)))
        await until(lambda: not ws._writable.is_set())
        assert ws._transport is not None
        waiting = ws._transport.get_write_buffer_size()
        pings = [frame(str(n).encode(), first=0x89) for n in range(50_000)]
        await _send(peer, [b"".join(pings), frame(b'"after"')])
        assert await ws.receive() == b'"after"'
        assert ws._transport.get_write_buffer_size() <= waiting
        assert len(ws._pong) < 100
        assert not upload.done()
        while not upload.done():
            assert await peer.reader.read(1 << 20)
        await upload


async def test_a_peer_that_never_reads_does_not_keep_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellwire.client.websocket.CLOSE_SECONDS", 0.1)
    async with connected() as (ws, _):
        upload = asyncio.create_task(ws.send(b"x" * (16 << 20)))
        await until(lambda: not ws._writable.is_set())
        await ws.close()  # after CLOSE_SECONDS
        with pytest.raises(SocketClosed):
            await upload
        with pytest.raises(SocketClosed):
            await ws.receive()
        with pytest.raises(SocketClosed):
            await ws.send(b"x")


async def test_closing_waits_for_the_peer_s_close_frame() -> None:
    async with connected() as (ws, peer):
        closing = asyncio.create_task(ws.close())
        await _send(peer, [frame(b'"late"'), frame(struct.pack("!H", 1000), first=0x88)])
        await closing
        with pytest.raises(SocketClosed):
            await ws.receive()


async def test_a_silent_peer_is_pinged_then_given_up() -> None:
    server = HostileServer(lambda _: b"")
    async with server.serve():
        ws = await dial(Target(server.url, None, None), 0.05)
        await ws.send(b"{}")
        await ws.receive()  # status; the server answers no ping
        with pytest.raises(SocketClosed) as end:
            await ws.receive()
        assert end.value.code == 1006


async def test_repeated_connections_in_every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are cancelled at any moment leave nothing behind."""
    server = HostileServer(lambda _: b"")
    async with server.serve():
        for turns in range(60):
            client = Client(server.url, token="0")
            entering = asyncio.ensure_future(client.__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            with contextlib.suppress(asyncio.CancelledError, ShellwireError):
                await entering
            await client.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "shellwire/client" in repr(task.get_coro())]
