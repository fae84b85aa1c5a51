"""``shellwire cp``: files from here to there, or back, as scp(1) does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.files.where import Where, parsed
from shellwire.cli.remote import talk

if TYPE_CHECKING:
    from shellwire.client import Client


@click.command("cp")
@click.option("-r", "recursive", is_flag=True, help="Copy directories with all that is in them.")
@click.option("-z", "compress", is_flag=True, help="Compress on the way what that makes smaller.")
@click.option("-p", "preserve", is_flag=True, help="Keep modes and times as they are.")
@click.argument("words", nargs=-1, required=True, metavar="SRC… DST")
@click.pass_context
def cp_command(
    ctx: click.Context, recursive: bool, compress: bool, preserve: bool, words: tuple[str, ...]
) -> None:
    """Copy files from here to a daemon's machine, or from there to here.

    What is there is written NAME:PATH, with the name of a host (see `login`), or :PATH for the
    daemon that the other commands talk to without -H. PATH is absolute or counts from your home
    there; its last part may be a pattern. A path here with a colon is written ./a:b.

    As with scp, into a directory that exists, else to the name DST; several sources, or a slash at
    its end, want a directory. Within a directory a symlink to a file is copied as that file, and
    one to a directory is told and left out. What was copied is right: its SHA-256 is compared. A
    copy that is cut goes on where it was, for ten minutes by itself, and for an hour if it is begun
    again.

    Exit codes: 0 all is copied; 1 something is not, a line for each says why; 2 bad options; 255
    no connection.
    """
    if len(words) < 2:
        raise click.UsageError("Expected SRC… DST.", ctx)
    *sources, target = (parsed(word) for word in words)
    host = _host(ctx, sources, target)

    async def copy(client: Client) -> int:
        from shellwire.cli.files.bar import Bar
        from shellwire.cli.files.copying import Copying, Flags
        from shellwire.cli.files.ends import Here, There

        here, there = Here(), There(client, host or "")
        flags, bar = Flags(recursive, compress, preserve), Bar()
        if target.host is None:
            copying = Copying(client, there, here, flags, bar)
        else:
            copying = Copying(client, here, there, flags, bar)
        try:
            await copying.run(tuple(each.path for each in sources), target.path)
        finally:
            bar.clear()
        return copying.failed

    ctx.exit(1 if talk(host or None, copy) else 0)


def _host(ctx: click.Context, sources: list[Where], target: Where) -> str:
    """Return which host it is about. Raises UsageError unless one side is there, one here."""
    hosts = {each.host for each in sources}
    if len(hosts) > 1:
        raise click.UsageError("All sources must be at one place.", ctx)
    (host,) = hosts
    if host is None and target.host is not None:
        return target.host
    if host is not None and target.host is None:
        return host
    raise click.UsageError("One side must be here, the other NAME:PATH.", ctx)
