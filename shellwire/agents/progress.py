"""Progress notifications for the MCP client, once a second: elapsed time and last output line."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from shellwire.errors import ShellwireError
from shellwire.output import printable, strip_ansi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from shellwire.client import Client

    Report = Callable[[float, str], Awaitable[None]]

INTERVAL = 1.0
"""Seconds between two notifications."""

_TAIL = 1000
_LONGEST_LINE = 200


@contextlib.asynccontextmanager
async def reporting(report: Report | None, client: Client, job_id: str) -> AsyncIterator[None]:
    """Report a job's progress while the block runs, if the MCP client asked for it."""
    if report is None:
        yield
        return
    task = asyncio.create_task(_report_every_second(report, client, job_id))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _report_every_second(report: Report, client: Client, job_id: str) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            doing = await _progress(client, job_id)
        except ShellwireError:
            return  # the call that waits for the job gets this error
        await report(round(time.monotonic() - began, 1), doing)


async def _progress(client: Client, job_id: str) -> str:
    for job in await client.jobs():
        if job.id == job_id:
            if job.state == "queued":
                return "waiting for a free slot"
            page = await client.read_output(job_id, max(job.start, job.end - _TAIL), text=True)
            return f"{job.end} bytes of output; {_last_line(page.data)}"
    return ""


def _last_line(text: str) -> str:
    lines = strip_ansi(text).replace("\r", "\n").rstrip().rsplit("\n", 1)
    return printable(lines[-1].strip()[-_LONGEST_LINE:])
