"""``shellwire shell`` and ``attach``: a job's terminal on this terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.outcome import detach_limit, exit_as, hint_attach
from shellwire.cli.remote import (
    endpoint_of,
    host_option,
    name_option,
    require_terminals,
    run_with_client,
)

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import ShellOptions


@click.command("shell")
@host_option
@click.option("-C", "cwd", metavar="DIR", help="Directory to start in.")
@click.option(
    "-s", "context", metavar="CONTEXT", help="Context to start from; the shell does not change it."
)
@name_option
def shell_command(host: str | None, **given: Any) -> None:
    """Open a shell on this terminal.

    The shell starts in the current directory on the local daemon, in the home directory on another
    host, and with -s in the directory where the context's last command ended.

    `~.` at the start of a line detaches: the shell keeps running, and `attach` returns to it.
    Closing this terminal detaches too. `~?` lists these keys.

    \b
    Example:
      shellwire shell --name work
    """
    options: ShellOptions = {name: value for name, value in given.items() if value}  # type: ignore[assignment]

    async def follow(client: Client) -> Result | None:
        from shellwire.cli.local_terminal import match_terminal
        from shellwire.cli.tty import show
        from shellwire.cli.working_directory import choose_directory

        await choose_directory(client, endpoint_of(host), options)
        match_terminal(options)
        limit = detach_limit(await client.status())  # asked now: later there may be no connection
        async with client.shell(**options) as job:
            result = await show(job)
        return hint_attach(result, options.get("name") or job.id, host, limit)

    require_terminals()
    exit_as(run_with_client(host, follow, follows=True))


@click.command("attach")
@host_option
@click.argument("job_id", metavar="[ID]", required=False)
def attach_command(host: str | None, job_id: str | None) -> None:
    """Reattach to a job and show its output.

    ID is the job's id, its name, or a unique prefix of its id of at least 3 characters. The default
    is the terminal used last.

    The output that the daemon still has is shown first. Keys are as in `shell`. On a job without a
    terminal, Ctrl-C detaches.

    \b
    Example:
      shellwire attach work
    """

    async def follow(client: Client) -> Result | None:
        from shellwire.cli.job_lookup import last_used_terminal, resolve_job_id
        from shellwire.cli.tty import show

        found = await (
            last_used_terminal(client) if job_id is None else resolve_job_id(client, job_id)
        )
        async with client.attach(found) as job:
            result = await show(job, closes=False)
        return hint_attach(result, job_id or job.id, host)

    require_terminals()
    exit_as(run_with_client(host, follow, follows=True))
