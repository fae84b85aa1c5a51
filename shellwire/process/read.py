"""Reading from a pipe or a terminal, when there is something and somebody has room for it."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Protocol

if sys.platform != "win32":
    import fcntl
    import termios

if TYPE_CHECKING:
    from collections.abc import Callable

# The kernel buffers about 64 KiB between the two sides of a terminal (tty_buffer.c); FIONREAD tells
# of the first of those buffers only.
_TERMINAL_HOLDS = 128 * 1024


class Source(Protocol):
    """Our end of what a process writes to."""

    def listen(self, ready: Callable[[], None]) -> None:
        """Call ``ready()`` from the loop, again and again, while there is something to read."""
        ...

    def ignore(self) -> None:
        """Call nobody until ``listen`` is called again."""
        ...

    def read(self, count: int) -> bytes | None:
        """Return at most ``count`` bytes, none at the end, None when there is nothing yet."""
        ...

    def waiting(self) -> int:
        """Return how many bytes can be read at once, and one more to see the end."""
        ...

    def close(self) -> None:
        """Read no more. Who still writes gets SIGPIPE or SIGHUP."""
        ...


class Reader:
    """A descriptor that the running event loop watches. It owns it; ``close`` closes it."""

    def __init__(self, fd: int, close: Callable[[int], None] = os.close) -> None:
        self._fd = fd
        self._close = close
        self._loop = asyncio.get_running_loop()
        if sys.platform != "win32":  # where threads.ThreadReader stands in for it
            os.set_blocking(fd, False)

    def listen(self, ready: Callable[[], None]) -> None:
        self._loop.add_reader(self._fd, ready)

    def ignore(self) -> None:
        self._loop.remove_reader(self._fd)

    def read(self, count: int) -> bytes | None:
        try:
            return os.read(self._fd, count)
        except BlockingIOError:
            return None
        except OSError:
            # EIO: no process holds the terminal's slave any more.
            return b""

    def waiting(self) -> int:
        if os.isatty(self._fd):
            return _TERMINAL_HOLDS
        count = array.array("i", [0])
        if sys.platform != "win32":
            fcntl.ioctl(self._fd, termios.FIONREAD, count)  # ioctl_tty(2), pipe(7)
        return count[0] + 1

    def close(self) -> None:
        self.ignore()
        with contextlib.suppress(OSError):
            self._close(self._fd)
