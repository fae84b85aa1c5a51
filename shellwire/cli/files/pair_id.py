"""Which two directories are meant, whatever they are called."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from shellwire.errors import InvalidArgument, NotDirectory, NotFound

if TYPE_CHECKING:
    from shellwire.client import Client


async def real(client: Client, path: str) -> str:
    """Return a path there without symlinks; what is not there yet is as it is written."""
    try:
        return await client.realpath(path)
    except (NotFound, NotDirectory):
        parent, _, name = path.rpartition("/")
        return f"{(await real(client, parent)).rstrip('/')}/{name}" if parent else path


async def refuse_itself(client: Client, here: str, there: str) -> None:
    """Raise InvalidArgument if one is in the other: with each sync it would hold one level more."""
    if os.path.commonpath((here, there)) not in (here, there):
        return
    try:
        found, ours = await client.stat(here), await asyncio.to_thread(os.stat, here)
    except (NotFound, OSError):
        return
    # That much alike is only one and the same: there is this machine.
    # Nanoseconds are made seconds as there: another way to reckon can differ in the last bit.
    if (found.mtime, found.mode) == (ours.st_mtime_ns / 1e9, ours.st_mode & 0o7777):
        raise InvalidArgument(f"{here}: can't be synced with {there}: one is in the other")
