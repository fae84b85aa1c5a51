"""Directories, as archives: ``?archive=tar.gz`` or ``tar.zst``."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from shellwire.errors import FileSystemError, InvalidArgument, NotDirectory, told
from shellwire.files import change
from shellwire.files.compression import ARCHIVES, Archive, is_available
from shellwire.files.problems import shown
from shellwire.files.root import Root
from shellwire.files.streams import Stream
from shellwire.files.write import TEMPORARY
from shellwire.server.bulk.archive_worker import About, Order, command
from shellwire.server.bulk.patience import Patience
from shellwire.server.bulk.pour import write
from shellwire.server.bulk.receiving import blocks, proceed

if TYPE_CHECKING:
    from shellwire.files.service import Files

_TYPES = {"tar.gz": "application/gzip", "tar.zst": "application/zstd"}


def format_of(text: str) -> Archive:
    """Return the format that is asked for. Raises InvalidArgument."""
    known = [kind for kind, compression in ARCHIVES.items() if is_available(compression)]
    for kind in known:
        if text == kind:
            return kind
    raise InvalidArgument(f"archive: expected {' or '.join(known)}")


def _directory(path: bytes, *, create: bool) -> bytes:
    """Return where the directory at ``path`` is, without symlinks; made first with ``create``."""
    with Root(b"/") as root:
        if create and path.strip(b"/"):
            change.make_directory(root, path)
        with root.at(path) as place:
            if not stat.S_ISDIR(place.stat().st_mode):
                raise NotDirectory(f"{shown(path)}: only a directory can be an archive")
            return root.absolute(place.real)


async def send(
    request: web.Request, files: Files, path: bytes, kind: Archive
) -> web.StreamResponse:
    """Answer with an archive of what is in the directory. Raises WireError."""
    directory = await files.run(_directory, path, create=False)
    response = web.StreamResponse(
        headers={"Content-Type": _TYPES[kind], "Cache-Control": "no-cache"}
    )
    response.enable_chunked_encoding()
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    order = Order(root=directory, kind=kind, does="pack")
    async with Stream(command(order), files.workers.reaper) as stream:
        stream.write_end()
        piece = await stream.read()
        if not piece:
            raise _problem(await stream.about())
        await response.prepare(request)
        while piece:
            await write(request, response, piece)
            piece = await stream.read()
        if not _is_done(await stream.about()):
            # It has begun, so nothing but an end before its time can tell.
            assert request.transport is not None
            request.transport.abort()
    return response


async def receive(
    request: web.Request, files: Files, path: bytes, kind: Archive
) -> web.StreamResponse:
    """Unpack the content into the directory, which is made if it is missing. Raises WireError."""
    directory = await files.run(_directory, path, create=True)
    workshop = TEMPORARY + secrets.token_hex(8).encode()
    order = Order(
        root=directory,
        kind=kind,
        does="unpack",
        workshop=workshop,
        max_file=files.limits.max_file,
        max_upload=files.limits.max_upload,
        min_free=files.limits.min_free,
    )
    noted = files.litter.note(os.path.join(directory, workshop))
    try:
        async with Stream(command(order), files.workers.reaper) as stream:
            await proceed(request)
            async for block in blocks(request, Patience()):
                for data in block:
                    await stream.write(data)
            stream.write_end()
            said = await stream.about()
    finally:
        await files.run(_clear, directory, workshop)
        files.litter.forget(noted)
    if not _is_done(said):
        raise _problem(said)
    about = msgspec.json.decode(said, type=About)
    body = msgspec.json.encode({"files": about.files, "bytes": about.bytes})
    return web.Response(body=body + b"\n", content_type="application/json")


def _clear(directory: bytes, workshop: bytes) -> None:
    with Root(directory) as root:
        change.delete(root, workshop, recursive=True)


def _is_done(said: bytes) -> bool:
    return bool(said) and not msgspec.json.decode(said, type=About).code


def _problem(said: bytes) -> Exception:
    if not said:
        return FileSystemError("the archive could not be finished")
    about = msgspec.json.decode(said, type=About)
    return told(about.code, about.message)
