"""``shellwire exec``: run a command in the daemon's shell."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.outcome import detach_limit, exit_as, hint_attach
from shellwire.cli.param_types import Seconds
from shellwire.cli.printing import print_line
from shellwire.cli.remote import (
    endpoint_of,
    host_option,
    name_option,
    require_terminals,
    run_with_client,
)
from shellwire.output import quoted

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import CommandOptions

_EXIT_NOT_SYNCED = 3
"""Exit code of a command that succeeded but whose changes were not all brought back."""


def _variables(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    pairs = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{quoted(each)} is not NAME=VALUE.", ctx, param)
        pairs[name] = value
    return pairs


@click.command("exec", context_settings={"allow_interspersed_args": False})
@host_option
@click.option("-C", "cwd", metavar="DIR", help="Directory to run the command in.")
@click.option(
    "--with",
    "directories",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Run the command in a synced copy of DIR. Repeatable.",
)
@click.option("--clean", is_flag=True, help="With --with: remove the copies at the end.")
@click.option(
    "-e",
    "env",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_variables,
    help="Set an environment variable. Repeatable.",
)
@click.option(
    "-s",
    "context",
    metavar="CONTEXT",
    help="Named context: its directory and variables carry over between commands.",
)
@click.option(
    "--timeout",
    type=Seconds(0),
    metavar="SECONDS",
    help="End the command after this time; 0, the default: never.",
)
@click.option(
    "-d",
    "detached",
    is_flag=True,
    help="Start the command in the background, without input or time limit; print its id.",
)
@name_option
@click.option("-t", "pty", is_flag=True, help="Run the command on a terminal like this one.")
@click.option("-E", "plain", is_flag=True, help="With -t: disable the `~` keys.")
@click.argument("words", nargs=-1, required=True, metavar="COMMAND…")
def exec_command(
    host: str | None,
    detached: bool,
    pty: bool,
    plain: bool,
    directories: tuple[str, ...],
    clean: bool,
    words: tuple[str, ...],
    **given: Any,
) -> None:
    """Run a command and exit with its exit code.

    The command has this program's stdin, stdout and stderr. One argument is text for the shell.
    Several arguments are quoted, so that the command receives each one unchanged.

    \b
    Example:
      shellwire exec 'cd /srv && ls | wc -l'
      shellwire exec -H box -- grep -r 'a b' .
      shellwire exec --with ./app 'make test'

    The command starts in the current directory on the local daemon, in the user's home directory on
    another host, and with -s in the directory where the context's last command ended. A relative -C
    is resolved against that directory.

    Ctrl-C sends SIGINT to the command; a second Ctrl-C ends it.

    With -t, `~.` at the start of a line detaches (see `shell`), and `~~` types a tilde. Without a
    connection, Ctrl-C three times leaves the command running too.

    With -d, use the printed id, or the --name, for `attach`, `logs` and `kill`.

    With --with, DIR is synced to a copy on the host (see `sync`), the command runs in the copy, and
    its changes are synced back:

    \b
    - The command runs in the first copy; a relative -C is relative to it.
    - The copies are side by side, named as the directories: names must differ.
    - If there is a conflict before the command, it is not run.
    - Files that the command deletes are deleted here too. If a whole copy is
      empty or gone afterwards, nothing is deleted here. If DIR has become
      empty since the last time, the command is not run.
    - Copies stay in ~/.cache/shellwire/with for the next time, unless --clean
      is given. Files missing in a copy are copied again.
    - Directories with different parents have separate copies for each
      combination of directories.
    - Another command with the same copies waits until this one has ended.

    \b
    Exit codes, besides the command's own:
      3        --with: not run (conflict, DIR empty), or the command succeeded
               but not all changes came back
      124      --timeout ended the command
      128 + n  signal n killed the command
      255      the command could not be run or followed
    """
    if clean and not directories:
        raise click.UsageError("--clean needs --with.", click.get_current_context())
    if detached and directories:
        refusal = "-d excludes --with, which syncs changes back at the end."
        raise click.UsageError(refusal, click.get_current_context())
    if plain and not pty:
        raise click.UsageError("-E needs -t.", click.get_current_context())
    _check_early(pty, directories)
    command = words[0] if len(words) == 1 else shlex.join(words)
    options: CommandOptions = {name: value for name, value in given.items() if value}  # type: ignore[assignment]

    async def run(client: Client) -> Result | None:
        if detached:
            return await _start(client, command, options, pty=pty)
        if pty:
            from shellwire.cli.tty import run_on_terminal

            limit = detach_limit(await client.status())
            result, job_id = await run_on_terminal(client, command, options, escapes=not plain)
            return hint_attach(result, options.get("name") or job_id, host, limit)
        from shellwire.cli.streaming import run_streaming

        return await run_streaming(client, command, options)

    async def follow(client: Client) -> tuple[Result | None, bool]:
        if not directories:
            from shellwire.cli.working_directory import choose_directory

            await choose_directory(client, endpoint_of(host), options)
            return await run(client), True
        from shellwire.cli.files.exec_with import SyncedDirectories

        async with SyncedDirectories(client, endpoint_of(host).name, clean=clean) as synced:
            await synced.sync_before(directories)
            options["cwd"] = posixpath.join(synced.cwd, options.get("cwd", ""))
            result = await run(client)
            if result is None:  # detached: the command may still change its copies
                print_line("shellwire: changes in the copies are not synced back", err=True)
                return None, False
            return result, await synced.sync_after()

    result, is_synced = run_with_client(host, follow, follows=True)
    exit_as(result, otherwise=0 if is_synced else _EXIT_NOT_SYNCED)


def _check_early(pty: bool, directories: tuple[str, ...]) -> None:
    """Raise the errors that can be found without a connection."""
    if pty:
        require_terminals()
    if directories:
        from shellwire.cli.files.exec_with import copy_paths

        copy_paths(directories)


async def _start(
    client: Client, command: str, options: CommandOptions, *, pty: bool
) -> Result | None:
    from shellwire.cli.detached import start_detached

    if pty:
        from shellwire.cli.local_terminal import match_terminal

        match_terminal(options)
        options["pty"] = True
    result, job_id = await start_detached(client, command, options)
    if result is None:
        print_line(job_id)
    return result
