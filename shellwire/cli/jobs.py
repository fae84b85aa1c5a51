"""``shellwire jobs``, ``kill``, ``logs``."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.find import find, id_of
from shellwire.cli.options import Whole
from shellwire.cli.remote import host_option, talk
from shellwire.cli.say import say, say_json
from shellwire.cli.table import local_time, print_table
from shellwire.output import printable
from shellwire.protocol.text_bytes import write_fields

if TYPE_CHECKING:
    from shellwire.client import Client

_COLUMNS = ("ID", "NAME", "STATE", "STARTED", "CONTEXT", "COMMAND")
_NOTHING = "-"

# The ids that `remote` makes up, each for one call: no later one finds what their `default`
# contexts hold.
_PASSER_BY = re.compile(r"cli-[0-9a-f]{12}")
_LONGEST_COMMAND = 60
_RECENT = 10
_WAIT = 30.0
_PAGE = 1024 * 1024


@click.command("jobs")
@host_option
@click.option("-a", "--all", "everything", is_flag=True, help="List all that have ended, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, as in `jobs_list`.")
def jobs_command(host: str | None, everything: bool, as_json: bool) -> None:
    """List the living jobs and the last 10 that have ended.

    A job is a command or a session. The oldest is listed first.
    """

    async def ask(client: Client) -> list[dict[str, Any]]:
        return list((await client.request("list_jobs"))["jobs"])

    jobs = talk(host, ask)
    if not everything:
        jobs = _recent(jobs)
    if as_json:
        # As on the wire: JSON has no other way to write a byte that is not UTF-8.
        say_json([write_fields(job) for job in jobs])
    elif jobs:
        rows = [_COLUMNS, *map(_row, jobs)]
        if not any(job.get("name") for job in jobs):
            rows = [(row[0], *row[2:]) for row in rows]
        print_table(rows)
    else:
        click.echo("no job is known")


@click.command("kill")
@host_option
@click.argument("job_id", metavar="ID")
def kill_command(host: str | None, job_id: str) -> None:
    """End job ID, and what it left in the background; return when that has begun.

    ID is a job's id, its name, or at least 3 characters with which only its id begins.

    Done again while it is ending, it changes nothing; once the job has ended, there is none to end.
    """

    async def end(client: Client) -> None:
        await client.kill(await id_of(client, job_id))

    talk(host, end)


@click.command("logs")
@host_option
@click.option("-f", "--follow", is_flag=True, help="Wait for more, until the job has ended.")
@click.option(
    "--tail", type=Whole(0), metavar="N", help="Only the last N lines, of both streams together."
)
@click.argument("job_id", metavar="ID")
def logs_command(host: str | None, follow: bool, tail: int | None, job_id: str) -> None:
    """Print what is kept of the output of job ID, stdout and stderr apart.

    ID is a job's id, its name, or at least 3 characters with which only its id begins.

    However slowly it is read, the job doesn't wait for it.
    """

    async def show(client: Client) -> None:
        from shellwire.cli.pipes import write

        job, end = await find(client, job_id), 0
        if tail is not None and job is not None:
            from shellwire.cli.tail import last_lines

            lines, end = await last_lines(client, job, tail)
            for line in lines:
                await write(line.stream, line.data)
            if not follow:
                return  # what has come since then would be more than was asked for
        known = job_id if job is None else job["id"]
        while True:
            wait = _WAIT if follow else 0.0
            page = await client.read_output(known, end, wait=wait, max_bytes=_PAGE)
            if page.missing:
                say(f"shellwire: {page.missing} bytes are no longer kept", err=True)
            for chunk in page.chunks:
                await write(chunk.stream, chunk.bytes)
            if page.end == end and not (follow and page.exit_code is None):
                return
            end = page.end

    talk(host, show)


def _recent(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the living jobs and the last few that have ended, in the order given."""
    ended = [job for job in jobs if job["state"] == "ended"]
    ended.sort(key=lambda job: job["ended_at"] or 0.0)
    hidden = {id(job) for job in ended[:-_RECENT]}
    return [job for job in jobs if id(job) not in hidden]


def _code(code: int) -> str:
    """Return an exit code; minus a signal's number is that signal's name."""
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
        _state(job),
        local_time(job["started_at"]),
        _context(job),
        command,
    )


def _context(job: dict[str, Any]) -> str:
    """Return the name of its context; a dash for one that nobody will find again."""
    is_lost = job["context"] == "default" and _PASSER_BY.fullmatch(job["client_id"])
    return _NOTHING if is_lost else printable(job["context"])


def _state(job: dict[str, Any]) -> str:
    if job["exit_code"] is None:
        return str(job["state"])
    # How a lost one ended nobody knows, and others never ran: their -1 is no signal (SIGHUP).
    has_code = job["started_at"] is not None and job["reason"] not in ("lost", "spawn_failed")
    how = f"{job['reason']} {_code(job['exit_code'])}" if has_code else str(job["reason"])
    return f"{how}, left something" if job["state"] == "background" else how
