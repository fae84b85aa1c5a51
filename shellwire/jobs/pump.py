"""Read a process's output into its buffer, no faster than the fastest viewer takes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.process.output_reader import Source

_READ = 64 * 1024

# One read of a terminal returns at most this (n_tty.c, N_TTY_BUF_SIZE less one), though more bytes
# may wait. After a shorter read nothing waits.
_PAGE = 4095


class Pump:
    """Reads sources and calls ``received(stream, data)``; owns the sources.

    Empty ``data`` is the end of that stream. ``closed()`` is called when no source is left. Before
    each read the pump calls ``budget()``, which returns how many bytes may be read now. At 0 it
    pauses until ``resume()``: the output stays in the kernel, and the process blocks when it writes
    more (backpressure).
    """

    def __init__(
        self,
        outputs: Mapping[str, Source],
        *,
        budget: Callable[[], int],
        received: Callable[[int, bytes], None],
        closed: Callable[[], None],
    ) -> None:
        self._open = {STREAMS.index(name): source for name, source in outputs.items()}
        self._budget = budget
        self._received = received
        self._closed: Callable[[], None] | None = closed
        self._paused = False
        self._listen()

    @property
    def is_open(self) -> bool:
        """Whether a source is open: some process can still write to it."""
        return bool(self._open)

    @property
    def paused(self) -> bool:
        """Whether the pump waits for budget."""
        return self._paused

    def _listen(self) -> None:
        for stream, source in self._open.items():
            source.listen(partial(self._readable, stream))

    def _pause(self) -> None:
        self._paused = True
        for source in self._open.values():
            source.ignore()

    def resume(self) -> None:
        """Continue reading if the budget allows it again."""
        if self._paused and self._budget() > 0:
            self._paused = False
            self._listen()

    def _readable(self, stream: int) -> None:
        left = _READ
        while left > 0 and stream in self._open:
            budget = min(self._budget(), left)
            if budget <= 0:
                self._pause()
                return
            taken = self._read(stream, budget)
            if taken < _PAGE:
                return
            left -= taken

    def _read(self, stream: int, count: int) -> int:
        """Read once. Return the number of bytes read: 0 at end-of-file or if none wait."""
        data = self._open[stream].read(count)
        if data is None:
            return 0
        if data:
            self._received(stream, data)
        else:
            self._close(stream)
        return len(data)

    def drain(self) -> None:
        """Read the bytes that are in the kernel now, without regard to the budget, and no more.

        When the leader's exit or report is known, all its output is in the kernel. A background
        process may continue to write for ever, so reading up to end-of-file might not end.
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
                self._received = _discard
                closed()

    def close(self) -> None:
        """Stop reading: a process that writes later gets SIGPIPE. Only after the job was ended."""
        for stream in list(self._open):
            self._close(stream)


def _discard(_stream: int, _data: bytes) -> None:
    """No-op callback. Replacing ``received`` breaks the reference cycle with its owner."""
