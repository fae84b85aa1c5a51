"""One file to there: it goes on after a cut, and gets its place when its hash is right."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.client.files.web import FINISH_SECONDS, PASSING, STALLED_SECONDS
from shellwire.errors import Conflict, InvalidAnswer, NotFound, Unreachable
from shellwire.output import quoted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from shellwire.client.files.content import Content
    from shellwire.client.files.web import Web

_ASKED_FIRST = 1024 * 1024
_OFFSET = re.compile("[0-9]{1,19}", re.ASCII)
_SHOWN = 50

# A daemon may have another offset in mind, and then one more.
_REFUSED_AT_ONCE = 3
_PAYS = 0.8
_GZIP = 31  # as zlib counts window bits


@dataclass(frozen=True)
class Wish:
    """What is wanted of the file beside its content."""

    mode: int | None = None
    mtime_ns: int | None = None
    if_match: str | None = None
    """SHA-256 that it has to have, else Conflict; empty: it must not exist."""
    compress: bool = False

    def headers(self) -> dict[str, str]:
        """Return what tells the daemon."""
        found = {}
        if self.mode is not None:
            found["Shellwire-Mode"] = f"{self.mode & 0o7777:o}"
        if self.mtime_ns is not None:
            seconds, rest = divmod(abs(self.mtime_ns), 1_000_000_000)
            sign = "-" if self.mtime_ns < 0 else ""
            found["Shellwire-Mtime"] = f"{sign}{seconds}.{rest:09}"
        if self.if_match:
            found["If-Match"] = f'"{self.if_match}"'
        elif self.if_match is not None:
            found["If-None-Match"] = "*"
        return found

    def is_so(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers of an answer tell of a file with this mode and time."""
        wanted = self.headers()
        mode, mtime = wanted.get("Shellwire-Mode"), wanted.get("Shellwire-Mtime")
        return (
            mode is None or mode.lstrip("0") == headers.get("Shellwire-Mode", "").lstrip("0")
        ) and mtime in (None, headers.get("Shellwire-Mtime"))


class Upload:
    """A content on its way."""

    def __init__(
        self,
        web: Web,
        content: Content,
        path: str,
        wish: Wish,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._web = web
        self._content = content
        self._path = path
        self._wish = wish
        self._progress = progress or (lambda _done, _total: None)
        self._attempts = web.attempts()
        self._hash = ""
        self._size = 0
        self._problem: Exception | None = None

    async def run(self) -> str:
        """Send it; return its SHA-256.

        Raises WireError, OSError, Unreachable, NotRunning, and what reading the content does.
        """
        self._hash, self._size = await self._content.about()
        offset: int | None = 0
        farthest = 0
        cut = False
        asks = self._size >= _ASKED_FIRST
        refused = 0
        while True:
            try:
                if asks:
                    offset = await self._so_far(cut=cut)
                    if offset is None:
                        break
                    if offset > farthest:
                        farthest = offset
                        refused = 0
                        self._attempts.progressed()
                offset = await self._send(offset or 0)
                if offset is None:
                    break
                refused += 1
                if refused > _REFUSED_AT_ONCE:
                    raise Unreachable(f"{self._web.name} takes nothing of {self._path}")
            except PASSING as why:
                await self._attempts.again(why)
                cut = True
            asks = True
        self._progress(self._size, self._size)
        return self._hash

    def _headers(self, part: str) -> dict[str, str]:
        digest = base64.b64encode(bytes.fromhex(self._hash)).decode()
        found = {**self._wish.headers(), "Repr-Digest": f"sha-256=:{digest}:"}
        return found | ({"Content-Range": f"bytes {part}/{self._size}"} if self._size else {})

    async def _so_far(self, *, cut: bool) -> int | None:
        """Return how much of it is there; None if all of it is, as it should be."""
        if not self._size:
            return 0
        async with asyncio.timeout(FINISH_SECONDS):
            answer = await self._web.ask("PUT", self._path, self._headers("*"))
        answer.release()
        if answer.status != 200:
            # All of it and no more to come: its end was lost, and it can't be ended any more.
            return self._offset(answer.headers) % self._size
        if not cut and self._wish.if_match not in (None, self._hash):
            raise Conflict(f"{self._web.label}{self._path}: it is not what was expected")
        try:
            answer = await self._web.ask("HEAD", self._path, {})
        except NotFound:
            return 0
        answer.release()
        return None if self._wish.is_so(answer.headers) else 0

    async def _send(self, offset: int) -> int | None:
        """Send what is missing from ``offset`` on; return None when the file is in its place."""
        headers = self._headers(f"{offset}-{self._size - 1}")
        if self._wish.compress and await self._pays():
            headers["Content-Encoding"] = "gzip"
        else:
            headers["Content-Length"] = str(self._size - offset)
        self._problem = None
        try:
            async with asyncio.timeout(STALLED_SECONDS) as timer:
                blocks = self._blocks(offset, timer, "Content-Encoding" in headers)
                try:
                    answer = await self._web.ask("PUT", self._path, headers, data=blocks)
                finally:
                    with contextlib.suppress(RuntimeError):  # who reads it is being cancelled
                        await blocks.aclose()
        except TimeoutError:
            raise self._web.stalled() from None
        except PASSING:
            if self._problem is not None:
                raise self._problem from None
            raise
        except Conflict:
            # That what came is not what was said is a matter of what was read here.
            if await self._content.about() != (self._hash, self._size):
                raise Conflict(f"{self._content.name}: it changed while it was sent") from None
            raise
        answer.release()
        return None if answer.status < 300 else self._offset(answer.headers)

    def _offset(self, headers: Mapping[str, str]) -> int:
        """Return how much of it is there, as an answer tells. Raises InvalidAnswer."""
        told = headers.get("Upload-Offset", "0")
        if _OFFSET.fullmatch(told) is None or int(told) > self._size:
            raise InvalidAnswer(f"Upload-Offset {quoted(told[:_SHOWN])}", self._web.name)
        return int(told)

    async def _pays(self) -> bool:
        sample = await self._content.sample()
        return len(zlib.compress(sample, 1)) < len(sample) * _PAYS

    async def _blocks(
        self, offset: int, timer: asyncio.Timeout, compressed: bool
    ) -> AsyncGenerator[bytes, None]:
        compressor = zlib.compressobj(1, wbits=_GZIP) if compressed else None
        loop = asyncio.get_running_loop()
        try:
            async with contextlib.aclosing(self._content.blocks(offset)) as blocks:
                timer.reschedule(None)  # only what is sent can stall, not what is read
                async for block in blocks:
                    timer.reschedule(loop.time() + STALLED_SECONDS)
                    offset += len(block)
                    sent = block
                    if compressor is not None:
                        sent = await asyncio.to_thread(compressor.compress, block)
                    if sent:
                        yield sent
                    self._progress(offset, self._size)
                    timer.reschedule(None)
            timer.reschedule(loop.time() + FINISH_SECONDS)
            if compressor is not None:
                yield compressor.flush()
        except Exception as error:
            # What comes out of here would look like a fault of the connection.
            self._problem = error
            raise
