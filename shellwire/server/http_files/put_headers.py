"""The headers of a ``PUT``: preconditions, and attributes of the new file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shellwire.errors import InvalidArgument
from shellwire.files.compression import Compression, is_available
from shellwire.server.http_files import headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

_MTIME = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_MODE = re.compile(r"[0-7]{1,4}")


class PutHeaders:
    """The parsed headers of a ``PUT`` or ``DELETE``."""

    def __init__(self, request: web.Request) -> None:
        """Parse the headers of ``request``. Raises InvalidArgument."""
        found = request.headers
        self.digest = headers.digest(found.get("Repr-Digest"))
        self.hash = bool(self.digest) or headers.WANT_HASH in found
        self.if_match = found.get("If-Match")
        self.if_none_match = found.get("If-None-Match")
        self.mode = self._mode(found.get("Shellwire-Mode"))
        self.mtime_ns = self._mtime(found.get("Shellwire-Mtime"))
        self.encoding = self._encoding(found.get("Content-Encoding", "identity"))

    @staticmethod
    def _mode(text: str | None) -> int | None:
        if text is None:
            return None
        if not _MODE.fullmatch(text):
            raise InvalidArgument("Shellwire-Mode: expected an octal number")
        return int(text, 8)

    @staticmethod
    def _mtime(text: str | None) -> int | None:
        if text is None:
            return None
        match = _MTIME.fullmatch(text)
        if match is None:
            raise InvalidArgument("Shellwire-Mtime: expected seconds since 1970")
        nanoseconds = int(match[2]) * 1_000_000_000 + int((match[3] or "").ljust(9, "0"))
        return -nanoseconds if match[1] else nanoseconds

    @staticmethod
    def _encoding(text: str) -> Compression | None:
        match text.strip().lower():
            case "identity" | "":
                return None
            case "gzip" | "x-gzip":
                return "gzip"
            case "zstd" if is_available("zstd"):
                return "zstd"
        raise InvalidArgument("Content-Encoding: expected gzip or zstd")

    def precondition(self) -> Callable[[Callable[[], str | None]], bool] | None:
        """Return a function that checks If-Match and If-None-Match; None without either header.

        The function takes one that returns the existing file's hash, None without a file.
        """
        if self.if_match is None and self.if_none_match is None:
            return None

        def holds(hash_of: Callable[[], str | None]) -> bool:
            hashed = hash_of()
            if self.if_match is not None and not headers.names_hash(
                self.if_match, hashed, weak=False
            ):
                return False
            return self.if_none_match is None or not headers.names_hash(
                self.if_none_match, hashed, weak=True
            )

        return holds
