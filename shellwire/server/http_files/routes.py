"""``/files/<absolute path>``: which request does what, and how errors are answered."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from aiohttp import web

from shellwire.errors import (
    InternalError,
    InvalidArgument,
    IsDirectory,
    NotFile,
    NotFound,
    WireError,
)
from shellwire.files import change
from shellwire.files.problems import shown
from shellwire.files.root import Root
from shellwire.output import printable
from shellwire.server.http_files import archives, get, put
from shellwire.server.http_files.auth import admit, counted
from shellwire.server.http_files.problems import PREFIX, answer
from shellwire.server.http_files.put_request import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.service import FileService
    from shellwire.server.connections import Connections
    from shellwire.server.http_files.auth import Admission

log = logging.getLogger(__name__)

_LONGEST_ECHO = 200


class FileRoutes:
    """Serves files by plain HTTP. ``is_local`` tells of a request whether its peer's uid counts."""

    def __init__(
        self, connections: Connections, files: FileService, is_local: Callable[[web.Request], bool]
    ) -> None:
        self._connections = connections
        self._files = files
        self._is_local = is_local

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        for target in (PREFIX, PREFIX + r"/{path:[\s\S]*}"):  # a name may hold a line feed
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                router.add_route(method, target, self._handle, expect_handler=_answer_later)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            admission = await admit(request, self._connections, local=self._is_local(request))
            with counted(self._connections, admission):
                return await self._answer(request, admission)
        except WireError as error:
            return answer(error)
        except ConnectionError as error:
            # There is nobody left to be answered.
            log.info("%s %s: %s", request.method, request.raw_path, error)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=400)
        except web.HTTPException:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.raw_path)
            return answer(InternalError("see the daemon's log"))

    async def _answer(self, request: web.Request, admission: Admission) -> web.StreamResponse:
        files = self._files
        path = _path(request)
        _check_query(request)
        archive = request.query.get("archive")
        if request.method == "DELETE":
            return await _delete(request, files, path)
        if archive is not None:
            act = archives.receive if request.method == "PUT" else archives.send
            return await act(request, files, path, archives.format_of(archive))
        if request.method == "PUT":
            if request.rel_url.raw_path.endswith("/"):
                raise IsDirectory("the path of a file does not end with a slash")
            return await put.receive(request, files, admission, path)
        try:
            return await get.send(request, files, path)
        except NotFile as error:
            if not await files.run(os.path.isdir, b"/" + path):
                raise
            raise NotFile(f"{error}: ?archive=tar.gz gets what is in a directory") from None


async def _answer_later(_request: web.Request) -> None:
    """Leave it to who reads the content to ask for it, once nothing speaks against that."""


def _check_query(request: web.Request) -> None:
    known = "recursive" if request.method == "DELETE" else "archive"
    for name in request.query:
        if name != known:
            raise InvalidArgument(
                f"?{printable(name)[:_LONGEST_ECHO]}: {request.method} knows only ?{known}"
            )


def _path(request: web.Request) -> bytes:
    """Return the path below ``/`` that the request's target names, byte for byte."""
    target = request.raw_path
    if not target.startswith("/"):  # in absolute form
        target = "/" + target.partition("://")[2].partition("/")[2]
    raw = target.partition("#")[0].partition("?")[0]
    if not raw.startswith(PREFIX + "/"):
        raise InvalidArgument(f"expected {PREFIX}/PATH")
    return unquote_to_bytes(raw[len(PREFIX) :]).lstrip(b"/")


async def _delete(request: web.Request, files: FileService, path: bytes) -> web.Response:
    recursive = request.query.get("recursive", "false")
    if recursive not in ("true", "false"):
        raise InvalidArgument("recursive: expected true or false")
    await put.check(request, files, path, Wanted(request))
    if not await files.run(_delete_at, path, recursive=recursive == "true"):
        raise NotFound(f"{shown(path)}: there is no such file or directory")
    return web.Response(status=204)


def _delete_at(path: bytes, *, recursive: bool) -> bool:
    with Root(b"/") as root:
        return change.delete(root, path, recursive=recursive)
