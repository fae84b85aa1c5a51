"""The close handshake: the client learns the close code (RFC 6455, 7.1.1)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import aiohttp

from shellwire.server.connections import MAX_CLOSING, Connections
from tests.live import PATIENCE
from tests.server.observe import cli
from tests.server.raw import CLOSE, Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.server.connection import Connection
    from tests.live import Daemon

Socket = aiohttp.ClientWebSocketResponse


async def _client(session: aiohttp.ClientSession, daemon: Daemon, client_id: str) -> Socket:
    ws = await session.ws_connect(daemon.url)
    await ws.send_json(Raw.auth(daemon, client_id))
    assert (await ws.receive_json())["type"] == "status"
    return ws


async def _code(ws: Socket) -> int | None:
    async with asyncio.timeout(PATIENCE):
        while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    return ws.close_code


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def test_a_client_that_is_replaced_sees_4000(daemon: Daemon) -> None:
    async with _session() as session:
        old = await _client(session, daemon, "aiohttp's")
        for _ in range(100):
            new = await _client(session, daemon, "aiohttp's")
            assert await _code(old) == 4000
            old = new
        await old.close()


async def test_clients_that_are_no_longer_admitted_see_1008(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-clients", "50")
    async with _session() as session:
        clients = [await _client(session, daemon, f"{number}") for number in range(50)]
        await asyncio.to_thread(cli, daemon, "token", "rotate")
        assert [await _code(ws) for ws in clients] == [1008] * 50


async def test_clients_of_a_daemon_that_stops_see_1001(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "50")
    async with _session() as session:
        clients = [await _client(session, daemon, f"{number}") for number in range(49)]
        silent = await Raw.client(daemon, "silent")
        daemon.process.terminate()
        assert [await _code(ws) for ws in clients] == [1001] * 49
        # A client that never answers does not delay the stop.
        await silent.gone()
        assert await asyncio.to_thread(daemon.process.wait, PATIENCE) == 0


async def test_a_silent_client_holds_neither_slot_nor_jobs(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    silent = await Raw.client(daemon, "same")
    new = await daemon.client("same")
    opcode, payload = await silent.frame()
    while opcode != CLOSE:
        opcode, payload = await silent.frame()
    assert payload[:2] == b"\x0f\xa0"
    # The daemon still waits for the old client's close frame; the new one has slot and jobs.
    assert (await new.run("echo on")).out == "on\n"
    await silent.gone()
    await new.close()


class _SilentConnection:
    """A stub of a connection that is being closed."""

    client_id = "silent"

    def __init__(self) -> None:
        self.cut = 0

    def abort(self) -> None:
        self.cut += 1


def test_few_connections_may_await_a_close_frame() -> None:
    connections = Connections.__new__(Connections)
    connections._closing, connections._stopping = [], False
    silent = [_SilentConnection() for _ in range(MAX_CLOSING + 2)]
    waiting = [connections.awaiting_close(cast("Connection", each)) for each in silent]
    for each in waiting[:MAX_CLOSING]:
        each.__enter__()
    assert not any(each.cut for each in silent)
    waiting[MAX_CLOSING].__enter__()
    assert [each.cut for each in silent[:2]] == [1, 0]
    waiting[0].__exit__(None, None, None)
    waiting[MAX_CLOSING + 1].__enter__()
    assert [each.cut for each in silent[:3]] == [1, 1, 0]
