"""Reading and writing pipes by threads, where the event loop can't watch them (Windows).

A thread that waits in read(2) or write(2) can't be called back. So it keeps its descriptor until
the other side lets go, and closes it itself. None of them holds up the end of the program.
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
    """A pipe that a thread reads, one chunk ahead of who takes it.

    It owns ``reading``, and ``writing``, which the process has too. When that has ended, ``finish``
    writes a mark behind its last byte: what comes before the mark, the process wrote.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading = reading
        self._writing = writing
        self._mark = b""
        self._marked = threading.Event()
        self._room = threading.Event()
        self._room.set()
        self._finishing = False
        self._closed = False
        self._chunks: deque[bytes] = deque()
        self._at_end = False
        self._ready: Callable[[], None] | None = None
        self._calling = False
        threading.Thread(target=self._work, name="reader", daemon=True).start()

    # For the loop --------------------------------------------------------------------------------

    def listen(self, ready: Callable[[], None]) -> None:
        """Call ``ready()`` from the loop, again and again, while there is something to read."""
        self._ready = ready
        self._tell()

    def ignore(self) -> None:
        """Call nobody until ``listen`` is called again."""
        self._ready = None

    def read(self, count: int) -> bytes | None:
        """Return at most ``count`` bytes, none at the end, None when there is nothing yet."""
        if not self._chunks:
            return b"" if self._at_end else None
        chunk = self._chunks.popleft()
        if len(chunk) > count:
            self._chunks.appendleft(chunk[count:])
        elif not self._chunks:
            self._room.set()
        return chunk[:count]

    def waiting(self) -> int:
        """Return how many bytes can be read at once, and one more to see the end."""
        return sum(map(len, self._chunks)) + 1

    def close(self) -> None:
        """Read no more. Who still writes is not held up: it is read, and dropped."""
        self._closed = True
        self._ready = None
        self._chunks.clear()
        self._room.set()

    def _tell(self) -> None:
        if self._ready is not None and not self._calling and (self._chunks or self._at_end):
            self._calling = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        self._calling = False
        if self._ready is not None and (self._chunks or self._at_end):
            self._ready()
        self._tell()

    def _take(self, data: bytes) -> None:
        if not self._closed:
            if data:
                self._chunks.append(data)
            else:
                self._at_end = True
            self._tell()

    # For other threads ---------------------------------------------------------------------------

    def finish(self) -> None:
        """Return when all that the process wrote has been read; it has ended."""
        self._mark = secrets.token_bytes(16)
        self._finishing = True
        self._room.set()
        with contextlib.suppress(OSError):
            os.write(self._writing, self._mark)
        os.close(self._writing)
        self._marked.wait()

    def _work(self) -> None:
        held = b""
        try:
            while data := self._next():
                held = self._hand_over(held + data)
            self._hand(held)
            self._loop.call_soon_threadsafe(self._take, b"")
        except RuntimeError:
            pass  # the loop is closed: nobody reads any more
        finally:
            self._marked.set()
            os.close(self._reading)

    def _next(self) -> bytes:
        if not (self._finishing or self._closed):
            self._room.wait()
        try:
            data = os.read(self._reading, _CHUNK)
        except OSError:
            return b""
        self._room.clear()
        return data

    def _hand_over(self, data: bytes) -> bytes:
        """Hand over what stands before the mark and behind it; return what may be a part of it."""
        mark = self._mark
        if not mark or self._marked.is_set():
            self._hand(data)
            return b""
        before, found, after = data.partition(mark)
        if not found:
            self._hand(data[: 1 - len(mark)])
            return data[1 - len(mark) :]
        self._hand(before)
        self._finishing = False
        self._room.set()  # what has just been handed over may be nothing
        self._marked.set()
        self._hand(after)
        return b""

    def _hand(self, data: bytes) -> None:
        if data:
            self._loop.call_soon_threadsafe(self._take, data)


class ThreadFeeder:
    """Writes bytes to a pipe in order, from a thread; it owns the descriptor.

    A reader that is gone ends the feeding: what waits is dropped.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._accepted = 0
        self._written = 0
        self._ending = False
        self.closed = False
        """True when nothing more can be written."""
        threading.Thread(target=self._work, name="feeder", daemon=True).start()

    @property
    def accepts(self) -> bool:
        """Whether more can be written: neither closed nor about to be."""
        return not (self.closed or self._ending)

    @property
    def pending(self) -> int:
        """Bytes accepted and not yet taken by the kernel."""
        return 0 if self.closed else self._accepted - self._written

    def write(self, data: bytes) -> None:
        """Take ``data``. Ignored once closed, or after ``finish``."""
        if self.accepts and data:
            self._accepted += len(data)
            self._queue.put(data)

    def finish(self) -> None:
        """Close the descriptor once everything is written: the reader then sees end-of-file."""
        self._ending = True
        self._queue.put(None)

    def close(self) -> None:
        """Drop what waits, and close as soon as no write is under way."""
        self.closed = True
        self._queue.put(None)

    def _work(self) -> None:
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
