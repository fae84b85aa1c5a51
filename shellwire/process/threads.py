"""Read and write pipes by threads, where the event loop can't watch them (Windows).

A thread that blocks in read(2) or write(2) can't be interrupted. So it keeps its descriptor until
the other side closes the pipe, and closes the descriptor itself. The threads are daemon threads:
none delays the end of the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 64 * 1024


class ThreadReader:
    """A Source that a thread reads, one chunk ahead.

    It owns ``reading``, and ``writing``, which the process has open too. When the process has
    ended, ``finish`` writes a mark: all bytes before the mark are the process's output.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading = reading
        self._writing = writing
        self._mark = b""
        self._marked = threading.Event()
        self._wanted = threading.Event()
        self._wanted.set()
        self._finishing = False
        self._closed = False
        self._chunks: deque[bytes] = deque()
        self._at_end = False
        self._ready: Callable[[], None] | None = None
        self._calling = False
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    # For the loop --------------------------------------------------------------------------------

    def listen(self, ready: Callable[[], None]) -> None:
        """Call ``ready()`` from the loop whenever there is something to read."""
        self._ready = ready
        self._notify()

    def ignore(self) -> None:
        """Stop calling ``ready()`` until ``listen`` is called again."""
        self._ready = None

    def read(self, count: int) -> bytes | None:
        """Return up to ``count`` bytes, ``b""`` at the end, None if nothing can be read yet."""
        if not self._chunks:
            return b"" if self._at_end else None
        chunk = self._chunks.popleft()
        if len(chunk) > count:
            self._chunks.appendleft(chunk[count:])
        elif not self._chunks:
            self._wanted.set()
        return chunk[:count]

    def waiting(self) -> int:
        """Return the number of bytes that can be read now, plus one to see the end."""
        return sum(map(len, self._chunks)) + 1

    def close(self) -> None:
        """Hand out no more output. The thread still reads and drops it, so no writer blocks."""
        self._closed = True
        self._ready = None
        self._chunks.clear()
        self._wanted.set()

    def _notify(self) -> None:
        if self._ready is not None and not self._calling and (self._chunks or self._at_end):
            self._calling = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        self._calling = False
        if self._ready is not None and (self._chunks or self._at_end):
            self._ready()
        self._notify()

    def _receive(self, data: bytes) -> None:
        if not self._closed:
            if data:
                self._chunks.append(data)
            else:
                self._at_end = True
            self._notify()

    # For other threads ---------------------------------------------------------------------------

    def finish(self) -> None:
        """Return once all output of the process, which has ended, has been read."""
        self._mark = secrets.token_bytes(16)
        self._finishing = True
        self._wanted.set()
        with contextlib.suppress(OSError):
            os.write(self._writing, self._mark)
        os.close(self._writing)
        self._marked.wait()

    def _run(self) -> None:
        held = b""
        try:
            while data := self._next():
                held = self._split_at_mark(held + data)
            self._post(held)
            self._loop.call_soon_threadsafe(self._receive, b"")
        except RuntimeError:
            pass  # the loop is closed
        finally:
            self._marked.set()
            os.close(self._reading)

    def _next(self) -> bytes:
        if not (self._finishing or self._closed):
            self._wanted.wait()
        try:
            data = os.read(self._reading, _CHUNK)
        except OSError:
            return b""
        self._wanted.clear()
        return data

    def _split_at_mark(self, data: bytes) -> bytes:
        """Pass on the bytes before and after the mark; return a tail that may begin the mark."""
        mark = self._mark
        if not mark or self._marked.is_set():
            self._post(data)
            return b""
        before, found, after = data.partition(mark)
        if not found:
            self._post(data[: 1 - len(mark)])
            return data[1 - len(mark) :]
        self._post(before)
        self._finishing = False
        self._wanted.set()  # if no bytes were passed on, no read() would set it
        self._marked.set()
        self._post(after)
        return b""

    def _post(self, data: bytes) -> None:
        if data:
            self._loop.call_soon_threadsafe(self._receive, data)


class ThreadWriter:
    """A Sink that a thread writes; it owns the descriptor.

    Once the reader is gone it closes, and drops the bytes that wait.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._accepted = 0
        self._written = 0
        self._ending = False
        self.closed = False
        """True once nothing more can be written."""
        threading.Thread(target=self._run, name="writer", daemon=True).start()

    @property
    def accepts(self) -> bool:
        """Whether more can be written: neither closed nor finishing."""
        return not (self.closed or self._ending)

    @property
    def pending(self) -> int:
        """Bytes accepted and not yet written to the kernel."""
        return 0 if self.closed else self._accepted - self._written

    def write(self, data: bytes) -> None:
        """Queue ``data``. Does nothing once closed, or after ``finish``."""
        if self.accepts and data:
            self._accepted += len(data)
            self._queue.put(data)

    def finish(self) -> None:
        """Close the descriptor once everything is written: the reader then sees end-of-file."""
        self._ending = True
        self._queue.put(None)

    def close(self) -> None:
        """Drop the bytes that wait, and close once no write is under way."""
        self.closed = True
        self._queue.put(None)

    def _run(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                while data and not self.closed:
                    written = os.write(self._fd, data[:_CHUNK])
                    self._written += written
                    data = data[written:]
        except OSError:
            pass
        finally:
            self.closed = True
            os.close(self._fd)
