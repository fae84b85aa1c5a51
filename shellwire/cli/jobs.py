"""``shellwire jobs``, ``kill``, ``logs``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.remote import host_option, talk
from shellwire.cli.say import say, say_json
from shellwire.cli.table import local_time, print_table
from shellwire.output import printable

if TYPE_CHECKING:
    from shellwire.client import Client

_COLUMNS = ("ID", "STATE", "STARTED", "CONTEXT", "COMMAND")
_LONGEST_COMMAND = 60
_WAIT = 30.0
_PAGE = 1024 * 1024


@click.command("jobs")
@host_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, as in `jobs_list`.")
def jobs_command(host: str | None, as_json: bool) -> None:
    """List the commands and sessions that the daemon knows, the oldest first."""

    async def ask(client: Client) -> list[dict[str, Any]]:
        return list((await client.request("list_jobs"))["jobs"])

    jobs = talk(host, ask)
    if as_json:
        say_json(jobs)
    elif jobs:
        print_table([_COLUMNS, *map(_row, jobs)])
    else:
        click.echo("no job is known")


@click.command("kill")
@host_option
@click.argument("job_id", metavar="ID")
def kill_command(host: str | None, job_id: str) -> None:
    """End job ID, and what it left in the background; return when that has begun.

    Done again while it is ending, it changes nothing; once the job has ended, there is none to end.
    """
    talk(host, lambda client: client.kill(job_id))


@click.command("logs")
@host_option
@click.option("-f", "--follow", is_flag=True, help="Wait for more, until the job has ended.")
@click.argument("job_id", metavar="ID")
def logs_command(host: str | None, follow: bool, job_id: str) -> None:
    """Print what is kept of the output of job ID, stdout and stderr apart.

    However slowly it is read, the job doesn't wait for it.
    """

    async def show(client: Client) -> None:
        from shellwire.cli.pipes import write

        end = 0
        while True:
            wait = _WAIT if follow else 0.0
            page = await client.read_output(job_id, end, wait=wait, max_bytes=_PAGE)
            if page.missing:
                say(f"shellwire: {page.missing} bytes are no longer kept", err=True)
            for chunk in page.chunks:
                await write(chunk.stream, chunk.bytes)
            if page.end == end and not (follow and page.exit_code is None):
                return
            end = page.end

    talk(host, show)


def _code(code: int) -> str:
    """Return an exit code; minus a signal's number is that signal's name."""
    try:
        return signal.Signals(-code).name if code < 0 else str(code)
    except ValueError:
        return str(code)


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    command = printable(" ".join(job["command"].split()))
    if len(command) > _LONGEST_COMMAND:
        command = f"{command[: _LONGEST_COMMAND - 1]}…"
    return (
        printable(job["id"]),
        _state(job),
        local_time(job["started_at"]),
        printable(job["context"]),
        command,
    )


def _state(job: dict[str, Any]) -> str:
    if job["exit_code"] is None:
        return str(job["state"])
    # Of a lost one nobody knows the exit code: its -1 is no signal (SIGHUP).
    lost = job["reason"] == "lost"
    how = "lost" if lost else f"{job['reason']} {_code(job['exit_code'])}"
    return f"{how}, left something" if job["state"] == "background" else how
