"""How much is on its way to a client: little from a terminal, but much of what it replays."""

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
    """Return when so much has come of a job that nobody takes; no more does."""
    async with asyncio.timeout(PATIENCE):
        while job.end < end:
            await c.jobs()  # its messages come before the answer
    assert job.end == end


async def _stands_at(c: Client, job: str, end: int) -> None:
    """Return when a job has written so much; it waits for its reader then."""
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
        # What there is to be replayed comes as far as a pipe's output would.
        await _arrives(c, job, WINDOW)
        assert job.live_from == REPLAYED
        while job.end < REPLAYED:
            assert await job.next_chunk() is not None
        await job.write("\n")
        await _stands_at(c, sh.id, REPLAYED + TERMINAL_WINDOW)
        # And so it goes on, as what has come is taken.
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
