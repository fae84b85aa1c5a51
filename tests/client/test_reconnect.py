"""Cut connections: results stay right, nothing runs twice, and no reconnect after 4000."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.errors import (
    Disconnected,
    NotFound,
    OutputLost,
)
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
async def test_run_survives_cuts_anywhere(
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


async def test_collected_output_survives_cuts(
    through: Client, proxy: Proxy, c: Client, tmp_path: Path
) -> None:
    command = f"seq 1000; {WAITS}; seq 1000"
    running = asyncio.create_task(
        through.run(command, cwd=str(tmp_path), collect=True, max_chars=20)
    )
    await c.run("until [ -e runs ]; do sleep 0.01; done", cwd=str(tmp_path))
    proxy.cut("rst")
    await through.status()
    (tmp_path / "go").touch()
    result = await running
    assert (result.exit_code, result.truncated) == (0, True)
    assert result.stdout.startswith("1\n2\n3\n4\n\n[… 7766 characters left out")
    assert (tmp_path / "runs").read_text() == "once\n"


async def test_a_lost_request_is_sent_again(through: Client, proxy: Proxy, tmp_path: Path) -> None:
    proxy.stall()
    stream = through.stream("echo once >>runs; exit 7", cwd=str(tmp_path))
    await stream.begin()  # sent, but it will not arrive
    proxy.cut("rst")
    assert (await stream.wait()).exit_code == 7
    assert (tmp_path / "runs").read_text() == "once\n"


async def test_a_lost_answer_does_not_run_the_command_again(
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


async def test_a_forgotten_command_does_not_run_again(
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


async def test_lost_output_is_reported(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
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


async def test_a_shell_resumes(through: Client, proxy: Proxy) -> None:
    async with through.shell(env={"PS1": ""}) as sh:
        for number in range(5):
            await sh.write(f"echo $(({number} + 1000))\n")
            assert str(number + 1000) in await read_until(sh, f"{number + 1000}\r\n")
            proxy.cut("rst" if number % 2 else "fin")
            await through.jobs()  # repeated on the next connection


async def test_input_of_unknown_fate_raises(through: Client, proxy: Proxy, c: Client) -> None:
    async with through.shell("cat") as sh:
        proxy.stall()
        writing = asyncio.create_task(sh.write("x"))
        await asyncio.sleep(0)  # let it be sent
        proxy.cut("rst")
        with pytest.raises(Disconnected, match="may or may not"):
            await writing
        await sh.write("y\n")
        assert "y" in await read_until(sh, "y\r\ny\r\n")


async def test_partial_input_ends_the_command(
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
    try:
        # No input was in transit at that moment: the rest follows.
        assert (await running).stdout.strip() == "9000000"
    except Disconnected:
        assert (await ended(through, (await newest(through)).id)).reason == "killed"


async def test_a_silent_connection_is_detected(daemon: Daemon, proxy: Proxy) -> None:
    async with Client(proxy.url, token=daemon.token, ping_interval=0.2) as c:
        running = asyncio.create_task(c.run("sleep 0.5; echo done"))
        await until(c, lambda job: job.state == "running")
        proxy.stall()
        assert (await running).stdout == "done\n"
