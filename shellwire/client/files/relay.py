"""A file from one daemon to another, through here: nothing of it is kept here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.client.files.content import Remote
from shellwire.client.files.download import TIMES, Changed
from shellwire.client.files.upload import Upload
from shellwire.client.files.wished import wished
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
    for _ in range(TIMES):
        about = await source.look(path)
        content = Remote(source._web, path, about, compress=compress)
        wish = await wished(
            target.stat, goal, about.mode, about.mtime_ns, compress=compress, preserve=preserve
        )
        try:
            return await Upload(target._web, content, goal, wish, progress).run()
        except Changed:
            continue
    raise Conflict(f"{source._web.label}{path}: it changes while it is read")
