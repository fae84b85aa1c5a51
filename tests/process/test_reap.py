"""Exit statuses, with and without a pidfd; the status of other children is never taken."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from shellwire.process.reap import LOST, Exit, Reaper, signal_name
from shellwire.process.spawn import spawn
from tests.jobs.observe import has_ended, reap
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def reaper() -> AsyncIterator[Reaper]:
    """Yield a Reaper that adopts no orphans: this process has other children of its own."""
    reaper = Reaper()
    yield reaper
    reaper.stop()


def _start(script: str) -> int:
    return spawn([b"/bin/sh", b"-c", script.encode()], os.environb, {0: 0})


def _start_ours() -> int:
    """Start a child in our own session, as other code of this process may do."""
    return os.posix_spawn("/bin/sh", ["sh", "-c", "exit 5"], os.environ)


async def _exit_of(reaper: Reaper, pid: int) -> Exit:
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    reaper.watch(pid, ended.set_result)
    assert reaper.owns(pid)
    exit_ = await asyncio.wait_for(ended, PATIENCE)
    assert not reaper.owns(pid)
    with pytest.raises(ChildProcessError):
        reap(pid)
    return exit_


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", Exit(0, None)),
        ("exit 255", Exit(255, None)),
        ("kill -TERM $$", Exit(-15, "SIGTERM")),
        ("ulimit -c 0; kill -SEGV $$", Exit(-11, "SIGSEGV")),
    ],
)
async def test_exit_status(reaper: Reaper, script: str, expected: Exit) -> None:
    assert await _exit_of(reaper, _start(script)) == expected


async def test_a_child_that_ends_before_it_is_watched(reaper: Reaper) -> None:
    pid = _start("exit 7")
    has_ended(pid)
    assert await _exit_of(reaper, pid) == Exit(7, None)


async def test_a_status_reaped_by_other_code_is_lost(reaper: Reaper) -> None:
    pid = _start("exit 7")
    reap(pid)
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    reaper.adopt(pid, ended.set_result)
    assert await asyncio.wait_for(ended, PATIENCE) is LOST


async def test_reap_ended_calls_back_at_once(reaper: Reaper) -> None:
    exits: list[Exit] = []
    pids = [_start(f"exit {number}") for number in range(5)]
    for pid in pids:
        reaper.watch(pid, exits.append)
        has_ended(pid)
    reaper.reap_ended()
    assert [each.code for each in exits] == [0, 1, 2, 3, 4]


async def test_a_child_in_our_own_session_is_not_reaped(reaper: Reaper) -> None:
    ours = _start_ours()
    has_ended(ours)
    orphan = _start("exit 6")
    has_ended(orphan)
    reaper.adopts = True
    reaper.reap_ended()
    assert reap(ours) == 5
    with pytest.raises(ChildProcessError):
        reap(orphan)


def test_signal_names() -> None:
    assert [signal_name(each) for each in (15, 64)] == ["SIGTERM", "SIGRTMAX"]
    assert signal_name(signal.SIGRTMIN + 5) == f"SIG{signal.SIGRTMIN + 5}"
