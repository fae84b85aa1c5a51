"""Sources of uploads: a local file, or a file of another daemon."""

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

from shellwire.client.files.download import BLOCK, FileChanged
from shellwire.client.files.http_client import FINISH_SECONDS, TRANSIENT_ERRORS
from shellwire.errors import Conflict, NotFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import aiohttp

    from shellwire.client.files.download import FileMetadata
    from shellwire.client.files.http_client import HttpClient

SAMPLE = 64 * 1024

MAX_WITHOUT_SIZE = 16 * 1024 * 1024
"""Most bytes sent of a file that reports no size."""


class Content(Protocol):
    """The source of an upload: bytes that can be read from any offset."""

    name: str
    """The file's name in errors."""

    async def hash_and_size(self) -> tuple[str, int]:
        """Return SHA-256 and size. Raises OSError."""

    async def sample(self) -> bytes:
        """Return up to ``SAMPLE`` bytes from the middle."""

    def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from ``offset``. Raises OSError, WireError, Unreachable, FileChanged."""


def hash_file(file: BinaryIO, should_stop: Callable[[], bool] = lambda: False) -> tuple[str, int]:
    """Return SHA-256 and size of a file at its current length. Raises OSError.

    Stops early, with an incomplete result, once ``should_stop`` returns true.
    """
    # A file without a size (proc(5)) is read to its end; others may grow while they are read.
    end = file.seek(0, os.SEEK_END) or float("inf")
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while not should_stop() and (block := file.read(int(min(BLOCK, end - size)))):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def open_regular(path: str) -> io.BufferedReader:
    """Open a regular file, without ever blocking on another file type.

    Raises OSError, and NotFile for other file types.
    """
    # Opening a device may have effects (a tape rewinds), so it is not tried.
    if stat.S_ISREG(os.stat(path).st_mode):
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        file = open(os.open(path, flags), "rb")  # noqa: SIM115
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise NotFile(f"{path}: not a regular file")


class LocalContent:
    """An open local file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.name = name
        self._size = 0

    async def hash_and_size(self) -> tuple[str, int]:
        stop = threading.Event()
        try:
            hashed, self._size = await asyncio.to_thread(hash_file, self._file, stop.is_set)
        finally:
            stop.set()  # stops the thread if this call is cancelled
        return hashed, self._size

    async def sample(self) -> bytes:
        return await asyncio.to_thread(self._read, max(0, self._size - SAMPLE) // 2, SAMPLE)

    async def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        while offset < self._size:
            most = min(BLOCK, self._size - offset)
            block = await asyncio.to_thread(self._read, offset, most)
            if not block:
                raise Conflict(f"{self.name}: the file became shorter while it was sent")
            offset += len(block)
            yield block

    def _read(self, offset: int, most: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(most)


def read_whole(file: BinaryIO, name: str) -> LocalContent:
    """Read a file that reports no size (proc(5)), or is empty, into memory.

    Such a file has no end to seek to, and each read may return something else. Raises OSError.
    """
    data = file.read(MAX_WITHOUT_SIZE + 1)
    if len(data) > MAX_WITHOUT_SIZE:
        raise OSError(errno.EFBIG, "the file reports no size and is too large to buffer", name)
    return LocalContent(io.BytesIO(data), name)


class RemoteContent:
    """A file of another daemon; reading resumes after a disconnect."""

    def __init__(
        self, http: HttpClient, path: str, metadata: FileMetadata, *, compress: bool
    ) -> None:
        self.name = http.label + path
        self._http = http
        self._path = path
        self._metadata = metadata
        self._compress = compress

    async def hash_and_size(self) -> tuple[str, int]:
        return self._metadata.hash, self._metadata.size

    async def sample(self) -> bytes:
        start = max(0, self._metadata.size - SAMPLE) // 2
        answer = await self._ask({"Range": f"bytes={start}-{start + SAMPLE - 1}"})
        try:
            return b"".join([each async for each in self._http.pieces(answer)])
        finally:
            answer.release()

    async def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        retries = self._http.retries()
        while offset < self._metadata.size:
            try:
                async with aclosing(self._pieces(offset)) as pieces:
                    async for piece in pieces:
                        offset += len(piece)
                        if offset > self._metadata.size:
                            raise FileChanged
                        retries.progressed()
                        yield piece
                if offset < self._metadata.size:
                    raise self._http.stalled()
            except TRANSIENT_ERRORS as why:
                await retries.wait_or_raise(why)

    async def _pieces(self, offset: int) -> AsyncGenerator[bytes, None]:
        compressed = self._compress and not offset  # HTTP ranges are sent uncompressed
        headers = {"Accept-Encoding": "gzip"} if compressed else {"Range": f"bytes={offset}-"}
        answer = await self._ask(headers)
        try:
            async for piece in self._http.pieces(answer):
                yield piece
        finally:
            answer.close()

    async def _ask(self, headers: dict[str, str]) -> aiohttp.ClientResponse:
        tagged = {"If-Match": f'"{self._metadata.hash}"', **headers}
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                return await self._http.ask("GET", self._path, tagged)
        except Conflict:
            raise FileChanged from None
        except TimeoutError:
            raise self._http.stalled() from None
