"""Directories without write permission (Go's module cache): writable only while they are filled.

Such a directory gets ``u+rwx`` before something in it changes, and its mode after that. The
manifest has these modes from before the first change on: the next run sets them if this is killed.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from shellwire.cli.files.archives import directories
from shellwire.cli.files.manifest import DIRECTORY
from shellwire.errors import FileProblem, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.cli.files.manifest import Act, Manifest
    from shellwire.cli.files.scan import Scan
    from shellwire.client import Client

_FULL = stat.S_IRWXU


class Modes:
    """The modes that directories of a sync get back."""

    def __init__(
        self, client: Client, here: str, there: str, manifest: Manifest, umask: int
    ) -> None:
        self._client = client
        self._here = here
        self._there = there
        self._manifest = manifest
        self._umask = umask

    def plan(self, acts: list[Act], here: Scan, there: Scan) -> None:
        """Note in the manifest what is to be made writable, and what is to become read-only."""
        modes = self._manifest.modes
        for name, side in (("here", here), ("there", there)):
            # What another run has left open, and nobody has changed since.
            modes[name] = {
                path: mode
                for path, mode in modes[name].items()
                if side.modes.get(path) == mode | _FULL
            }
        for act in acts:
            if act.what == "conflict":
                continue
            name, side, other = ("here", here, there) if act.is_here else ("there", there, here)
            holder = act.path.rpartition("/")[0]
            self._note(name, holder, side.modes.get(holder, _FULL))
            if act.file == DIRECTORY:
                mode = other.modes.get(act.path, _FULL)
                self._note(name, act.path, mode & 0o777 & ~self._umask if act.is_here else mode)
        for name, side, other in (("here", here, there), ("there", there, here)):
            if not side.exists:
                mode = other.modes[""]
                self._note(name, "", mode & 0o777 & ~self._umask if side is here else mode)
        changes_there = any(act.what in ("push", "delete there") for act in acts)
        if changes_there or modes["there"]:
            # Archives are unpacked in the root, which takes a place for what is being written.
            self._note("there", "", there.modes.get("", _FULL))

    def _note(self, side: str, path: str, mode: int) -> None:
        if mode & _FULL != _FULL:
            self._manifest.modes[side].setdefault(path, mode)

    async def open(self, here: Scan, there: Scan) -> None:
        """Make those that exist writable. One that belongs to others stays as it is.

        Raises Unreachable and NotRunning.
        """
        modes = self._manifest.modes
        for path in sorted(set(modes["here"]) & set(here.modes)):
            if self._set_here(path, here.modes[path] | _FULL):
                del modes["here"][path]
        wanted = {path: there.modes[path] | _FULL for path in modes["there"] if path in there.modes}
        failed: dict[str, str] = {}
        if "" in wanted:
            # Nothing can be unpacked in it yet.
            parent, _, name = self._there.rpartition("/")
            if await self._set_there(parent or "/", {name: wanted.pop("")}):
                failed[""] = "it belongs to others"
        failed |= await self._set_there(self._there, wanted)
        for path in failed:
            del modes["there"][path]

    async def close(self) -> dict[str, str]:
        """Give all of them their modes; return for which that failed, and why.

        Raises Unreachable and NotRunning.
        """
        modes, common = self._manifest.modes, self._manifest.common
        for side in modes.values():
            for path in [path for path in side if path and common.get(path) != DIRECTORY]:
                del side[path]  # it was deleted, or never came
        failed: dict[str, str] = {}
        for path in sorted(modes["here"], reverse=True):
            why = self._set_here(path, modes["here"].pop(path))
            if why:
                failed[path or self._here] = why
        for path, why in (await self._set_there(self._there, modes["there"])).items():
            failed[path or self._there] = why
        modes["there"].clear()
        return failed

    def _set_here(self, path: str, mode: int) -> str:
        """Return why it failed; empty if it did not."""
        full = os.path.join(self._here, path) if path else self._here
        try:
            if not os.path.islink(full):
                os.chmod(full, mode)
        except FileNotFoundError:
            pass
        except OSError as error:
            return (error.strerror or str(error)).lower()
        return ""

    async def _set_there(self, top: str, modes: Mapping[str, int]) -> dict[str, str]:
        """Return for which it failed, and why."""
        if not modes:
            return {}
        try:
            await self._client.unpack(directories(modes), top)
        except (FileProblem, NotFound) as error:
            if len(modes) == 1:
                return dict.fromkeys(modes, str(error))
            failed: dict[str, str] = {}
            for path, mode in modes.items():  # the others are not to suffer from one
                failed |= await self._set_there(top, {path: mode})
            return failed
        return {}


async def make_all_writable(client: Client, top: str) -> None:
    """Give each directory there at or below a path ``u+rwx``. Raises WireError."""
    mode = (await client.stat(top)).mode
    if mode & _FULL != _FULL:
        parent, _, name = top.rpartition("/")
        await client.unpack(directories({name: mode | _FULL}), parent or "/")
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
        await client.unpack(directories(modes), top)
