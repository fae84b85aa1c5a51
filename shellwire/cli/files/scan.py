"""The result of scanning a directory: its files with hashes, its directories, its symlinks."""

from __future__ import annotations

import re

from shellwire.cli.files.manifest import (
    DIRECTORY,
    CachedHash,
    File,
    Root,
    StatData,
    symlink,
)
from shellwire.errors import NotDirectory, NotFound

# A file that changes twice within the resolution of its timestamps looks unchanged afterwards. As
# in git, the hash of a file that is that new is not cached.
_RACY_NS = 2_000_000_000

TEMPORARY_NAME = re.compile(r"\.shellwire-[0-9a-f]{16}|\..*\.[0-9a-f]{16}\.part", re.DOTALL)
"""Names of temporary files: ours, and a daemon's, which has temporary directories too."""

_GONE = (FileNotFoundError, NotADirectoryError, NotDirectory, NotFound)


class Scan:
    """What a scan found. Paths are relative, with slashes."""

    def __init__(self) -> None:
        self.exists = False
        self.root: Root = (0, 0)
        self.modes: dict[str, int] = {}
        """The mode of each directory; the root is the empty path."""
        self.files: dict[str, File] = {}
        self.stat_data: dict[str, StatData] = {}
        self.cached_hashes: dict[str, CachedHash] = {}
        """Of the files old enough that a later change is visible in their stat data."""
        self.skipped: dict[str, str] = {}
        """Paths that are never synced (devices, symlinks out of the tree), with the reason."""
        self.failed: dict[str, str] = {}
        """Paths that can't be read, with the reason."""
        self.unfinished: list[str] = []
        """Temporary files and symlinks of unfinished downloads."""

    def add_directory(self, directory: str) -> None:
        """Add a directory; the root, which is the empty path, is not added."""
        if directory:
            self.files[directory] = DIRECTORY

    def add_unreadable(self, directory: str, error: Exception, reason: str) -> None:
        """Add a directory that can't be read, unless it is gone. Raises ``error`` for the root."""
        if not directory:  # else all files would look deleted
            raise error
        if not isinstance(error, _GONE):
            self.failed[directory] = reason

    def add_symlink(self, path: str, target: str | None, stat_data: StatData) -> None:
        """Add a symlink; ``target`` is None if it is not known."""
        file = symlink(path, target or "")
        if file is None:
            self.skipped[path] = "a symlink that leads out"
        else:
            self.files[path], self.stat_data[path] = file, stat_data

    def add_file(self, path: str, found: StatData, file: File, hashed_at_ns: int) -> None:
        """Add a file that was hashed at a time of its own machine's clock."""
        self.files[path] = file
        self.stat_data[path] = found
        if max(found.mtime_ns, found.ctime_ns) < hashed_at_ns - _RACY_NS:
            self.cached_hashes[path] = CachedHash(found, file.hash)


def cached_hash(cached_hashes: dict[str, CachedHash], path: str, found: StatData) -> str:
    """Return the cached hash of a file with unchanged stat data; empty if there is none."""
    cached = cached_hashes.get(path)
    return cached.hash if cached is not None and cached.stat_data == found else ""
