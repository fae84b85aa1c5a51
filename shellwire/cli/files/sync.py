"""``shellwire sync``: sync a local directory with one on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.errors import Failure
from shellwire.cli.files.location import parse_location
from shellwire.cli.printing import print_line
from shellwire.cli.remote import endpoint_of, run_with_client
from shellwire.errors import DeletionRefused
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from shellwire.client import Client

_WATCH_SECONDS = 1.0
EXIT_CONFLICT = 3
"""Exit code if something has changed on both sides."""


@click.command("sync")
@click.option("--watch", is_flag=True, help="Sync again every second until Ctrl-C.")
@click.option("--delete", is_flag=True, help="Delete what was deleted on the other side.")
@click.option("--force-delete", "force", is_flag=True, help="Delete even if a side looks vanished.")
@click.option("--checksum", is_flag=True, help="Read every file, not only those that look changed.")
@click.option("--dry-run", "dry", is_flag=True, help="Show the changes without making them.")
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
    """Sync a directory with one on a host, both ways.

    Changes since the last sync go to the other side. NAME:DIR is written as for `cp`; the two
    arguments may be swapped.

    \b
    Example:
      shellwire sync ./app box:app
      shellwire sync --watch --delete ./app box:app

    Conflicts: a file that changed on both sides is reported and left alone on both; the exit code
    is 3. Make the two files equal to resolve it. Without --delete, a file replaced by a directory
    or a symlink (or the other way round) is a conflict too, unless it replaces an empty directory.

    First sync: a missing directory is created, files on one side are copied, files that differ are
    conflicts.

    --delete stops with exit code 3, and does nothing, if a side looks vanished (an unmounted disk):
    its directory is missing, empty, or another one without the synced files. It also stops if more
    than half of more than 20 files would be deleted. --force-delete skips these checks.

    \b
    What is synced:
    - Content, and whether the owner may execute the file. Changes of other
      modes or of times alone are not synced.
    - A file is read if its size, mtime, ctime or inode changed.
    - A copied file keeps its time. Pushed files get the local mode; pulled files
      get only the execute permission.
    - New directories, empty ones too, with their mode less the local umask.
      Read-only directories are made writable while they are filled.
    - Symlinks as such. Symlinks that point out of DIR, FIFOs and devices are
      skipped with a warning.

    A second sync of the same directories waits for the first. --watch continues when the daemon is
    gone for a while, and without --delete also when a directory is.

    \b
    Exit codes:
      0    both sides are equal, except for deletions without --delete
      1    something failed; each line on stderr says what
      2    wrong options
      3    conflicts, or --delete stopped
      130  Ctrl-C, which also ends --watch
      255  no connection
    """
    locations = {each.host is None: each for each in map(parse_location, (first, second))}
    if len(locations) != 2:
        raise click.UsageError("Give one local directory and one NAME:DIR.", ctx)
    local, remote = locations[True], locations[False]
    host = remote.host or None

    async def work(client: Client) -> int:
        import asyncio

        from shellwire.cli.files.sync_pair import SyncOptions, SyncPair
        from shellwire.cli.files.sync_report import SyncReport

        pair = await SyncPair.begin(
            client,
            Home.locate(),
            local.path,
            remote.path,
            endpoint_of(host).name,
            SyncOptions(deletes=delete or force, forced=force, checksum=checksum),
            SyncReport(print_line, print_warning, print_error),
        )
        try:
            if dry:
                await pair.sync(dry=True)
            else:
                async with pair.locked():
                    await pair.sync()
            while watch and not dry:
                await asyncio.sleep(_WATCH_SECONDS)
                await pair.sync_again()
        except DeletionRefused as error:
            raise Failure(f"{error}; --force-delete skips this check", EXIT_CONFLICT) from error
        return EXIT_CONFLICT if pair.report.conflicts else bool(pair.report.failed)

    ctx.exit(run_with_client(host, work))


def print_warning(text: str) -> None:
    """Print what is skipped or waited for."""
    print_line(f"Warning: {text}", err=True)


def print_error(text: str) -> None:
    """Print what failed."""
    print_line(f"Error: {text}", err=True)
