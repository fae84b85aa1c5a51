"""Directories, as archives: ``?archive=tar.gz`` or ``tar.zst``."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiohttp import web

from shellwire.errors import FileSystemError, InvalidArgument, NotDirectory, from_wire
from shellwire.files import change
from shellwire.files.archive_process import ArchiveProcess
from shellwire.files.compression import ARCHIVES, Archive, is_available
from shellwire.files.problems import shown
from shellwire.files.root import Root
from shellwire.files.write import TEMPORARY, sync_directory
from shellwire.server.http_files.archive_worker import About, Order, command
from shellwire.server.http_files.put import blocks, proceed
from shellwire.server.http_files.sendfile import write
from shellwire.server.http_files.timeouts import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shellwire.files.limits import FileLimits
    from shellwire.files.service import FileService

_TYPES = {"tar.gz": "application/gzip", "tar.zst": "application/zstd"}


def format_of(text: str) -> Archive:
    """Return the format that is asked for. Raises InvalidArgument."""
    known = [kind for kind, compression in ARCHIVES.items() if is_available(compression)]
    for kind in known:
        if text == kind:
            return kind
    raise InvalidArgument(f"archive: expected {' or '.join(known)}")


def _directory(path: bytes) -> bytes:
    """Return where the directory at ``path`` is, without symlinks."""
    with Root(b"/") as root, root.at(path) as place:
        if not stat.S_ISDIR(place.stat().st_mode):
            raise NotDirectory(f"{shown(path)}: only a directory can be an archive")
        return root.absolute(place.real)


async def send(
    request: web.Request, files: FileService, path: bytes, kind: Archive
) -> web.StreamResponse:
    """Answer with an archive of what is in the directory. Raises WireError."""
    directory = await files.run(_directory, path)
    response = web.StreamResponse(
        headers={"Content-Type": _TYPES[kind], "Cache-Control": "no-cache"}
    )
    response.enable_chunked_encoding()
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    order = Order(root=directory, kind=kind, does="pack")
    async with (
        _turn(request, files),
        ArchiveProcess(command(order), files.workers.reaper) as stream,
    ):
        stream.close_input()
        piece = await stream.read()
        if not piece:
            raise _problem(await stream.status_line())
        await response.prepare(request)
        while piece:
            await write(request, response, piece)
            piece = await stream.read()
        if not _is_done(await stream.status_line()):
            # It has begun, so nothing but an end before its time can tell.
            assert request.transport is not None
            request.transport.abort()
    return response


async def receive(
    request: web.Request, files: FileService, path: bytes, kind: Archive
) -> web.StreamResponse:
    """Unpack the content into the directory. Raises WireError.

    One that is missing comes to be in one step, with all that is in it; into one that is there each
    file comes for itself.
    """
    async with _turn(request, files):
        about = await _receive(request, files, path, kind)
    body = msgspec.json.encode({"files": about.files, "bytes": about.bytes})
    return web.Response(body=body + b"\n", content_type="application/json")


@contextlib.asynccontextmanager
async def _turn(request: web.Request, files: FileService) -> AsyncIterator[None]:
    """Wait until an archive may be worked on. Raises QueueFull; ConnectionError if nobody waits."""
    async with files.archive_slot():
        if request.transport is None:
            raise ConnectionResetError("the client has gone")
        yield


async def _receive(request: web.Request, files: FileService, path: bytes, kind: Archive) -> About:
    site = await files.run(_site, path)
    temporary = os.path.join(site.directory, _temporary())
    noted = files.tempfiles.note(temporary)
    try:
        order = await files.run(_order, site, temporary, kind, files.limits)
        said = await _unpack(request, files, order)
        if not _is_done(said):
            raise _problem(said)
        if site.missing:
            await files.run(_put_in_place, site, temporary)
    finally:
        await files.run(change.delete_all, temporary)
        files.tempfiles.forget(noted)
    return msgspec.json.decode(said, type=About)


class _Site(NamedTuple):
    """Where an archive goes: a directory, or one that is missing in it. Without symlinks."""

    directory: bytes
    missing: bytes = b""


def _site(path: bytes) -> _Site:
    with Root(b"/") as root, root.at(path, create=True) as place:
        absolute = root.absolute(place.real)
        try:
            found = place.stat()
        except FileNotFoundError:
            return _Site(*os.path.split(absolute))
        if not stat.S_ISDIR(found.st_mode):
            raise NotDirectory(f"{shown(path)}: only a directory can take an archive")
        return _Site(absolute)


def _temporary() -> bytes:
    return TEMPORARY + secrets.token_hex(8).encode()


def _order(site: _Site, temporary: bytes, kind: Archive, limits: FileLimits) -> Order:
    """Say what is to be unpacked where: a missing directory is made under another name."""
    if site.missing:
        with Root(site.directory) as root:
            change.make_directory(root, os.path.basename(temporary))
    return Order(
        root=temporary if site.missing else site.directory,
        kind=kind,
        does="unpack",
        workshop=_temporary() if site.missing else os.path.basename(temporary),
        max_file=limits.max_file,
        max_upload=limits.max_upload,
        min_free=limits.min_free,
    )


async def _unpack(request: web.Request, files: FileService, order: Order) -> bytes:
    async with ArchiveProcess(command(order), files.workers.reaper) as stream:
        await proceed(request)
        async for block in blocks(request, Patience()):
            for data in block:
                await stream.write(data)
        stream.close_input()
        return await stream.status_line()


def _put_in_place(site: _Site, temporary: bytes) -> None:
    with Root(site.directory) as root:
        change.rename(root, os.path.basename(temporary), site.missing)
        sync_directory(root.descriptor)


def _is_done(said: bytes) -> bool:
    return bool(said) and not msgspec.json.decode(said, type=About).code


def _problem(said: bytes) -> Exception:
    if not said:
        return FileSystemError("the archive could not be finished")
    about = msgspec.json.decode(said, type=About)
    problem = from_wire(about.code, about.message)
    if isinstance(problem, FileSystemError):
        problem.errno = about.errno or None
    return problem
