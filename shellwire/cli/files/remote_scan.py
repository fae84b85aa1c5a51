"""Scan a directory on a host."""

from __future__ import annotations

import stat
from functools import partial
from typing import TYPE_CHECKING

from shellwire.cli.files.concurrency import for_each
from shellwire.cli.files.manifest import CachedHash, File, Root, StatData
from shellwire.cli.files.scan import TEMPORARY_NAME, Scan, cached_hash
from shellwire.errors import FileProblem, FileSystemError, NotDirectory, NotFile, NotFound

if TYPE_CHECKING:
    from shellwire.client import Client, FileInfo

_AT_A_TIME = 8


async def scan_remote(
    client: Client, root: str, cached_hashes: dict[str, CachedHash], *, rehash: bool = False
) -> Scan:
    """Scan a directory. ``rehash``: make the daemon read every file, without its cache or ours.

    Raises WireError, Unreachable and NotRunning.
    """
    scan = Scan()
    try:
        top = await client.stat(root)
    except NotFound:
        return scan
    if not top.is_directory:
        raise NotDirectory(f"{root}: is not a directory")
    scan.exists = True
    scan.root, scan.modes[""] = _root_of(top), top.mode
    scan_file = partial(_scan_file, scan, client, {} if rehash else cached_hashes, rehash)
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            infos = await client.list_dir(f"{root}/{directory}".rstrip("/") or "/")
        except (FileProblem, NotFound) as error:
            scan.add_unreadable(directory, error, str(error))
            continue
        scan.add_directory(directory)
        files = []
        for info in infos:
            path = f"{directory}/{info.name}" if directory else info.name
            if info.is_symlink:
                scan.add_symlink(path, info.target, StatData(0, 0, 0, 0))
            elif TEMPORARY_NAME.fullmatch(info.name):
                continue
            elif info.is_directory:
                waiting.append(path)
                scan.modes[path] = info.mode
            else:
                files.append((path, info))
        await for_each(scan_file, files, _AT_A_TIME)
    # If the root was replaced, or a disk unmounted, missing files were not deleted.
    if _root_of(await client.stat(root)) != scan.root:
        raise FileSystemError(f"{root}: it was replaced while it was read")
    return scan


def _root_of(found: FileInfo) -> Root:
    return found.device or 0, found.inode or 0


async def _scan_file(
    scan: Scan,
    client: Client,
    cached_hashes: dict[str, CachedHash],
    rehash: bool,
    file: tuple[str, FileInfo],
) -> None:
    path, info = file
    found = StatData(
        info.size, round(info.mtime * 1e9), round((info.ctime or 0) * 1e9), info.inode or 0
    )
    hashed, at_ns = cached_hash(cached_hashes, path, found), 2**62
    if not hashed:
        try:
            about = await client.look(info.path, anew=rehash)
        except NotFile:
            scan.skipped[path] = "neither file nor directory"
            return
        except NotFound:
            return
        except FileProblem as error:
            scan.failed[path] = str(error)
            return
        hashed, at_ns = about.hash, about.server_time * 1_000_000_000
    scan.add_file(path, found, File(hashed, bool(info.mode & stat.S_IXUSR)), at_ns)
