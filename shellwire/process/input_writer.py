"""Write to a pipe or a terminal without blocking."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Protocol

_MAX_WRITE = 64 * 1024


class Sink(Protocol):
    """Our end of a process's input: an InputWriter or a ThreadWriter."""

    closed: bool

    @property
    def accepts(self) -> bool: ...

    @property
    def pending(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class InputWriter:
    """A write queue for a descriptor that the event loop watches.

    It owns the descriptor unless ``owned`` is False. Once the reader is gone (EPIPE, EIO) it
    closes, and drops the bytes that wait.
    """

    def __init__(self, fd: int, *, owned: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._owned = owned
        self._waiting = bytearray()
        self._ending = False
        self._listening = False
        self.closed = False
        """True once nothing more can be written."""
        if sys.platform != "win32":  # threads.ThreadWriter is used there
            os.set_blocking(fd, False)

    @property
    def accepts(self) -> bool:
        """Whether more can be written: neither closed nor finishing."""
        return not (self.closed or self._ending)

    @property
    def pending(self) -> int:
        """Bytes accepted and not yet written to the kernel."""
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        """Queue ``data``. Does nothing once closed, or after ``finish``."""
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
        """Drop the bytes that wait, and close at once."""
        if self.closed:
            return
        self.closed = True
        self._waiting.clear()
        self._ignore()
        if self._owned:
            os.close(self._fd)

    def _flush(self) -> None:
        try:
            while self._waiting:
                with memoryview(self._waiting)[:_MAX_WRITE] as view:
                    written = os.write(self._fd, view)
                del self._waiting[:written]
        except BlockingIOError:
            self._listening = True
            self._loop.add_writer(self._fd, self._flush)
        except OSError:
            self.close()
        else:
            self._ignore()
            if self._ending:
                self.close()

    def _ignore(self) -> None:
        if self._listening:
            self._listening = False
            self._loop.remove_writer(self._fd)
