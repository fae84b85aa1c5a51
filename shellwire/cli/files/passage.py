"""What is no regular file here, and yet a copy can be written to: stdout, a pipe, a terminal."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING

from shellwire.errors import Conflict

if TYPE_CHECKING:
    from types import TracebackType

_OURS = re.compile(r"/dev/(?:fd/(\d+)|std(?:(out)|(err)))|/proc/self/fd/(\d+)")


class Passage:
    """It takes bytes, once; nothing can be read from it, nor taken back. Use it in a ``with``."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path
        self._written = 0

    def __enter__(self) -> Passage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def read(self, _size: int) -> bytes:
        """Return nothing: there is nothing that an earlier attempt has left."""
        return b""

    def seek(self, _offset: int) -> int:
        """Stay where it is."""
        return self._written

    def truncate(self) -> int:
        """Raise Conflict if something was written: the file has another content now."""
        if self._written:
            raise Conflict(f"{self._path}: the file changed after a part of it was written")
        return 0

    def write(self, data: bytes) -> int:
        """Write all of ``data``. Raises OSError."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._written += len(data)
        return len(data)


def passage_to(path: str) -> Passage | None:
    """Return what takes a copy to a path that names no regular file; None if that is no such one.

    A pipe is waited for until somebody reads it. Raises OSError.
    """
    ours = _OURS.fullmatch(path)
    if ours is not None:
        # Not opened by its name: a file that stdout was redirected to is written to where it is.
        number = ours[1] or ours[4] or ("1" if ours[2] else "2")
        try:
            return Passage(os.dup(int(number)), path)
        except (OSError, OverflowError) as error:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), path) from error
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return Passage(os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), path)
