"""Scan a directory on this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from typing import TYPE_CHECKING

from shellwire.cli.files.manifest import CachedHash, File, Root, StatData
from shellwire.cli.files.scan import TEMPORARY_NAME, Scan, cached_hash
from shellwire.client.files.content import hash_file, open_regular
from shellwire.errors import NotDirectory, NotFile

if TYPE_CHECKING:
    from collections.abc import Callable

_ATTEMPTS = 3
"""How often a file is read that changes meanwhile."""


class Stopped(Exception):
    """The scan was cancelled."""


def scan_local(
    root: str, cached_hashes: dict[str, CachedHash], is_stopped: Callable[[], bool]
) -> Scan:
    """Scan a directory. Raises OSError, and Stopped as soon as ``is_stopped`` returns True."""
    scan = Scan()
    if not os.path.isdir(root):
        if os.path.lexists(root):
            raise NotDirectory(f"{root}: is not a directory")
        return scan
    scan.exists = True
    top = os.stat(root)
    scan.root, scan.modes[""] = _root_of(top), stat.S_IMODE(top.st_mode)
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            entries = _entries(root, directory)
        except OSError as error:
            scan.add_unreadable(directory, error, _reason(error))
            continue
        scan.add_directory(directory)
        for entry in entries:
            if is_stopped():
                raise Stopped
            path = f"{directory}/{entry.name}" if directory else entry.name
            if not entry.is_dir(follow_symlinks=False):
                _scan_entry(scan, root, path, entry, cached_hashes, is_stopped)
            elif not TEMPORARY_NAME.fullmatch(entry.name):
                waiting.append(path)
                with contextlib.suppress(FileNotFoundError):
                    scan.modes[path] = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
    # If the root was replaced, or a disk unmounted, missing files were not deleted.
    if _root_of(os.stat(root)) != scan.root:
        raise OSError(errno.ESTALE, "it was replaced while it was read", root)
    return scan


def _root_of(found: os.stat_result) -> Root:
    return found.st_dev, found.st_ino


def _entries(root: str, directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(os.path.join(root, directory)) as found:
        return list(found)


def _scan_entry(
    scan: Scan,
    root: str,
    path: str,
    entry: os.DirEntry[str],
    cached_hashes: dict[str, CachedHash],
    is_stopped: Callable[[], bool],
) -> None:
    is_symlink = entry.is_symlink()
    if not is_symlink and not entry.is_file(follow_symlinks=False):
        scan.skipped[path] = "neither file nor directory"
    elif TEMPORARY_NAME.fullmatch(entry.name):
        if is_symlink or entry.name.endswith(".part"):  # others are a daemon's on this machine
            scan.unfinished.append(path)
    elif is_symlink:
        full = os.path.join(root, path)
        try:
            scan.add_symlink(path, os.readlink(full), stat_local(full))
        except FileNotFoundError:
            return
        except OSError as error:  # an unreadable symlink must not look deleted
            scan.failed[path] = _reason(error)
    else:
        _scan_file(scan, root, path, cached_hashes, is_stopped)


def _scan_file(
    scan: Scan,
    root: str,
    path: str,
    cached_hashes: dict[str, CachedHash],
    is_stopped: Callable[[], bool],
) -> None:
    full = os.path.join(root, path)
    try:
        for _ in range(_ATTEMPTS):
            found = stat_local(full)
            hashed, now = cached_hash(cached_hashes, path, found), time.time_ns()
            executable = bool(os.stat(full).st_mode & stat.S_IXUSR)
            if not hashed:
                with open_regular(full) as file:
                    hashed = hash_file(file, is_stopped)[0]
            if is_stopped():
                raise Stopped
            if stat_local(full) == found:
                scan.add_file(path, found, File(hashed, executable), now)
                return
        scan.failed[path] = "it changes while it is read"
    except FileNotFoundError:
        return
    except NotFile:
        scan.skipped[path] = "neither file nor directory"
    except OSError as error:
        scan.failed[path] = _reason(error)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def stat_local(path: str) -> StatData:
    """Return the stat data of a path on this machine; of a symlink itself. Raises OSError."""
    found = os.lstat(path)
    return StatData(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
