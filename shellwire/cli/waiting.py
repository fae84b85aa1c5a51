"""The line that says what a command waits for: on a terminal, rewritten in place, then erased."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shellwire.cli.line import line
from shellwire.errors import ShellwireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shellwire.client import Job

CONNECT_SECONDS = 0.3
"""Seconds that a connection may take before the line says so: most are there sooner."""

_POLL = 0.25


@contextlib.contextmanager
def connecting(name: str) -> Iterator[None]:
    """Say that we connect, if the block takes a moment; erased at its end."""
    timer = asyncio.get_running_loop().call_later(
        CONNECT_SECONDS, line.show, f"connecting to {name}"
    )
    try:
        yield
    finally:
        timer.cancel()
        line.erase()


@contextlib.asynccontextmanager
async def queueing(job: Job) -> AsyncIterator[None]:
    """Say during the block which place in the queue the job has, until it runs."""
    watching = asyncio.create_task(_watch(job))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        line.erase()


async def _watch(job: Job) -> None:
    def tell(place: int) -> None:
        line.show(f"queued at position {place}")

    with contextlib.suppress(ShellwireError):  # who follows the job hears of it
        await job.was_queued()
        await job.until_it_runs(tell, interval=_POLL)
    line.erase()
