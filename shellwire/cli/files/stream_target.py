"""Copy targets that are no regular files: stdout, pipes, devices."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING

from shellwire.errors import Conflict

if TYPE_CHECKING:
    from types import TracebackType

_OWN_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|std(?:(out)|(err)))|/proc/self/fd/(\d+)")


class StreamTarget:
    """A write-only file object for ``download_into``; what is written stays. A context manager."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path
        self._written = 0

    def __enter__(self) -> StreamTarget:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def read(self, _size: int) -> bytes:
        """Return nothing: a stream has no content of an earlier attempt to resume."""
        return b""

    def seek(self, _offset: int) -> int:
        """Ignore the offset; return the position."""
        return self._written

    def truncate(self) -> int:
        """Raise Conflict if something was written: the source file has changed since."""
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


def open_stream_target(path: str) -> StreamTarget | None:
    """Open a path that names a stream; return None if it names a file, a directory or nothing.

    Opening a FIFO waits for its reader. Raises OSError.
    """
    own = _OWN_DESCRIPTOR.fullmatch(path)
    if own is not None:
        # Duplicated, not opened by name: a file that stdout is redirected to keeps its position.
        number = own[1] or own[4] or ("1" if own[2] else "2")
        try:
            return StreamTarget(os.dup(int(number)), path)
        except (OSError, OverflowError) as error:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), path) from error
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return StreamTarget(os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), path)
