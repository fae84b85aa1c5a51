"""Missing system resources: a typed error, a free slot, no leak."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon, Message


async def test_running_out_of_descriptors_at_every_step(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--spares", "0")  # spare shells would change the count
    client = await daemon.client()
    await client.run(":", is_pty=True)
    await becomes(lambda: not daemon.children())  # its shell is reaped, and holds no descriptors
    before = daemon.descriptors()
    highest = max(map(int, os.listdir(f"/proc/{daemon.pid}/fd")))
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    seen: set[str] = set()
    for is_pty in (False, True):
        for spare in range(14):
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (highest + 1 + spare, limits[1]))
            ran = await client.run("echo ok", is_pty=is_pty, stdin_data="x\n")
            seen.add(_outcome(ran.last))
            await becomes(lambda: not daemon.children())
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
            assert daemon.descriptors() <= before, (is_pty, spare)
    assert "spawn_failed: Too many open files" in seen
    assert "PTY_UNAVAILABLE" in seen
    # A slot that was not freed would be missing now.
    for _ in range(6):
        assert (await client.run("echo ok")).out == "ok\n"
    await client.close()


def _outcome(last: Message) -> str:
    if last["type"] == "error":
        return str(last["code"])
    if last["reason"] == "spawn_failed":
        assert last["exit_code"] == -1
        return "spawn_failed: " + str(last["error"]).rpartition(": ")[2]
    return f"{last['reason']} {last['exit_code']}"


@pytest.mark.parametrize("kind", ["execute", "start_session"])
async def test_a_missing_directory(own_daemon: Callable[..., Daemon], kind: str) -> None:
    client = await own_daemon().client()
    for number in range(6):
        await client.send({"type": kind, "id": f"{number}", "command": ":", "cwd": "/no/such"})
        ended = (await client.until("result", "session_ended", "session_started"))[-1]
        assert (ended["reason"], ended["exit_code"], ended["signal"]) == ("spawn_failed", -1, None)
        assert "/no/such" in ended["error"]
    await client.close()


async def test_an_environment_that_is_too_large(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--spares", "0")
    client = await daemon.client()
    await client.run(":")
    before = daemon.descriptors()
    env = {f"V{number}": "x" * 100_000 for number in range(100)}
    for _ in range(6):
        result = (await client.run(":", env=env)).last
        assert (result["reason"], result["exit_code"]) == ("spawn_failed", -1)
        assert "Argument list too long" in result["error"]
    # `before` may include descriptors of the first run that were still open.
    assert daemon.descriptors() <= before
    assert (await client.run("echo ok")).out == "ok\n"
    await client.close()


async def test_few_descriptors_suffice(own_daemon: Callable[..., Daemon]) -> None:
    # 256 is what some systems give (macOS).
    daemon = own_daemon("--max-processes", "10")
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (256, limits[1]))
    client = await daemon.client()
    sessions = [await client.session(use_pty=number % 2 == 0, command="cat") for number in range(9)]
    assert (await client.run("cat", stdin_data="ok\n")).out == "ok\n"
    for session in sessions:
        await client.send({"type": "kill_session", "id": session})
        assert (await client.until("session_ended", id=session))[-1]["reason"] == "killed"
    await client.close()


# Root is not subject to the limit, so the script stops being that.
_NO_PROCESSES = """
import os, resource
from shellwire.errors import SpawnError
from shellwire.process.spawn import spawn
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
before = os.listdir("/proc/self/fd")
try:
    spawn([b"/bin/sh", b"-c", b":"], {}, {0: 0, 200: 1})
except SpawnError as error:
    print(error)
assert os.listdir("/proc/self/fd") == before
"""


def test_no_process_can_be_outcome() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NO_PROCESSES], capture_output=True, text=True, check=True
    )
    assert done.stdout == "cannot start /bin/sh: Resource temporarily unavailable\n"
