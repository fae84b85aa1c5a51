"""Our own standard streams, byte for byte, while other things go on."""

from __future__ import annotations

import asyncio
import os
import threading

_FILES = {"stdout": 1, "stderr": 2}
_PIECE = 65536


async def write(stream: str, data: bytes) -> None:
    """Write to stdout or stderr; return when it is out. Raises OSError.

    In a thread, for whoever reads it may be slow, and the daemon wants signs of life meanwhile.
    """
    await asyncio.get_running_loop().run_in_executor(None, _write, _FILES[stream], data)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


class Input:
    """Our stdin, read by a thread: no event loop can wait for a file or a terminal that others use.

    The thread ends with the process; what it has read by then and nobody took, is gone, as with
    every program that reads ahead.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(4)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def read(self) -> bytes:
        """Return what has come, waiting for something; ``b""`` at the end."""
        piece = await self._pieces.get()
        self._room.release()
        return piece

    def _read(self) -> None:
        while self._room.acquire():
            try:
                piece = os.read(0, _PIECE)
            except OSError:  # closed, or the terminal has gone
                piece = b""
            try:
                self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
            except RuntimeError:  # the loop has ended, and nobody wants it any more
                return
            if not piece:
                return
