"""Writing into a pipe or a terminal without ever waiting for its reader."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Protocol

_AT_ONCE = 64 * 1024


class Sink(Protocol):
    """Our end of what a process reads. See Feeder."""

    closed: bool

    @property
    def accepts(self) -> bool: ...

    @property
    def pending(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class Feeder:
    """Writes bytes to a descriptor in order, as fast as its reader takes them.

    It owns the descriptor unless ``owned`` is False. A reader that is gone (EPIPE, EIO) ends the
    feeding: what waits is dropped, for nobody can read it any more.
    """

    def __init__(self, fd: int, *, owned: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._owned = owned
        self._waiting = bytearray()
        self._ending = False
        self.closed = False
        """True when nothing more can be written."""
        if sys.platform != "win32":  # where threads.ThreadFeeder stands in for it
            os.set_blocking(fd, False)

    @property
    def accepts(self) -> bool:
        """Whether more can be written: neither closed nor about to be."""
        return not (self.closed or self._ending)

    @property
    def pending(self) -> int:
        """Bytes accepted and not yet taken by the kernel."""
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        """Take ``data``. Ignored once closed, or after ``finish``."""
        if not self.accepts or not data:
            return
        idle = not self._waiting
        self._waiting += data
        if idle:
            self._flush()

    def finish(self) -> None:
        """Close the descriptor once everything is written: the reader then sees end-of-file."""
        self._ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Drop what waits and close at once."""
        if self.closed:
            return
        self.closed = True
        self._waiting.clear()
        self._loop.remove_writer(self._fd)
        if self._owned:
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def _flush(self) -> None:
        try:
            while self._waiting:
                with memoryview(self._waiting)[:_AT_ONCE] as view:
                    written = os.write(self._fd, view)
                del self._waiting[:written]
        except BlockingIOError:
            self._loop.add_writer(self._fd, self._flush)
        except OSError:
            self.close()
        else:
            self._loop.remove_writer(self._fd)
            if self._ending:
                self.close()
