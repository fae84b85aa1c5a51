"""Processes by portable means, here on POSIX: started, read and waited for by threads."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import SpawnError
from shellwire.process.portable import Child, LoopSignalListener, ThreadReaper, start
from shellwire.process.reap import Exit
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def reaper() -> AsyncIterator[ThreadReaper]:
    reaper = ThreadReaper()
    yield reaper
    reaper.stop()


def _start(script: str, *, stdin: bool = False) -> Child:
    return start(["/bin/sh", "-c", script], dict(os.environ), "/usr", stdin=stdin)


async def _exit_of(reaper: ThreadReaper, child: Child) -> Exit:
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    reaper.watch(child.pid, ended.set_result)
    assert reaper.owns(child.pid)
    how = await asyncio.wait_for(ended, PATIENCE)
    assert not reaper.owns(child.pid)
    return how


async def test_output_and_exit(reaper: ThreadReaper) -> None:
    child = _start("pwd; echo err >&2; exit 7")
    assert await _exit_of(reaper, child) == Exit(7, None)
    assert child.outputs["stdout"].read(100) == b"/usr\n"
    assert child.outputs["stderr"].read(100) == b"err\n"


async def test_input(reaper: ThreadReaper) -> None:
    child = _start("cat", stdin=True)
    assert child.stdin is not None
    child.stdin.write(b"text")
    child.stdin.finish()
    assert await _exit_of(reaper, child) == Exit(0, None)
    assert child.outputs["stdout"].read(100) == b"text"
    nothing = _start("cat; echo end")
    assert await _exit_of(reaper, nothing) == Exit(0, None)
    assert nothing.outputs["stdout"].read(100) == b"end\n"


async def test_exit_by_a_signal_and_a_replaced_callback(reaper: ThreadReaper) -> None:
    child = _start("kill -9 $$")
    reaper.watch(child.pid, lambda _: pytest.fail("it was replaced"))
    assert await _exit_of(reaper, child) == Exit(-9, "SIGKILL")


async def test_a_program_that_cannot_be_started() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(SpawnError, match="cannot start /no/such: No such file"):
        start(["/no/such"], {}, "/", stdin=True)
    with pytest.raises(SpawnError, match="null byte"):
        start(["/bin/sh", "-c", "\0"], {}, "/", stdin=False)
    # The garbage collector may have closed descriptors of earlier tests meanwhile.
    assert set(os.listdir("/proc/self/fd")) <= before


async def test_signals_reach_the_loop() -> None:
    signals = LoopSignalListener()
    came = asyncio.Event()
    signals.listen(signal.SIGUSR1, came.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(came.wait(), PATIENCE)
    signals.close()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
