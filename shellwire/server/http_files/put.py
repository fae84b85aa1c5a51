"""``PUT``: a file, at once or in parts that outlive their connection."""

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
from shellwire.server.http_files.problems import answer
from shellwire.server.http_files.put_request import Wanted
from shellwire.server.http_files.timeouts import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shellwire.files.entry import Entry
    from shellwire.files.service import FileService
    from shellwire.server.http_files.auth import Admission
    from shellwire.server.http_files.headers import ContentRange

_BLOCK = 1024 * 1024


async def receive(
    request: web.Request, files: FileService, admission: Admission, path: bytes
) -> web.StreamResponse:
    """Write the file at ``path``. Raises WireError."""
    part = headers.content_range(request.headers.get("Content-Range"))
    wanted = Wanted(request)
    if part is None or part.span is not None:
        await check(request, files, path, wanted)  # before anything is sent that would be in vain
    if part is None:
        return await _at_once(request, files, path, wanted)
    patience = Patience()
    key = PartialKey(admission.client_id, path, part.total, wanted.digest)
    async with files.partials.claim(key, patience.skip_grace) as partial:
        return await _in_parts(request, files, partial, part, wanted, patience)


# Bodies ------------------------------------------------------------------------------------------


async def proceed(request: web.Request) -> None:
    """Tell a client that waits for it to send its content (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and not request.content.at_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def blocks(request: web.Request, patience: Patience) -> AsyncIterator[list[bytes]]:
    """Yield the content in lists of about a MiB; what came before the connection broke, too.

    Raises ConnectionError if it did, or nothing came for as long as ``patience`` waits.
    """
    waiting: list[bytes] = []
    size = 0
    broken: Exception | None = None
    while True:
        try:
            async with patience.wait():
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
    """Takes the content, decodes it, and appends it, at most ``most`` bytes of it."""

    def __init__(self, replacement: Replacement, wanted: Wanted, most: int | None) -> None:
        self._replacement = replacement
        self._end = None if most is None else replacement.size + most
        self._decoder = None if wanted.encoding is None else Decompressor(wanted.encoding)

    def write(self, block: list[bytes]) -> None:
        """Take more. Raises InvalidArgument and what ``Replacement.write`` does."""
        for data in block:
            if self._decoder is None:
                self._put(data)
            else:
                self._decoder.feed(data, self._put)

    def _put(self, data: bytes) -> None:
        if self._end is not None and self._replacement.size + len(data) > self._end:
            raise InvalidArgument("there is more content than Content-Range says")
        self._replacement.write(data)

    def finish(self) -> None:
        """Raise InvalidArgument if something is missing."""
        if self._decoder is not None:
            self._decoder.finish()
        if self._end is not None and self._replacement.size != self._end:
            raise InvalidArgument("there is less content than Content-Range says")


async def _write(request: web.Request, files: FileService, sink: _Sink, patience: Patience) -> None:
    """Give ``sink`` the content; while a block is written the next one is read.

    What came before the connection broke is in it. Raises InvalidArgument, ConnectionError.
    """
    writing: asyncio.Future[Any] | None = None
    try:
        async for block in blocks(request, patience):
            if writing is not None:
                await writing
            writing = asyncio.ensure_future(files.run(sink.write, block))
    finally:
        if writing is not None:
            await writing
    sink.finish()


# At once, or in parts ----------------------------------------------------------------------------


async def _at_once(
    request: web.Request, files: FileService, path: bytes, wanted: Wanted
) -> web.StreamResponse:
    size = request.content_length if wanted.encoding is None else None
    replacement = await files.run(_begin, files, path, size, wanted)
    try:
        await proceed(request)
        await _write(request, files, _Sink(replacement, wanted, None), Patience())
    except BaseException:
        await files.run(replacement.discard)
        raise
    return await _commit(files, replacement, wanted)


def _begin(files: FileService, path: bytes, size: int | None, wanted: Wanted) -> Replacement:
    with Root(b"/") as root:
        return Replacement(
            root,
            path,
            files.tempfiles,
            files.limits,
            size=size or 0,
            hashing=wanted.hash or size is None or size <= MAX_QUICK_HASH,
        )


async def _in_parts(
    request: web.Request,
    files: FileService,
    partial: Partial,
    part: ContentRange,
    wanted: Wanted,
    patience: Patience,
) -> web.StreamResponse:
    if part.span is None:
        if not partial.size and wanted.digest:
            # The answer to the last part may have been lost.
            there = await _hash_of(request, files, partial.key.path)
            if there == wanted.digest:
                return web.Response(headers={"ETag": headers.tag(there)})
        return _so_far(partial)
    if part.span.first == 0 and partial.size:
        await files.partials.restart(partial)  # its client begins anew
    if part.span.first != partial.size:
        begun = Conflict(f"Content-Range: expected a part that begins at {partial.size}")
        return answer(begun, 409, _offset(partial))
    if partial.replacement is None:
        partial.replacement = await files.run(_begin, files, partial.key.path, part.total, wanted)
    await proceed(request)
    sink = _Sink(partial.replacement, wanted, part.span.end - part.span.first)
    await _write(request, files, sink, patience)
    if partial.size < part.total:
        return _so_far(partial)
    return await _commit(files, partial.take(), wanted)


async def check(request: web.Request, files: FileService, path: bytes, wanted: Wanted) -> None:
    """Raise Conflict unless what is at ``path`` is what If-Match and If-None-Match mean."""
    believed = wanted.believed()
    if believed is not None:
        found = await _hash_of(request, files, path)
        if not believed(lambda: found or None):
            raise Conflict(f"{shown(path)}: it is not what was expected")


async def _hash_of(request: web.Request, files: FileService, path: bytes) -> str:
    descriptor = await files.run(_opened_at, path)
    if descriptor is None:
        return ""
    try:
        with translate_os_errors(path):
            return await files.hash_of(descriptor, gone=lambda: request.transport is None)
    finally:
        os.close(descriptor)


def _opened_at(path: bytes) -> int | None:
    try:
        with Root(b"/") as root, root.at(path) as place, opened(place) as descriptor:
            return os.dup(descriptor)
    except (NotFound, NotFile):
        return None


def _so_far(partial: Partial) -> web.Response:
    return web.Response(status=308, headers=_offset(partial))


def _offset(partial: Partial) -> dict[str, str]:
    found = {"Upload-Offset": str(partial.size)}
    if partial.size:
        found["Range"] = f"bytes=0-{partial.size - 1}"
    return found


async def _commit(files: FileService, replacement: Replacement, wanted: Wanted) -> web.Response:
    if wanted.digest and wanted.digest != replacement.hash:
        await files.run(replacement.discard)
        raise Conflict("the content is not what Repr-Digest says")
    existed, entry = await files.run(_take_place, files, replacement, wanted)
    result = messages.Written(entry=render.entry(entry), hash=replacement.hash)
    return web.Response(
        status=200 if existed else 201,
        body=msgspec.json.encode(result) + b"\n",
        content_type="application/json",
        headers={"ETag": headers.tag(replacement.hash)} if replacement.hash else {},
    )


def _take_place(files: FileService, replacement: Replacement, wanted: Wanted) -> tuple[bool, Entry]:
    entry = replacement.commit(
        wanted.believed(), files.hashes, mode=wanted.mode, mtime_ns=wanted.mtime_ns
    )
    return replacement.replaced, entry
