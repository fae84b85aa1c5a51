"""``shellwire cp``: copy files between machines, as scp(1) does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shellwire.cli.files.location import parse_location
from shellwire.cli.remote import run_with_clients

if TYPE_CHECKING:
    from shellwire.client import Client


@click.command("cp")
@click.option("-r", "recursive", is_flag=True, help="Copy directories recursively.")
@click.option("-z", "compress", is_flag=True, help="Compress with gzip on the way if that helps.")
@click.option("-p", "preserve", is_flag=True, help="Preserve modes and times.")
@click.argument("paths", nargs=-1, required=True, metavar="SRC… DST")
@click.pass_context
def cp_command(
    ctx: click.Context, recursive: bool, compress: bool, preserve: bool, paths: tuple[str, ...]
) -> None:
    """Copy files to, from or between hosts, as scp does.

    \b
    Example:
      shellwire cp -r ./app box:src/
      shellwire cp 'box:logs/*.log' .

    \b
    Paths:
      NAME:PATH  on a saved host (see `login`)
      :PATH      on the daemon that is the default of the other commands
      PATH       on this machine; write a name with a colon as ./a:b

    A remote path is absolute or relative to your home directory there. Its last part may be a
    pattern. DST on this machine may be /dev/stdout, a pipe or a device.

    As with scp, an existing directory DST gets the copies; otherwise DST is the copy's name, in a
    directory that exists. Several sources, or a slash at the end of DST, need a directory.

    In a copied directory a symlink is copied as the file or directory that it points to; one that
    points to a directory that contains it is reported and skipped. An existing file keeps its mode
    unless -p is given.

    Each copy is verified by its SHA-256. An interrupted copy resumes by itself for ten minutes, and
    for an hour if you run the same command again. A copy between two hosts passes through this
    machine without being stored.

    \b
    Exit codes:
      0    all files were copied
      1    some were not; a line on stderr for each says why
      2    wrong options
      255  no connection
    """
    if len(paths) < 2:
        raise click.UsageError("Expected SRC… DST.", ctx)
    *sources, target = map(parse_location, paths)
    if target.host is None and any(each.host is None for each in sources):
        raise click.UsageError("One side must be NAME:PATH.", ctx)

    from shellwire.cli.files.progress import ProgressBar

    bar = ProgressBar()

    async def copy(clients: dict[str, Client]) -> int:
        from shellwire.cli.files.copying import Copying, CopyOptions, Tree
        from shellwire.cli.files.trees import LocalTree, RemoteTree

        trees: dict[str | None, Tree] = {
            host: RemoteTree(client, host) for host, client in clients.items()
        }
        trees[None] = LocalTree()
        copying = Copying(trees[target.host], CopyOptions(recursive, compress, preserve), bar)
        try:
            await copying.run([(trees[each.host], each.path) for each in sources], target.path)
        finally:
            bar.erase()
        return copying.failed

    hosts = {each.host for each in (*sources, target) if each.host is not None}
    ctx.exit(1 if run_with_clients(hosts, copy, bar.print_line) else 0)
