"""What is in a directory here, and in one there: files with their hashes, and directories."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from functools import partial
from typing import TYPE_CHECKING

from shellwire.cli.files.concurrency import several
from shellwire.cli.files.manifest import DIRECTORY, File, Looks, Root, Stamp, symlink
from shellwire.client.files.content import hash_file, open_regular
from shellwire.errors import FileProblem, FileSystemError, NotDirectory, NotFile, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client import Client, FileInfo

# As with git: a file that changes twice within the time's grain looks the same afterwards.
_RACY_NS = 2_000_000_000
_AT_A_TIME = 8
_TIMES = 3
"""How often a file is read anew that changes while it is read."""
_OURS = re.compile(r"\.shellwire-[0-9a-f]{16}|\..*\.[0-9a-f]{16}\.part", re.DOTALL)
"""Names of what is on its way: ours, or a daemon's, which has directories for archives too."""


_GONE = (FileNotFoundError, NotADirectoryError, NotDirectory, NotFound)


class Scan:
    """What was found. Paths are relative, with slashes."""

    def __init__(self) -> None:
        self.exists = False
        self.root: Root = (0, 0)
        """Which directory it is."""
        self.modes: dict[str, int] = {}
        """The permissions of each directory; the root is the empty path."""
        self.files: dict[str, File] = {}
        self.seen: dict[str, Looks] = {}
        self.stamps: dict[str, Stamp] = {}
        """Of the files that can't change without looking different."""
        self.others: dict[str, str] = {}
        """What is neither file nor directory, and why it is left out."""
        self.failed: dict[str, str] = {}
        """What can't be read, and why."""
        self.unfinished: list[str] = []
        """Files and symlinks that are, or were, on our way to here."""

    def read(self, directory: str) -> None:
        """Take note of a directory; the root, which is empty, counts for nothing."""
        if directory:
            self.files[directory] = DIRECTORY

    def not_read(self, directory: str, error: Exception, reason: str) -> None:
        """Take note of one that can't be read, unless it is gone. Raises ``error`` for the root."""
        if not directory:  # that all is gone must not look as if all were deleted
            raise error
        if not isinstance(error, _GONE):
            self.failed[directory] = reason

    def link(self, path: str, target: str | None, looks: Looks) -> None:
        """Take note of a symlink, and what it says if that is known."""
        file = symlink(path, target or "")
        if file is None:
            self.others[path] = "a symlink that leads out"
        else:
            self.files[path], self.seen[path] = file, looks

    def add(self, path: str, found: Looks, file: File, hashed_at_ns: int) -> None:
        """Take note of a file, hashed at a time of its own machine's clock."""
        self.files[path] = file
        self.seen[path] = found
        if max(found.mtime_ns, found.ctime_ns) < hashed_at_ns - _RACY_NS:
            self.stamps[path] = Stamp(found, file.hash)


def known(stamps: dict[str, Stamp], path: str, found: Looks) -> str:
    """Return the hash of a file that looks as it did; empty if it does not."""
    stamp = stamps.get(path)
    return stamp.hash if stamp is not None and stamp.looks == found else ""


class Stopped(Exception):
    """Nobody wants to know any more."""


def scan_here(root: str, stamps: dict[str, Stamp], stops: Callable[[], bool]) -> Scan:
    """Look at a directory here. Raises OSError, and Stopped as soon as it ``stops``."""
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
            scan.not_read(directory, error, _reason(error))
            continue
        scan.read(directory)
        for entry in entries:
            if stops():
                raise Stopped
            path = f"{directory}/{entry.name}" if directory else entry.name
            if not entry.is_dir(follow_symlinks=False):
                _take_in(scan, root, path, entry, stamps, stops)
            elif not _OURS.fullmatch(entry.name):
                waiting.append(path)
                with contextlib.suppress(FileNotFoundError):
                    scan.modes[path] = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
    # If it has gone meanwhile, or a disk in it, what was not found was not deleted.
    if _root_of(os.stat(root)) != scan.root:
        raise OSError(errno.ESTALE, "it was replaced while it was read", root)
    return scan


def _root_of(found: os.stat_result) -> Root:
    return found.st_dev, found.st_ino


def _entries(root: str, directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(os.path.join(root, directory)) as found:
        return list(found)


def _take_in(
    scan: Scan,
    root: str,
    path: str,
    entry: os.DirEntry[str],
    stamps: dict[str, Stamp],
    stops: Callable[[], bool],
) -> None:
    is_symlink = entry.is_symlink()
    if not is_symlink and not entry.is_file(follow_symlinks=False):
        scan.others[path] = "neither file nor directory"
    elif _OURS.fullmatch(entry.name):
        if is_symlink or entry.name.endswith(".part"):  # another one is a daemon's, here
            scan.unfinished.append(path)
    elif is_symlink:
        full = os.path.join(root, path)
        try:
            scan.link(path, os.readlink(full), look_here(full))
        except FileNotFoundError:
            return
        except OSError as error:  # that it can't be read must not look as if it were deleted
            scan.failed[path] = _reason(error)
    else:
        _look_at(scan, root, path, stamps, stops)


def _look_at(
    scan: Scan, root: str, path: str, stamps: dict[str, Stamp], stops: Callable[[], bool]
) -> None:
    full = os.path.join(root, path)
    try:
        for _ in range(_TIMES):
            found = look_here(full)
            hashed, now = known(stamps, path, found), time.time_ns()
            executable = bool(os.stat(full).st_mode & stat.S_IXUSR)
            if not hashed:
                with open_regular(full) as file:
                    hashed = hash_file(file, stops)[0]
            if stops():
                raise Stopped
            if look_here(full) == found:
                scan.add(path, found, File(hashed, executable), now)
                return
        scan.failed[path] = "it changes while it is read"
    except FileNotFoundError:
        return
    except NotFile:
        scan.others[path] = "neither file nor directory"
    except OSError as error:
        scan.failed[path] = _reason(error)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def look_here(path: str) -> Looks:
    """Return what is at a path here looks like; of a symlink itself. Raises OSError."""
    found = os.lstat(path)
    return Looks(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


async def scan_there(
    client: Client, root: str, stamps: dict[str, Stamp], *, anew: bool = False
) -> Scan:
    """Look at a directory there; ``anew``: have the daemon read each file, whatever it remembers.

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
    scan.root, scan.modes[""] = _root_there(top), top.mode
    look = partial(_look_there, scan, client, {} if anew else stamps, anew)
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            infos = await client.list_dir(f"{root}/{directory}".rstrip("/") or "/")
        except (FileProblem, NotFound) as error:
            scan.not_read(directory, error, str(error))
            continue
        scan.read(directory)
        files = []
        for info in infos:
            path = f"{directory}/{info.name}" if directory else info.name
            if info.is_symlink:
                scan.link(path, info.target, Looks(0, 0, 0, 0))
            elif _OURS.fullmatch(info.name):
                continue
            elif info.is_directory:
                waiting.append(path)
                scan.modes[path] = info.mode
            else:
                files.append((path, info))
        await several(look, files, _AT_A_TIME)
    # If it has gone meanwhile, or a disk in it, what was not found was not deleted.
    if _root_there(await client.stat(root)) != scan.root:
        raise FileSystemError(f"{root}: it was replaced while it was read")
    return scan


def _root_there(found: FileInfo) -> Root:
    return found.device or 0, found.inode or 0


async def _look_there(
    scan: Scan,
    client: Client,
    stamps: dict[str, Stamp],
    anew: bool,
    file: tuple[str, FileInfo],
) -> None:
    path, info = file
    found = Looks(
        info.size, round(info.mtime * 1e9), round((info.ctime or 0) * 1e9), info.inode or 0
    )
    hashed, at_ns = known(stamps, path, found), 2**62
    if not hashed:
        try:
            about = await client.look(info.path, anew=anew)
        except NotFile:
            scan.others[path] = "neither file nor directory"
            return
        except NotFound:
            return
        except FileProblem as error:
            scan.failed[path] = str(error)
            return
        hashed, at_ns = about.hash, about.server_time * 1_000_000_000
    scan.add(path, found, File(hashed, bool(info.mode & stat.S_IXUSR)), at_ns)
