"""Copying a file between two daemons through this process, storing nothing."""

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
    """Copy ``path`` of one daemon to ``goal`` of another or the same; return its SHA-256.

    Resumes when either connection breaks; otherwise as ``Files.upload``. Raises the same errors,
    and Conflict if the file keeps changing while it is read.
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
    raise Conflict(f"{source._files.label}{path}: it changes while it is read")
