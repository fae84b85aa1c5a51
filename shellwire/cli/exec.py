"""``shellwire exec``: a command there, as if it ran here."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING, Any

import click

from shellwire.cli.options import Seconds
from shellwire.cli.outcome import exit_as, explain_result, limit_of
from shellwire.cli.remote import (
    host_option,
    name_option,
    place_of,
    require_terminals,
    talk,
)
from shellwire.cli.say import say
from shellwire.output import quoted

if TYPE_CHECKING:
    from shellwire.client import Client, Result
    from shellwire.client.options import CommandOptions

_NOT_WHOLE = 3
"""Exit code of a command that went well, of which not all came back."""


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
@click.option("-C", "cwd", metavar="DIR", help="Directory to run it in.")
@click.option(
    "--with",
    "taken",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="Take a directory along, and bring back what changes in it; repeatable.",
)
@click.option("--clean", is_flag=True, help="Leave no copy of these there.")
@click.option(
    "-e", "env", metavar="NAME=VALUE", multiple=True, callback=_variables, help="A variable for it."
)
@click.option(
    "-s",
    "context",
    metavar="CONTEXT",
    help="Context, which it may change; without one, what it leaves is gone.",
)
@click.option(
    "--timeout",
    type=Seconds(0),
    metavar="SECONDS",
    help="End it after that; 0, the default, is never.",
)
@click.option(
    "-d",
    "detached",
    is_flag=True,
    help="Start it, print its id and leave it alone: it reads nothing, and goes on however long.",
)
@name_option
@click.option("-t", "pty", is_flag=True, help="Give it a terminal, of the kind and size of ours.")
@click.option("-E", "plain", is_flag=True, help="With -t: let `~` at the start of a line be a key.")
@click.argument("words", nargs=-1, required=True, metavar="COMMAND…")
def exec_command(
    host: str | None,
    detached: bool,
    pty: bool,
    plain: bool,
    taken: tuple[str, ...],
    clean: bool,
    words: tuple[str, ...],
    **given: Any,
) -> None:
    """Run a command, with our stdin, stdout and stderr, and exit as it does.

    One argument is text for the shell: exec 'cd /srv && ls | wc -l'. Several are words, which are
    quoted, so that each arrives as it is: exec -- grep -r 'a b' .

    With the local daemon it starts in the current directory, with a daemon elsewhere in its user's
    home directory. With -s it starts where the context's last command ended. A relative -C counts
    from there.

    With --with DIR the command finds a copy of DIR there: it is synced first (see `sync`), the
    command runs in the first one's copy, from which a relative -C counts, and what it has made,
    changed or deleted comes back. All copies are beside each other, with the names that the
    directories have here: two may not have the same. What has changed on both sides before is a
    conflict, and nothing is run. The copies stay in ~/.cache/shellwire/with, so that the next time
    is quick, unless --clean is given; what is missing in one by then is copied again. Directories
    from different places have copies of their own for each set of them that is taken along.
    Another command with the same copies waits until this one has ended. What the command deletes is
    deleted here, but for the whole: if a copy is empty or gone afterwards, nothing is deleted here,
    and if DIR is suddenly empty before, nothing is run; both exit with 3 unless the command fails.

    With -t, `~.` at the start of a line leaves the command running there, as in `shell`, and ~~ is
    a tilde. Without a connection, Ctrl-C three times does it too.

    With -d the command starts without this terminal: `attach`, `logs` and `kill` take the printed
    id, or its --name.

    Ctrl-C is SIGINT for the command; a second one ends it. If a signal n kills it, the exit code is
    128 + n; 124 if --timeout ended it; 255 if it could not be run or followed; 3 if there was a
    conflict before and nothing was run, or if it exited with 0 but not all could be brought back.
    """
    if clean and not taken:
        raise click.UsageError("--clean is for --with.", click.get_current_context())
    if detached and taken:
        refusal = "-d is not for --with, which brings changes back at the end."
        raise click.UsageError(refusal, click.get_current_context())
    if plain and not pty:
        raise click.UsageError("-E is for -t.", click.get_current_context())
    _see_whether_it_can_be(pty, taken)
    command = words[0] if len(words) == 1 else shlex.join(words)
    options: CommandOptions = {name: value for name, value in given.items() if value}  # type: ignore[assignment]

    async def run(client: Client) -> Result | None:
        if detached:
            return await _start(client, command, options, pty=pty)
        if pty:
            from shellwire.cli.tty import on_terminal

            limit = limit_of(await client.status())
            ended = await on_terminal(client, command, options, escapes=not plain)
            return explain_result(*ended, host, limit)
        from shellwire.cli.streaming import with_pipes

        return await with_pipes(client, command, options)

    async def follow(client: Client) -> tuple[Result | None, bool]:
        if not taken:
            from shellwire.cli.starting import choose_directory

            await choose_directory(client, place_of(host), options)
            return await run(client), True
        from shellwire.cli.files.exec_with import Work

        async with Work(client, place_of(host).name, clean=clean) as work:
            await work.take_up(taken)
            options["cwd"] = posixpath.join(work.cwd, options.get("cwd", ""))
            result = await run(client)
            if result is None:  # it was left, and may change its copies still
                say("shellwire: what it changes in its copies is not brought back", err=True)
                return None, False
            return result, await work.bring_back()

    result, whole = talk(host, follow, follows=True)
    exit_as(result, otherwise=0 if whole else _NOT_WHOLE)


def _see_whether_it_can_be(pty: bool, taken: tuple[str, ...]) -> None:
    """Raise what can be known before there is a connection."""
    if pty:
        require_terminals()
    if taken:
        from shellwire.cli.files.exec_with import places

        places(taken)


async def _start(
    client: Client, command: str, options: CommandOptions, *, pty: bool
) -> Result | None:
    from shellwire.cli.detached import start

    if pty:
        from shellwire.cli.tty import like_ours

        like_ours(options)
        options["pty"] = True
    result, job_id = await start(client, command, options)
    if result is None:
        say(job_id)
    return result
