"""Read private files (0600), and replace them atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
import time
from typing import TYPE_CHECKING

from shellwire.errors import HomeError
from shellwire.home.ownership import check_owner

if TYPE_CHECKING:
    from pathlib import Path

_PRIVATE = 0o600

if sys.platform == "win32":
    # On Windows the directory, which is in the user's own profile, decides who may read a file.
    _READ = os.O_RDONLY | os.O_BINARY
    _CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_BINARY
else:
    # O_NONBLOCK: opening a FIFO in the file's place could block for ever.
    _READ = os.O_RDONLY | os.O_NONBLOCK
    _CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL

_REPLACE_TIMEOUT = 1.0
_RETRY = 0.01


def read_private(path: Path) -> bytes | None:
    """Return the content of ``path``, or None if it does not exist.

    A mode looser than 0600 is tightened first: release 0.1.4 left some files readable to others.
    Raises HomeError if the file can't be read, is not a regular file, or belongs to a user other
    than us and root.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HomeError(f"can't read {path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        mode = status.st_mode
        check_owner(path, status)
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
    if sys.platform == "win32":
        return
    try:
        os.fchmod(descriptor, _PRIVATE)
    except PermissionError as error:
        raise HomeError(f"can't use {path}: it belongs to another user") from error


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` atomically by a file with ``content``, 0600 from the moment it exists.

    A reader sees the old content or the new, also after a power cut: the new file is flushed to
    disk before it takes the name (rename(2) is atomic), and the directory before this returns. On
    failure the old file stays, no temporary file remains, and HomeError gives the reason.
    """
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_new(sibling, content)
            _replace(sibling, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                sibling.unlink()
            raise
        _flush_directory(path.parent)
    except OSError as error:
        raise HomeError(f"can't write {path}: {error.strerror}") from error


def _write_new(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, _CREATE, _PRIVATE), "wb") as file:
        if sys.platform != "win32":
            os.fchmod(file.fileno(), _PRIVATE)  # the umask may have taken bits away
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _replace(new: Path, old: Path) -> None:
    deadline = time.monotonic() + _REPLACE_TIMEOUT
    while True:
        try:
            os.replace(new, old)
        except PermissionError:
            # On Windows a file can't be replaced while another process reads it.
            if sys.platform != "win32" or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY)
        else:
            return


def _flush_directory(path: Path) -> None:
    if sys.platform == "win32":
        return  # Windows can't open a directory
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (FUSE, Android's shared storage) can't fsync a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
