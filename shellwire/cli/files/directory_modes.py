"""Make directories without write permission (such as Go's module cache) writable during a sync.

Such a directory gets ``u+rwx`` before its entries change, and its mode back afterwards. The
manifest holds these modes before the first change: if a run is killed, the next one restores them.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from shellwire.cli.files.archives import directories_archive
from shellwire.cli.files.manifest import DIRECTORY
from shellwire.errors import FileProblem, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.cli.files.manifest import Manifest
    from shellwire.cli.files.plan import Change
    from shellwire.cli.files.scan import Scan
    from shellwire.client import Client

_FULL = stat.S_IRWXU


class DirectoryModes:
    """The modes to restore after a sync."""

    def __init__(
        self, client: Client, local: str, remote: str, manifest: Manifest, umask: int
    ) -> None:
        self._client = client
        self._local = local
        self._remote = remote
        self._manifest = manifest
        self._umask = umask

    def plan(self, changes: list[Change], local: Scan, remote: Scan) -> None:
        """Record in the manifest the directories to make writable and the modes to restore."""
        modes = self._manifest.modes
        for name, side in (("here", local), ("there", remote)):
            # Keep those that a killed run left writable, unless someone changed them since.
            modes[name] = {
                path: mode
                for path, mode in modes[name].items()
                if side.modes.get(path) == mode | _FULL
            }
        for change in changes:
            if change.action == "conflict":
                continue
            name, side, other = (
                ("here", local, remote) if change.is_local else ("there", remote, local)
            )
            parent = change.path.rpartition("/")[0]
            self._record(name, parent, side.modes.get(parent, _FULL))
            if change.file == DIRECTORY:
                mode = other.modes.get(change.path, _FULL)
                self._record(name, change.path, self._masked(mode) if change.is_local else mode)
        for name, side, other in (("here", local, remote), ("there", remote, local)):
            if not side.exists:
                mode = other.modes[""]
                self._record(name, "", self._masked(mode) if side is local else mode)
        changes_remote = any(change.action in ("push", "delete remote") for change in changes)
        if changes_remote or modes["there"]:
            # Archives are unpacked in the root, and temporary files are created in it.
            self._record("there", "", remote.modes.get("", _FULL))

    def _masked(self, mode: int) -> int:
        return mode & 0o777 & ~self._umask

    def _record(self, side: str, path: str, mode: int) -> None:
        if mode & _FULL != _FULL:
            self._manifest.modes[side].setdefault(path, mode)

    async def make_writable(self, local: Scan, remote: Scan) -> None:
        """Make the existing directories writable; skip those of other users.

        Raises Unreachable and NotRunning.
        """
        modes = self._manifest.modes
        for path in sorted(set(modes["here"]) & set(local.modes)):
            if self._set_local(path, local.modes[path] | _FULL):
                del modes["here"][path]
        wanted = {
            path: remote.modes[path] | _FULL for path in modes["there"] if path in remote.modes
        }
        failed: dict[str, str] = {}
        if "" in wanted:
            # Nothing can be unpacked in the root yet, so it is changed through its parent.
            parent, _, name = self._remote.rpartition("/")
            if await self._set_remote(parent or "/", {name: wanted.pop("")}):
                failed[""] = "it belongs to another user"
        failed |= await self._set_remote(self._remote, wanted)
        for path in failed:
            del modes["there"][path]

    async def restore(self) -> dict[str, str]:
        """Restore all modes; return the paths for which that failed, with the reasons.

        Raises Unreachable and NotRunning.
        """
        modes, common = self._manifest.modes, self._manifest.common
        for side in modes.values():
            for path in [path for path in side if path and common.get(path) != DIRECTORY]:
                del side[path]  # it was deleted, or not created
        failed: dict[str, str] = {}
        for path in sorted(modes["here"], reverse=True):
            reason = self._set_local(path, modes["here"].pop(path))
            if reason:
                failed[path or self._local] = reason
        for path, reason in (await self._set_remote(self._remote, modes["there"])).items():
            failed[path or self._remote] = reason
        modes["there"].clear()
        return failed

    def _set_local(self, path: str, mode: int) -> str:
        """Return the reason of a failure, empty on success."""
        full = os.path.join(self._local, path) if path else self._local
        try:
            if not os.path.islink(full):
                os.chmod(full, mode)
        except FileNotFoundError:
            pass
        except OSError as error:
            return (error.strerror or str(error)).lower()
        return ""

    async def _set_remote(self, top: str, modes: Mapping[str, int]) -> dict[str, str]:
        """Return the paths that failed, with the reasons."""
        if not modes:
            return {}
        try:
            await self._client.unpack(directories_archive(modes), top)
        except (FileProblem, NotFound) as error:
            if len(modes) == 1:
                return dict.fromkeys(modes, str(error))
            failed: dict[str, str] = {}
            for path, mode in modes.items():  # one failure must not fail the others
                failed |= await self._set_remote(top, {path: mode})
            return failed
        return {}


async def make_all_writable(client: Client, top: str) -> None:
    """Give ``u+rwx`` to a remote directory and to all below it. Raises WireError."""
    mode = (await client.stat(top)).mode
    if mode & _FULL != _FULL:
        parent, _, name = top.rpartition("/")
        await client.unpack(directories_archive({name: mode | _FULL}), parent or "/")
    modes: dict[str, int] = {}
    waiting = [""]
    while waiting:
        path = waiting.pop()
        for info in await client.list_dir(f"{top}/{path}".rstrip("/")):
            if info.is_directory and not info.is_symlink:
                below = f"{path}/{info.name}" if path else info.name
                waiting.append(below)
                if info.mode & _FULL != _FULL:
                    modes[below] = info.mode | _FULL
    if modes:
        await client.unpack(directories_archive(modes), top)
