"""Metadata of one file or directory."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import NotFound, WireError

if TYPE_CHECKING:
    from shellwire.files.root import Place, Root


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory at the moment of the stat call."""

    path: bytes
    """Relative to the root; empty for the root."""
    name: bytes
    is_directory: bool
    is_symlink: bool
    size: int
    """Bytes; 0 for a directory."""
    mode: int
    """Permission bits (inode(7)), without the file type."""
    mtime_ns: int
    ctime_ns: int
    """Last change of content, mode, owner, name or links; no program can set it."""
    inode: int
    device: int
    target: bytes | None = None
    """A symlink's target text (readlink(2))."""

    @property
    def rank(self) -> tuple[bool, bytes, bytes]:
        """Sort key: directories first, then by name, ignoring case."""
        return not self.is_directory, self.name.lower(), self.name


def make_entry(
    path: bytes, name: bytes, found: os.stat_result, *, target: bytes | None = None
) -> Entry:
    """Return the entry for a stat(2) result, and a readlink(2) result if it is a symlink."""
    is_directory = stat.S_ISDIR(found.st_mode)
    return Entry(
        path=path,
        name=name,
        is_directory=is_directory,
        is_symlink=target is not None,
        size=0 if is_directory else found.st_size,
        mode=stat.S_IMODE(found.st_mode),
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        device=found.st_dev,
        target=target,
    )


def stat_entry(root: Root, path: bytes) -> Entry:
    """Return the entry at ``path``; for a symlink, the metadata of its target.

    A symlink whose target does not exist is described itself. Raises NotFound, PathEscape and
    similar errors.
    """
    with root.at(path, follow=False) as place:
        found = place.stat()
        if place.name == b".":
            name = os.path.basename(root.real) or b"/"
            return make_entry(b"", name, found)
        target = _target(place, found)
        if target is not None:
            with contextlib.suppress(NotFound):
                found = _followed(root, place.path)
        return make_entry(place.path, place.name, found, target=target)


def member_entry(root: Root, path: bytes, name: bytes, found: os.stat_result) -> Entry:
    """Return the entry of a directory member from its lstat(2) result ``found``.

    As ``stat_entry``, except that a symlink leading out of the root is described itself.
    """
    target = None
    if stat.S_ISLNK(found.st_mode):
        target = b""  # in case the symlink has been removed or replaced
        with contextlib.suppress(WireError), root.at(path, follow=False) as place:
            target = os.readlink(place.name, dir_fd=place.directory)
        with contextlib.suppress(WireError):
            found = _followed(root, path)
    return make_entry(path, name, found, target=target)


def _target(place: Place, found: os.stat_result) -> bytes | None:
    if not stat.S_ISLNK(found.st_mode):
        return None
    return os.readlink(place.name, dir_fd=place.directory)


def _followed(root: Root, path: bytes) -> os.stat_result:
    with root.at(path) as place:
        return place.stat()


def entry_at(place: Place) -> Entry:
    """Return the entry of what was just made or renamed at ``place``. Raises OSError."""
    found = place.stat()
    name = place.path.rpartition(b"/")[2]
    return make_entry(place.path, name, found, target=_target(place, found))
