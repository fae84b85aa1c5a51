"""Private files, replaced in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING

from shellwire.errors import HomeError

if TYPE_CHECKING:
    from pathlib import Path

_PRIVATE = 0o600


def read_private(path: Path) -> bytes | None:
    """Return the content of ``path``, or None if it does not exist.

    A mode looser than 0600 is tightened first: release 0.1.4 left some files readable to others.
    Raises HomeError if it can't be read, or is no regular file.
    """
    try:
        # O_NONBLOCK, lest a FIFO in its place holds us up for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HomeError(f"can't read {path}: {error.strerror}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise HomeError(f"can't read {path}: it is not a regular file")
        if mode & 0o077:
            _tighten(path, descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise HomeError(f"can't read {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _tighten(path: Path, descriptor: int) -> None:
    try:
        os.fchmod(descriptor, _PRIVATE)
    except PermissionError as error:
        raise HomeError(f"can't use {path}: it belongs to another user") from error


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` by a file with ``content``, 0600 from the moment it exists.

    A reader sees the old content or the new, also after a power cut: the new file is on disk
    before it takes the name (rename(2) is atomic), and the name before this returns. On failure
    the old file stays, nothing else is left behind, and HomeError says why.
    """
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_new(sibling, content)
            os.replace(sibling, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                sibling.unlink()
            raise
        _flush_directory(path.parent)
    except OSError as error:
        raise HomeError(f"can't write {path}: {error.strerror}") from error


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, _PRIVATE), "wb") as file:
        os.fchmod(file.fileno(), _PRIVATE)  # whatever the umask took away
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (FUSE, Android's shared storage) can't do it to a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
