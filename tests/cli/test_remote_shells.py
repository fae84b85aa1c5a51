"""rsync and git over ``exec``: request-response protocols in arbitrary bytes."""

from __future__ import annotations

import asyncio
import os
import random
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import PROGRAM, CommandLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from tests.live import Daemon

AT_ONCE = 4
SIZE = 2_000_000
SECONDS = 200


def _remote_shell(place: Path) -> Path:
    """Write a script for rsync and git in place of ssh: it takes HOST and a command."""
    script = place / "rsh"
    script.write_text(f'#!/bin/sh\nshift\nexec {shlex.join(PROGRAM)} exec "$*"\n')
    script.chmod(0o755)
    return script


async def _runs(here: CommandLine, *words: object, **env: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        env={**here.environment, "GIT_CONFIG_GLOBAL": os.devnull, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        pytest.fail(f"{words} hangs")
    assert process.returncode == 0, (words, said)


async def _four_at_a_time(work: Callable[[int], Awaitable[None]], count: int) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await work(number)

    await asyncio.gather(*map(one, range(count)))


def _half_changed(data: bytes, chance: random.Random) -> bytes:
    """Return ``data`` with every second block of 1,000 bytes replaced."""
    blocks: Iterable[bytes] = (data[at : at + 1000] for at in range(0, len(data), 1000))
    return b"".join(
        chance.randbytes(len(block)) if number % 2 else block for number, block in enumerate(blocks)
    )


async def pushes(here: CommandLine, place: Path, count: int, size: int = SIZE) -> None:
    """Push a half changed file over the old one, ``count`` times, four at a time."""
    chance = random.Random(0)
    old = chance.randbytes(size)
    source = place / "file"
    source.write_bytes(_half_changed(old, chance))
    rsh = _remote_shell(place)

    async def push(number: int) -> None:
        target = place / f"there-{number}"
        target.write_bytes(old)
        await _runs(here, "rsync", "-a", "-I", "-e", rsh, source, f"box:{target}")
        assert target.read_bytes() == source.read_bytes()
        target.unlink()

    await _four_at_a_time(push, count)


async def clones(here: CommandLine, place: Path, count: int) -> None:
    """Clone a repository with files of random bytes, ``count`` times, four at a time."""
    origin = place / "origin"
    git = ["git", "-C", origin, "-c", "user.name=a", "-c", "user.email=a@b"]
    await _runs(here, "git", "init", "-q", origin)
    for number in range(3):
        (origin / f"f{number}").write_bytes(random.Random(number).randbytes(SIZE // 10))
        await _runs(here, *git, "add", ".")
        await _runs(here, *git, "commit", "-qm", f"{number}")
    rsh = _remote_shell(place)

    async def clone(number: int) -> None:
        target = place / f"clone-{number}"
        await _runs(here, "git", "clone", "-q", f"box:{origin}", target, GIT_SSH=str(rsh))
        for name in ("f0", "f1", "f2"):
            assert (target / name).read_bytes() == (origin / name).read_bytes()

    await _four_at_a_time(clone, count)


@pytest.fixture
def free_daemon(own_daemon: Callable[..., Daemon]) -> CommandLine:
    """Return a command line whose daemon runs enough commands at once for all pushes."""
    return CommandLine(own_daemon("--max-processes", str(2 * AT_ONCE)).home)


@pytest.mark.long
@pytest.mark.needs("rsync")
async def test_rsync_pushes_what_has_changed(free_daemon: CommandLine, tmp_path: Path) -> None:
    await pushes(free_daemon, tmp_path, AT_ONCE)


@pytest.mark.long
@pytest.mark.needs("git")
async def test_git_clones(free_daemon: CommandLine, tmp_path: Path) -> None:
    await clones(free_daemon, tmp_path, AT_ONCE)
