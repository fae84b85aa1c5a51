"""Send and receive directories as archives: ``?archive=tar.gz`` or ``tar.zst``."""

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
from shellwire.server.http_files.archive_worker import ArchiveTask, Summary, command
from shellwire.server.http_files.put import read_blocks, send_continue
from shellwire.server.http_files.sendfile import write_body
from shellwire.server.http_files.timeouts import StallTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shellwire.files.limits import FileLimits
    from shellwire.files.service import FileService

_TYPES = {"tar.gz": "application/gzip", "tar.zst": "application/zstd"}


def format_of(text: str) -> Archive:
    """Return the requested format. Raises InvalidArgument."""
    known = [kind for kind, compression in ARCHIVES.items() if is_available(compression)]
    for kind in known:
        if text == kind:
            return kind
    raise InvalidArgument(f"archive: expected {' or '.join(known)}")


def _directory(path: bytes) -> bytes:
    """Return the absolute path of the directory at ``path``, with symlinks resolved."""
    with Root(b"/") as root, root.at(path) as place:
        if not stat.S_ISDIR(place.stat().st_mode):
            raise NotDirectory(f"{shown(path)}: only a directory can be an archive")
        return root.absolute(place.real)


async def send_archive(
    request: web.Request, files: FileService, path: bytes, kind: Archive, principal: str
) -> web.StreamResponse:
    """Answer with an archive of the directory's contents. Raises WireError."""
    directory = await files.run(_directory, path)
    response = web.StreamResponse(
        headers={"Content-Type": _TYPES[kind], "Cache-Control": "no-cache"}
    )
    response.enable_chunked_encoding()
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    task = ArchiveTask(root=directory, kind=kind, action="pack")
    async with (
        _archive_slot(request, files, principal),
        ArchiveProcess(command(task), files.workers.reaper) as stream,
    ):
        stream.close_input()
        piece = await stream.read()
        if not piece:
            raise _problem(await stream.status_line())
        await response.prepare(request)
        while piece:
            await write_body(request, response, piece)
            piece = await stream.read()
        if not _succeeded(await stream.status_line()):
            # The response has begun, so only a broken connection can report the failure.
            assert request.transport is not None
            request.transport.abort()
    return response


async def receive_archive(
    request: web.Request, files: FileService, path: bytes, kind: Archive, principal: str
) -> web.StreamResponse:
    """Unpack the body into the directory. Raises WireError.

    A missing directory is created atomically, with its contents. In an existing one, files are
    replaced one by one.
    """
    async with _archive_slot(request, files, principal):
        summary = await _receive(request, files, path, kind)
    body = msgspec.json.encode({"files": summary.files, "bytes": summary.bytes})
    return web.Response(body=body + b"\n", content_type="application/json")


@contextlib.asynccontextmanager
async def _archive_slot(
    request: web.Request, files: FileService, principal: str
) -> AsyncIterator[None]:
    """Wait for a slot for an archive. Raises QueueFull; ConnectionError if the client has left."""
    async with files.archive_slot(principal):
        if request.transport is None:
            raise ConnectionResetError("the client has gone")
        yield


async def _receive(request: web.Request, files: FileService, path: bytes, kind: Archive) -> Summary:
    target = await files.run(_target, path)
    temporary = os.path.join(target.directory, _temporary_name())
    noted = files.tempfiles.note(temporary)
    try:
        task = await files.run(_make_task, target, temporary, kind, files.limits)
        output = await _unpack(request, files, task)
        if not _succeeded(output):
            raise _problem(output)
        if target.missing:
            await files.run(_put_in_place, target, temporary)
    finally:
        await files.run(change.delete_all, temporary)
        files.tempfiles.forget(noted)
    return msgspec.json.decode(output, type=Summary)


class _Target(NamedTuple):
    """Where to unpack: an existing directory, or the name of a missing one in it.

    Symlinks are resolved.
    """

    directory: bytes
    missing: bytes = b""


def _target(path: bytes) -> _Target:
    with Root(b"/") as root, root.at(path, create=True) as place:
        absolute = root.absolute(place.real)
        try:
            found = place.stat()
        except FileNotFoundError:
            return _Target(*os.path.split(absolute))
        if not stat.S_ISDIR(found.st_mode):
            raise NotDirectory(f"{shown(path)}: only a directory can take an archive")
        return _Target(absolute)


def _temporary_name() -> bytes:
    return TEMPORARY + secrets.token_hex(8).encode()


def _make_task(target: _Target, temporary: bytes, kind: Archive, limits: FileLimits) -> ArchiveTask:
    """Return the task of unpacking. A missing directory is first created under another name."""
    if target.missing:
        with Root(target.directory) as root:
            change.make_directory(root, os.path.basename(temporary))
    return ArchiveTask(
        root=temporary if target.missing else target.directory,
        kind=kind,
        action="unpack",
        temporary_name=_temporary_name() if target.missing else os.path.basename(temporary),
        max_file=limits.max_file,
        max_upload=limits.max_upload,
        min_free=limits.min_free,
    )


async def _unpack(request: web.Request, files: FileService, task: ArchiveTask) -> bytes:
    async with ArchiveProcess(command(task), files.workers.reaper) as stream:
        await send_continue(request)
        async for block in read_blocks(request, StallTimeout()):
            for data in block:
                await stream.write(data)
        stream.close_input()
        return await stream.status_line()


def _put_in_place(target: _Target, temporary: bytes) -> None:
    with Root(target.directory) as root:
        change.rename(root, os.path.basename(temporary), target.missing)
        sync_directory(root.descriptor)


def _succeeded(output: bytes) -> bool:
    return bool(output) and not msgspec.json.decode(output, type=Summary).code


def _problem(output: bytes) -> Exception:
    if not output:
        return FileSystemError("the archive could not be finished")
    summary = msgspec.json.decode(output, type=Summary)
    problem = from_wire(summary.code, summary.message)
    if isinstance(problem, FileSystemError):
        problem.errno = summary.errno or None
    return problem
