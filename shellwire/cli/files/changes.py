"""One change taken to the other side, if that is still as it was seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from shellwire.cli.files.scan import look_here
from shellwire.errors import Conflict, FileSystemError, NotFound

if TYPE_CHECKING:
    from shellwire.cli.files.manifest import Act, File
    from shellwire.cli.files.scan import Scan
    from shellwire.client import Client


class Changes:
    """Changes two directories, of which it is known what was in them."""

    def __init__(
        self, client: Client, here: str, there: str, seen_here: Scan, seen_there: Scan
    ) -> None:
        self._client = client
        self._here = here
        self._there = there
        self._seen_here = seen_here
        self._seen_there = seen_there

    async def do(self, act: Act) -> File | None:
        """Do it; return what both sides have then.

        Raises Conflict if what it would replace has changed, OSError, WireError.
        """
        if act.what == "push":
            return await self._push(act)
        if act.what == "pull":
            return await self._pull(act)
        if act.what == "delete there":
            await self._delete_there(act.path)
        else:
            await self._delete_here(act.path)
        return None

    async def _push(self, act: Act) -> File:
        assert act.file is not None, "there is something to be pushed"
        there = f"{self._there}/{act.path}"
        before = self._seen_there.files.get(act.path)
        if before is not None and before.is_directory != act.file.is_directory:
            await self._delete_there(act.path)
            before = None
        if act.file.is_directory:
            await self._client.mkdir(there)
            return act.file
        pushed = await self._client.upload(
            os.path.join(self._here, act.path),
            there,
            preserve=True,
            expected_hash=before.hash if before else "",
        )
        return act.file._replace(hash=pushed)

    async def _pull(self, act: Act) -> File:
        assert act.file is not None, "there is something to be pulled"
        target = os.path.join(self._here, act.path)
        directory = os.path.dirname(target)
        if await asyncio.to_thread(os.path.realpath, directory) != directory:
            # It was swapped for a symlink since it was seen.
            raise FileSystemError(f"{directory}: a symlink is in the way")
        before = self._seen_here.files.get(act.path)
        if before is not None and before.is_directory != act.file.is_directory:
            await self._delete_here(act.path)
            before = None
        if act.file.is_directory:
            await asyncio.to_thread(os.makedirs, target, exist_ok=True)
            return act.file
        await asyncio.to_thread(os.makedirs, directory, exist_ok=True)
        pulled = await self._client.download(
            f"{self._there}/{act.path}",
            target,
            preserve=True,
            unless=lambda: not self._is_as_seen(act.path, is_there=before is not None),
        )
        return act.file._replace(hash=pulled)

    async def _delete_there(self, path: str) -> None:
        seen = self._seen_there.files[path]
        there = f"{self._there}/{path}"
        with contextlib.suppress(NotFound):
            is_directory = (await self._client.stat(there)).is_directory
            if is_directory != seen.is_directory:
                raise Conflict(path)
            await self._client.remove(there, expected_hash=None if seen.is_directory else seen.hash)

    async def _delete_here(self, path: str) -> None:
        full = os.path.join(self._here, path)
        if self._seen_here.files[path].is_directory:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(full)
            return
        if not self._is_as_seen(path, is_there=True):
            raise Conflict(path)
        os.unlink(full)

    def _is_as_seen(self, path: str, *, is_there: bool) -> bool:
        try:
            found = look_here(os.path.join(self._here, path))
        except FileNotFoundError:
            return not is_there
        return is_there and found == self._seen_here.seen.get(path)
