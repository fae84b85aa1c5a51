"""Canonical paths of the two directories of a sync."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from shellwire.errors import InvalidArgument, NotDirectory, NotFound

if TYPE_CHECKING:
    from shellwire.client import Client


async def remote_realpath(client: Client, path: str) -> str:
    """Return a remote path without symlinks; its missing last parts stay as written."""
    try:
        return await client.realpath(path)
    except (NotFound, NotDirectory):
        parent, _, name = path.rpartition("/")
        return f"{(await remote_realpath(client, parent)).rstrip('/')}/{name}" if parent else path


async def refuse_nested(client: Client, local: str, remote: str) -> None:
    """Raise InvalidArgument if one directory contains the other: each sync would nest deeper."""
    if os.path.commonpath((local, remote)) not in (local, remote):
        return
    try:
        found, ours = await client.stat(local), await asyncio.to_thread(os.stat, local)
    except (NotFound, OSError):
        return
    # The same time and mode mean the same directory: the daemon is on this machine.
    # The nanoseconds are converted as in the daemon: otherwise the last bit could differ.
    if (found.mtime, found.mode) == (ours.st_mtime_ns / 1e9, ours.st_mode & 0o7777):
        raise InvalidArgument(f"{local}: can't be synced with {remote}: one is in the other")
