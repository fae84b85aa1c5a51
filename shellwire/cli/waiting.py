"""Status lines while a command waits for its connection or for a slot."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shellwire.cli.status_line import status_line
from shellwire.errors import ShellwireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shellwire.client import Job

CONNECT_SECONDS = 0.3
"""Seconds before a pending connection is shown: most are established sooner."""

_POLL = 0.25


@contextlib.contextmanager
def connecting(name: str) -> Iterator[None]:
    """Show "connecting to ``name``" if the block takes longer than a moment."""
    timer = asyncio.get_running_loop().call_later(
        CONNECT_SECONDS, status_line.show, f"connecting to {name}"
    )
    try:
        yield
    finally:
        timer.cancel()
        status_line.erase()


@contextlib.asynccontextmanager
async def queueing(job: Job) -> AsyncIterator[None]:
    """Show the job's position in the queue during the block, until it runs."""
    watching = asyncio.create_task(_watch(job))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        status_line.erase()


async def _watch(job: Job) -> None:
    def show(position: int) -> None:
        status_line.show(f"queued at position {position}")

    with contextlib.suppress(ShellwireError):  # the reader of the job's output raises it too
        await job.was_queued()
        await job.until_it_runs(show, interval=_POLL)
    status_line.erase()
