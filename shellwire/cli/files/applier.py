"""Make one planned change, if the side to change is still as scanned."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING

from shellwire.cli.files.archives import directories_archive, symlink_archive
from shellwire.cli.files.local_scan import stat_local
from shellwire.cli.files.manifest import DIRECTORY
from shellwire.cli.files.plan import parents
from shellwire.client.files.content import hash_file, open_regular
from shellwire.errors import Conflict, FileProblem, FileSystemError, NotFound

if TYPE_CHECKING:
    from shellwire.cli.files.manifest import File
    from shellwire.cli.files.plan import Change
    from shellwire.cli.files.scan import Scan
    from shellwire.client import Client


class ChangeApplier:
    """Makes changes in two scanned directories."""

    def __init__(
        self, client: Client, local: str, remote: str, scanned_local: Scan, scanned_remote: Scan
    ) -> None:
        self._client = client
        self._local = local
        self._remote = remote
        self._scanned_local = scanned_local
        self._scanned_remote = scanned_remote

    async def apply(self, change: Change) -> File | None:
        """Make a change; return the resulting File of both sides, None if deleted.

        Raises OSError, WireError, and Conflict if the file to replace or delete has changed since
        the scan.
        """
        if change.action == "push":
            return await self._push(change)
        if change.action == "pull":
            return await self._pull(change)
        if change.action == "delete remote":
            await self._delete_remote(change.path)
        else:
            await self._delete_local(change.path)
        return None

    async def _push(self, change: Change) -> File:
        assert change.file is not None, "a push has a file"
        remote = f"{self._remote}/{change.path}"
        for each in parents(change.path):
            scanned = self._scanned_remote.files.get(each)
            if scanned is not None and scanned.target is not None:
                await self._refuse_symlink(each)
        before = self._scanned_remote.files.get(change.path)
        if before is not None and before.kind != change.file.kind:
            await self._delete_remote(change.path)
            before = None
        if change.file.is_directory:
            mode = self._scanned_local.modes[change.path]
            await make_remote_directory(self._client, remote, mode)
            return change.file
        if change.file.target is not None:
            await self._check_remote(change.path, before)
            archive = symlink_archive(change.path, change.file.target)
            await self._client.unpack(archive, self._remote)
            return change.file
        pushed = await self._client.upload(
            os.path.join(self._local, change.path),
            remote,
            preserve=True,
            expected_hash=before.hash if before else "",
        )
        return change.file._replace(hash=pushed)

    async def _pull(self, change: Change) -> File:
        assert change.file is not None, "a pull has a file"
        target = os.path.join(self._local, change.path)
        directory = os.path.dirname(target)
        if await asyncio.to_thread(os.path.realpath, directory) != directory:
            # A parent was replaced by a symlink since the scan.
            raise FileSystemError(f"{directory}: a symlink is in the way")
        before = self._scanned_local.files.get(change.path)
        if before is not None and before.kind != change.file.kind:
            await self._delete_local(change.path)
            before = None
        if change.file.is_directory:
            mode = self._scanned_remote.modes[change.path]
            await asyncio.to_thread(make_local_directory, target, mode)
            return change.file
        await asyncio.to_thread(os.makedirs, directory, exist_ok=True)
        if change.file.target is not None:
            self._link_local(change.path, change.file.target, exists=before is not None)
            return change.file
        pulled = await self._client.download(
            f"{self._remote}/{change.path}",
            target,
            preserve=True,
            only_executable=True,
            unless=lambda: not self._is_as_scanned(change.path, exists=before is not None),
        )
        return change.file._replace(hash=pulled)

    def _link_local(self, path: str, target: str, *, exists: bool) -> None:
        full = os.path.join(self._local, path)
        temporary = os.path.join(os.path.dirname(full), f".shellwire-{secrets.token_hex(8)}")
        os.symlink(target, temporary)
        try:
            if not self._is_as_scanned(path, exists=exists):
                raise Conflict(path)
            os.replace(temporary, full)
        except BaseException:
            os.unlink(temporary)
            raise

    async def _delete_remote(self, path: str) -> None:
        scanned = self._scanned_remote.files[path]
        await self._check_remote(path, scanned)
        expected = scanned.hash if scanned.kind == "file" else None
        await self._client.remove(f"{self._remote}/{path}", expected_hash=expected)

    async def _refuse_symlink(self, path: str) -> None:
        """Raise FileSystemError if a path is a symlink: a push through it would go elsewhere."""
        if (await self._client.stat(f"{self._remote}/{path}")).is_symlink:
            raise FileSystemError(f"{self._remote}/{path}: a symlink is in the way")

    async def _check_remote(self, path: str, scanned: File | None) -> None:
        """Raise Conflict unless a remote path is as scanned; hashes of files are compared later.

        A symlink can still change before the next request: no request checks and replaces one
        atomically.
        """
        try:
            found = await self._client.stat(f"{self._remote}/{path}")
        except NotFound:
            if scanned is not None and scanned.kind == "symlink":
                raise Conflict(path) from None
            return
        kind = "directory" if found.is_directory else "file"
        if (
            scanned is None
            or scanned.target != found.target
            or scanned.kind != ("symlink" if found.is_symlink else kind)
        ):
            raise Conflict(path)

    async def _delete_local(self, path: str) -> None:
        full = os.path.join(self._local, path)
        if self._scanned_local.files[path].is_directory:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(full)
            return
        if not self._is_as_scanned(path, exists=True):
            raise Conflict(path)
        os.unlink(full)

    def _is_as_scanned(self, path: str, *, exists: bool) -> bool:
        full = os.path.join(self._local, path)
        try:
            found, scanned = stat_local(full), self._scanned_local.stat_data.get(path)
            if not exists or scanned is None or found == scanned:
                return exists and scanned is not None
            # Replacing or removing another hard link to the file sets its ctime; so may this sync.
            if found._replace(ctime_ns=scanned.ctime_ns) != scanned:
                return False
            return self._has_content(full, self._scanned_local.files[path])
        except FileNotFoundError:
            return not exists

    @staticmethod
    def _has_content(full: str, file: File) -> bool:
        if file.target is not None:
            return os.readlink(full) == file.target
        with open_regular(full) as content:
            return hash_file(content)[0] == file.hash

    async def make_directories(self, changes: list[Change]) -> list[Change]:
        """Push many new directories by one request; return the changes that it did not make.

        It makes none that replaces something or is below a symlink, and none at all if the request
        fails: ``apply`` then makes them one by one, each with its own error.
        """
        scanned = self._scanned_remote.files
        modes = {
            change.path: self._scanned_local.modes[change.path] | stat.S_IRWXU
            for change in changes
            if change.action == "push"
            and change.path not in scanned
            and all(scanned.get(each, DIRECTORY) == DIRECTORY for each in parents(change.path))
        }
        try:
            if modes:
                await self._client.unpack(directories_archive(modes), self._remote)
        except FileProblem:
            return changes
        return [change for change in changes if change.path not in modes]


async def make_remote_directory(client: Client, path: str, mode: int) -> None:
    """Create a remote directory and its parents, with ``mode`` and ``u+rwx``.

    Raises as ``unpack``.
    """
    parent, _, name = path.rpartition("/")
    await client.unpack(directories_archive({name: mode | stat.S_IRWXU}), parent or "/")


def make_local_directory(path: str, mode: int) -> None:
    """Create a directory with ``mode`` less the umask, and ``u+rwx``. Raises OSError."""
    os.makedirs(path, mode & 0o777 | stat.S_IRWXU, exist_ok=True)
