"""Routes of ``/files/<absolute path>``: dispatch by method and query, answer errors."""

from __future__ import annotations

import contextlib
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
from shellwire.server.http_files.auth import PRINCIPAL, authenticate, count_request
from shellwire.server.http_files.errors import PREFIX, error_response
from shellwire.server.http_files.put_headers import PutHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.service import FileService
    from shellwire.server.admitted import AuthenticatedRequest
    from shellwire.server.connections import Connections
    from shellwire.server.identity import Offer

log = logging.getLogger(__name__)

_MAX_ECHO = 200


class FileRoutes:
    """Serves files over HTTP. ``offer`` returns what a request offers to prove who sends it."""

    def __init__(
        self, connections: Connections, files: FileService, offer: Callable[[web.Request], Offer]
    ) -> None:
        self._connections = connections
        self._files = files
        self._offer = offer

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        for target in (PREFIX, PREFIX + r"/{path:[\s\S]*}"):  # a name may contain a line feed
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                router.add_route(method, target, self._handle, expect_handler=_defer_continue)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            authenticated = await authenticate(request, self._connections, self._offer(request))
            request[PRINCIPAL] = authenticated.principal.name
            quota = self._files.principal_quota(authenticated.principal.name)
            with (
                count_request(self._connections, authenticated),
                quota.hold() if quota and request.method == "PUT" else contextlib.nullcontext(),
            ):
                return await self._respond(request, authenticated)
        except WireError as error:
            return error_response(error)
        except ConnectionError as error:
            # The client has left; nobody reads an answer.
            log.info("%s %s: %s", request.method, request.raw_path, error)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=400)
        except web.HTTPException:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.raw_path)
            return error_response(InternalError("see the daemon's log"))

    async def _respond(
        self, request: web.Request, authenticated: AuthenticatedRequest
    ) -> web.StreamResponse:
        files = self._files
        path = _path(request)
        _check_query(request)
        archive = request.query.get("archive")
        if request.method == "DELETE":
            return await _delete(request, files, path)
        if archive is not None:
            serve = archives.receive_archive if request.method == "PUT" else archives.send_archive
            kind = archives.format_of(archive)
            return await serve(request, files, path, kind, authenticated.principal.name)
        if request.method == "PUT":
            if request.rel_url.raw_path.endswith("/"):
                raise IsDirectory("the path of a file does not end with a slash")
            return await put.receive_file(request, files, authenticated.key, path)
        try:
            return await get.send_file(request, files, path)
        except NotFile as error:
            if not await files.run(os.path.isdir, b"/" + path):
                raise
            raise NotFile(f"{error}: ?archive=tar.gz gets what is in a directory") from None


async def _defer_continue(_request: web.Request) -> None:
    """Send no 100 Continue yet: the handler sends it once it accepts the request."""


def _check_query(request: web.Request) -> None:
    known = "recursive" if request.method == "DELETE" else "archive"
    for name in request.query:
        if name != known:
            raise InvalidArgument(
                f"?{printable(name)[:_MAX_ECHO]}: {request.method} knows only ?{known}"
            )


def _path(request: web.Request) -> bytes:
    """Return the path below ``/`` in the request's target, byte for byte."""
    target = request.raw_path
    if not target.startswith("/"):  # an absolute target
        target = "/" + target.partition("://")[2].partition("/")[2]
    raw = target.partition("#")[0].partition("?")[0]
    if not raw.startswith(PREFIX + "/"):
        raise InvalidArgument(f"expected {PREFIX}/PATH")
    return unquote_to_bytes(raw[len(PREFIX) :]).lstrip(b"/")


async def _delete(request: web.Request, files: FileService, path: bytes) -> web.Response:
    recursive = request.query.get("recursive", "false")
    if recursive not in ("true", "false"):
        raise InvalidArgument("recursive: expected true or false")
    await put.check_preconditions(request, files, path, PutHeaders(request))
    if not await files.run(_delete_at, path, recursive=recursive == "true"):
        raise NotFound(f"{shown(path)}: there is no such file or directory")
    return web.Response(status=204)


def _delete_at(path: bytes, *, recursive: bool) -> bool:
    with Root(b"/") as root:
        return change.delete(root, path, recursive=recursive)
