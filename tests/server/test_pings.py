"""Dead peers: pings, and what counts as a sign of life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.live import PATIENCE, Daemon
from tests.server.observe import nobody_is_connected, window_is_full
from tests.server.raw import CLOSE, PING, PONG, TEXT, Raw, frame
from tests.server.test_writer import LONG_IDS, ask_until_blocked

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def often(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon that pings often."""
    home = tmp_path_factory.mktemp("often") / "home"
    daemon = Daemon(home, "--ping-interval", "0.1", "--grace", "0", "--max-processes", "10")
    yield daemon
    daemon.stop()


def test_aiohttp_still_lets_us_wait_longer_for_a_pong() -> None:
    # Half the interval, and no option: the server sets this attribute. Whatever aiohttp makes of
    # it in a newer release, look at Server._websocket when this fails.
    response = web.WebSocketResponse(heartbeat=3.0)
    assert response._pong_heartbeat == 1.5


async def test_who_is_silent_is_gone(often: Daemon) -> None:
    raw = await Raw.client(often, "silent")
    raw.send({"type": "execute", "id": "goes on", "command": "sleep 100"})
    assert await raw.frame() == (PING, b"")
    await raw.gone()
    again = await Raw.upgraded(often)
    again.send(again.auth(often, "the slot is free"))
    status = await again.receive()
    (job,) = (job for job in status["jobs"] if job["id"] == "goes on")
    assert job["state"] == "running"


async def test_before_authentication_too(often: Daemon) -> None:
    raw = await Raw.upgraded(often)
    assert await raw.frame() == (PING, b"")
    await raw.gone()


async def test_any_byte_is_a_sign_of_life(often: Daemon) -> None:
    raw = await Raw.client(often, "slow")
    for byte in frame(TEXT, b"{}"):
        # A pong can't come: a frame is on its way.
        assert await raw.frame() == (PING, b"")
        raw.write(bytes([byte]))
    assert (await raw.receive())["code"] == "INVALID_MESSAGE"


async def test_pongs_are_signs_of_life(often: Daemon) -> None:
    raw = await Raw.client(often, "idle")
    for _ in range(6):
        assert await raw.frame() == (PING, b"")
        raw.write(frame(PONG))
    raw.send({"type": "ping"})
    assert await raw.receive() == {"type": "pong"}


async def test_silent_with_a_full_socket(often: Daemon) -> None:
    raw = await Raw.client(often, "full")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "flood", "command": "yes"})
    observer = await often.client(local=True)
    await window_is_full(observer, "flood")
    sockets = often.sockets()
    await nobody_is_connected(often)
    async with asyncio.timeout(PATIENCE):
        # Nor does the socket linger, with bytes in it that nobody takes.
        while often.sockets() >= sockets:
            await observer.ask({"type": "ping"})
    await observer.close()


async def test_silent_while_its_requests_wait(often: Daemon) -> None:
    raw = await Raw.client(often, "asks")
    raw.stop_reading()
    observer = await often.client(local=True)
    await ask_until_blocked(raw, observer, {"type": "ping", **LONG_IDS})
    await nobody_is_connected(often)
    await observer.close()


async def test_a_goodbye_that_can_not_be_answered(often: Daemon) -> None:
    raw = await Raw.client(often, "full")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "goodbye", "command": "yes"})
    observer = await often.client(local=True)
    await window_is_full(observer, "goodbye")
    raw.write(frame(CLOSE, b"\x03\xe8"))
    await nobody_is_connected(often)
    await observer.close()
