"""``/files/<absolute path>``: which request does what, and how errors are answered."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web

from shellwire.errors import FileSystemError, InternalError, InvalidArgument, IsDirectory, WireError
from shellwire.files import change
from shellwire.files.root import Root
from shellwire.server.bulk import archives, receiving, sending
from shellwire.server.bulk.admission import admit, counted
from shellwire.server.bulk.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.service import Files
    from shellwire.server.bulk.admission import Admission
    from shellwire.server.hub import Hub

log = logging.getLogger(__name__)

PREFIX = "/files"
"""What every path of these requests begins with."""

STATUS = {
    "INVALID_TOKEN": 401,
    "CLIENT_REJECTED": 403,
    "DAEMON_STOPPING": 503,
    "QUEUE_FULL": 503,
    "NOT_FOUND": 404,
    "NOT_DIRECTORY": 409,
    "NOT_FILE": 409,
    "IS_DIRECTORY": 409,
    "INVALID_ARGUMENT": 400,
    "PATH_ESCAPE": 403,
    "CONFLICT": 412,
    "FS_OS_ERROR": 500,
    "INTERNAL_ERROR": 500,
}
"""The status that each error is answered with."""

STATUS_OF_ERRNO = {
    errno.EACCES: 403,
    errno.EPERM: 403,
    errno.EROFS: 403,
    errno.ENOTEMPTY: 409,
    errno.EEXIST: 409,
    errno.ENOSPC: 507,
    errno.EDQUOT: 507,
}
"""The status of what the system refused, where that says more."""


class Bulk:
    """Serves files by plain HTTP. ``is_local`` tells of a request whether its peer's uid counts."""

    def __init__(self, hub: Hub, files: Files, is_local: Callable[[web.Request], bool]) -> None:
        self._hub = hub
        self._files = files
        self._is_local = is_local

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            router.add_route(
                method, PREFIX + r"/{path:.*}", self._handle, expect_handler=_answer_later
            )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            admission = await admit(request, self._hub, local=self._is_local(request))
            with counted(self._hub, admission):
                return await self._answer(request, admission)
        except WireError as error:
            return _problem(error)
        except ConnectionError as error:
            # There is nobody left to be answered.
            log.info("%s %s: %s", request.method, request.path, error)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=400)
        except web.HTTPException:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return _problem(InternalError("see the daemon's log"))

    async def _answer(self, request: web.Request, admission: Admission) -> web.StreamResponse:
        files = self._files
        path = _path(request)
        archive = request.query.get("archive")
        if request.method == "DELETE":
            return await _delete(request, files, path)
        if archive is not None:
            act = archives.receive if request.method == "PUT" else archives.send
            return await act(request, files, path, archives.format_of(archive))
        if request.method == "PUT":
            if request.rel_url.raw_path.endswith("/"):
                raise IsDirectory("the path of a file does not end with a slash")
            return await receiving.receive(request, files, admission, path)
        return await sending.send(request, files, path)


async def _answer_later(_request: web.Request) -> None:
    """Leave it to who reads the content to ask for it, once nothing speaks against that."""


def _path(request: web.Request) -> bytes:
    """Return the path below ``/`` that the request's target names, byte for byte."""
    target = request.raw_path
    if not target.startswith("/"):  # in absolute form
        target = "/" + target.partition("://")[2].partition("/")[2]
    raw = target.partition("#")[0].partition("?")[0]
    if not raw.startswith(PREFIX + "/"):
        raise InvalidArgument(f"expected {PREFIX}/PATH")
    return unquote_to_bytes(raw[len(PREFIX) :]).lstrip(b"/")


async def _delete(request: web.Request, files: Files, path: bytes) -> web.Response:
    recursive = request.query.get("recursive", "false")
    if recursive not in ("true", "false"):
        raise InvalidArgument("recursive: expected true or false")
    await receiving.check(files, path, Wanted(request))
    deleted = await files.run(_delete_at, path, recursive=recursive == "true")
    return web.Response(status=204 if deleted else 404)


def _delete_at(path: bytes, *, recursive: bool) -> bool:
    with Root(b"/") as root:
        return change.delete(root, path, recursive=recursive)


def _problem(error: WireError) -> web.Response:
    status = STATUS.get(error.code, 500)
    if isinstance(error, FileSystemError):
        status = STATUS_OF_ERRNO.get(error.errno or 0, status)
    found = {}
    if status == 401:
        found["WWW-Authenticate"] = "Bearer"
    if status == 503:
        found["Retry-After"] = "1"
    body = msgspec.json.encode({"code": error.code, "message": str(error)})
    return web.Response(
        status=status, body=body + b"\n", content_type="application/json", headers=found
    )
