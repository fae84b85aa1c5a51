"""Detecting dead peers: pings, and what counts as a sign of life."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE, Daemon
from tests.server.observe import wait_no_client_connected, window_is_full
from tests.server.raw import CLOSE, PING, PONG, TEXT, Raw, frame
from tests.server.test_writer import LONG_IDS, ask_until_blocked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def frequent_pings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon that pings frequent_pings."""
    home = tmp_path_factory.mktemp("frequent_pings") / "home"
    daemon = Daemon(home, "--ping-interval", "0.1", "--grace", "0", "--max-processes", "10")
    yield daemon
    daemon.stop()


async def test_a_silent_client_is_disconnected(frequent_pings: Daemon) -> None:
    raw = await Raw.client(frequent_pings, "silent")
    raw.send({"type": "execute", "id": "goes on", "command": "sleep 100"})
    assert await raw.frame() == (PING, b"")
    await raw.gone()
    again = await Raw.upgraded(frequent_pings)
    again.send(again.auth(frequent_pings, "the slot is free"))
    status = await again.receive()
    (job,) = (job for job in status["jobs"] if job["id"] == "goes on")
    assert job["state"] == "running"


async def test_pings_before_authentication(frequent_pings: Daemon) -> None:
    raw = await Raw.upgraded(frequent_pings)
    assert await raw.frame() == (PING, b"")
    await raw.gone()


async def test_any_byte_is_a_sign_of_life(frequent_pings: Daemon) -> None:
    raw = await Raw.client(frequent_pings, "slow")
    for byte in frame(TEXT, b"{}"):
        # The client can send no pong: it is within a frame.
        assert await raw.frame() == (PING, b"")
        raw.write(bytes([byte]))
    assert (await raw.receive())["code"] == "INVALID_MESSAGE"


async def test_pongs_are_signs_of_life(frequent_pings: Daemon) -> None:
    raw = await Raw.client(frequent_pings, "idle")
    for _ in range(6):
        assert await raw.frame() == (PING, b"")
        raw.write(frame(PONG))
    raw.send({"type": "ping"})
    assert await raw.receive() == {"type": "pong"}


async def test_silent_with_a_full_socket(frequent_pings: Daemon) -> None:
    observer = await frequent_pings.client(local=True)
    sockets = frequent_pings.sockets()
    raw = await Raw.client(frequent_pings, "full")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "flood", "command": "yes"})
    await window_is_full(observer, "flood")
    await wait_no_client_connected(frequent_pings)
    async with asyncio.timeout(PATIENCE):
        # The socket is closed, too, although it holds unread bytes.
        while frequent_pings.sockets() > sockets:
            await observer.ask({"type": "ping"})
    await observer.close()


async def test_silent_while_its_requests_wait(frequent_pings: Daemon) -> None:
    raw = await Raw.client(frequent_pings, "asks")
    raw.stop_reading()
    observer = await frequent_pings.client(local=True)
    await ask_until_blocked(raw, observer, {"type": "ping", **LONG_IDS})
    await wait_no_client_connected(frequent_pings)
    await observer.close()


async def test_a_close_frame_that_can_not_be_answered(frequent_pings: Daemon) -> None:
    raw = await Raw.client(frequent_pings, "full")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "goodbye", "command": "yes"})
    observer = await frequent_pings.client(local=True)
    await window_is_full(observer, "goodbye")
    raw.write(frame(CLOSE, b"\x03\xe8"))
    await wait_no_client_connected(frequent_pings)
    await observer.close()


async def test_a_daemon_that_was_stopped_itself(tmp_path: Path) -> None:
    """It can't know who is gone: first it must ping (Ctrl+Z, a frozen container)."""
    daemon = Daemon(tmp_path / "home", "--ping-interval", "0.5")
    client = await daemon.client()
    for _ in range(2):
        os.kill(daemon.pid, signal.SIGSTOP)
        await asyncio.sleep(1.5)
        os.kill(daemon.pid, signal.SIGCONT)
        assert (await client.ask({"type": "ping"}))["type"] == "pong"
        await asyncio.sleep(1.2)
    await client.close()
    daemon.stop()
