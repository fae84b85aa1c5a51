"""Uploads in pieces: those of one client, which vanish with it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import QueueFull, UploadNotFound
from shellwire.files.write import Replacement, expecting

if TYPE_CHECKING:
    from shellwire.files.entry import Entry
    from shellwire.files.hashes import Hashes


@dataclass(frozen=True, slots=True)
class _Upload:
    replacement: Replacement
    expected: str | None


class Uploads:
    """The open uploads of one client, at most ``most``. Its methods are called one at a time."""

    def __init__(self, most: int, hashes: Hashes) -> None:
        self._most = most
        self._hashes = hashes
        self._open: dict[str, _Upload] = {}

    def require_room(self) -> None:
        """Raise QueueFull if no more may be opened."""
        if len(self._open) >= self._most:
            raise QueueFull(f"{self._most} uploads of this client are open already (--max-uploads)")

    def add(self, replacement: Replacement, expected: str | None) -> str:
        """Take in a new one; return its id."""
        upload_id = secrets.token_hex(16)
        self._open[upload_id] = _Upload(replacement, expected)
        return upload_id

    def append(self, upload_id: str, data: bytes) -> int:
        """Write what follows; return the bytes so far. A piece that fails may be sent again."""
        replacement = self._get(upload_id).replacement
        replacement.write(data)
        return replacement.size

    def finish(self, upload_id: str) -> tuple[Entry, str]:
        """Put the file in its place, or give the upload up; return the entry and its hash."""
        upload = self._get(upload_id)
        del self._open[upload_id]
        entry = upload.replacement.commit(expecting(upload.expected), self._hashes)
        return entry, upload.replacement.hash

    def close(self) -> None:
        """Give all of them up."""
        while self._open:
            self._open.popitem()[1].replacement.discard()

    def _get(self, upload_id: str) -> _Upload:
        upload = self._open.get(upload_id)
        if upload is None:
            raise UploadNotFound("there is no open upload of this id on this connection")
        return upload
