"""Connections that are cut: results are right, nothing runs twice, and never after 4000."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.errors import (
    ClientRejected,
    Disconnected,
    InvalidToken,
    NotFound,
    NotRunning,
    OutputLost,
    Replaced,
    Unreachable,
)
from shellwire.home.paths import Home
from shellwire.home.token import rotate_token
from tests.client.test_jobs import read_until
from tests.client.test_run import ended, newest, until
from tests.faults.proxy import Proxy
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.proxy import Ending
    from tests.live import Daemon

CUTS = 12
WAITS = "echo once >>runs; while [ ! -e go ]; do sleep 0.01; done"
REACHES = (300, 1_500, 3_000, 100_000, 1_000_000)


@pytest.mark.parametrize("seed", range(4))
async def test_a_run_that_is_cut_anywhere(
    through: Client, proxy: Proxy, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    endings: list[Ending] = ["fin", "rst"]
    content = os.urandom(1_000_000)
    (tmp_path / "content").write_bytes(content)
    for _ in range(CUTS):
        proxy.cut_after(rng.randrange(rng.choice(REACHES)), rng.choice(endings))
    proxy.cut("rst")
    async with asyncio.timeout(PATIENCE):
        for number in range(3):
            result = await through.run(
                f"echo {number} >>runs; cat content; echo error >&2; exit {number}",
                cwd=str(tmp_path),
            )
            assert (result.exit_code, result.stderr) == (number, "error\n")
            assert result.stdout_bytes == content
    assert (tmp_path / "runs").read_text() == "0\n1\n2\n"


async def test_a_command_that_did_not_arrive_is_sent_again(
    through: Client, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.stall()
    stream = through.stream("echo once >>runs; exit 7", cwd=str(tmp_path))
    await stream.begin()  # it is on its way, and will not arrive
    proxy.cut("rst")
    assert (await stream.wait()).exit_code == 7
    assert (tmp_path / "runs").read_text() == "once\n"


async def test_a_command_whose_answer_is_lost_does_not_run_again(
    through: Client, proxy: Proxy, c: Client, tmp_path: Path
) -> None:
    running = asyncio.create_task(through.run(WAITS, cwd=str(tmp_path)))
    while not (tmp_path / "runs").exists():
        await c.jobs()
    proxy.stall()
    (tmp_path / "go").touch()
    while (await newest(c, through.client_id)).state != "ended":
        pass
    proxy.cut("rst")
    result = await running
    assert (result.exit_code, result.reason) == (0, "exited")
    assert (tmp_path / "runs").read_text() == "once\n"


async def test_a_command_that_was_forgotten_does_not_run_again(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = own_daemon("--retain", "0", "--grace", "0", "--max-clients", "2")
    async with (
        Proxy(daemon.url) as proxy,
        Client(proxy.url, token=daemon.token) as c,
        Client(daemon.url, token=daemon.token) as other,
    ):
        running = asyncio.create_task(c.run(WAITS, cwd=str(tmp_path)))
        while not (tmp_path / "runs").exists():
            await other.jobs()
        proxy.stall()
        (tmp_path / "go").touch()
        while await other.jobs():
            pass
        proxy.cut("rst")
        with pytest.raises(NotFound, match="forgotten"):
            await running
    assert (tmp_path / "runs").read_text() == "once\n"


async def test_another_daemon_is_not_asked_to_run_it(
    own_daemon: Callable[..., Daemon], proxy: Proxy, through: Client, daemon: Daemon
) -> None:
    # As after a restart: it would not know whether it ran.
    other = own_daemon("--grace", "0")
    (other.home / "auth.token").write_text(daemon.token)
    await _reload(other)
    proxy.stall()
    stream = through.stream("echo once")
    await stream.begin()
    proxy.target = other.url
    proxy.cut("rst")
    with pytest.raises(Disconnected, match="not known whether it ran"):
        await stream.wait()
    assert await through.jobs() == []
    assert (await through.run("echo on")).stdout == "on\n"


async def _reload(daemon: Daemon) -> None:
    client = await daemon.client(local=True)
    await client.ask({"type": "reload"})
    await client.close()


async def test_a_daemon_that_starts_anew_is_found(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0")
    async with Proxy(daemon.url) as proxy, Client(proxy.url, token=daemon.token) as c:
        stream = c.stream("echo begun; sleep 100")
        async for _ in stream:
            await asyncio.to_thread(daemon.stop)
        assert (stream.result.reason, stream.result.signal) == ("killed", "SIGTERM")
        again = own_daemon("--grace", "0", home=daemon.home)
        proxy.target = again.url
        assert (await c.run("echo back")).stdout == "back\n"


async def test_what_was_lost_is_told(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon("--buffer", "65536", "--max-clients", "2")
    async with (
        Proxy(daemon.url) as proxy,
        Client(proxy.url, token=daemon.token) as c,
        Client(daemon.url, token=daemon.token) as other,
    ):
        command = (
            "echo begun; echo >begun; while [ ! -e go ]; do sleep 0.01; done;"
            " head -c 1000000 /dev/zero; exit 3"
        )
        running = asyncio.create_task(c.run(command, cwd=str(tmp_path)))
        while not (tmp_path / "begun").exists():
            await other.jobs()
        target, proxy.target = proxy.target, "ws://127.0.0.1:1"
        proxy.cut("rst")
        (tmp_path / "go").touch()
        while (await other.jobs())[0].state != "ended":
            pass
        proxy.target = target
        with pytest.raises(OutputLost, match=r"^\d+ bytes"):
            await running


async def test_a_shell_goes_on_where_it_was(through: Client, proxy: Proxy) -> None:
    async with through.shell(env={"PS1": ""}) as sh:
        for number in range(5):
            await sh.write(f"echo $(({number} + 1000))\n")
            assert str(number + 1000) in await read_until(sh, f"{number + 1000}\r\n")
            proxy.cut("rst" if number % 2 else "fin")
            await through.jobs()  # asked again on the next connection


async def test_input_of_which_nobody_knows(through: Client, proxy: Proxy, c: Client) -> None:
    async with through.shell("cat") as sh:
        proxy.stall()
        writing = asyncio.create_task(sh.write("x"))
        await asyncio.sleep(0)  # its turn: it is sent
        proxy.cut("rst")
        with pytest.raises(Disconnected, match="not known"):
            await writing
        await sh.write("y\n")
        assert "y" in await read_until(sh, "y\r\ny\r\n")


async def test_half_of_an_input_is_not_taken_for_the_whole(
    through: Client, proxy: Proxy, c: Client, tmp_path: Path
) -> None:
    running = asyncio.create_task(
        through.run(
            "while [ ! -e go ]; do sleep 0.01; done; wc -c",
            input=b"\xff" * 9_000_000,
            cwd=str(tmp_path),
        )
    )
    await until(through, lambda job: job.state == "running")
    proxy.stall()
    (tmp_path / "go").touch()
    proxy.cut("rst")
    with pytest.raises(Disconnected, match="not known"):
        await running
    assert (await ended(through, (await newest(through)).id)).reason == "killed"


async def test_silence_is_noticed(daemon: Daemon, proxy: Proxy) -> None:
    async with Client(proxy.url, token=daemon.token, ping_interval=0.2) as c:
        running = asyncio.create_task(c.run("sleep 0.5; echo done"))
        await until(c, lambda job: job.state == "running")
        proxy.stall()
        assert (await running).stdout == "done\n"


async def test_it_does_not_come_back_when_it_was_replaced(daemon: Daemon, proxy: Proxy) -> None:
    async with Client(proxy.url, token=daemon.token, client_id="twin") as old:
        running = asyncio.create_task(old.run("sleep 0.3; echo over"))
        await until(old, lambda job: job.state == "running")
        async with Client(daemon.url, token=daemon.token, client_id="twin") as new:
            with pytest.raises(Replaced):
                await running
            with pytest.raises(Replaced):
                await old.run("true")
            assert (await new.attach((await newest(new)).id).wait()).exit_code == 0


async def test_it_gives_up_in_time_and_begins_anew(daemon: Daemon, proxy: Proxy) -> None:
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


async def test_a_token_that_was_rotated(own_daemon: Callable[..., Daemon]) -> None:
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


async def test_a_slot_that_another_has_taken_is_waited_for(
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
    """Return a client that has found the only slot free."""
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
