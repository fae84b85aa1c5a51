"""``shellwire jobs``, ``kill`` and ``logs``."""

from __future__ import annotations

import re
import signal
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.job_lookup import find_job, resolve_job_id
from shellwire.cli.outcome import note_end
from shellwire.cli.param_types import IntegerRange
from shellwire.cli.printing import print_json, print_line
from shellwire.cli.remote import host_option, run_with_client
from shellwire.cli.table import local_time, print_table
from shellwire.output import printable
from shellwire.principals import OWNER
from shellwire.protocol.text_bytes import write_fields

if TYPE_CHECKING:
    from shellwire.client import Client

_COLUMNS = ("ID", "NAME", "PRINCIPAL", "STATE", "STARTED", "CONTEXT", "COMMAND")
_NOTHING = "-"

# The client_ids that `remote` generates, one per call: no later call sees their `default` contexts.
_ONE_SHOT_CLIENT = re.compile(r"cli-[0-9a-f]{12}")
_LONGEST_COMMAND = 60
_RECENT = 10
_WAIT = 30.0
_PAGE = 1024 * 1024


@click.command("jobs")
@host_option
@click.option("-a", "--all", "everything", is_flag=True, help="List all ended jobs too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, as in `jobs_list`.")
def jobs_command(host: str | None, everything: bool, as_json: bool) -> None:
    """List the running jobs and the last 10 that ended.

    A job is a command or a session. Queued jobs and jobs with background processes are listed too;
    the oldest job comes first. A job is marked "elevated" if its client's credential was raised
    (see `elevate`) when it asked for the job. The column PRINCIPAL is there if a listed job is not
    yours.

    \b
    Example:
      shellwire jobs --all
    """

    async def ask(client: Client) -> tuple[list[dict[str, Any]], str]:
        principal = (await client.status()).get("principal") or {}
        return list((await client.request("list_jobs"))["jobs"]), principal.get("name", OWNER)

    jobs, asker = run_with_client(host, ask)
    if not everything:
        jobs = _recent(jobs)
    if as_json:
        # As on the wire: that is how bytes that are not UTF-8 are written in JSON.
        print_json([write_fields(job) for job in jobs])
    elif jobs:
        rows = [_COLUMNS, *map(_row, jobs)]
        if all(job.get("principal", OWNER) == asker for job in jobs):
            rows = [(*row[:2], *row[3:]) for row in rows]
        if not any(job.get("name") for job in jobs):
            rows = [(row[0], *row[2:]) for row in rows]
        print_table(rows)
    else:
        click.echo("no jobs")


@click.command("kill")
@host_option
@click.option("--reason", help="Why: up to 200 characters; who follows the job is told.")
@click.argument("job_id", metavar="ID")
def kill_command(host: str | None, reason: str | None, job_id: str) -> None:
    """End a job and all its processes.

    ID is the job's id, its name, or a unique prefix of its id of at least 3 characters.

    Processes that the job left in the background are ended too. `kill` returns when the ending has
    begun. A second `kill` has no effect while the job is ending; for an ended job it is an error.

    \b
    Example:
      shellwire kill build
    """

    async def end(client: Client) -> None:
        await client.kill(await resolve_job_id(client, job_id), reason)

    run_with_client(host, end)


@click.command("logs")
@host_option
@click.option("-f", "--follow", is_flag=True, help="Wait for more output until the job ends.")
@click.option(
    "--tail",
    type=IntegerRange(0),
    metavar="N",
    help="Print only the last N lines of both streams together.",
)
@click.argument("job_id", metavar="ID")
def logs_command(host: str | None, follow: bool, tail: int | None, job_id: str) -> None:
    """Print the output of a job.

    ID is the job's id, its name, or a unique prefix of its id of at least 3 characters.

    The daemon keeps the last --buffer bytes of each job. The job's stdout goes to stdout, its
    stderr to stderr. A slow reader does not slow the job down. If somebody ended the job and gave
    a reason, or another principal did, a line on stderr says who and why.

    \b
    Example:
      shellwire logs --tail 20 -f build
    """

    run_with_client(host, lambda client: _print_output(client, job_id, tail, follow=follow))


async def _print_output(client: Client, job_id: str, tail: int | None, *, follow: bool) -> None:
    from shellwire.cli.pipes import write

    job, end = await find_job(client, job_id), 0
    if tail is not None and job is not None:
        from shellwire.cli.tail import last_lines

        lines, end = await last_lines(client, job, tail)
        # One write for a run of lines: each costs a turn of the event loop and a thread.
        for stream, run in groupby(lines, attrgetter("stream")):
            await write(stream, b"".join(line.data for line in run))
        if not follow:  # later output would make more than N lines
            if job["exit_code"] is not None:
                await note_end(client, job["id"], end)
            return
    known = job_id if job is None else job["id"]
    while True:
        wait = _WAIT if follow else 0.0
        page = await client.read_output(known, end, wait=wait, max_bytes=_PAGE)
        if page.missing:
            print_line(
                f"shellwire: {page.missing} bytes of output are no longer buffered", err=True
            )
        for chunk in page.chunks:
            await write(chunk.stream, chunk.bytes)
        if page.end == end and not (follow and page.exit_code is None):
            break
        end = page.end
    if page.exit_code is not None:
        await note_end(client, known, end)


def _recent(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the jobs without all but the last few ended ones, in the order given."""
    ended = [job for job in jobs if job["state"] == "ended"]
    ended.sort(key=lambda job: job["ended_at"] or 0.0)
    hidden = {id(job) for job in ended[:-_RECENT]}
    return [job for job in jobs if id(job) not in hidden]


def _code(code: int) -> str:
    """Return an exit code as text; for a negative one the name of that signal."""
    try:
        return signal.Signals(-code).name if code < 0 else str(code)
    except ValueError:
        return str(code)


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    command = printable(job["command"])
    if len(command) > _LONGEST_COMMAND:
        command = f"{command[: _LONGEST_COMMAND - 1]}…"
    return (
        printable(job["id"]),
        printable(job.get("name") or _NOTHING),
        printable(job.get("principal", OWNER)),
        _state(job),
        local_time(job["started_at"]),
        _context(job),
        command,
    )


def _context(job: dict[str, Any]) -> str:
    """Return the name of the job's context; a dash for one that no later call can use."""
    is_one_shot = job["context"] == "default" and _ONE_SHOT_CLIENT.fullmatch(job["client_id"])
    return _NOTHING if is_one_shot else printable(job["context"])


def _state(job: dict[str, Any]) -> str:
    return f"{_progress(job)}, elevated" if job.get("elevated") else _progress(job)


def _progress(job: dict[str, Any]) -> str:
    if job["exit_code"] is None:
        return str(job["state"])
    # The -1 of a job that was lost or never ran is no signal (SIGHUP).
    has_code = job["started_at"] is not None and job["reason"] not in ("lost", "spawn_failed")
    how = f"{job['reason']} {_code(job['exit_code'])}" if has_code else str(job["reason"])
    return f"{how}, in background" if job["state"] == "background" else how
