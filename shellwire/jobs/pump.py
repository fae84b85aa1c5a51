"""Reading a process's output into its buffer, no faster than the fastest reader takes it."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import termios
from typing import TYPE_CHECKING, Protocol

from shellwire.jobs.buffer import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_READ = 64 * 1024

# The kernel buffers about 64 KiB between the two sides of a terminal (tty_buffer.c); FIONREAD tells
# of the first of those buffers only.
_TERMINAL_HOLDS = 128 * 1024


class Room(Protocol):
    """Says how many bytes may be read now."""

    def __call__(self) -> int: ...


def _to_drain(fd: int) -> int:
    """Return how many bytes can be read from ``fd`` at once (FIONREAD, ioctl_tty(2), pipe(7)).

    And one more, to see the end of what nobody holds any longer.
    """
    if os.isatty(fd):
        return _TERMINAL_HOLDS
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0] + 1


class Pump:
    """Reads descriptors, calls ``received(stream, data)``, and ``closed()`` when none is left.

    No ``data`` is the end of that stream. It owns the descriptors. Before each read it asks
    ``room()``; at 0 it pauses until ``resume()``, and what the process writes stays in the kernel,
    which blocks it (backpressure).
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        *,
        room: Room,
        received: Callable[[int, bytes], None],
        closed: Callable[[], None],
        close: Callable[[int], None] = os.close,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = {STREAMS.index(name): fd for name, fd in outputs.items()}
        self._room = room
        self._received = received
        self._closed = closed
        self._close_fd = close
        self._paused = False
        self._listen()

    @property
    def is_open(self) -> bool:
        """Whether some process still holds a descriptor that we read."""
        return bool(self._open)

    @property
    def paused(self) -> bool:
        """Whether it waits for room."""
        return self._paused

    def _listen(self) -> None:
        for stream, fd in self._open.items():
            self._loop.add_reader(fd, self._readable, stream)

    def _pause(self) -> None:
        self._paused = True
        for fd in self._open.values():
            self._loop.remove_reader(fd)

    def resume(self) -> None:
        """Read on if there is room again."""
        if self._paused and self._room() > 0:
            self._paused = False
            self._listen()

    def _readable(self, stream: int) -> None:
        room = min(self._room(), _READ)
        if room <= 0:
            self._pause()
        elif stream in self._open:
            self._read(stream, room)

    def _read(self, stream: int, count: int) -> int:
        """Read once. Returns how many bytes came: 0 at end-of-file or when none wait."""
        try:
            data = os.read(self._open[stream], count)
        except BlockingIOError:
            return 0
        except OSError:
            # EIO: no process holds the terminal's slave any more.
            data = b""
        if data:
            self._received(stream, data)
        else:
            self._close(stream)
        return len(data)

    def waiting(self) -> int:
        """Return how many bytes ``drain`` would take at most."""
        return sum(map(_to_drain, self._open.values()))

    def drain(self) -> None:
        """Read what is in the kernel now, whatever the room, and no more than that.

        What the leader wrote stands there in full when its exit is known; a process in the
        background may go on writing for ever.
        """
        for stream, fd in list(self._open.items()):
            left = _to_drain(fd) if self._read(stream, _READ) else 0
            while left > 0 and stream in self._open:
                taken = self._read(stream, min(left, _READ))
                if not taken:
                    break
                left -= taken

    def _close(self, stream: int) -> None:
        fd = self._open.pop(stream)
        self._loop.remove_reader(fd)
        with contextlib.suppress(OSError):
            self._close_fd(fd)
        self._received(stream, b"")
        if not self._open:
            self._closed()

    def close(self) -> None:
        """Stop reading. A process that still writes gets SIGPIPE: only for what was ended."""
        for stream in list(self._open):
            self._close(stream)
