"""Error responses under ``/files``: the HTTP status, and a JSON body."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from shellwire.errors import FileSystemError, Forbidden, InvalidArgument, InvalidToken, NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from shellwire.errors import WireError

PREFIX = "/files"
"""The beginning of every path of these requests."""

STATUS = {
    "INVALID_TOKEN": 401,
    "EXPIRED": 401,
    "CLIENT_REJECTED": 403,
    "ISOLATION_UNAVAILABLE": 403,
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
"""The HTTP status of each error code."""

STATUS_OF_ERRNO = {
    errno.EACCES: 403,
    errno.EPERM: 403,
    errno.EROFS: 403,
    errno.ENOTEMPTY: 409,
    errno.EEXIST: 409,
    errno.ELOOP: 409,
    errno.ENOSPC: 507,
    errno.EDQUOT: 507,
}
"""The HTTP status of a system error, where it is more specific than the code's."""

_OF_STATUS: dict[int, type[WireError]] = {403: Forbidden, 404: NotFound, 429: InvalidToken}


def error_response(
    error: WireError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the response for ``error``, with the status of its code unless one is given."""
    if status is None:
        status = STATUS.get(error.code, 500)
        if isinstance(error, FileSystemError):
            status = STATUS_OF_ERRNO.get(error.errno or 0, status)
    found = dict(headers or {})
    if status == 401:
        found["WWW-Authenticate"] = "Bearer"
    if status == 503:
        found["Retry-After"] = "1"
    body = msgspec.json.encode({"code": error.code, "message": str(error)})
    return web.Response(
        status=status, body=body + b"\n", content_type="application/json", headers=found
    )


@web.middleware
async def json_errors(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Convert errors raised before ``FileRoutes`` to JSON, for paths under ``/files`` only."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if request.path != PREFIX and not request.path.startswith(PREFIX + "/"):
            raise
        if isinstance(refused, web.HTTPMethodNotAllowed):
            error: WireError = InvalidArgument(
                f"{request.method}: expected {', '.join(sorted(refused.allowed_methods))}"
            )
        else:
            kind = _OF_STATUS.get(refused.status, InvalidArgument)
            error = kind((refused.text or refused.reason).strip())
        kept = ("Allow", "Retry-After")
        headers = {name: refused.headers[name] for name in kept if name in refused.headers}
        return error_response(error, refused.status, headers)
