"""``shellwire shell`` and ``attach``: a terminal there, on the terminal here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.outcome import exit_as, explain_result, limit_of
from shellwire.cli.remote import host_option, name_option, place_of, require_terminals, talk

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import ShellOptions


@click.command("shell")
@host_option
@click.option("-C", "cwd", metavar="DIR", help="Directory to start in.")
@click.option("-s", "context", metavar="CONTEXT", help="Context to start from; it is not changed.")
@name_option
def shell_command(host: str | None, **given: Any) -> None:
    """Open a shell on a terminal.

    It starts where `exec` would start a command: with the local daemon in the current directory,
    elsewhere in the home directory, with -s where the context's last command ended.

    At the beginning of a line `~.` detaches from it, and it goes on; `~?` lists such keys. So does
    it when this terminal is closed. `shellwire attach` comes back to it.
    """
    options: ShellOptions = {name: value for name, value in given.items() if value}  # type: ignore[assignment]

    async def follow(client: Client) -> Result | None:
        from shellwire.cli.starting import choose_directory
        from shellwire.cli.tty import like_ours, show

        await choose_directory(client, place_of(host), options)
        like_ours(options)
        limit = limit_of(await client.status())  # after a cut there may be nobody to ask
        async with client.shell(**options) as job:
            result = await show(job)
        return explain_result(result, job.id, host, limit)

    require_terminals()
    exit_as(talk(host, follow, follows=True))


@click.command("attach")
@host_option
@click.argument("job_id", metavar="[ID]", required=False)
def attach_command(host: str | None, job_id: str | None) -> None:
    """Come back to job ID, with what is kept of its output, and follow it.

    ID is a job's id, its name, or at least 3 characters with which only its id begins. Without it,
    the living terminal that was used last is meant.

    Keys are as in `shell`. Where it has no terminal, Ctrl-C detaches.
    """

    async def follow(client: Client) -> Result | None:
        from shellwire.cli.find import id_of, terminal_used_last
        from shellwire.cli.tty import show

        found = await (terminal_used_last(client) if job_id is None else id_of(client, job_id))
        async with client.attach(found) as job:
            result = await show(job, closes=False)
        return explain_result(result, job.id, host)

    require_terminals()
    exit_as(talk(host, follow, follows=True))
