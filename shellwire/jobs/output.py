"""A job's output between the process and its viewers: limits and backpressure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shellwire.jobs.best_effort import best_effort
from shellwire.jobs.buffer import STDERR, STDOUT, Buffer, Piece
from shellwire.jobs.collect import Collector
from shellwire.jobs.cursor import Cursor
from shellwire.jobs.model import Collected

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.model import Request
    from shellwire.jobs.pump import Pump
    from shellwire.jobs.viewer import Viewer

WINDOW = 1024 * 1024
"""A viewer's default window: bytes it may be behind before the process is no longer read."""


class Output:
    """A job's output, its viewers, and how much more may be read from the process.

    ``exceeded()`` is called when the process has written more than ``request`` allows.
    """

    def __init__(self, request: Request, capacity: int, exceeded: Callable[[], None]) -> None:
        self.buffer = Buffer(capacity)
        self.viewers: list[Viewer] = []
        self.pump: Pump | None = None
        """Reads the process; None until it has started and after it has ended."""
        self.active_at = time.monotonic()
        """When the process last wrote, by the monotonic clock."""
        self._capacity = capacity
        self._window = min(WINDOW, capacity)
        self._limit = request.max_output_bytes
        self._exceeded: Callable[[], None] | None = exceeded
        self._received_bytes = 0
        self._finished = False
        self._grows = False
        self._is_discarding = False
        self._forgotten = False
        self._collectors: tuple[Collector, Collector] | None = None
        self._cursor = Cursor(self.buffer, 0, text=not request.binary)
        self._encoding = "latin-1" if request.binary else "utf-8"
        if request.collect_chars is not None:
            self._collectors = (Collector(request.collect_chars), Collector(request.collect_chars))

    def window(self, asked: int | None) -> int:
        """Return a viewer's window in bytes: as ``asked``, at most the buffer's capacity."""
        return self._window if asked is None else min(asked, self._capacity)

    def read_budget(self) -> int:
        """Return how many bytes may be read from the process now.

        The fastest viewer sets the budget. There is no backpressure without a viewer, for collected
        output, after the leader's end and past the output limit: the buffer then keeps the newest
        output, and output past the limit is dropped.
        """
        if self._finished or (self._limit and self._received_bytes >= self._limit):
            return self._window
        fastest = None
        for viewer in self.viewers if self._collectors is None else ():
            if not (viewer.silent or viewer.passive):
                fastest = max(fastest or 0, viewer.max_offset)
        return self._window if fastest is None else fastest - self.buffer.end

    def received(self, stream: int, data: bytes) -> None:
        """Store bytes that were read from ``stream``; empty ``data`` is the end of the stream."""
        if data:
            self.active_at = time.monotonic()
        if self._is_discarding:
            return
        if not data:
            if not self.buffer.finish(stream, background=self._finished):
                return
        elif self._finished:
            self.buffer.append(stream, data, background=True)
        else:
            self._take(stream, data)
        self._collect()
        self.wake()

    def _take(self, stream: int, data: bytes) -> None:
        if self._limit and self._received_bytes + len(data) > self._limit:
            data = data[: self._limit - self._received_bytes]
            if self._exceeded is not None:
                self._exceeded()
        self._received_bytes += len(data)
        if self._grows:
            self.buffer.grow(len(data))
        self.buffer.append(stream, data)

    def _collect(self) -> None:
        while self._collectors is not None:
            event = self._cursor.take(WINDOW)
            if not isinstance(event, Piece):
                return
            text = event.data.decode(self._encoding, "replace")
            self._collectors[event.stream == "stderr"].add(text)

    def wake(self) -> None:
        """Notify every viewer that there may be something new."""
        for viewer in list(self.viewers):
            # One viewer's exception must not affect the others, nor keep the job from ending.
            best_effort("a viewer could not be notified", viewer.wake)

    def join(self, viewer: Viewer) -> None:
        """Add a viewer."""
        self.viewers.append(viewer)
        self.resume_reading()

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer."""
        self.viewers.remove(viewer)
        viewer.wake = no_op
        self._release()
        self.resume_reading()

    def forget(self) -> None:
        """Free the buffer once the last viewer leaves; no new viewer can join."""
        self._forgotten = True
        self._release()

    def _release(self) -> None:
        # Not left to the garbage collector: it may run late, and the buffer may hold megabytes.
        if self._forgotten and not self.viewers:
            self.buffer.clear()

    def resume_reading(self) -> None:
        """Continue reading from the process if a viewer has taken output or left."""
        if self.pump is not None and self.pump.paused:
            self.pump.resume()

    def finish(self) -> None:
        """Record that the leader writes no more. Later output is background output."""
        for stream in (STDOUT, STDERR):
            self.buffer.finish(stream)
        self._finished = True

    def drain(self) -> None:
        """Read what the leader has written and is in the kernel now; it writes no more."""
        best_effort("the last output could not be read", self._drain)

    def _drain(self) -> None:
        if self.pump is not None:
            # Viewers may be a whole window behind; the bytes in the kernel come on top.
            is_read = not all(viewer.silent or viewer.passive for viewer in self.viewers)
            self._grows = is_read or self._collectors is not None
            self.pump.drain()
            self._grows = False

    def collected(self) -> Collected | None:
        """Return the collected output; None if none was requested. Once only."""
        if self._collectors is None:
            return None
        self._collect()
        (stdout, cut), (stderr, cut_too) = (each.finish() for each in self._collectors)
        self._collectors = None
        return Collected(stdout, stderr, truncated=cut or cut_too)

    def detach(self) -> None:
        """Drop the references to the job and its process; both have ended."""
        self.pump = self._exceeded = None

    def discard_output(self) -> None:
        """Drop later output. It is still read, so that no writer blocks or gets SIGPIPE."""
        for stream in (STDOUT, STDERR):
            self.buffer.finish(stream, background=True)
        self._is_discarding = True


def no_op() -> None:
    """No-op callback. Replacing a viewer's ``wake`` breaks the reference cycle with its owner."""
