"""What calls about files return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or directory on the daemon's machine.

    For a symlink, everything but its name is that of its target.
    """

    name: str
    path: str
    """Absolute."""

    is_directory: bool
    is_symlink: bool
    size: int
    """Bytes; 0 for a directory."""

    mode: int
    """Permission bits, as chmod(2) takes them."""

    mtime: float
    """Seconds since 1970."""

    target: str | None = None
    """A symlink's target text, as readlink(1) prints it."""

    ctime: float | None = None
    """Time of the last change of any kind, seconds since 1970; None if the daemon does not send
    it."""

    inode: int | None = None
    """Inode number; None if the daemon does not send it."""

    device: int | None = None
    """Number of the device that holds the file; None if the daemon does not send it."""


class Match(NamedTuple):
    """A match in one line of a file. ``start`` and ``end`` count characters of ``line``."""

    path: str
    line_number: int
    line: str
    start: int
    end: int


class Found(NamedTuple):
    """The matches of a search; ``truncated`` means there may be more."""

    matches: tuple[Match, ...]
    truncated: bool
