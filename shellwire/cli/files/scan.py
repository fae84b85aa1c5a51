"""What is in a directory here, and in one there: files with their hashes."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shellwire.cli.files.manifest import File, Stamp
from shellwire.client.files.content import digest_of
from shellwire.errors import NotDirectory, NotFile, NotFound

if TYPE_CHECKING:
    from shellwire.client import Client, FileInfo

# As with git: a file that changes twice within the time's grain looks the same afterwards.
_RACY_NS = 2_000_000_000
_AT_A_TIME = 8
_OURS = re.compile(r"\.shellwire-[0-9a-f]{16}|\..*\.[0-9a-f]{16}\.part", re.DOTALL)
"""Names of files that are on their way: ours, or the daemon's."""


class Scan:
    """What was found. Paths are relative, with slashes."""

    def __init__(self) -> None:
        self.exists = False
        self.files: dict[str, File] = {}
        self.seen: dict[str, tuple[int, int]] = {}
        """Size and time in nanoseconds."""
        self.stamps: dict[str, Stamp] = {}
        """Of the files that can't change without looking different."""
        self.others: set[str] = set()
        """What is neither file nor directory."""

    def add(self, path: str, found: tuple[int, int], file: File, hashed_at_ns: int) -> None:
        """Take note of a file, hashed at a time of its own machine's clock."""
        self.files[path] = file
        self.seen[path] = found
        if found[1] < hashed_at_ns - _RACY_NS:
            self.stamps[path] = Stamp(*found, file.hash)


def known(stamps: dict[str, Stamp], path: str, found: tuple[int, int]) -> str:
    """Return the hash of a file that looks as it did; empty if it does not."""
    stamp = stamps.get(path)
    return stamp.hash if stamp is not None and stamp[:2] == found else ""


def scan_here(root: str, stamps: dict[str, Stamp]) -> Scan:
    """Look at a directory here. Raises OSError."""
    scan = Scan()
    if not os.path.isdir(root):
        if os.path.lexists(root):
            raise NotDirectory(f"{root}: is not a directory")
        return scan
    scan.exists = True
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(os.path.join(root, directory)) as found:
                entries = list(found)
        except FileNotFoundError:
            if not directory:  # that all is gone must not look as if all were deleted
                raise
            continue
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif not entry.is_file(follow_symlinks=False):
                scan.others.add(path)
            elif not _OURS.fullmatch(entry.name):
                _look_at(scan, root, path, stamps)
    return scan


def _look_at(scan: Scan, root: str, path: str, stamps: dict[str, Stamp]) -> None:
    full = os.path.join(root, path)
    try:
        found = look_here(full)
        hashed, now = known(stamps, path, found), time.time_ns()
        if not hashed:
            with open(full, "rb") as file:
                hashed, _ = digest_of(file)
        executable = bool(Path(full).stat().st_mode & stat.S_IXUSR)
        if look_here(full) == found:
            scan.add(path, found, File(hashed, executable), now)
            return
    except FileNotFoundError:
        return
    _look_at(scan, root, path, stamps)  # it was written to meanwhile


def look_here(path: str) -> tuple[int, int]:
    """Return size and time in nanoseconds of what is at a path here. Raises OSError."""
    found = os.lstat(path)
    return found.st_size, found.st_mtime_ns


async def scan_there(client: Client, root: str, stamps: dict[str, Stamp]) -> Scan:
    """Look at a directory there. Raises WireError, Unreachable and NotRunning."""
    scan = Scan()
    try:
        if not (await client.stat(root)).is_directory:
            raise NotDirectory(f"{root}: is not a directory")
    except NotFound:
        return scan
    scan.exists = True
    room = asyncio.Semaphore(_AT_A_TIME)
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        work = []
        try:
            infos = await client.list_dir(f"{root}/{directory}".rstrip("/") or "/")
        except NotFound:
            if not directory:  # that all is gone must not look as if all were deleted
                raise
            continue
        for info in infos:
            path = f"{directory}/{info.name}" if directory else info.name
            if info.is_symlink:
                scan.others.add(path)
            elif info.is_directory:
                waiting.append(path)
            elif not _OURS.fullmatch(info.name):
                work.append(_look_there(scan, client, path, info, stamps, room))
        await asyncio.gather(*work)
    return scan


async def _look_there(
    scan: Scan,
    client: Client,
    path: str,
    info: FileInfo,
    stamps: dict[str, Stamp],
    room: asyncio.Semaphore,
) -> None:
    found = (info.size, round(info.mtime * 1e9))
    hashed, at_ns = known(stamps, path, found), 2**62
    if not hashed:
        try:
            async with room:
                about = await client.look(info.path)
        except NotFile:
            scan.others.add(path)
            return
        except NotFound:
            return
        hashed, at_ns = about.hash, about.seen_at * 1_000_000_000
    scan.add(path, found, File(hashed, bool(info.mode & stat.S_IXUSR)), at_ns)
