"""Streaming gzip and zstd, piece by piece."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from shellwire.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable

Compression = Literal["gzip", "zstd"]
Archive = Literal["tar.gz", "tar.zst"]

ARCHIVES: dict[Archive, Compression] = {"tar.gz": "gzip", "tar.zst": "zstd"}
"""The compression of each archive format."""

_GZIP_WINDOW = 31  # 15, the largest, and 16 for gzip's header (zlib.h, deflateInit2)
_LEVELS = {"gzip": 1, "zstd": 3}
_PIECE = 1024 * 1024
_MODULE = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


@cache
def _zstd() -> Any:
    return importlib.import_module(_MODULE)


@cache
def is_available(compression: Compression) -> bool:
    """Tell whether this installation has it. zstd is in Python from 3.14 on, else in a package."""
    if compression == "gzip":
        return True
    try:
        return importlib.util.find_spec(_MODULE) is not None
    except ImportError:  # the parent package is missing
        return False


class Compressor(Protocol):
    """A streaming compressor."""

    def compress(self, data: bytes, /) -> bytes:
        """Return the compressed bytes that are ready."""
        ...

    def flush(self) -> bytes:
        """Return the remaining compressed bytes."""
        ...


def compressor(compression: Compression) -> Compressor:
    """Return a new compressor, at a level fast enough for a network."""
    if compression == "gzip":
        return zlib.compressobj(_LEVELS["gzip"], zlib.DEFLATED, _GZIP_WINDOW)
    made: Compressor = _zstd().ZstdCompressor(level=_LEVELS["zstd"])
    return made


class Decompressor:
    """A streaming decompressor that returns bounded pieces, whatever the compression ratio."""

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self._make: Callable[[], Any] = (
            (lambda: zlib.decompressobj(_GZIP_WINDOW))
            if compression == "gzip"
            else lambda: _zstd().ZstdDecompressor()
        )
        self._errors = (zlib.error,) if compression == "gzip" else (_zstd().ZstdError,)
        self._inner: Any = self._make()

    def feed(self, data: bytes, take: Callable[[bytes], object]) -> None:
        """Decompress ``data`` and pass each piece to ``take``. Raises InvalidArgument."""
        try:
            while data:
                if self._inner.eof:  # concatenated streams are valid
                    self._inner = self._make()
                data = self._step(data, take)
        except self._errors as error:
            raise InvalidArgument(f"the content is not {self._compression}: {error}") from None

    def _step(self, data: bytes, take: Callable[[bytes], object]) -> bytes:
        inner = self._inner
        piece = inner.decompress(data, _PIECE)
        if self._compression == "gzip":
            rest = inner.unused_data if inner.eof else inner.unconsumed_tail
            if piece:
                take(piece)
            return bytes(rest)
        while piece:
            take(piece)
            piece = b"" if inner.eof or inner.needs_input else inner.decompress(b"", _PIECE)
        return bytes(inner.unused_data) if inner.eof else b""

    def finish(self) -> None:
        """Raise InvalidArgument if the stream is truncated."""
        if not self._inner.eof:
            raise InvalidArgument(f"the content is truncated: incomplete {self._compression} data")


class DecompressedReader:
    """A file object that decompresses ``source`` on reading; for ``tarfile``."""

    def __init__(self, source: BinaryIO, compression: Compression) -> None:
        self._source = source
        self._decompressor = Decompressor(compression)
        self._ready = bytearray()
        self._at_end = False

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end. Raises InvalidArgument."""
        while len(self._ready) < size and not self._at_end:
            data = self._source.read1(64 * 1024)  # type: ignore[attr-defined]
            if data:
                self._decompressor.feed(data, self._ready.extend)
            else:
                self._at_end = True
                self._decompressor.finish()
        found = bytes(self._ready[:size])
        del self._ready[:size]
        return found


class CompressingWriter:
    """A file object that compresses into ``target`` on writing; for ``tarfile``."""

    def __init__(self, target: BinaryIO, compression: Compression) -> None:
        self._target = target
        self._compressor = compressor(compression)

    def write(self, data: bytes) -> int:
        """Compress and write ``data``."""
        self._target.write(self._compressor.compress(data))
        return len(data)

    def finish(self) -> None:
        """Write the remaining compressed bytes."""
        self._target.write(self._compressor.flush())
        self._target.flush()
