"""Read a process's output from a pipe or a terminal without blocking."""

from __future__ import annotations

import array
import os
import sys
from typing import TYPE_CHECKING, Protocol

if sys.platform != "win32":
    import fcntl
    import termios

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.poller import Poller

# The kernel buffers about 64 KiB between the two sides of a terminal (tty_buffer.c); FIONREAD
# counts the first of its buffers only.
_TERMINAL_HOLDS = 128 * 1024


class Source(Protocol):
    """Our end of a process's output: a Reader or a ThreadReader."""

    def listen(self, ready: Callable[[], None]) -> None:
        """Call ``ready()`` from the loop whenever there is something to read."""
        ...

    def ignore(self) -> None:
        """Stop calling ``ready()`` until ``listen`` is called again."""
        ...

    def read(self, count: int) -> bytes | None:
        """Return up to ``count`` bytes, ``b""`` at the end, None if nothing can be read yet."""
        ...

    def waiting(self) -> int:
        """Return the number of bytes that can be read now, plus one to see the end."""
        ...

    def close(self) -> None:
        """Stop reading. A process that still writes gets SIGPIPE or SIGHUP."""
        ...


class Reader:
    """A Source that reads a descriptor when ``poller`` reports it; it owns the descriptor."""

    def __init__(self, fd: int, poller: Poller, close: Callable[[int], None] = os.close) -> None:
        self._fd = fd
        self._close = close
        self._poller = poller
        if sys.platform != "win32":  # threads.ThreadReader is used there
            os.set_blocking(fd, False)

    def listen(self, ready: Callable[[], None]) -> None:
        self._poller.watch(self._fd, ready)

    def ignore(self) -> None:
        self._poller.forget(self._fd)

    def read(self, count: int) -> bytes | None:
        try:
            return os.read(self._fd, count)
        except BlockingIOError:
            return None
        except OSError:
            # EIO: no process has the terminal's slave open any more.
            return b""

    def waiting(self) -> int:
        if os.isatty(self._fd):
            return _TERMINAL_HOLDS
        count = array.array("i", [0])
        if sys.platform != "win32":
            fcntl.ioctl(self._fd, termios.FIONREAD, count)  # ioctl_tty(2), pipe(7)
        return count[0] + 1

    def close(self) -> None:
        self._poller.forget(self._fd)
        self._close(self._fd)
