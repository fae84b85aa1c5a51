"""A file from one daemon to another, through here: nothing of it is kept here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.client.files.content import RemoteContent
from shellwire.client.files.download import MAX_RESTARTS, FileChanged
from shellwire.client.files.upload import Upload
from shellwire.client.files.upload_options import options_for_copy
from shellwire.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client.files.calls import Files


async def relay(
    source: Files,
    path: str,
    target: Files,
    goal: str,
    *,
    compress: bool = False,
    preserve: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Copy the file ``path`` at one daemon to ``goal`` at another; return its SHA-256.

    Both may be the same one. It goes on where it was when either connection is cut, and all else
    is as for ``Files.upload``. Raises what that raises, and Conflict if the file changes each time
    it is read.
    """
    path, goal = await source.resolve(path), await target.resolve(goal)
    for _ in range(MAX_RESTARTS):
        metadata = await source.look(path)
        content = RemoteContent(source._files.http, path, metadata, compress=compress)
        options = await options_for_copy(
            target.stat,
            goal,
            metadata.mode,
            metadata.mtime_ns,
            compress=compress,
            preserve=preserve,
        )
        try:
            return await Upload(target._files.http, content, goal, options, progress).run()
        except FileChanged:
            continue
    raise Conflict(f"{source._files.http.label}{path}: it changes while it is read")
