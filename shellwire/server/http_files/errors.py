"""How everything that goes wrong under ``/files`` is answered: a status, and one form of body."""

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
    errno.ELOOP: 409,
    errno.ENOSPC: 507,
    errno.EDQUOT: 507,
}
"""The status of what the system refused, where that says more."""

_OF_STATUS: dict[int, type[WireError]] = {403: Forbidden, 404: NotFound, 429: InvalidToken}


def answer(
    error: WireError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the answer that tells of ``error``, with its own status unless one is given."""
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
async def in_one_form(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Give what is refused before it comes to ``Bulk`` the same form, for its paths only."""
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
        return answer(error, refused.status, headers)
