"""``PUT`` of a file: whole, or in parts that survive a lost connection."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from shellwire.errors import Conflict, InvalidArgument, NotFile, NotFound
from shellwire.files.compression import Decompressor
from shellwire.files.hashes import MAX_QUICK_HASH
from shellwire.files.partials import Partial, PartialKey
from shellwire.files.problems import shown, translate_os_errors
from shellwire.files.read import opened
from shellwire.files.root import Root
from shellwire.files.write import Replacement
from shellwire.protocol import messages
from shellwire.server.files import render
from shellwire.server.http_files import headers
from shellwire.server.http_files.auth import PRINCIPAL
from shellwire.server.http_files.errors import error_response
from shellwire.server.http_files.put_headers import PutHeaders
from shellwire.server.http_files.timeouts import StallTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shellwire.files.entry import Entry
    from shellwire.files.service import FileService
    from shellwire.jobs.model import ClientKey
    from shellwire.server.http_files.headers import ContentRange

_BLOCK = 1024 * 1024


async def receive_file(
    request: web.Request, files: FileService, client: ClientKey, path: bytes
) -> web.StreamResponse:
    """Write the file at ``path``. Raises WireError."""
    part = headers.content_range(request.headers.get("Content-Range"))
    put_headers = PutHeaders(request)
    if part is None or part.span is not None:
        # Before 100 Continue, so that the client sends no body in vain.
        await check_preconditions(request, files, path, put_headers)
    if part is None:
        return await _receive_whole(request, files, path, put_headers)
    stall_timeout = StallTimeout()
    key = PartialKey(*client, path, part.total, put_headers.digest)
    async with files.partials.claim(key, stall_timeout.shorten) as partial:
        return await _receive_part(request, files, partial, part, put_headers, stall_timeout)


# Bodies ------------------------------------------------------------------------------------------


async def send_continue(request: web.Request) -> None:
    """Send 100 Continue to a client that waits for it (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and not request.content.at_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def read_blocks(
    request: web.Request, stall_timeout: StallTimeout
) -> AsyncIterator[list[bytes]]:
    """Yield the body in lists of about a MiB, including what arrived before a broken connection.

    Raises ConnectionError if the connection broke, or ``stall_timeout`` expired.
    """
    waiting: list[bytes] = []
    size = 0
    broken: Exception | None = None
    while True:
        try:
            async with stall_timeout.wait():
                data = await request.content.readany()
        except (TimeoutError, ConnectionError, web.PayloadAccessError, OSError) as error:
            broken, data = error, b""
        if data:
            waiting.append(data)
            size += len(data)
        if waiting and (size >= _BLOCK or not data):
            yield waiting
            waiting, size = [], 0
        if not data:
            break
    if broken is not None:
        raise ConnectionResetError("the content broke off") from broken


class _Sink:
    """Decodes the body and appends it to the new file, at most ``limit`` bytes."""

    def __init__(
        self, replacement: Replacement, put_headers: PutHeaders, limit: int | None
    ) -> None:
        self._replacement = replacement
        self._end = None if limit is None else replacement.size + limit
        self._decoder = None if put_headers.encoding is None else Decompressor(put_headers.encoding)

    def write(self, block: list[bytes]) -> None:
        """Append a block. Raises InvalidArgument, and the errors of ``Replacement.write``."""
        for data in block:
            if self._decoder is None:
                self._append(data)
            else:
                self._decoder.feed(data, self._append)

    def _append(self, data: bytes) -> None:
        if self._end is not None and self._replacement.size + len(data) > self._end:
            raise InvalidArgument("there is more content than Content-Range says")
        self._replacement.write(data)

    def finish(self) -> None:
        """Raise InvalidArgument if the body is incomplete."""
        if self._decoder is not None:
            self._decoder.finish()
        if self._end is not None and self._replacement.size != self._end:
            raise InvalidArgument("there is less content than Content-Range says")


async def _write(
    request: web.Request, files: FileService, sink: _Sink, stall_timeout: StallTimeout
) -> None:
    """Write the body to ``sink``, reading the next block while one is written.

    Writes all that arrived before a broken connection. Raises InvalidArgument, ConnectionError.
    """
    writing: asyncio.Future[Any] | None = None
    try:
        async for block in read_blocks(request, stall_timeout):
            if writing is not None:
                await writing
            writing = asyncio.ensure_future(files.run(sink.write, block))
    finally:
        if writing is not None:
            await writing
    sink.finish()


# Whole, or in parts ------------------------------------------------------------------------------


async def _receive_whole(
    request: web.Request, files: FileService, path: bytes, put_headers: PutHeaders
) -> web.StreamResponse:
    size = request.content_length if put_headers.encoding is None else None
    replacement = await files.run(_begin, files, path, size, put_headers)
    try:
        await send_continue(request)
        await _write(request, files, _Sink(replacement, put_headers, None), StallTimeout())
    except BaseException:
        await files.run(replacement.discard)
        raise
    return await _commit(files, replacement, put_headers)


def _begin(
    files: FileService, path: bytes, size: int | None, put_headers: PutHeaders
) -> Replacement:
    with Root(b"/") as root:
        return Replacement(
            root,
            path,
            files.tempfiles,
            files.limits,
            size=size or 0,
            hashing=put_headers.hash or size is None or size <= MAX_QUICK_HASH,
        )


async def _receive_part(
    request: web.Request,
    files: FileService,
    partial: Partial,
    part: ContentRange,
    put_headers: PutHeaders,
    stall_timeout: StallTimeout,
) -> web.StreamResponse:
    if part.span is None:
        if not partial.size and put_headers.digest:
            # The answer to the last part may have been lost.
            existing = await _hash_of(request, files, partial.key.path)
            if existing == put_headers.digest:
                return web.Response(headers={"ETag": headers.tag(existing)})
        return _incomplete(partial)
    if part.span.first == 0 and partial.size:
        await files.partials.restart(partial)  # the client starts over
    if part.span.first != partial.size:
        wrong_offset = Conflict(f"Content-Range: expected a part that begins at {partial.size}")
        return error_response(wrong_offset, 409, _offset_headers(partial))
    if partial.replacement is None:
        partial.replacement = await files.run(
            _begin, files, partial.key.path, part.total, put_headers
        )
    await send_continue(request)
    sink = _Sink(partial.replacement, put_headers, part.span.end - part.span.first)
    await _write(request, files, sink, stall_timeout)
    if partial.size < part.total:
        return _incomplete(partial)
    return await _commit(files, partial.take(), put_headers)


async def check_preconditions(
    request: web.Request, files: FileService, path: bytes, put_headers: PutHeaders
) -> None:
    """Raise Conflict unless If-Match and If-None-Match hold for the file at ``path``."""
    precondition = put_headers.precondition()
    if precondition is not None:
        found = await _hash_of(request, files, path)
        if not precondition(lambda: found or None):
            raise Conflict(f"{shown(path)}: it is not what was expected")


async def _hash_of(request: web.Request, files: FileService, path: bytes) -> str:
    descriptor = await files.run(_open_existing, path)
    if descriptor is None:
        return ""
    try:
        with translate_os_errors(path):
            return await files.hash_of(
                descriptor, request[PRINCIPAL], gone=lambda: request.transport is None
            )
    finally:
        os.close(descriptor)


def _open_existing(path: bytes) -> int | None:
    try:
        with Root(b"/") as root, root.at(path) as place, opened(place) as descriptor:
            return os.dup(descriptor)
    except (NotFound, NotFile):
        return None


def _incomplete(partial: Partial) -> web.Response:
    return web.Response(status=308, headers=_offset_headers(partial))


def _offset_headers(partial: Partial) -> dict[str, str]:
    found = {"Upload-Offset": str(partial.size)}
    if partial.size:
        found["Range"] = f"bytes=0-{partial.size - 1}"
    return found


async def _commit(
    files: FileService, replacement: Replacement, put_headers: PutHeaders
) -> web.Response:
    if put_headers.digest and put_headers.digest != replacement.hash:
        await files.run(replacement.discard)
        raise Conflict("the content is not what Repr-Digest says")
    existed, entry = await files.run(_replace_file, files, replacement, put_headers)
    result = messages.Written(entry=render.entry(entry), hash=replacement.hash)
    return web.Response(
        status=200 if existed else 201,
        body=msgspec.json.encode(result) + b"\n",
        content_type="application/json",
        headers={"ETag": headers.tag(replacement.hash)} if replacement.hash else {},
    )


def _replace_file(
    files: FileService, replacement: Replacement, put_headers: PutHeaders
) -> tuple[bool, Entry]:
    entry = replacement.commit(
        put_headers.precondition(),
        files.hashes,
        mode=put_headers.mode,
        mtime_ns=put_headers.mtime_ns,
    )
    return replacement.replaced, entry
