"""Exhausted disk, descriptors or processes, and a killed daemon: followers lose no output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.follow import Follower
from tests.faults.proxy import Proxy
from tests.jobs.observe import FOREVER, is_alive
from tests.live import PATIENCE, Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

SIZE = 1_500_000


@contextlib.asynccontextmanager
async def _followed(daemon: Daemon, tmp_path: Path) -> AsyncIterator[None]:
    """Follow a job that writes one half before the body, and the other half after it."""
    content = random.Random(0).randbytes(SIZE)
    (tmp_path / "content").write_bytes(content)
    gate, read = tmp_path / "gate", f"cat {tmp_path}/content"
    follower = Follower(lambda: daemon.url, daemon.token, "follows")
    # `read` is a shell builtin: it needs no process while none can be created.
    os.mkfifo(gate)
    ledger = follower.add("followed", f"{read}; read < {gate}; exec {read}")
    following = asyncio.create_task(follower.follow())
    try:
        async with asyncio.timeout(PATIENCE):
            await ledger.comes_to(SIZE)
            yield
            await asyncio.to_thread(gate.write_text, "\n")
            await following
    finally:
        following.cancel()
    assert ledger.holes == []
    assert ledger.digest() == sha256(content * 2).hexdigest()
    assert ledger.last is not None
    assert (ledger.last["reason"], ledger.last["exit_code"]) == ("exited", 0)
    assert follower.connections == 1


@contextlib.contextmanager
def _limited(pid: int, limit: int, soft: int) -> Iterator[None]:
    limits = resource.prlimit(pid, limit)
    resource.prlimit(pid, limit, (soft, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, limit, limits)


async def test_no_free_descriptor(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon("--max-clients", "3", "--spares", "0")
    client = await daemon.client()
    async with _followed(daemon, tmp_path):
        taken = set(map(int, os.listdir(f"/proc/{daemon.pid}/fd")))
        lowest = next(number for number in count() if number not in taken)
        with _limited(daemon.pid, resource.RLIMIT_NOFILE, lowest):
            for _ in range(10):
                last = (await client.run("echo on")).last
                assert (last["reason"], last["exit_code"]) == ("spawn_failed", -1)
            # New connections wait until a descriptor is free.
            waiting = asyncio.create_task(daemon.client("waits"))
            assert (await client.ask({"type": "ping"}))["type"] == "pong"
        late = await waiting
        assert (await late.run("echo on")).out == "on\n"
        await late.close()
    assert (await client.run("echo on")).out == "on\n"
    await client.close()


# Root is exempt from RLIMIT_NPROC (getrlimit(2)). The other user may still read this checkout.
_NOT_ROOT = (
    "setpriv --reuid 54321 --clear-groups --inh-caps +dac_override --ambient-caps +dac_override"
)
_SET = "import resource, sys; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NPROC, {})"


@pytest.fixture
def wrapper() -> list[str]:
    """Return the command prefix that runs a program without root's privileges."""
    wrapper = _NOT_ROOT.split() if os.getuid() == 0 else []
    if subprocess.run([*wrapper, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no setpriv, or not allowed to be another user")
    return wrapper


@pytest.fixture
def unprivileged(wrapper: list[str]) -> Iterator[Daemon]:
    """Yield a daemon that does not run as root."""
    # Not below pytest's directories, which only root may enter.
    with tempfile.TemporaryDirectory(prefix="shellwire-") as directory:
        if wrapper:
            os.chown(directory, 54_321, -1)
        flags = ("--max-clients", "3", "--spares", "0")
        daemon = Daemon(Path(directory) / "home", *flags, wrapper=wrapper)
        yield daemon
        daemon.stop()


async def test_process_limit(unprivileged: Daemon, wrapper: list[str], tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)

    async def allow(soft: int) -> None:
        # Only the same user may change this limit.
        words = (*wrapper, sys.executable, "-c", _SET.format((soft, most)), str(unprivileged.pid))
        assert await (await asyncio.create_subprocess_exec(*words)).wait() == 0

    client = await unprivileged.client()
    async with _followed(unprivileged, tmp_path):
        await allow(1)
        for _ in range(10):
            last = (await client.run("echo on")).last
            assert (last["reason"], last["exit_code"]) == ("spawn_failed", -1)
            assert "Resource temporarily unavailable" in last["error"]
        await client.send({"type": "start_session", "id": "none", "use_pty": True})
        ended = (await client.until("session_ended", id="none"))[-1]
        assert ended["reason"] == "spawn_failed"
        await allow(most)
    assert (await client.run("echo on")).out == "on\n"
    await client.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a directory on a disk of 1 MiB; skip the test if mounting is not permitted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "shellwire-tests", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("not allowed to mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.long
async def test_full_disk(small_disk: Path, tmp_path: Path) -> None:
    home = small_disk / "home"
    daemon = Daemon(home, "--max-clients", "3")
    try:
        client = await daemon.client()
        async with _followed(daemon, tmp_path):
            _fill(small_disk / "full")
            for _ in range(3):
                assert (await client.run("seq 1000 | tail -n 1")).out == "1000\n"
            new = await daemon.client("never seen before")
            await new.close()
            left = await client.run(f"setsid {FOREVER} >/dev/null 2>&1 & echo $!")
        (small_disk / "full").unlink()
        assert (await client.run("echo on")).out == "on\n"
        await client.close()
        daemon.process.kill()
        daemon.process.communicate(timeout=PATIENCE)
        token = daemon.token
        _fill(small_disk / "full")
        refused = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shellwire", "run", "--port", "0"),
            env={**os.environ, "SHELLWIRE_HOME": str(home)},
            stderr=subprocess.PIPE,
        )
        _, said = await refused.communicate()
        *_, last = said.decode().splitlines()
        assert (refused.returncode, last.startswith("Error: can't write")) == (1, True), said
        assert b"Traceback" not in said
        (small_disk / "full").unlink()
        daemon = Daemon(home)
        assert daemon.token == token
        assert not is_alive(int(left.out))
    finally:
        daemon.stop()


async def test_file_size_limit(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """Like a full disk, for systems where mounting is not permitted."""
    daemon = own_daemon("--max-clients", "3", "--spares", "0", "--log-level", "debug")
    client = await daemon.client()
    # The log exceeds the limit; the files that instruct a shell do not.
    with (daemon.home / "daemon.log").open("a") as log:
        log.write("\n" * 1_000_000)
    with (daemon.home / "jobs.journal").open("a") as journal:
        journal.write("\n" * 1_000_000)
    async with _followed(daemon, tmp_path):
        with _limited(daemon.pid, resource.RLIMIT_FSIZE, 1_000_000):
            for _ in range(3):
                assert (await client.run("echo on")).out == "on\n"
    assert (await client.run("echo on")).out == "on\n"
    await client.close()


@pytest.mark.long
async def test_no_daemon(tmp_path: Path) -> None:
    """The daemon is killed midway: the output is a prefix of what was written, the job is lost."""
    home = tmp_path / "home"
    daemon = Daemon(home)
    try:
        async with Proxy(daemon.url) as proxy:
            follower = Follower(lambda: proxy.url, daemon.token, "follows")
            ledgers = [
                follower.add("counts", "seq 1000000000", max_output_bytes=0),
                follower.add("credits", "seq 1000000000", max_output_bytes=0, window=100_000),
                follower.add("silent", f"trap '' TERM; {FOREVER}; {FOREVER}"),
            ]
            following = asyncio.create_task(follower.follow())
            async with asyncio.timeout(PATIENCE):
                for ledger in ledgers[:2]:
                    await ledger.comes_to(SIZE)
                # The follower must not run before the next daemon listens.
                os.kill(daemon.pid, signal.SIGKILL)
                daemon.process.communicate(timeout=PATIENCE)
                daemon = Daemon(home)
                proxy.target = daemon.url
                await following
        for ledger in ledgers:
            assert ledger.last is not None
            assert (ledger.last["reason"], ledger.last["exit_code"]) == ("lost", -1)
            assert ledger.holes == []
        for ledger in ledgers[:2]:
            numbers = "".join(f"{number}\n" for number in range(1, ledger.seen // 2)).encode()
            assert ledger.digest() == sha256(numbers[: ledger.seen]).hexdigest()
    finally:
        daemon.stop()
