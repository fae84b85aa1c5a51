"""What is told about one file or directory."""

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
    """A file or a directory, at the moment when somebody looked."""

    path: bytes
    """From the root; empty for the root."""
    name: bytes
    is_directory: bool
    is_symlink: bool
    size: int
    """Bytes; 0 for a directory."""
    mode: int
    """The permissions (inode(7)), without the kind."""
    mtime_ns: int
    ctime_ns: int
    """When content, mode, owner, name or links changed last; no program can set it."""
    inode: int
    device: int
    target: bytes | None = None
    """What a symlink says (readlink(2))."""

    @property
    def rank(self) -> tuple[bool, bytes, bytes]:
        """Directories first, then by name, upper and lower case together."""
        return not self.is_directory, self.name.lower(), self.name


def make_entry(
    path: bytes, name: bytes, found: os.stat_result, *, target: bytes | None = None
) -> Entry:
    """Return the entry for what stat(2) says, and readlink(2) if it is a symlink."""
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
    """Return the entry at ``path``, told of what a symlink within the root leads to.

    A symlink that leads to nothing is told of as what it is. Raises NotFound, PathEscape and the
    like.
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
    """Return the entry of a directory's member, of which lstat(2) says ``found``.

    As ``look``, but a symlink that leads out of the root is told of as what it is.
    """
    target = None
    if stat.S_ISLNK(found.st_mode):
        target = b""  # it may be gone by now, or none any more
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
    """Return the entry of what has just been made or renamed there. Raises OSError."""
    found = place.stat()
    name = place.path.rpartition(b"/")[2]
    return make_entry(place.path, name, found, target=_target(place, found))
