"""A job's output on its way from the process to its readers: its bounds and its backpressure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shellwire.jobs.attempt import attempt
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
"""Bytes that a reader may be behind, unless it says, before reading from the process stops."""


class Output:
    """What a job has written, who reads it, and how much more may be read from the process.

    ``exceeded()`` is called when the process has written more than ``request`` allows.
    """

    def __init__(self, request: Request, capacity: int, exceeded: Callable[[], None]) -> None:
        self.buffer = Buffer(capacity)
        self.viewers: list[Viewer] = []
        self.pump: Pump | None = None
        """What reads the process, once there is one."""
        self.active_at = time.monotonic()
        """When something came from the process last."""
        self._capacity = capacity
        self._window = min(WINDOW, capacity)
        self._limit = request.max_output_bytes
        self._exceeded: Callable[[], None] | None = exceeded
        self._received_bytes = 0
        self._finished = False
        self._is_discarding = False
        self._forgotten = False
        self._collectors: tuple[Collector, Collector] | None = None
        self._cursor = Cursor(self.buffer, 0, text=not request.binary)
        self._encoding = "latin-1" if request.binary else "utf-8"
        if request.collect_chars is not None:
            self._collectors = (Collector(request.collect_chars), Collector(request.collect_chars))

    def window(self, asked: int | None) -> int:
        """Return how far behind a reader may be that asks for so much: at most a buffer."""
        return self._window if asked is None else min(asked, self._capacity)

    def room(self) -> int:
        """Return how many bytes may be read from the process now: the fastest reader governs.

        Once it is over or past its limit nothing holds it up: what comes is kept as far as the
        buffer goes, or dropped. So it is without a reader.
        """
        if self._finished or (self._limit and self._received_bytes >= self._limit):
            return self._window
        reading = self._reading()
        if self._collectors is not None or not reading:
            return self._window
        return max(viewer.reach for viewer in reading) - self.buffer.end

    def _reading(self) -> list[Viewer]:
        return [viewer for viewer in self.viewers if not viewer.silent]

    def received(self, stream: int, data: bytes) -> None:
        """Take what was read from ``stream``; no bytes are its end."""
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
        self.buffer.append(stream, data)

    def _collect(self) -> None:
        while self._collectors is not None:
            event = self._cursor.take(WINDOW)
            if not isinstance(event, Piece):
                return
            text = event.data.decode(self._encoding, "replace")
            self._collectors[event.stream == "stderr"].add(text)

    def wake(self) -> None:
        """Tell the readers that there may be more for them."""
        for viewer in list(self.viewers):
            # A fault of one of them is not to keep it from the others, nor the job from its end.
            attempt("a reader could not be told", viewer.wake)

    def join(self, viewer: Viewer) -> None:
        """Go on with this reader too."""
        self.viewers.append(viewer)
        self.advanced()

    def leave(self, viewer: Viewer) -> None:
        """Go on without this reader."""
        self.viewers.remove(viewer)
        viewer.wake = nobody
        self._release()
        self.advanced()

    def forget(self) -> None:
        """Let go of what is kept when its last reader has left: nobody else will come."""
        self._forgotten = True
        self._release()

    def _release(self) -> None:
        # Not left to the garbage collector: it may take its time, and this may be megabytes.
        if self._forgotten and not self.viewers:
            self.buffer.clear()

    def advanced(self) -> None:
        """A reader has taken something, or left: read on if that made room."""
        if self.pump is not None and self.pump.paused:
            self.pump.resume()

    def finish(self) -> None:
        """Take what the leader has written up to its end. What comes later is background."""
        attempt("the last output could not be read", self._drain)
        for stream in (STDOUT, STDERR):
            self.buffer.finish(stream)
        self._finished = True

    def _drain(self) -> None:
        if self.pump is not None:
            if self._reading() or self._collectors is not None:
                # They may be a whole window behind, and what is in the kernel comes on top.
                self.buffer.grow(self.pump.waiting())
            self.pump.drain()

    def collected(self) -> Collected | None:
        """Return what was to be collected, if anything was. Once only."""
        if self._collectors is None:
            return None
        self._collect()
        (stdout, cut), (stderr, cut_too) = (each.finish() for each in self._collectors)
        self._collectors = None
        return Collected(stdout, stderr, truncated=cut or cut_too)

    def let_go(self) -> None:
        """Know the job and its process no longer: both are over."""
        self.pump = self._exceeded = None

    def discard_output(self) -> None:
        """Drop what comes from now on. It is still read, so nobody is blocked or gets SIGPIPE."""
        for stream in (STDOUT, STDERR):
            self.buffer.finish(stream, background=True)
        self._is_discarding = True


def nobody() -> None:
    """Stands for whom there is no more to tell: he is not kept by who would have told him."""
