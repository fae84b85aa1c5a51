"""Opening regular files only, and reading a piece of one."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import InvalidArgument, NotFile
from shellwire.files.hashes import MAX_QUICK_HASH, version
from shellwire.files.problems import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.files.hashes import Hashes
    from shellwire.files.root import Place, Root

MAX_LENGTH = 768 * 1024
"""Largest read, in bytes."""

_SAMPLE = 8192

# If another file type is there by the time of the open, it must neither block us nor become our
# controlling terminal.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of a file."""

    path: bytes
    offset: int
    data: bytes
    size: int
    """Size of the whole file in bytes."""
    mtime_ns: int
    hash: str
    """SHA-256 of the whole file in hexadecimal if the piece reaches its end; else empty."""
    is_binary: bool
    """Whether the file has a NUL among its first bytes."""

    @property
    def end(self) -> int:
        """Offset just after the piece."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of a read."""

    content: Content
    descriptor: int | None = None
    """The open file, if its hash is wanted but takes long; the receiver closes it."""


@contextlib.contextmanager
def opened(place: Place) -> Iterator[int]:
    """Open the regular file at ``place`` for reading. Raises NotFile or OSError.

    Other file types are never opened: opening a device may have effects (a tape rewinds).
    """
    if not stat.S_ISREG(place.stat().st_mode):
        raise _not_a_file(place)
    descriptor = os.open(place.name, _FLAGS, dir_fd=place.directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_a_file(place)
        yield descriptor
    finally:
        os.close(descriptor)


def _not_a_file(place: Place) -> NotFile:
    return NotFile(f"{shown(place.path) or 'the root'}: not a regular file")


def read(
    root: Root, path: bytes, offset: int, length: int, hashes: Hashes, *, hashed: bool = True
) -> ReadResult:
    """Return up to ``length`` bytes from ``offset``; ``length`` is 1 to ``MAX_LENGTH``.

    At the end of the file the result has its hash if ``hashed``, or the descriptor to hash if the
    file is large. Raises NotFile, InvalidArgument, and the errors of ``Root.at``.
    """
    if offset < 0 or offset >= 2**63:
        raise InvalidArgument(f"offset: expected a number of bytes, got {offset}")
    with root.at(path) as place, opened(place) as descriptor:
        data = _read_at(descriptor, offset, max(1, min(length, MAX_LENGTH)))
        found = os.fstat(descriptor)
        # Files in /proc report size 0.
        size = max(found.st_size, offset + len(data) if data else 0)
        at_end = offset + len(data) >= size
        hash_now = hash_later = False
        if at_end and hashed:
            known = hashes.known(version(found)) is not None
            hash_now = known or found.st_size <= MAX_QUICK_HASH
            hash_later = not hash_now
        content = Content(
            path=place.path,
            offset=offset,
            data=data,
            size=size,
            mtime_ns=found.st_mtime_ns,
            hash=hashes.of(descriptor) if hash_now else "",
            is_binary=b"\0" in os.pread(descriptor, _SAMPLE, 0),
        )
        return ReadResult(content, os.dup(descriptor) if hash_later else None)


def _read_at(descriptor: int, offset: int, length: int) -> bytes:
    pieces = []
    while length and (piece := os.pread(descriptor, length, offset)):
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)
