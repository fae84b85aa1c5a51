"""What is wanted of a file there that is to be like another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.client.files.local import umask
from shellwire.client.files.upload import Wish
from shellwire.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shellwire.client.files.paths import StrPath


async def wished(
    stat: Callable[[StrPath], Awaitable[object]],
    path: StrPath,
    mode: int,
    mtime_ns: int,
    *,
    compress: bool,
    preserve: bool,
    if_match: str | None = None,
) -> Wish:
    """Return what is wanted of the file at ``path`` there, which is to be like another.

    ``stat(path)`` raises NotFound if it is not there yet.
    """
    wanted: int | None = mode
    if not preserve:
        try:
            await stat(path)
        except NotFound:
            wanted = mode & 0o777 & ~umask()
        else:
            wanted = None
    return Wish(
        mode=wanted,
        mtime_ns=mtime_ns if preserve else None,
        if_match=if_match,
        compress=compress,
    )
