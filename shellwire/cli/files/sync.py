"""``shellwire sync``: a directory here and one there, kept the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.errors import Failure
from shellwire.cli.files.target import parsed
from shellwire.cli.remote import place_of, talk
from shellwire.cli.say import say as print_line
from shellwire.errors import DeletionRefused
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from shellwire.client import Client

_PAUSE = 1.0
CONFLICT = 3
"""Exit code where something has changed on both sides."""


@click.command("sync")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C: look at both each second.")
@click.option("--delete", is_flag=True, help="Delete what was deleted on the other side.")
@click.option("--force-delete", "force", is_flag=True, help="Delete even if a side has vanished.")
@click.option("--checksum", is_flag=True, help="Read every file, not only what looks changed.")
@click.option("--dry-run", "dry", is_flag=True, help="Say what would be done, and do nothing.")
@click.argument("first", metavar="DIR")
@click.argument("second", metavar="NAME:DIR")
@click.pass_context
def sync_command(
    ctx: click.Context,
    watch: bool,
    delete: bool,
    force: bool,
    checksum: bool,
    dry: bool,
    first: str,
    second: str,
) -> None:
    """Take the changes in DIR here to NAME:DIR there, and those there to here.

    What changed since the last time is known by a manifest of SHA-256, which is kept in the home. A
    file that changed on both sides is a conflict: it is named, left as it is on both, and the exit
    code is 3. Make one like the other to end it. The first time, what is on one side only is
    copied, and what differs is a conflict. So is, without --delete, a file that became a directory
    or a symlink on one side, or the other way round, unless only an empty directory is replaced. A
    side that does not exist the first time is made, and a line says so.

    --delete stops with exit code 3, and does nothing, if one side looks as if it had vanished (an
    unmounted disk): its directory is missing, is empty, or is another one with nothing of what was
    there; or if more than half of the files that the last sync knew would be deleted, where these
    are more than 20. So does --watch --delete. --force-delete deletes all the same.

    A file has changed when its content has, or whether its owner may execute it. It comes with its
    time; to there it comes with its mode, to here only with whether its owner may execute it.
    Another mode or time alone does not come. A file is read again if its size, one of its times
    (ctime too) or its inode is another; with --checksum every file is. Directories come with their
    modes, less the umask here, empty ones too, and keep those that they have; one without write
    permission is writable while it is filled. Symlinks come as such. Symlinks that lead out of DIR,
    FIFOs and devices are left out, with a warning. What is there is written as for `cp`. Of two
    that sync the same at a time one waits for the other. --watch goes on when the daemon, or
    without --delete a directory, is gone for a while.

    Exit codes: 0 both are the same, as far as that was asked for; 1 something went wrong, a line
    says what; 2 bad options; 3 conflicts, or --delete stopped; 130 ended by Ctrl-C, as --watch is;
    255 no connection.
    """
    ends = {each.host is None: each for each in (parsed(first), parsed(second))}
    if len(ends) != 2:
        raise click.UsageError("One side must be here, the other NAME:DIR.", ctx)
    here, there = ends[True], ends[False]
    host = there.host or None

    async def work(client: Client) -> int:
        import asyncio

        from shellwire.cli.files.syncing import Syncing, Wanted

        syncing = await Syncing.begin(
            client,
            Home.locate(),
            here.path,
            there.path,
            place_of(host).name,
            Wanted(deletes=delete or force, forced=force, checksum=checksum),
            say=say,
            warn=warn,
            fail=fail,
        )
        try:
            if dry:
                await syncing.once(dry=True)
            else:
                async with syncing.alone():
                    await syncing.once()
            while watch and not dry:
                await asyncio.sleep(_PAUSE)
                await syncing.again()
        except DeletionRefused as error:
            raise Failure(f"{error}; --force-delete deletes all the same", CONFLICT) from error
        return CONFLICT if syncing.conflicts else bool(syncing.failed)

    ctx.exit(talk(host, work))


def say(text: str) -> None:
    """Print what was done."""
    print_line(text)


def warn(text: str) -> None:
    """Print what is left out, or waited for, and is no error."""
    print_line(f"Warning: {text}", err=True)


def fail(text: str) -> None:
    """Print what has gone wrong."""
    print_line(f"Error: {text}", err=True)
