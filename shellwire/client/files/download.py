"""Downloads of one file: resumed after a disconnect, and verified by SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from shellwire.client.files.http_client import FINISH_SECONDS, TRANSIENT_ERRORS
from shellwire.errors import Conflict, FileSystemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.client.files.http_client import HttpClient

BLOCK = 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")
MAX_RESTARTS = 3
"""Times that a file is read from the start if it changes while it is read."""


@dataclass(frozen=True)
class FileMetadata:
    """Hash, size, mode and time of a remote file."""

    hash: str
    size: int
    mode: int
    mtime_ns: int
    server_time: int
    """The daemon's clock at the answer, in whole seconds since 1970; 0 if it sent no date."""


class FileChanged(Exception):
    """The remote file has changed since the transfer began."""


async def fetch_metadata(http: HttpClient, path: str, *, anew: bool = False) -> FileMetadata:
    """Return the metadata of an absolute path. Raises WireError, Unreachable, NotRunning."""
    headers = {"Cache-Control": "no-cache"} if anew else {}
    retries = http.retries()
    while True:
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                answer = await http.ask("HEAD", path, headers)
        except TimeoutError:
            raise http.stalled() from None
        except TRANSIENT_ERRORS as why:
            await retries.wait_or_raise(why)
            continue
        answer.release()
        return parse_metadata(http.label + path, answer.headers)


def parse_metadata(path: str, headers: Mapping[str, str]) -> FileMetadata:
    """Return the metadata in an answer's headers. Raises FileSystemError if they are invalid."""
    try:
        hashed = headers["ETag"].strip('"')
        seconds, _, rest = headers["Shellwire-Mtime"].removeprefix("-").partition(".")
        nanoseconds = int(seconds) * 1_000_000_000 + int(rest.ljust(9, "0"))
        # Local file names are made from the hash.
        if not _HASH.fullmatch(hashed):
            raise ValueError
        return FileMetadata(
            hash=hashed,
            size=int(headers["Content-Length"]),
            mode=int(headers["Shellwire-Mode"], 8),
            mtime_ns=-nanoseconds if headers["Shellwire-Mtime"].startswith("-") else nanoseconds,
            server_time=_seconds(headers.get("Date")),
        )
    except (KeyError, ValueError):
        raise FileSystemError(f"{path}: the daemon sent no valid metadata") from None


def _seconds(date: str | None) -> int:
    return int(parsedate_to_datetime(date).timestamp()) if date else 0


class Sink(Protocol):
    """The target of a download: a local file, or a write-only stream."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, empty at the end."""

    def seek(self, offset: int, /) -> int:
        """Set the position."""

    def truncate(self) -> int:
        """Cut the file off at the position."""

    def write(self, data: bytes, /) -> int:
        """Write all of ``data``."""


class Download:
    """A download into ``file``, which may already have the beginning of the content."""

    def __init__(
        self,
        http: HttpClient,
        path: str,
        metadata: FileMetadata,
        file: Sink,
        *,
        compress: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.metadata = metadata
        """The metadata of the downloaded version, after ``run``."""
        self._http = http
        self._path = path
        self._file = file
        self._compress = compress
        self._progress = progress or (lambda _done, _total: None)
        self._retries = http.retries()
        self._digest = hashlib.sha256()
        self._at = 0

    async def run(self) -> None:
        """Download the file. Raises WireError, OSError, Unreachable, NotRunning."""
        stop = threading.Event()
        try:
            await asyncio.to_thread(self._hash_partial, stop.is_set)
        finally:
            stop.set()  # stops the thread if this call is cancelled
        for _ in range(MAX_RESTARTS):
            try:
                await self._fetch_all()
            except FileChanged:
                pass
            else:
                if self._digest.hexdigest() == self.metadata.hash:
                    self._progress(self.metadata.size, self.metadata.size)
                    return
            await asyncio.to_thread(self._restart)
            self.metadata = await fetch_metadata(self._http, self._path)
        raise Conflict(f"{self._http.label}{self._path}: it changes while it is read")

    def _hash_partial(self, should_stop: Callable[[], bool]) -> None:
        self._file.seek(0)
        while not should_stop() and (block := self._file.read(BLOCK)):
            self._digest.update(block)
            self._at += len(block)
        if self._at > self.metadata.size:
            self._restart()

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self._at = 0

    def _append(self, block: bytes) -> None:
        self._file.write(block)
        self._digest.update(block)

    async def _fetch_all(self) -> None:
        while self._at < self.metadata.size:
            before = self._at
            try:
                await self._fetch_rest()
                if self._at == before:
                    raise self._http.stalled()
            except TRANSIENT_ERRORS as why:
                if self._at > before:
                    self._retries.progressed()
                await self._retries.wait_or_raise(why)

    async def _fetch_rest(self) -> None:
        """Fetch the missing bytes, or as many as arrive before the connection breaks."""
        tag = f'"{self.metadata.hash}"'
        headers = {"If-Match": tag, "Range": f"bytes={self._at}-"}
        if self._compress and not self._at:
            headers = {"If-Match": tag, "Accept-Encoding": "gzip"}
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                answer = await self._http.ask("GET", self._path, headers)
        except Conflict:
            raise FileChanged from None
        except TimeoutError:
            raise self._http.stalled() from None
        waiting = bytearray()
        try:
            async for piece in self._http.pieces(answer):
                waiting += piece
                if len(waiting) >= BLOCK:
                    await self._flush(waiting)
        finally:
            # Keep the bytes that arrived before the connection broke.
            answer.release()
            await self._flush(waiting)

    async def _flush(self, waiting: bytearray) -> None:
        block = bytes(waiting)
        waiting.clear()
        if self._at + len(block) > self.metadata.size:
            raise FileChanged
        await asyncio.to_thread(self._append, block)
        self._at += len(block)
        self._progress(self._at, self.metadata.size)
