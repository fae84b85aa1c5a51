"""Options of an upload: the file's mode, time, precondition and compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.client.files.partial_file import umask
from shellwire.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from shellwire.client.files.paths import StrPath


@dataclass(frozen=True)
class UploadOptions:
    """The attributes of the file to write, and how to send it."""

    mode: int | None = None
    mtime_ns: int | None = None
    if_match: str | None = None
    """SHA-256 that the file must have, else Conflict; empty: it must not exist."""
    compress: bool = False

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers for these options."""
        found = {}
        if self.mode is not None:
            found["Shellwire-Mode"] = f"{self.mode & 0o7777:o}"
        if self.mtime_ns is not None:
            seconds, rest = divmod(abs(self.mtime_ns), 1_000_000_000)
            sign = "-" if self.mtime_ns < 0 else ""
            found["Shellwire-Mtime"] = f"{sign}{seconds}.{rest:09}"
        if self.if_match:
            found["If-Match"] = f'"{self.if_match}"'
        elif self.if_match is not None:
            found["If-None-Match"] = "*"
        return found

    def match(self, headers: Mapping[str, str]) -> bool:
        """Tell whether an answer's headers describe a file with this mode and time."""
        wanted = self.headers()
        mode, mtime = wanted.get("Shellwire-Mode"), wanted.get("Shellwire-Mtime")
        return (
            mode is None or mode.lstrip("0") == headers.get("Shellwire-Mode", "").lstrip("0")
        ) and mtime in (None, headers.get("Shellwire-Mtime"))


async def options_for_copy(
    stat: Callable[[StrPath], Awaitable[object]],
    path: StrPath,
    mode: int,
    mtime_ns: int,
    *,
    compress: bool,
    preserve: bool,
    if_match: str | None = None,
) -> UploadOptions:
    """Return the options to upload a copy of a file with this mode and time to ``path``.

    ``stat(path)`` raises NotFound if the target does not exist yet.
    """
    wanted: int | None = mode
    if not preserve:
        try:
            await stat(path)
        except NotFound:
            wanted = mode & 0o777 & ~umask()
        else:
            wanted = None
    return UploadOptions(
        mode=wanted,
        mtime_ns=mtime_ns if preserve else None,
        if_match=if_match,
        compress=compress,
    )
