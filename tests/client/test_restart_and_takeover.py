"""Reconnecting after the daemon restarted, the client_id was taken over, or nothing listens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.errors import (
    ClientRejected,
    Disconnected,
    Forbidden,
    InvalidToken,
    Kicked,
    NotRunning,
    Replaced,
    Unreachable,
)
from shellwire.home.paths import Home
from shellwire.home.token import rotate_token
from tests.client.test_run import newest, until
from tests.faults.proxy import Proxy
from tests.live import PATIENCE
from tests.server.principals import mint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


async def test_a_restarted_daemon_does_not_get_the_request(
    own_daemon: Callable[..., Daemon], proxy: Proxy, through: Client, daemon: Daemon
) -> None:
    # As after a restart: that daemon does not know whether the command ran.
    other = own_daemon("--grace", "0")
    (other.home / "auth.token").write_text(daemon.token)
    await _reload(other)
    proxy.stall()
    stream = through.stream("echo once")
    await stream.begin()
    proxy.target = other.url
    proxy.cut("rst")
    with pytest.raises(Disconnected, match="may or may not have run"):
        await stream.wait()
    assert await through.jobs() == []
    assert (await through.run("echo on")).stdout == "on\n"


async def test_reconnects_to_a_restarted_daemon(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0")
    async with Proxy(daemon.url) as proxy, Client(proxy.url, token=daemon.token) as c:
        stream = c.stream("echo begun; sleep 100")
        async for _ in stream:
            await asyncio.to_thread(daemon.stop)
        assert (stream.result.reason, stream.result.signal) == ("killed", "SIGTERM")
        again = own_daemon("--grace", "0", home=daemon.home)
        proxy.target = again.url
        assert (await c.run("echo back")).stdout == "back\n"


async def test_a_replaced_client_does_not_reconnect(daemon: Daemon, proxy: Proxy) -> None:
    async with Client(proxy.url, token=daemon.token, client_id="twin") as old:
        running = asyncio.create_task(old.run("sleep 0.3; echo over"))
        await until(old, lambda job: job.state == "running")
        async with Client(daemon.url, token=daemon.token, client_id="twin") as new:
            with pytest.raises(Replaced):
                await running
            with pytest.raises(Replaced):
                await old.run("true")
            assert (await new.attach((await newest(new)).id).wait()).exit_code == 0


async def test_a_kicked_client_does_not_reconnect(daemon: Daemon, proxy: Proxy) -> None:
    async with Client(proxy.url, token=daemon.token, client_id="loud") as kicked:
        running = asyncio.create_task(kicked.run("sleep 600"))
        await until(kicked, lambda job: job.state == "running")
        owner = await daemon.client(local=True)
        kick = {"type": "kick_client", "client_id": "loud", "reason": "out", "end_jobs": True}
        assert (await owner.ask(kick))["type"] == "ack"
        for call in (running, kicked.run("true"), kicked.jobs()):
            with pytest.raises(Kicked, match=r"4009 out \(by owner\)"):
                await call
        await owner.close()


async def test_a_reason_for_the_end(c: Client) -> None:
    stream = c.stream("exec sleep 600")
    await stream.begin()
    await c.kill(stream.id, "wrong host")
    result = await stream.wait()
    assert (result.reason, result.message, result.by) == ("killed", "wrong host", "owner")


async def test_a_job_that_may_not_be_followed_any_more(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "9")
    owner = await daemon.client()
    job = await owner.session(command="cat")
    token = await mint(
        daemon, "ann", "operator", may_elevate={"role": "admin", "ttl_seconds": 3600}
    )
    async with Client(daemon.url, token=token) as c:
        await c.request("elevate", reason="INC-123: disk full")
        async with c.attach(job) as attached:
            await c.request("elevate", reason="it is over", ttl_seconds=0.001)
            with pytest.raises(Forbidden, match="the role that allowed this has ended"):
                await attached.wait()
    await owner.close()


async def test_retries_end_in_time_and_later_requests_try_again(
    daemon: Daemon, proxy: Proxy
) -> None:
    async with Client(proxy.url, token=daemon.token, patience=0.2) as c:
        stream = c.stream("sleep 100")
        await stream.begin()
        await until(c, lambda job: job.state == "running")
        target, proxy.target = proxy.target, "ws://127.0.0.1:1"
        proxy.cut()
        with pytest.raises(Unreachable):
            await stream.wait()
        with pytest.raises(Unreachable):
            await c.run("true")
        proxy.target = target
        assert (await c.run("echo back")).stdout == "back\n"
        await c.kill(stream.id)


async def test_a_rotated_token(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0")
    async with Client(daemon.url, token=daemon.token) as c:
        running = asyncio.create_task(c.run("sleep 100"))
        await until(c, lambda job: job.state == "running")
        rotate_token(Home(daemon.home))
        await _reload(daemon)
        with pytest.raises(Disconnected, match=r"1008 the token was rotated"):
            await running
        with pytest.raises(InvalidToken) as refusal:
            await c.run("true")
        assert refusal.value.code == "INVALID_TOKEN"


async def test_waits_for_a_taken_slot(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--grace", "0")
    async with Proxy(daemon.url) as proxy, Client(proxy.url, token=daemon.token) as c:
        with pytest.raises(ClientRejected, match="every client slot is taken"):
            await Client(daemon.url, token=daemon.token).__aenter__()
        running = asyncio.create_task(c.run("sleep 0.1; echo done"))
        await until(c, lambda job: job.state == "running")
        target, proxy.target = proxy.target, "ws://127.0.0.1:1"
        proxy.cut()
        other = await _enter(daemon)
        proxy.target = target
        await other.close()
        assert (await running).stdout == "done\n"


async def _enter(daemon: Daemon) -> Client:
    """Return a client that has the only slot."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await Client(daemon.url, token=daemon.token).__aenter__()
            except ClientRejected:
                continue


async def test_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLWIRE_HOME", str(tmp_path))
    with pytest.raises(NotRunning, match="is not running"):
        await Client().__aenter__()


async def _reload(daemon: Daemon) -> None:
    client = await daemon.client(local=True)
    await client.ask({"type": "reload"})
    await client.close()
