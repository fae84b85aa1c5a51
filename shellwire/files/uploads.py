"""Uploads in pieces: those of one client, which vanish with it."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import QueueFull, UploadNotFound
from shellwire.files.limits import MAX_UNFINISHED, MAX_UNFINISHED_BYTES
from shellwire.files.write import hash_precondition

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.entry import Entry
    from shellwire.files.hashes import Hashes
    from shellwire.files.write import Replacement


@dataclass(frozen=True, slots=True)
class _Upload:
    replacement: Replacement
    expected: str | None


class UploadQuota:
    """What the open uploads of all clients take together. May be used by several threads."""

    def __init__(self, most: int) -> None:
        """``most`` is what one client may have open."""
        self._most = max(most, MAX_UNFINISHED)
        self._lock = threading.Lock()
        self._count = 0
        self._bytes = 0

    def open(self) -> None:
        """Take in one more. Raises QueueFull."""
        with self._lock:
            if self._count >= self._most:
                raise QueueFull(f"{self._most} uploads of all clients are open already")
            self._count += 1

    def reserve(self, size: int, own: int) -> None:
        """One that has ``own`` bytes gets ``size`` more. Raises QueueFull."""
        with self._lock:
            if self._bytes > own and self._bytes + size > MAX_UNFINISHED_BYTES:
                raise QueueFull(f"open uploads have {MAX_UNFINISHED_BYTES} bytes together already")
            self._bytes += size

    def release(self, size: int) -> None:
        """Take note of bytes that did not come."""
        with self._lock:
            self._bytes -= size

    def close(self, size: int) -> None:
        """One that had so many bytes is over."""
        with self._lock:
            self._count -= 1
            self._bytes -= size


class Uploads:
    """The open uploads of one client, at most ``most``. Its methods are called one at a time."""

    def __init__(self, most: int, hashes: Hashes, quota: UploadQuota) -> None:
        self._most = most
        self._hashes = hashes
        self._quota = quota
        self._open: dict[str, _Upload] = {}

    def add(self, begin: Callable[[], Replacement], expected: str | None) -> str:
        """Take in a new one, which ``begin`` makes; return its id. Raises QueueFull."""
        if len(self._open) >= self._most:
            raise QueueFull(f"{self._most} uploads of this client are open already (--max-uploads)")
        self._quota.open()
        try:
            replacement = begin()
        except BaseException:
            self._quota.close(0)
            raise
        upload_id = secrets.token_hex(16)
        self._open[upload_id] = _Upload(replacement, expected)
        return upload_id

    def append(self, upload_id: str, data: bytes) -> int:
        """Write what follows; return the bytes so far. A piece that fails may be sent again."""
        replacement = self._get(upload_id).replacement
        self._quota.reserve(len(data), replacement.size)
        try:
            replacement.write(data)
        except BaseException:
            self._quota.release(len(data))
            raise
        return replacement.size

    def finish(self, upload_id: str) -> tuple[Entry, str]:
        """Put the file in its place, or give the upload up; return the entry and its hash."""
        upload = self._get(upload_id)
        del self._open[upload_id]
        self._quota.close(upload.replacement.size)
        entry = upload.replacement.commit(hash_precondition(upload.expected), self._hashes)
        return entry, upload.replacement.hash

    def close(self) -> None:
        """Give all of them up."""
        while self._open:
            replacement = self._open.popitem()[1].replacement
            replacement.discard()
            self._quota.close(replacement.size)

    def _get(self, upload_id: str) -> _Upload:
        upload = self._open.get(upload_id)
        if upload is None:
            raise UploadNotFound("there is no open upload of this id on this connection")
        return upload
