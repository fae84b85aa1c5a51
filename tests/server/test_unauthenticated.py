"""Limits for unauthenticated peers: number, bytes, time, and log lines."""

from __future__ import annotations

import asyncio
import os
import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from shellwire.server import listen
from shellwire.server.http_connection import MAX_HEAD_BYTES
from shellwire.server.listen import Listener, bind
from shellwire.server.unauthenticated import (
    DROP_FROM,
    MAX_UNAUTHENTICATED,
    UnauthenticatedLimit,
)
from tests.live import PATIENCE
from tests.server.observe import memory
from tests.server.raw import CONTINUATION, TEXT, Raw, frame, handshake, request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.live import Daemon

MIB = 1024 * 1024
_SHORT_LIMITS = """
import shellwire.server.http_connection as http
http.HANDSHAKE_SECONDS, http.UNAUTHENTICATED_SECONDS = 1.0, 3.0
"""


def _bomb() -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(b" " * 16 * MIB) + deflate.flush(zlib.Z_SYNC_FLUSH)
    whole = bytearray(frame(TEXT, packed[:-4]))
    whole[0] |= 0x40
    return bytes(whole)


async def test_unauthenticated_data_is_not_kept(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--compress")
    before = memory(daemon)
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    announced = b"\x81\xff" + struct.pack("!Q", 16 * MIB - 1) + bytes(4)
    fragments = frame(TEXT, b"x" * 1000, final=False)
    fragments += frame(CONTINUATION, b"x" * 1000, final=False) * 65
    for data in (announced, fragments, _bomb()):
        for _ in range(4):
            raw = await Raw.open(daemon)
            assert (await raw.upgrade(headers=offer)).status == 101
            raw.write(data)
            assert await raw.closed() == (1009, "message too big")
            await raw.gone()
            await raw.close()
    # Messages within the limit that are never completed.
    unfinished: list[Raw] = []
    for _ in range(DROP_FROM - 1):
        unfinished.append(await Raw.upgraded(daemon))
        unfinished[-1].write(frame(TEXT, b"x" * 60_000, final=False))
        unfinished[-1].write(frame(CONTINUATION, final=False) * 10_000)
        await unfinished[-1].writer.drain()
    client = await daemon.client(local=True)
    assert (await client.run("echo on")).out == "on\n"
    assert memory(daemon) - before < 32 * MIB
    await client.close()


@pytest.mark.long
async def test_unauthenticated_connections_are_limited(
    patched_daemon: Callable[..., Daemon],
) -> None:
    # They stay longer than a new connection waits.
    daemon = patched_daemon(
        "import shellwire.server.http_connection as http; http.HANDSHAKE_SECONDS = 4.0",
        "--max-clients",
        "2",
    )
    known = await daemon.client("known")
    quiet = daemon.sockets()
    silent = [await Raw.open(daemon) for _ in range(3 * MAX_UNAUTHENTICATED)]
    # Authenticated clients and the Unix socket are not affected.
    assert (await known.run("echo on")).out == "on\n"
    local = await daemon.client("local", local=True)
    assert (await local.run("echo on")).out == "on\n"
    # The first connection beyond ten waits a second for these.
    async with asyncio.timeout(PATIENCE):
        while "have not authenticated" not in (daemon.home / "daemon.log").read_text():
            await local.run(":")
    assert daemon.sockets() <= quiet + MAX_UNAUTHENTICATED + 2
    # They are cut after their time limit; then new connections are accepted again.
    for raw in silent:
        await raw.gone()
    new = await daemon.client("new")
    assert (await new.run("echo on")).out == "on\n"
    log = (daemon.home / "daemon.log").read_text()
    assert log.count("have not authenticated") == 1, "one line, not one for each"
    for client in (known, local, new):
        await client.close()


async def test_many_clients_authenticate_at_once(daemon: Daemon) -> None:
    clients = await asyncio.gather(*(daemon.client() for _ in range(3 * DROP_FROM)))
    for client in clients:
        await client.close()


@pytest.mark.parametrize("target", ["/health", "/files/x", "/nothing"])
async def test_requests_do_not_extend_the_time_limit(
    patched_daemon: Callable[..., Daemon], target: str
) -> None:
    daemon = patched_daemon(_SHORT_LIMITS)
    raw = await Raw.open(daemon)
    answers = 0
    last = None
    while last != "close":
        answer = await raw.ask(target, {"Host": "localhost"})
        last = answer.headers.get("connection")
        answers += 1
    assert answers > 1
    await raw.gone()


async def test_unread_answers_do_not_extend_the_time_limit(
    patched_daemon: Callable[..., Daemon],
) -> None:
    daemon = patched_daemon(_SHORT_LIMITS)
    raw = await Raw.open(daemon)
    raw.stop_reading()

    async def ask() -> None:
        while True:
            raw.write(request("/health", {"Host": "localhost"}) * 100)
            await raw.writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(ask(), PATIENCE)


async def test_request_heads_are_limited(daemon: Daemon) -> None:
    long = "".join(f"X{number}: {'y' * 8000}\r\n" for number in range(MAX_HEAD_BYTES // 8000 + 1))
    raw = await Raw.open(daemon)
    raw.write(f"GET /health HTTP/1.1\r\nHost: localhost\r\n{long}".encode())
    assert (await raw.answer()).status == 431
    await raw.gone()


async def test_the_log_does_not_quote_unauthenticated_peers(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    secret = daemon.token
    before = (daemon.home / "daemon.log").read_text().count("\n")
    for bad in (b"\r", b"\0", b"\x1b[2J", b"\x7f", b"\xff", b"\n"):
        for line in (
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b%bx\r\n\r\n",
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-%b%b: x\r\n\r\n",
            b"GET /%b%b HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"%b%b / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"PUT /files/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%b%b",
        ):
            raw = await Raw.open(daemon)
            raw.write(line % (secret.encode(), bad))
            answer = await raw.answer()
            assert 400 <= answer.status < 500, line
            assert secret.encode() not in answer.body
            await raw.close()
    for _ in range(30):
        raw = await Raw.open(daemon)
        raw.write(b"rubbish\r\n\r\n")
        assert (await raw.answer()).status == 400
        await raw.close()
    log = (daemon.home / "daemon.log").read_text()
    assert secret[:16] not in log
    assert "Traceback" not in log
    # 60 requests of about six kinds within a few seconds: fewer lines than requests.
    assert log.count("\n") - before < 60


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://xn--a/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://\xff/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nExpect: \xff\r\n\r\n",
        b"GET /%ff?%fe=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: \xff\r\n\r\n",
        b"PUT /files/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /files/x HTTP/1.1\r\nHost: localhost\r\nShellwire-Client: \xff\r\n\r\n",
        b"GET /files/x HTTP/1.1\r\nHost: localhost\r\nRange: bytes=\xff-\r\n\r\n",
        request("/ws", handshake()).replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: \xff"),
        request("/ws", handshake()).replace(b"Upgrade: websocket", b"Upgrade: \xff"),
        request("/ws", handshake()).replace(b"Version: 13", b"Version: \xff"),
        request("/ws", handshake()).replace(b"Connection: Upgrade", b"Connection: \xff"),
    ],
)
async def test_invalid_requests_are_client_errors(daemon: Daemon, data: bytes) -> None:
    raw = await Raw.open(daemon, source="127.0.1.200")
    raw.write(data)
    assert 400 <= (await raw.answer()).status < 500


async def test_some_descriptors_are_left_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    (listening,) = await bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    made: list[asyncio.Protocol] = []

    def make() -> asyncio.Protocol:
        made.append(asyncio.Protocol())
        return made[-1]

    listener = Listener(listening, UnauthenticatedLimit(), make, local=False)
    # 384 descriptors may be used for connections.
    monkeypatch.setattr(listen, "max_descriptors", lambda: 640)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"taken")
    others = [os.dup(0) for _ in range(384)]
    try:
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        assert len(made) == 1
    finally:
        for descriptor in others:
            os.close(descriptor)
    third, writer_3 = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(third.read(), 0.2)
    for each in (writer, second, writer_3):
        each.close()
    await listener.close()


async def test_accept_retries_when_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "RETRY_SECONDS", 0.01)
    (listening,) = await bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    loop = asyncio.get_running_loop()
    accept = loop.sock_accept
    failures = [OSError(24, "Too many open files")] * 3

    async def failing(sock: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    met = loop.create_future()

    class Met(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            met.set_result(None)
            transport.close()

    listener = Listener(listening, UnauthenticatedLimit(), Met, local=False)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.wait_for(met, PATIENCE)
    assert not failures
    writer.close()
    await listener.close()
