"""Uploads of one file: resumed after a disconnect, and put in place once the hash is right."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import zlib
from typing import TYPE_CHECKING

from shellwire.client.files.http_client import FINISH_SECONDS, STALLED_SECONDS, TRANSIENT_ERRORS
from shellwire.errors import Conflict, InvalidAnswer, NotFound, Unreachable
from shellwire.output import quoted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from shellwire.client.files.content import Content
    from shellwire.client.files.http_client import HttpClient
    from shellwire.client.files.upload_options import UploadOptions

_MIN_ASK_FIRST = 1024 * 1024
_OFFSET = re.compile("[0-9]{1,19}", re.ASCII)
_SHOWN = 50

# The daemon may answer with another offset, and again after that.
_MAX_REFUSALS = 3
_WORTHWHILE_RATIO = 0.8
_GZIP = 31  # as zlib counts window bits


class Upload:
    """One upload."""

    def __init__(
        self,
        http: HttpClient,
        content: Content,
        path: str,
        options: UploadOptions,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._http = http
        self._content = content
        self._path = path
        self._options = options
        self._progress = progress or (lambda _done, _total: None)
        self._retries = http.retries()
        self._hash = ""
        self._size = 0
        self._problem: Exception | None = None

    async def run(self) -> str:
        """Send the content; return its SHA-256.

        Raises WireError, OSError, Unreachable, NotRunning, and the errors of reading the content.
        """
        self._hash, self._size = await self._content.hash_and_size()
        offset: int | None = 0
        farthest = 0
        cut = False
        asks = self._size >= _MIN_ASK_FIRST
        refused = 0
        while True:
            try:
                if asks:
                    offset = await self._received_size(cut=cut)
                    if offset is None:
                        break
                    if offset > farthest:
                        farthest = offset
                        refused = 0
                        self._retries.progressed()
                offset = await self._send(offset or 0)
                if offset is None:
                    break
                refused += 1
                if refused > _MAX_REFUSALS:
                    raise Unreachable(f"{self._http.name} accepts no data for {self._path}")
            except TRANSIENT_ERRORS as why:
                await self._retries.wait_or_raise(why)
                cut = True
            asks = True
        self._progress(self._size, self._size)
        return self._hash

    def _headers(self, part: str) -> dict[str, str]:
        digest = base64.b64encode(bytes.fromhex(self._hash)).decode()
        found = {**self._options.headers(), "Repr-Digest": f"sha-256=:{digest}:"}
        return found | ({"Content-Range": f"bytes {part}/{self._size}"} if self._size else {})

    async def _received_size(self, *, cut: bool) -> int | None:
        """Return how many bytes the daemon has; None if the file is complete and in place."""
        if not self._size:
            return 0
        async with asyncio.timeout(FINISH_SECONDS):
            answer = await self._http.ask("PUT", self._path, self._headers("*"))
        answer.release()
        if answer.status != 200:
            # All bytes arrived but the end was lost, so the upload can't be completed: start again.
            return self._offset(answer.headers) % self._size
        if not cut and self._options.if_match not in (None, self._hash):
            raise Conflict(f"{self._http.label}{self._path}: it is not what was expected")
        try:
            answer = await self._http.ask("HEAD", self._path, {})
        except NotFound:
            return 0
        answer.release()
        return None if self._options.match(answer.headers) else 0

    async def _send(self, offset: int) -> int | None:
        """Send the bytes from ``offset`` on; return None when the file is in place."""
        headers = self._headers(f"{offset}-{self._size - 1}")
        if self._options.compress and await self._compresses_well():
            headers["Content-Encoding"] = "gzip"
        else:
            headers["Content-Length"] = str(self._size - offset)
        self._problem = None
        try:
            async with asyncio.timeout(STALLED_SECONDS) as timer:
                blocks = self._blocks(offset, timer, "Content-Encoding" in headers)
                try:
                    answer = await self._http.ask("PUT", self._path, headers, data=blocks)
                finally:
                    with contextlib.suppress(RuntimeError):  # its reader is being cancelled
                        await blocks.aclose()
        except TimeoutError:
            raise self._http.stalled() from None
        except TRANSIENT_ERRORS:
            if self._problem is not None:
                raise self._problem from None
            raise
        except Conflict:
            # The daemon received other bytes than announced: did the source change?
            if await self._content.hash_and_size() != (self._hash, self._size):
                raise Conflict(f"{self._content.name}: it changed while it was sent") from None
            raise
        answer.release()
        return None if answer.status < 300 else self._offset(answer.headers)

    def _offset(self, headers: Mapping[str, str]) -> int:
        """Return the number of bytes received, from an answer's header. Raises InvalidAnswer."""
        received = headers.get("Upload-Offset", "0")
        if _OFFSET.fullmatch(received) is None or int(received) > self._size:
            raise InvalidAnswer(f"Upload-Offset {quoted(received[:_SHOWN])}", self._http.name)
        return int(received)

    async def _compresses_well(self) -> bool:
        sample = await self._content.sample()
        return len(zlib.compress(sample, 1)) < len(sample) * _WORTHWHILE_RATIO

    async def _blocks(
        self, offset: int, timer: asyncio.Timeout, compressed: bool
    ) -> AsyncGenerator[bytes, None]:
        compressor = zlib.compressobj(1, wbits=_GZIP) if compressed else None
        loop = asyncio.get_running_loop()
        try:
            async with contextlib.aclosing(self._content.blocks(offset)) as blocks:
                timer.reschedule(None)  # the timeout is for sending, not for reading the source
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
            # aiohttp would report this as a connection error.
            self._problem = error
            raise
