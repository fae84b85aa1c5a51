"""Dead peers: pings, and what counts as a sign of life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from tests.live import PATIENCE
from tests.server.observe import nobody_is_connected, window_is_full
from tests.server.raw import CLOSE, PING, PONG, TEXT, Raw, frame
from tests.server.test_writer import LONG_IDS, ask_until_blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon

OFTEN = ("--ping-interval", "0.1", "--grace", "0")


def test_aiohttp_still_lets_us_wait_longer_for_a_pong() -> None:
    # Half the interval, and no option: the server sets this attribute. Whatever aiohttp makes of
    # it in a newer release, look at Server._websocket when this fails.
    response = web.WebSocketResponse(heartbeat=3.0)
    assert response._pong_heartbeat == 1.5


async def test_who_is_silent_is_gone(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon(*OFTEN)
    raw = await Raw.client(daemon, "silent")
    raw.send({"type": "execute", "id": "goes on", "command": "sleep 100"})
    assert await raw.frame() == (PING, b"")
    await raw.gone()
    again = await Raw.upgraded(daemon)
    again.send(again.auth(daemon, "the slot is free"))
    status = await again.receive()
    assert [job["state"] for job in status["jobs"]] == ["running"]


async def test_before_authentication_too(own_daemon: Callable[..., Daemon]) -> None:
    raw = await Raw.upgraded(own_daemon(*OFTEN))
    assert await raw.frame() == (PING, b"")
    await raw.gone()


async def test_any_byte_is_a_sign_of_life(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon(*OFTEN)
    raw = await Raw.client(daemon, "slow")
    for byte in frame(TEXT, b"{}"):
        # A pong can't come: a frame is on its way.
        assert await raw.frame() == (PING, b"")
        raw.write(bytes([byte]))
    assert (await raw.receive())["code"] == "INVALID_MESSAGE"


async def test_pongs_are_signs_of_life(own_daemon: Callable[..., Daemon]) -> None:
    raw = await Raw.client(own_daemon(*OFTEN), "idle")
    for _ in range(6):
        assert await raw.frame() == (PING, b"")
        raw.write(frame(PONG))
    raw.send({"type": "ping"})
    assert await raw.receive() == {"type": "pong"}


async def test_silent_with_a_full_socket(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon(*OFTEN)
    raw = await Raw.client(daemon, "full")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "flood", "command": "yes"})
    observer = await daemon.client(local=True)
    await window_is_full(observer, "flood")
    descriptors = daemon.descriptors()
    await nobody_is_connected(daemon)
    async with asyncio.timeout(PATIENCE):
        # Nor does the socket linger, with bytes in it that nobody takes.
        while daemon.descriptors() >= descriptors:
            await observer.ask({"type": "ping"})
    await observer.close()


async def test_silent_while_its_requests_wait(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon(*OFTEN)
    raw = await Raw.client(daemon, "asks")
    raw.stop_reading()
    observer = await daemon.client(local=True)
    await ask_until_blocked(raw, observer, {"type": "ping", **LONG_IDS})
    await nobody_is_connected(daemon)
    await observer.close()


async def test_a_goodbye_that_can_not_be_answered(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon(*OFTEN)
    raw = await Raw.client(daemon, "full")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "flood", "command": "yes"})
    observer = await daemon.client(local=True)
    await window_is_full(observer, "flood")
    raw.write(frame(CLOSE, b"\x03\xe8"))
    await nobody_is_connected(daemon)
    await observer.close()
