"""Chunked uploads over messages: those of one client, discarded when it disconnects."""

from __future__ import annotations

import contextlib
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import QueueFull, UploadNotFound
from shellwire.files.limits import MAX_UNFINISHED, MAX_UNFINISHED_BYTES
from shellwire.files.write import hash_precondition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shellwire.files.entry import Entry
    from shellwire.files.hashes import Hashes
    from shellwire.files.write import Replacement


@dataclass(frozen=True, slots=True)
class _Upload:
    replacement: Replacement
    expected: str | None


class UploadQuota:
    """Limits on the open uploads of the owner's clients, or of all others'. Thread-safe."""

    def __init__(self, most: int) -> None:
        """``most`` is the limit for one client."""
        self._most = max(most, MAX_UNFINISHED)
        self._lock = threading.Lock()
        self._count = 0
        self._bytes = 0

    def open(self) -> None:
        """Count one more upload. Raises QueueFull."""
        with self._lock:
            if self._count >= self._most:
                raise QueueFull(f"{self._most} uploads of all clients are open already")
            self._count += 1

    def reserve(self, size: int, own: int) -> None:
        """Reserve ``size`` more bytes for an upload that has ``own`` bytes. Raises QueueFull."""
        with self._lock:
            if self._bytes > own and self._bytes + size > MAX_UNFINISHED_BYTES:
                raise QueueFull(f"open uploads already have {MAX_UNFINISHED_BYTES} bytes in all")
            self._bytes += size

    def release(self, size: int) -> None:
        """Release reserved bytes that were not written."""
        with self._lock:
            self._bytes -= size

    def close(self, size: int) -> None:
        """Uncount an upload that had ``size`` bytes."""
        with self._lock:
            self._count -= 1
            self._bytes -= size


class PrincipalQuota(UploadQuota):
    """Limits one principal, within the limits of all. Thread-safe."""

    def __init__(self, principal: str, most: int, shared: UploadQuota) -> None:
        super().__init__(most)
        self._most = most
        self._principal = principal
        self._shared = shared

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Count an upload that is one HTTP request while the block runs. Raises QueueFull."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._count >= self._most:
                raise QueueFull(f"{self._most} uploads of {self._principal} are open already")
            self._count += 1

    def _leave(self) -> None:
        with self._lock:
            self._count -= 1

    def open(self) -> None:
        """Count one more upload. Raises QueueFull."""
        self._enter()
        try:
            self._shared.open()
        except BaseException:
            self._leave()
            raise

    def reserve(self, size: int, own: int) -> None:
        """Reserve ``size`` more bytes for an upload that has ``own`` bytes. Raises QueueFull."""
        self._shared.reserve(size, own)

    def release(self, size: int) -> None:
        """Release reserved bytes that were not written."""
        self._shared.release(size)

    def close(self, size: int) -> None:
        """Uncount an upload that had ``size`` bytes."""
        self._leave()
        self._shared.close(size)


class Uploads:
    """The open uploads of one client, at most ``most``. Not safe for concurrent calls."""

    def __init__(self, most: int, hashes: Hashes, quota: UploadQuota) -> None:
        self._most = most
        self._hashes = hashes
        self._quota = quota
        self._open: dict[str, _Upload] = {}

    def add(self, begin: Callable[[], Replacement], expected: str | None) -> str:
        """Open an upload made by ``begin``; return its id. Raises QueueFull."""
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
        """Write the next piece; return the bytes so far. A piece that failed may be sent again."""
        replacement = self._get(upload_id).replacement
        self._quota.reserve(len(data), replacement.size)
        try:
            replacement.write(data)
        except BaseException:
            self._quota.release(len(data))
            raise
        return replacement.size

    def finish(self, upload_id: str) -> tuple[Entry, str]:
        """Commit the file, or discard it on error; return its entry and hash."""
        upload = self._get(upload_id)
        del self._open[upload_id]
        self._quota.close(upload.replacement.size)
        entry = upload.replacement.commit(hash_precondition(upload.expected), self._hashes)
        return entry, upload.replacement.hash

    def close(self) -> None:
        """Discard all open uploads."""
        while self._open:
            replacement = self._open.popitem()[1].replacement
            replacement.discard()
            self._quota.close(replacement.size)

    def _get(self, upload_id: str) -> _Upload:
        upload = self._open.get(upload_id)
        if upload is None:
            raise UploadNotFound("there is no open upload of this id on this connection")
        return upload
