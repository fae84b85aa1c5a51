"""The functions of the tools for commands, processes and contexts; independent of MCP.

Cancelling a call ends its command, but no process.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from shellwire.agents import results
from shellwire.agents.arguments import DEFAULT_UNTIL_WAIT
from shellwire.agents.progress import reporting
from shellwire.errors import NotFound, SpawnError
from shellwire.output import strip_ansi

if TYPE_CHECKING:
    from shellwire.agents import arguments
    from shellwire.agents.daemon import Daemon
    from shellwire.agents.progress import Report
    from shellwire.client import Client
    from shellwire.client.context import ContextState
    from shellwire.client.pages import Page
    from shellwire.client.results import Result
    from shellwire.protocol.messages import JobInfo

KILL_SECONDS = 5.0
"""Seconds that ``kill_process`` waits for the end; SIGKILL comes after 2 s."""

LAST_ENDED = 10
"""Ended processes that ``list_processes`` returns: a day's worth is more than a model can read."""

_LONGEST_COMMAND = 500
_LINE_END = re.compile(r"(?<!\r)\n")
_POLL = 0.05


async def run_command(
    daemon: Daemon, given: arguments.RunCommand, report: Report | None
) -> results.CommandResult:
    """Run a command to its end. Raises SpawnError if it can't be started."""
    client = await daemon.client()
    job = client.stream(
        given.command,
        cwd=given.cwd or "",
        env=given.env,
        input=given.stdin or "",
        timeout=given.timeout,
        context=given.context,
        collect=True,
        max_chars=given.max_chars,
        max_output_bytes=None,
    )
    async with job, reporting(report, client, job.id):
        ended = await job.wait()
    _raise_if_not_started(ended)
    return results.CommandResult(
        exit_code=ended.exit_code,
        reason=ended.reason,
        stdout=strip_ansi(ended.stdout),
        stderr=strip_ansi(ended.stderr),
        truncated=ended.truncated,
        cwd=ended.cwd,
        committed=ended.committed,
        duration_ms=ended.duration_ms,
        signal=ended.signal,
        notices=[notice.message for notice in ended.notices],
    )


async def start_process(
    daemon: Daemon, given: arguments.StartProcess, report: Report | None
) -> results.Started:
    """Start a process. Raises TooManyProcesses, SpawnError, PtyUnavailable."""
    client = await daemon.client()
    job = client.shell(
        given.command,
        cwd=given.cwd or "",
        env=given.env,
        pty=given.terminal,
        context=given.context,
    )
    async with job:
        if job.is_over:
            _raise_if_not_started(job.result)
        await job.detach()
    return results.Started(id=job.id, pid=job.pid)


def _raise_if_not_started(ended: Result) -> None:
    if ended.reason == "spawn_failed":
        raise SpawnError(f"spawn_failed: {ended.error}")


async def send_input(
    daemon: Daemon, given: arguments.SendInput, report: Report | None
) -> results.Sent:
    """Write to a process. Raises SessionError."""
    client = await daemon.client()
    await client.send_input(given.id, given.text, close_stdin=given.close_stdin)
    return results.Sent(id=given.id)


async def read_output(
    daemon: Daemon, given: arguments.ReadOutput, report: Report | None
) -> results.Page:
    """Return a page of output. Raises NotFound."""
    client = await daemon.client()
    after = given.cursor
    if after < 0:
        after = max(0, (await _find(client, given.id)).end + after)
    wait = given.wait
    if wait is None:
        wait = DEFAULT_UNTIL_WAIT if given.until is not None else 0
    async with reporting(report, client, given.id):
        page = await _page(client, given, after, wait)
    return results.Page(
        id=given.id,
        output=strip_ansi(page.data),
        cursor=page.end,
        state=page.state,
        exit_code=page.exit_code,
        matched=page.matched,
        missing=page.missing,
    )


async def _page(client: Client, given: arguments.ReadOutput, after: int, wait: float) -> Page:
    """Read until the text appears, with its line ends as given or as a terminal writes them."""
    texts = [given.until]
    if given.until is not None and "\n" in given.until and (await _find(client, given.id)).is_pty:
        # termios(3), ONLCR: a terminal that is not raw writes CR before each LF.
        texts = list(dict.fromkeys((_LINE_END.sub("\r\n", given.until), given.until)))
    asking = [
        asyncio.create_task(
            client.read_output(
                given.id, after, wait=wait, until=text, max_bytes=given.max_bytes, text=True
            )
        )
        for text in texts
    ]
    pages: list[Page] = []
    try:
        for answer in asyncio.as_completed(asking):
            pages.append(await answer)
            if pages[-1].matched:
                return pages[-1]
    finally:
        for task in asking:
            task.cancel()
    # A partial match of either text is left for the next page.
    return min(pages, key=lambda page: page.end)


async def list_processes(
    daemon: Daemon, given: arguments.ListProcesses, report: Report | None
) -> results.Processes:
    """Return all live jobs, and the ``LAST_ENDED`` that ended last."""
    client = await daemon.client()
    jobs = await client.jobs()
    ended = sorted((job for job in jobs if job.state == "ended"), key=lambda job: job.ended_at or 0)
    left_out = {(job.client_id, job.id) for job in ended[:-LAST_ENDED]}
    return results.Processes(
        processes=[
            _process(job, client.client_id)
            for job in jobs
            if (job.client_id, job.id) not in left_out
        ]
    )


def _process(job: JobInfo, own: str) -> results.Process:
    seconds = None
    if job.started_at is not None:
        seconds = round((job.ended_at or time.time()) - job.started_at, 1)
    return results.Process(
        id=job.id,
        kind=job.kind,
        state=job.state,
        command=job.command[:_LONGEST_COMMAND],
        context=job.context,
        cwd=job.cwd,
        pid=job.pid,
        is_yours=job.client_id == own,
        seconds=seconds,
        exit_code=job.exit_code,
        reason=job.reason,
        cursor=job.end,
    )


async def kill_process(
    daemon: Daemon, given: arguments.KillProcess, report: Report | None
) -> results.Killed:
    """End a process and wait for its end. Raises SessionNotFound."""
    client = await daemon.client()
    await client.kill(given.id)
    try:
        job = await _find(client, given.id)
        async with asyncio.timeout(KILL_SECONDS):
            while job.state != "ended":
                if job.state == "background":
                    await asyncio.sleep(_POLL)  # no message announces that end
                else:
                    await client.read_output(given.id, job.end, wait=KILL_SECONDS)
                job = await _find(client, given.id)
    except TimeoutError:
        pass  # the result's state shows it
    except NotFound:
        return results.Killed(id=given.id, state="ended", exit_code=None)
    return results.Killed(id=given.id, state=job.state, exit_code=job.exit_code)


async def _find(client: Client, job_id: str) -> JobInfo:
    for job in await client.jobs():
        if job.id == job_id:
            return job
    raise NotFound(f"no job '{job_id}'")


async def get_context(
    daemon: Daemon, given: arguments.GetContext, report: Report | None
) -> results.ContextState:
    """Return the state of a context."""
    client = await daemon.client()
    return _state(await client.context(given.context).get())


async def set_context(
    daemon: Daemon, given: arguments.SetContext, report: Report | None
) -> results.ContextState:
    """Change a context and return its new state."""
    client = await daemon.client()
    context = client.context(given.context)
    return _state(await context.set(cwd=given.cwd, env=given.env, unset=given.unset))


def _state(found: ContextState) -> results.ContextState:
    return results.ContextState(context=found.name, cwd=found.cwd, env=found.env)
