"""``GET`` and ``HEAD`` of a file or a range of it."""

from __future__ import annotations

import mimetypes
import os
import tempfile
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web

from shellwire.errors import Conflict, FileSystemError, InvalidArgument
from shellwire.files.compression import Compression, compressor, is_available
from shellwire.files.hashes import MAX_QUICK_HASH, version
from shellwire.files.problems import translate_os_errors
from shellwire.files.read import opened
from shellwire.files.root import Root
from shellwire.server.http_files import headers
from shellwire.server.http_files.auth import PRINCIPAL
from shellwire.server.http_files.errors import error_response
from shellwire.server.http_files.headers import Span, Unsatisfiable
from shellwire.server.http_files.sendfile import send_range, write_body

if TYPE_CHECKING:
    from shellwire.files.hashes import Hashes
    from shellwire.files.service import FileService

_NEED_HASH = ("If-Match", "If-None-Match", "If-Range", "Range", headers.WANT_HASH)
# The end of the year 9999: an HTTP date has four digits for the year (RFC 9110, 5.6.7).
_LAST_DATE = 253_402_300_799
_MIN_COMPRESSED = 1024
_SAMPLE = 64 * 1024
_MAX_RATIO = 0.8
_PIECE = 256 * 1024


@dataclass(frozen=True)
class _Source:
    """An open file. ``hash`` is empty if it was not needed."""

    descriptor: int
    stat: os.stat_result
    size: int
    hash: str


def _open(path: bytes, hashes: Hashes) -> _Source:
    with Root(b"/") as root, root.at(path) as place, opened(place) as descriptor:
        found = os.fstat(descriptor)
        if not found.st_size and os.pread(descriptor, 1, 0):
            copy = _copy_of(descriptor)
            return _Source(copy, found, os.fstat(copy).st_size, hashes.of(copy))
        if found.st_size <= MAX_QUICK_HASH:
            hashed = hashes.of(descriptor)
        else:
            hashed = hashes.known(version(found)) or ""
        return _Source(os.dup(descriptor), found, found.st_size, hashed)


def _copy_of(descriptor: int) -> int:
    """Return a copy of a file that reports no size until read, such as those in proc(5)."""
    with tempfile.TemporaryFile() as copy:
        while data := os.read(descriptor, _PIECE):
            copy.write(data)
            if copy.tell() > MAX_QUICK_HASH:
                raise FileSystemError("it has no size, and more than can be read at once")
        copy.flush()
        return os.dup(copy.fileno())


async def send_file(request: web.Request, files: FileService, path: bytes) -> web.StreamResponse:
    """Answer with the file at ``path``. Raises WireError."""
    must_hash = request.method == "HEAD" or any(name in request.headers for name in _NEED_HASH)
    source = await files.run(_open, path, files.hashes)
    try:
        recompute = "no-cache" in request.headers.get("Cache-Control", "").lower()
        if must_hash and (recompute or not source.hash):
            with translate_os_errors(path):
                hashed = await files.hash_of(
                    source.descriptor,
                    request[PRINCIPAL],
                    anew=recompute,
                    gone=lambda: request.transport is None,
                )
            source = replace(source, hash=hashed)
        return await _answer(request, files, path, source)
    finally:
        os.close(source.descriptor)


async def _answer(
    request: web.Request, files: FileService, path: bytes, source: _Source
) -> web.StreamResponse:
    head = _head(path, source)
    if_match = request.headers.get("If-Match")
    if if_match is not None and not headers.names_hash(if_match, source.hash, weak=False):
        raise Conflict("it is not what If-Match names")
    if_none_match = request.headers.get("If-None-Match")
    if if_none_match is not None and headers.names_hash(if_none_match, source.hash, weak=True):
        return web.Response(status=304, headers={"ETag": head["ETag"]})
    size = source.size
    span = None
    if _range_applies(request, source, head["Last-Modified"]):
        try:
            span = headers.requested_range(request.headers.get("Range"), size)
        except Unsatisfiable:
            beyond = InvalidArgument(f"Range: the file has {size} bytes")
            return error_response(beyond, 416, {"Content-Range": f"bytes */{size}"})
    if span is None:
        encoding = await files.run(_encoding, request.headers.get("Accept-Encoding", ""), source)
        if encoding:
            return await _encoded(request, files, source, head, encoding)
    else:
        head["Content-Range"] = f"bytes {span.first}-{span.end - 1}/{size}"
    if source.hash and headers.WANT_HASH in request.headers:
        head["Repr-Digest"] = headers.repr_digest(source.hash)
    first, end = span or Span(0, size)
    response = web.StreamResponse(status=200 if span is None else 206, headers=head)
    response.content_length = end - first
    if request.method == "HEAD":
        await response.prepare(request)
    else:
        await send_range(request, response, files, source.descriptor, range(first, end))
    return response


def _head(path: bytes, source: _Source) -> dict[str, str]:
    found = source.stat
    kind, encoding = mimetypes.guess_type(os.fsdecode(os.path.basename(path)))
    seconds, nanoseconds = divmod(abs(found.st_mtime_ns), 1_000_000_000)
    sign = "-" if found.st_mtime_ns < 0 else ""
    head = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache",
        "Content-Type": kind if kind and not encoding else "application/octet-stream",
        "Last-Modified": formatdate(max(0, min(found.st_mtime, _LAST_DATE)), usegmt=True),
        "Shellwire-Mode": f"{found.st_mode & 0o7777:04o}",
        "Shellwire-Mtime": f"{sign}{seconds}.{nanoseconds:09}",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if source.hash:
        head["ETag"] = headers.tag(source.hash)
    return head


def _range_applies(request: web.Request, source: _Source, modified: str) -> bool:
    """Whether ``If-Range``, if present, matches the file (RFC 9110, 13.1.5)."""
    condition = request.headers.get("If-Range")
    if condition is None:
        return True
    if condition.strip().endswith('"'):
        return headers.names_hash(condition, source.hash, weak=False)
    return condition.strip() == modified


def _encoding(accepted: str, source: _Source) -> Compression | None:
    """Return the compression to use: one the client accepts that saves a fifth of a sample."""
    available: tuple[Compression, ...] = ("zstd", "gzip") if is_available("zstd") else ("gzip",)
    chosen = headers.chosen_encoding(accepted, available)
    if not chosen or source.size < _MIN_COMPRESSED:
        return None
    found: Compression = "zstd" if chosen == "zstd" else "gzip"
    # The sample is from the middle: many formats begin with a compressible header.
    sample = os.pread(source.descriptor, _SAMPLE, max(0, source.size // 2 - _SAMPLE // 2))
    trial = compressor(found)
    return found if len(trial.compress(sample) + trial.flush()) < len(sample) * _MAX_RATIO else None


async def _encoded(
    request: web.Request,
    files: FileService,
    source: _Source,
    head: dict[str, str],
    encoding: Compression,
) -> web.StreamResponse:
    head["Content-Encoding"] = encoding
    if source.hash:
        head["ETag"] = headers.tag(source.hash, encoding)
    response = web.StreamResponse(headers=head)
    response.enable_chunked_encoding()
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    stream = compressor(encoding)
    offset = 0

    def next_piece() -> bytes:
        data = os.pread(source.descriptor, _PIECE, offset)
        return stream.compress(data) if data else b""

    while offset < source.size:
        piece = await files.run(next_piece)
        offset += _PIECE
        if piece:
            await write_body(request, response, piece)
    await write_body(request, response, await files.run(stream.flush))
    return response
