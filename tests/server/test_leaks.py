"""Ended connections and jobs leave no descriptor, task or viewer; half-open connections end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE
from tests.server.observe import COUNTING, COUNTING_UNCOLLECTED, health, health_is, memory
from tests.server.raw import CLOSE, PING, TEXT, Raw, frame, handshake, request, text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.live import Daemon

    Way = Callable[[Daemon, str], Awaitable[Raw]]


async def _connects_only(daemon: Daemon, _: str) -> Raw:
    return await Raw.open(daemon)


async def _asks_for_health(daemon: Daemon, _: str) -> Raw:
    raw = await Raw.open(daemon)
    assert (await raw.ask("/health", {"Host": "localhost"})).status == 200
    return raw


async def _is_refused_by_host(daemon: Daemon, _: str) -> Raw:
    raw = await Raw.open(daemon)
    assert (await raw.upgrade(headers={"Host": "evil.example"})).status == 403
    return raw


async def _disconnects_during_the_handshake(daemon: Daemon, _: str) -> Raw:
    raw = await Raw.open(daemon)
    raw.write(request("/ws", handshake()))
    return raw


async def _disconnects_before_the_answer(daemon: Daemon, _: str) -> Raw:
    raw = await Raw.open(daemon, local=True)
    raw.write(request("/ws", handshake()))
    await raw.close()
    return raw


async def _never_authenticates(daemon: Daemon, _: str) -> Raw:
    return await Raw.upgraded(daemon)


async def _is_refused(daemon: Daemon, _: str) -> Raw:
    raw = await Raw.upgraded(daemon)
    raw.send({"type": "ping"})
    assert (await raw.closed())[0] == 4003
    return raw


async def _sends_a_close_frame(daemon: Daemon, name: str) -> Raw:
    raw = await Raw.client(daemon, name)
    raw.write(frame(CLOSE, b"\x03\xe8"))
    await raw.gone()
    return raw


async def _breaks_the_protocol(daemon: Daemon, name: str) -> Raw:
    raw = await Raw.client(daemon, name)
    raw.write(frame(PING, b"x" * 126))
    assert (await raw.closed())[0] == 1002
    return raw


async def _is_replaced(daemon: Daemon, name: str) -> Raw:
    old = await Raw.client(daemon, name)
    new = await Raw.client(daemon, name)
    assert (await old.closed())[0] == 4000
    await old.close()
    return new


async def _disconnects_before_the_pongs(daemon: Daemon, name: str) -> Raw:
    raw = await Raw.client(daemon, name)
    raw.write(frame(PING, b"x") * 1000)
    raw.reset()
    return raw


async def _disconnects_within_a_message(daemon: Daemon, name: str) -> Raw:
    raw = await Raw.client(daemon, name, local=True)
    raw.write(frame(TEXT, b"{" * 1000)[:500])
    return raw


async def _disconnects_after_a_command(daemon: Daemon, name: str) -> Raw:
    raw = await Raw.client(daemon, name)
    raw.send({"type": "execute", "id": name, "command": "seq 50000"})
    await raw.until("result")
    return raw


WAYS: list[Way] = [
    _connects_only,
    _asks_for_health,
    _is_refused_by_host,
    _disconnects_during_the_handshake,
    _disconnects_before_the_answer,
    _never_authenticates,
    _is_refused,
    _sends_a_close_frame,
    _breaks_the_protocol,
    _is_replaced,
    _disconnects_before_the_pongs,
    _disconnects_within_a_message,
    _disconnects_after_a_command,
]


@pytest.mark.long
async def test_300_connections_of_all_kinds(patched_daemon: Callable[..., Daemon]) -> None:
    # aiohttp does not always cancel the next ping, which keeps a WebSocketResponse alive.
    daemon = patched_daemon(COUNTING, "--max-clients", "100", "--ping-interval", "1")

    async def round_of(number: int) -> None:
        raws = await asyncio.gather(*(way(daemon, f"{way.__name__} {number}") for way in WAYS))
        for at, raw in enumerate(raws):
            if (number + at) % 2 and not raw.writer.is_closing():
                raw.reset()
            else:
                await raw.close()

    await round_of(0)  # for objects that are created once
    nothing = {"Connection": 0, "WebSocketResponse": 0, "JobFeed": 0, "Viewer": 0}
    await health_is(daemon, nothing)
    tasks = (await health(daemon))["tasks"]
    descriptors = daemon.descriptors()
    for number in range(1, 29):
        # One by one: from the 10th on, some unauthenticated connections would be dropped.
        await round_of(number)
    await health_is(daemon, {**nothing, "tasks": tasks})
    async with asyncio.timeout(PATIENCE):
        while daemon.descriptors() > descriptors:
            await health(daemon)
    assert "Traceback" not in (daemon.home / "daemon.log").read_text()


async def test_an_ended_command_leaves_no_objects(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(COUNTING)
    client = await daemon.client()
    await client.run("echo 0")
    expected = {"JobFeed": 0, "Viewer": 0}
    await health_is(daemon, expected)
    for number in range(100):
        assert (await client.run(f"echo {number}")).code == 0
    await health_is(daemon, expected)
    await client.close()


async def test_ended_jobs_make_no_reference_cycles(
    patched_daemon: Callable[..., Daemon],
) -> None:
    daemon = patched_daemon(COUNTING_UNCOLLECTED, "--retain", "0.01")
    client = await daemon.client()
    await health(daemon)
    for number in range(5):
        await client.run(f"echo {number}; echo >&2", timeout=120)
        await client.run("cat", stdin_data="x" * 100_000)
        await client.run("seq 1000", is_pty=True)
        await client.run("yes", max_output_bytes=100_000)
        await client.run("sleep 98765", timeout=0.01)
        await client.run("sleep 0.01 & echo $!")
        await client.run("kill -9 $$", collect=True)
        await client.run(":", cwd="/nowhere")
        session = await client.session(command="cat")
        await client.send({"type": "read_output", "id": session, "wait_ms": 1})
        await client.until("output_page", id=session)
        await client.send({"type": "kill_session", "id": session})
        await client.until("session_ended", id=session)
    kinds = ("Job", "Run", "Pump", "JobFeed", "Viewer", "PageReply", "LongPoll")
    await health_is(daemon, dict.fromkeys(kinds, 0))
    await client.close()


async def test_memory_of_large_messages_is_freed(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    raw = await Raw.client(daemon, "large")
    large = text({"type": "ping", "padding": "x" * 8_000_000})

    async def ask() -> None:
        raw.write(large)
        assert await raw.receive() == {"type": "pong"}

    for _ in range(3):
        await ask()
    before = memory(daemon)
    for _ in range(20):
        await ask()
    assert memory(daemon) - before < 32 * 1024 * 1024


async def test_slow_requests(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(
        "import shellwire.server.http_connection as http; http.HANDSHAKE_SECONDS = 0.3"
    )

    async def trickle(raw: Raw, data: bytes) -> None:
        # Frequent bytes must not extend the time limit.
        with contextlib.suppress(ConnectionError):
            while not raw.reader.at_eof():
                raw.write(data)
                await raw.writer.drain()
                await health(daemon)

    for data in (b"", b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-", b"\r\n"):
        raw = await Raw.open(daemon)
        raw.write(data)
        await asyncio.wait_for(trickle(raw, data[:1] and b"x"), PATIENCE)
