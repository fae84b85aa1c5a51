"""stdin, stdout and stderr of this process as bytes, without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
import threading

_FILES = {"stdout": 1, "stderr": 2}
_CHUNK = 65536
_MAX_PENDING = 4


async def write(stream: str, data: bytes) -> None:
    """Write to stdout or stderr; return when all is written. Raises OSError.

    A thread writes: the reader may be slow, and the event loop must answer the daemon's pings.
    """
    await asyncio.get_running_loop().run_in_executor(None, _write, _FILES[stream], data)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


class Input:
    """A reader of stdin in a thread: event loops can't wait for files and shared terminals.

    The thread ends with the process. Input that it read and nobody took is lost, as with every
    program that reads ahead.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._free = threading.Semaphore(_MAX_PENDING)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def read(self) -> bytes:
        """Wait for input and return it; ``b""`` at its end."""
        chunk = await self._chunks.get()
        self._free.release()
        return chunk

    def _read(self) -> None:
        while self._free.acquire():
            try:
                chunk = os.read(0, _CHUNK)
            except OSError:  # closed, or the terminal has gone
                chunk = b""
            try:
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
            except RuntimeError:  # the event loop is closed
                return
            if not chunk:
                return
