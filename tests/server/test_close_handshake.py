"""How connections are closed: the other side gets to know why (RFC 6455, 7.1.1)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import aiohttp

from shellwire.server.connections import MAX_GOODBYES, Connections
from tests.live import PATIENCE
from tests.server.observe import cli
from tests.server.raw import CLOSE, Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.server.connections import Connected
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
        discard_output = await Raw.client(daemon, "mute")
        daemon.process.terminate()
        assert [await _code(ws) for ws in clients] == [1001] * 49
        # One that never answers does not hold it up.
        await discard_output.gone()
        assert await asyncio.to_thread(daemon.process.wait, PATIENCE) == 0


async def test_one_that_does_not_answer_holds_nothing(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    discard_output = await Raw.client(daemon, "same")
    new = await daemon.client("same")
    opcode, payload = await discard_output.frame()
    while opcode != CLOSE:
        opcode, payload = await discard_output.frame()
    assert payload[:2] == b"\x0f\xa0"
    # It still waits for the answer of the old one; slot and jobs are the new one's.
    assert (await new.run("echo on")).out == "on\n"
    await discard_output.gone()
    await new.close()


class _Mute:
    """Stands for a connection that is being closed."""

    client_id = "mute"

    def __init__(self) -> None:
        self.cut = 0

    def abort(self) -> None:
        self.cut += 1


def test_not_many_are_waited_for() -> None:
    connections = Connections.__new__(Connections)
    connections._goodbyes, connections._stopping = [], False
    discard_output = [_Mute() for _ in range(MAX_GOODBYES + 2)]
    waiting = [connections.waiting_for_goodbye(cast("Connected", each)) for each in discard_output]
    for each in waiting[:MAX_GOODBYES]:
        each.__enter__()
    assert not any(each.cut for each in discard_output)
    waiting[MAX_GOODBYES].__enter__()
    assert [each.cut for each in discard_output[:2]] == [1, 0]
    waiting[0].__exit__(None, None, None)
    waiting[MAX_GOODBYES + 1].__enter__()
    assert [each.cut for each in discard_output[:3]] == [1, 1, 0]
