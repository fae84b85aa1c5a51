"""Flow control: a terminal has a small live window, but a large one for replay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from shellwire.client.flow_control import TERMINAL_WINDOW, WINDOW
from tests.client.test_run import state_of
from tests.live import PATIENCE

if TYPE_CHECKING:
    from shellwire.client import Client, Job

REPLAYED = 2_000_000
_FILLS = f"stty raw -echo; head -c {REPLAYED} /dev/zero | tr '\\0' x; read line; exec yes"


async def _arrives(c: Client, job: Job, end: int) -> None:
    """Return when output up to ``end`` has arrived unread, and check that no more follows."""
    async with asyncio.timeout(PATIENCE):
        while job.end < end:
            await c.jobs()  # the job's messages arrive before this answer
    assert job.end == end


async def _stands_at(c: Client, job: str, end: int) -> None:
    """Return when a job has written ``end`` bytes, and is blocked by its reader."""
    async with asyncio.timeout(PATIENCE):
        while (await state_of(c, job)).end < end:
            pass
    assert (await state_of(c, job)).end == end


@pytest.mark.parametrize(("pty", "window"), [(True, TERMINAL_WINDOW), (False, WINDOW)])
async def test_a_command_runs_one_window_ahead(c: Client, pty: bool, window: int) -> None:
    async with c.stream("yes", pty=pty) as job:
        await _arrives(c, job, window)
        await _stands_at(c, job.id, window)


async def test_a_terminal_has_a_large_replay_and_a_small_live_window(c: Client) -> None:
    async with c.shell(_FILLS) as sh:
        await sh.detach()
    await _stands_at(c, sh.id, REPLAYED)
    async with c.attach(sh.id) as job:
        # The replay arrives as far as output of a pipe would.
        await _arrives(c, job, WINDOW)
        assert job.live_from == REPLAYED
        while job.end < REPLAYED:
            assert await job.next_chunk() is not None
        await job.write("\n")
        await _stands_at(c, sh.id, REPLAYED + TERMINAL_WINDOW)
        # The same while the arrived output is read.
        taken = 0
        while taken < REPLAYED + 5 * TERMINAL_WINDOW:
            chunk = await job.next_chunk()
            assert chunk is not None
            taken = chunk.end
            assert (await state_of(c, sh.id)).end <= max(taken, REPLAYED) + TERMINAL_WINDOW
        await job.kill()


async def test_attaching_without_replay(c: Client) -> None:
    async with c.shell("stty -echo; read line; exec yes") as sh:
        await sh.detach()
    async with c.attach(sh.id) as job:
        await job.write("\n")
        await _stands_at(c, sh.id, job.live_from + TERMINAL_WINDOW)
        await job.kill()


async def test_attaching_without_a_terminal_uses_the_large_window(c: Client) -> None:
    job_id = await c.start("read line; exec yes")
    async with c.attach(job_id) as job:
        await job.write("\n")
        await _stands_at(c, job_id, WINDOW)
        await job.kill()
