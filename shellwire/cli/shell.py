"""``shellwire shell`` and ``attach``: a terminal there, on the terminal here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.exec import exit_as
from shellwire.cli.program import called_as
from shellwire.cli.remote import host_option, require_terminals, talk
from shellwire.cli.say import say

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import ShellOptions


@click.command("shell")
@host_option
@click.option("-C", "cwd", metavar="DIR", help="Directory to start in.")
@click.option("-s", "context", metavar="CONTEXT", help="Context to start from; it is not changed.")
def shell_command(host: str | None, **given: Any) -> None:
    """Open a shell on a terminal.

    At the beginning of a line `~.` detaches from it, and it goes on; `~?` lists such keys. So does
    it when this terminal is closed. `shellwire attach` comes back to it.
    """
    options: ShellOptions = {name: value for name, value in given.items() if value}  # type: ignore[assignment]

    async def follow(client: Client) -> Result | None:
        from shellwire.cli.console import show, size

        options["cols"], options["rows"] = size() or (80, 24)
        async with client.shell(**options) as job:
            result = await show(job)
        return _told(result, job.id, host)

    require_terminals()
    exit_as(talk(host, follow, follows=True))


@click.command("attach")
@host_option
@click.argument("job_id", metavar="ID")
def attach_command(host: str | None, job_id: str) -> None:
    """Come back to job ID, with what is kept of its output, and follow it.

    Keys are as in `shell`. Where it has no terminal, Ctrl-C detaches.
    """

    async def follow(client: Client) -> Result | None:
        async with client.attach(job_id) as job:
            from shellwire.cli.console import show

            result = await show(job, closes=False)
        return _told(result, job.id, host)

    require_terminals()
    exit_as(talk(host, follow, follows=True))


def _told(result: Result | None, job_id: str, host: str | None) -> Result | None:
    if result is None:
        there = f" -H {host}" if host else ""
        click.echo(err=True)
        say(f"shellwire: detached; `{called_as()} attach{there} {job_id}` comes back", err=True)
    return result
