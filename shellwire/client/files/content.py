"""What an upload sends: a file here, or one at another daemon."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, BinaryIO, Protocol

from shellwire.client.files.download import BLOCK, Changed
from shellwire.client.files.web import FINISH_SECONDS, PASSING
from shellwire.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import aiohttp

    from shellwire.client.files.download import About
    from shellwire.client.files.web import Web

SAMPLE = 64 * 1024


class Content(Protocol):
    """Bytes that can be read from any offset on."""

    async def about(self) -> tuple[str, int]:
        """Return SHA-256 and size. Raises OSError."""

    async def sample(self) -> bytes:
        """Return some of it from its middle, ``SAMPLE`` bytes at most."""

    def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield it from there to its end. Raises OSError, WireError, Unreachable, Changed."""


def digest_of(file: BinaryIO) -> tuple[str, int]:
    """Return SHA-256 and size of a file. Raises OSError."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while block := file.read(BLOCK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


class Local:
    """A file here, open."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._size = 0

    async def about(self) -> tuple[str, int]:
        hashed, self._size = await asyncio.to_thread(digest_of, self._file)
        return hashed, self._size

    async def sample(self) -> bytes:
        return await asyncio.to_thread(self._read, max(0, self._size - SAMPLE) // 2, SAMPLE)

    async def blocks(self, offset: int) -> AsyncGenerator[bytes, None]:
        while offset < self._size:
            most = min(BLOCK, self._size - offset)
            block = await asyncio.to_thread(self._read, offset, most)
            if not block:
                raise Conflict(f"{self._name}: it has become shorter while it was sent")
            offset += len(block)
            yield block

    def _read(self, offset: int, most: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(most)


class Remote:
    """A file at another daemon, which is asked again where it was when a connection breaks."""

    def __init__(self, web: Web, path: str, about: About, *, compress: bool) -> None:
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
