"""``shellwire cp``: files from here to there, or back, as scp(1) does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.files.target import parsed
from shellwire.cli.remote import talk_to

if TYPE_CHECKING:
    from shellwire.client import Client


@click.command("cp")
@click.option("-r", "recursive", is_flag=True, help="Copy directories with all that is in them.")
@click.option(
    "-z", "compress", is_flag=True, help="Compress on the way, by gzip, what that makes smaller."
)
@click.option("-p", "preserve", is_flag=True, help="Keep modes and times as they are.")
@click.argument("words", nargs=-1, required=True, metavar="SRC… DST")
@click.pass_context
def cp_command(
    ctx: click.Context, recursive: bool, compress: bool, preserve: bool, words: tuple[str, ...]
) -> None:
    """Copy files from here to a daemon's machine, from there to here, or from one to another.

    What is there is written NAME:PATH, with the name of a host (see `login`), or :PATH for the
    daemon that the other commands talk to without -H. PATH is absolute or counts from your home
    there; its last part may be a pattern. A path here with a colon is written ./a:b. What goes from
    one daemon to another, or to the same one, goes through here, and nothing of it is kept here.

    As with scp, into a directory that exists, else to the name DST in one that exists; several
    sources, or a slash at its end, want a directory. DST here may be /dev/stdout, a pipe or a
    device: what comes is written to it. Within a directory a symlink is copied as what it leads to;
    one that leads to a directory that it is in is told and left out. The mode of a file that is
    there is kept, unless -p is given. What was copied is right: its SHA-256 is compared. A copy
    that is cut goes on where it was, for ten minutes by itself, and for an hour if it is begun
    again.

    Exit codes: 0 all is copied; 1 something is not, a line for each says why; 2 bad options; 255
    no connection.
    """
    if len(words) < 2:
        raise click.UsageError("Expected SRC… DST.", ctx)
    *sources, target = (parsed(word) for word in words)
    if target.host is None and any(each.host is None for each in sources):
        raise click.UsageError("One side must be NAME:PATH.", ctx)

    from shellwire.cli.files.progress import Bar

    bar = Bar()

    async def copy(clients: dict[str, Client]) -> int:
        from shellwire.cli.files.copying import Copying, End, Flags
        from shellwire.cli.files.trees import Here, There

        ends: dict[str | None, End] = {host: There(each, host) for host, each in clients.items()}
        ends[None] = Here()
        copying = Copying(ends[target.host], Flags(recursive, compress, preserve), bar)
        try:
            await copying.run([(ends[each.host], each.path) for each in sources], target.path)
        finally:
            bar.clear()
        return copying.failed

    hosts = {each.host for each in (*sources, target) if each.host is not None}
    ctx.exit(1 if talk_to(hosts, copy, bar.tell) else 0)
