"""One change taken to the other side, if that is still as it was seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING

from shellwire.cli.files.archives import directories, symlink
from shellwire.cli.files.manifest import DIRECTORY, parents
from shellwire.cli.files.scan import look_here
from shellwire.client.files.content import hash_file, open_regular
from shellwire.errors import Conflict, FileProblem, FileSystemError, NotFound

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
        for each in parents(act.path):
            seen = self._seen_there.files.get(each)
            if seen is not None and seen.target is not None:
                await self._refuse_symlink(each)
        before = self._seen_there.files.get(act.path)
        if before is not None and before.kind != act.file.kind:
            await self._delete_there(act.path)
            before = None
        if act.file.is_directory:
            await make_there(self._client, there, self._seen_here.modes[act.path])
            return act.file
        if act.file.target is not None:
            await self._check_there(act.path, before)
            await self._client.unpack(symlink(act.path, act.file.target), self._there)
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
        if before is not None and before.kind != act.file.kind:
            await self._delete_here(act.path)
            before = None
        if act.file.is_directory:
            await asyncio.to_thread(make_here, target, self._seen_there.modes[act.path])
            return act.file
        await asyncio.to_thread(os.makedirs, directory, exist_ok=True)
        if act.file.target is not None:
            self._link_here(act.path, act.file.target, is_there=before is not None)
            return act.file
        pulled = await self._client.download(
            f"{self._there}/{act.path}",
            target,
            preserve=True,
            only_executable=True,
            unless=lambda: not self._is_as_seen(act.path, is_there=before is not None),
        )
        return act.file._replace(hash=pulled)

    def _link_here(self, path: str, target: str, *, is_there: bool) -> None:
        full = os.path.join(self._here, path)
        temporary = os.path.join(os.path.dirname(full), f".shellwire-{secrets.token_hex(8)}")
        os.symlink(target, temporary)
        try:
            if not self._is_as_seen(path, is_there=is_there):
                raise Conflict(path)
            os.replace(temporary, full)
        except BaseException:
            os.unlink(temporary)
            raise

    async def _delete_there(self, path: str) -> None:
        seen = self._seen_there.files[path]
        await self._check_there(path, seen)
        expected = seen.hash if seen.kind == "file" else None
        await self._client.remove(f"{self._there}/{path}", expected_hash=expected)

    async def _refuse_symlink(self, path: str) -> None:
        """Raise FileSystemError if it is a symlink: what is below it would come elsewhere."""
        if (await self._client.stat(f"{self._there}/{path}")).is_symlink:
            raise FileSystemError(f"{self._there}/{path}: a symlink is in the way")

    async def _check_there(self, path: str, seen: File | None) -> None:
        """Raise Conflict unless this is there still; the hash of a file is compared elsewhere.

        A symlink can change between this and what follows: nothing can be asked of it at once.
        """
        try:
            found = await self._client.stat(f"{self._there}/{path}")
        except NotFound:
            if seen is not None and seen.kind == "symlink":
                raise Conflict(path) from None
            return
        kind = "directory" if found.is_directory else "file"
        if (
            seen is None
            or seen.target != found.target
            or seen.kind != ("symlink" if found.is_symlink else kind)
        ):
            raise Conflict(path)

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
        full = os.path.join(self._here, path)
        try:
            found, seen = look_here(full), self._seen_here.seen.get(path)
            if not is_there or seen is None or found == seen:
                return is_there and seen is not None
            # Another name of the same file was replaced or removed, by us perhaps: that sets ctime.
            if found._replace(ctime_ns=seen.ctime_ns) != seen:
                return False
            return self._holds(full, self._seen_here.files[path])
        except FileNotFoundError:
            return not is_there

    @staticmethod
    def _holds(full: str, file: File) -> bool:
        if file.target is not None:
            return os.readlink(full) == file.target
        with open_regular(full) as content:
            return hash_file(content)[0] == file.hash

    async def make_directories(self, acts: list[Act]) -> list[Act]:
        """Make many directories there by one request; return those for which it was the wrong way.

        One that is in the way of something, or below a symlink, is for ``do``, which says what is
        wrong. So are all if the request fails.
        """
        seen = self._seen_there.files
        plain = {
            act.path: self._seen_here.modes[act.path] | stat.S_IRWXU
            for act in acts
            if act.what == "push"
            and act.path not in seen
            and all(seen.get(each, DIRECTORY) == DIRECTORY for each in parents(act.path))
        }
        try:
            if plain:
                await self._client.unpack(directories(plain), self._there)
        except FileProblem:
            return acts
        return [act for act in acts if act.path not in plain]


async def make_there(client: Client, path: str, mode: int) -> None:
    """Make a directory with these permissions and ``u+rwx``, and those above it.

    Raises as ``unpack``.
    """
    parent, _, name = path.rpartition("/")
    await client.unpack(directories({name: mode | stat.S_IRWXU}), parent or "/")


def make_here(path: str, mode: int) -> None:
    """Make a directory with these permissions, less the umask, and ``u+rwx``. Raises OSError."""
    os.makedirs(path, mode & 0o777 | stat.S_IRWXU, exist_ok=True)
