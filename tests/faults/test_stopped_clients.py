"""Stopped clients (SIGSTOP): they cost others nothing, and resume where they were."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE
from tests.server.observe import job_info, window_is_full

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.live import Client, Daemon, Message

SIZE = 3_000_000


@pytest.fixture
async def follow() -> AsyncIterator[Callable[..., Awaitable[Process]]]:
    """Yield a function that starts a process which follows a command."""
    begun: list[Process] = []

    async def start(daemon: Daemon, name: str, command: str) -> Process:
        words = (sys.executable, "-m", "tests.faults.follow", daemon.url, daemon.token)
        begun.append(await asyncio.create_subprocess_exec(*words, name, command, stdout=-1))
        return begun[-1]

    yield start
    for process in begun:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _report(process: Process) -> Message:
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    report: Message = json.loads(out)
    return report


async def _writes(observer: Client, count: int) -> None:
    """Return when the followed command has written ``count`` bytes."""
    async with asyncio.timeout(PATIENCE):
        end = 0
        while end < count:
            jobs = (await observer.ask({"type": "list_jobs"}))["jobs"]
            end = max((each["end"] for each in jobs if each["id"] == "followed"), default=0)


async def test_a_client_stopped_for_a_while(
    own_daemon: Callable[..., Daemon],
    follow: Callable[..., Awaitable[Process]],
    tmp_path: Path,
) -> None:
    daemon = own_daemon("--max-clients", "2")
    content = random.Random(1).randbytes(SIZE)
    (tmp_path / "content").write_bytes(content)
    observer = await daemon.client()
    wait = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.01; done"
    read = f"cat {tmp_path}/content"
    process = await follow(daemon, "frozen", f"{read}; {wait}; {read}; {read}; {read}")
    await _writes(observer, SIZE)
    process.send_signal(signal.SIGSTOP)
    (tmp_path / "gate").touch()
    await window_is_full(observer, "followed")
    # Other clients notice nothing; the job waits for its client.
    assert (await observer.run("seq 1000")).out.count("\n") == 1000
    assert (await job_info(observer, "followed"))["state"] == "running"
    process.send_signal(signal.SIGCONT)
    report = await _report(process)
    assert report == {
        "digest": sha256(content * 4).hexdigest(),
        "holes": [],
        "connections": 1,
        "reason": "exited",
    }
    await observer.close()


async def test_a_client_taken_for_dead(
    own_daemon: Callable[..., Daemon],
    follow: Callable[..., Awaitable[Process]],
    tmp_path: Path,
) -> None:
    daemon = own_daemon("--ping-interval", "0.2")
    content = random.Random(2).randbytes(SIZE)
    (tmp_path / "content").write_bytes(content)
    observer = await daemon.client(local=True)
    read = f"cat {tmp_path}/content"
    wait = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.01; done"
    process = await follow(daemon, "frozen", f"printf begun; {wait}; {read}; exit 3")
    await _writes(observer, len("begun"))
    process.send_signal(signal.SIGSTOP)
    # The only client slot is free again, and the job runs on to its end.
    async with asyncio.timeout(PATIENCE):
        while any(
            each["is_connected"]
            for each in (await observer.ask({"type": "list_clients"}))["clients"]
        ):
            pass
    other = await daemon.client("other")
    assert (await other.run("echo on")).out == "on\n"
    await other.close()
    (tmp_path / "gate").touch()
    async with asyncio.timeout(PATIENCE):
        while (await job_info(observer, "followed"))["state"] != "ended":
            pass
    process.send_signal(signal.SIGCONT)
    report = await _report(process)
    assert report["connections"] > 1
    assert (report["digest"], report["holes"]) == (sha256(b"begun" + content).hexdigest(), [])
    await observer.close()
