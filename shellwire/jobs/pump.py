"""Reading a process's output into its buffer, no faster than the fastest reader takes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from shellwire.jobs.buffer import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.process.output_reader import Source

_READ = 64 * 1024

# A terminal gives so much at a time (n_tty.c, N_TTY_BUF_SIZE less one), though more may be there;
# after less than that no more is.
_PAGE = 4095


class Room(Protocol):
    """Says how many bytes may be read now."""

    def __call__(self) -> int: ...


class Pump:
    """Reads sources, calls ``received(stream, data)``, and ``closed()`` when none is left.

    No ``data`` is the end of that stream. It owns the sources. Before each read it asks
    ``room()``; at 0 it pauses until ``resume()``, and what the process writes stays in the kernel,
    which blocks it (backpressure).
    """

    def __init__(
        self,
        outputs: Mapping[str, Source],
        *,
        room: Room,
        received: Callable[[int, bytes], None],
        closed: Callable[[], None],
    ) -> None:
        self._open = {STREAMS.index(name): source for name, source in outputs.items()}
        self._room = room
        self._received = received
        self._closed: Callable[[], None] | None = closed
        self._paused = False
        self._listen()

    @property
    def is_open(self) -> bool:
        """Whether some process still holds what we read."""
        return bool(self._open)

    @property
    def paused(self) -> bool:
        """Whether it waits for room."""
        return self._paused

    def _listen(self) -> None:
        for stream, source in self._open.items():
            source.listen(partial(self._readable, stream))

    def _pause(self) -> None:
        self._paused = True
        for source in self._open.values():
            source.ignore()

    def resume(self) -> None:
        """Read on if there is room again."""
        if self._paused and self._room() > 0:
            self._paused = False
            self._listen()

    def _readable(self, stream: int) -> None:
        left = _READ
        while left > 0 and stream in self._open:
            room = min(self._room(), left)
            if room <= 0:
                self._pause()
                return
            taken = self._read(stream, room)
            if taken < _PAGE:
                return
            left -= taken

    def _read(self, stream: int, count: int) -> int:
        """Read once. Returns how many bytes came: 0 at end-of-file or when none wait."""
        data = self._open[stream].read(count)
        if data is None:
            return 0
        if data:
            self._received(stream, data)
        else:
            self._close(stream)
        return len(data)

    def waiting(self) -> int:
        """Return how many bytes ``drain`` would take at most."""
        return sum(source.waiting() for source in self._open.values())

    def drain(self) -> None:
        """Read what is in the kernel now, whatever the room, and no more than that.

        What the leader wrote stands there in full when its exit is known; a process in the
        background may go on writing for ever.
        """
        for stream, source in list(self._open.items()):
            left = source.waiting() if self._read(stream, _READ) else 0
            while left > 0 and stream in self._open:
                taken = self._read(stream, min(left, _READ))
                if not taken:
                    break
                left -= taken

    def _close(self, stream: int) -> None:
        self._open.pop(stream).close()
        try:
            self._received(stream, b"")
        finally:
            if not self._open and self._closed is not None:
                closed, self._closed = self._closed, None
                self._received = _nowhere
                closed()

    def close(self) -> None:
        """Stop reading. A process that still writes gets SIGPIPE: only for what was ended."""
        for stream in list(self._open):
            self._close(stream)


def _nowhere(_stream: int, _data: bytes) -> None:
    """Stands for who knows the pump as it knows him, when nothing can come any more."""
