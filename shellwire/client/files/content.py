"""What an upload sends: a file here, or one at another daemon."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import stat
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, BinaryIO, Protocol

from shellwire.client.files.download import BLOCK, Changed
from shellwire.client.files.web import FINISH_SECONDS, PASSING
from shellwire.errors import Conflict, NotFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import aiohttp

    from shellwire.client.files.download import About
    from shellwire.client.files.web import Web

SAMPLE = 64 * 1024

MOST_WITHOUT_SIZE = 16 * 1024 * 1024
"""Bytes of a file without a size that are sent."""


class Content(Protocol):
    """Bytes that can be read from any offset on."""

    name: str
    """What errors call it."""

    async def about(self) -> tuple[str, int]:
        """Return SHA-256 and size. Raises OSError."""

    async def sample(self) -> bytes:
        """Return some of it from its middle, ``SAMPLE`` bytes at most."""

    def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield it from there to its end. Raises OSError, WireError, Unreachable, Changed."""


def digest_of(file: BinaryIO, stops: Callable[[], bool] = lambda: False) -> tuple[str, int]:
    """Return SHA-256 and size of a file as long as it is now; less of it once it ``stops``.

    Raises OSError.
    """
    # One that has no size (proc(5)) is read to its end, and others may grow for ever.
    end = file.seek(0, os.SEEK_END) or float("inf")
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while not stops() and (block := file.read(int(min(BLOCK, end - size)))):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def opened(path: str) -> io.BufferedReader:
    """Open a regular file, never waiting for the other end of one that is none.

    Raises OSError, and NotFile for what is none.
    """
    # To open some devices does something (a tape is rewound), so it is not tried.
    if stat.S_ISREG(os.stat(path).st_mode):
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        file = open(os.open(path, flags), "rb")  # noqa: SIM115
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise NotFile(f"{path}: not a regular file")


class Local:
    """A file here, open."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.name = name
        self._size = 0

    async def about(self) -> tuple[str, int]:
        stop = threading.Event()
        try:
            hashed, self._size = await asyncio.to_thread(digest_of, self._file, stop.is_set)
        finally:
            stop.set()  # who is interrupted does not wait for its end
        return hashed, self._size

    async def sample(self) -> bytes:
        return await asyncio.to_thread(self._read, max(0, self._size - SAMPLE) // 2, SAMPLE)

    async def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        while offset < self._size:
            most = min(BLOCK, self._size - offset)
            block = await asyncio.to_thread(self._read, offset, most)
            if not block:
                raise Conflict(f"{self.name}: it has become shorter while it was sent")
            offset += len(block)
            yield block

    def _read(self, offset: int, most: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(most)


def whole(file: BinaryIO, name: str) -> Local:
    """Return the content of a file that has no size before it is read (proc(5)), or is empty.

    Such a file can't be set to its end, and may differ with each read. Raises OSError.
    """
    data = file.read(MOST_WITHOUT_SIZE + 1)
    if len(data) > MOST_WITHOUT_SIZE:
        raise OSError(errno.EFBIG, "it has no size, and more than can be read at once", name)
    return Local(io.BytesIO(data), name)


class Remote:
    """A file at another daemon, which is asked again where it was when a connection breaks."""

    def __init__(self, web: Web, path: str, about: About, *, compress: bool) -> None:
        self.name = web.label + path
        self._web = web
        self._path = path
        self._about = about
        self._compress = compress

    async def about(self) -> tuple[str, int]:
        return self._about.hash, self._about.size

    async def sample(self) -> bytes:
        start = max(0, self._about.size - SAMPLE) // 2
        answer = await self._ask({"Range": f"bytes={start}-{start + SAMPLE - 1}"})
        try:
            return b"".join([each async for each in self._web.pieces(answer)])
        finally:
            answer.release()

    async def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        attempts = self._web.attempts()
        while offset < self._about.size:
            try:
                async with aclosing(self._pieces(offset)) as pieces:
                    async for piece in pieces:
                        offset += len(piece)
                        if offset > self._about.size:
                            raise Changed
                        attempts.progressed()
                        yield piece
                if offset < self._about.size:
                    raise self._web.stalled()
            except PASSING as why:
                await attempts.again(why)

    async def _pieces(self, offset: int) -> AsyncGenerator[bytes, None]:
        whole = self._compress and not offset  # a range is never compressed
        headers = {"Accept-Encoding": "gzip"} if whole else {"Range": f"bytes={offset}-"}
        answer = await self._ask(headers)
        try:
            async for piece in self._web.pieces(answer):
                yield piece
        finally:
            answer.close()

    async def _ask(self, headers: dict[str, str]) -> aiohttp.ClientResponse:
        tagged = {"If-Match": f'"{self._about.hash}"', **headers}
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                return await self._web.ask("GET", self._path, tagged)
        except Conflict:
            raise Changed from None
        except TimeoutError:
            raise self._web.stalled() from None
