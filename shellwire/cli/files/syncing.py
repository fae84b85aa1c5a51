"""Two directories made the same, each change taken to the other side; never merged in silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from shellwire.cli.files.manifest import Act, File, Manifest, blocked, decided, parents
from shellwire.cli.files.scan import Scan, look_here, scan_here, scan_there
from shellwire.errors import (
    Conflict,
    FileProblem,
    FileSystemError,
    NotFound,
    NotRunning,
    Refusal,
    ShellwireError,
    Unreachable,
    WireError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client import Client
    from shellwire.home.paths import Home

_AT_A_TIME = 4


class Syncing:
    """A directory here and one there. ``say`` gets each act, ``warn`` what has gone wrong since."""

    def __init__(
        self,
        client: Client,
        here: str,
        there: str,
        manifest: Manifest,
        *,
        delete: bool,
        say: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.conflicts: set[str] = set()
        """Paths that have one, after the last pass."""
        self.failed: set[str] = set()
        """Paths for which something went wrong in it."""
        self._client = client
        self._here = here
        self._there = there
        self._manifest = manifest
        self._delete = delete
        self._say = say
        self._warn = warn
        self._warned: set[str] = set()
        self._warned_before: set[str] = set()

    @classmethod
    async def begin(
        cls,
        client: Client,
        home: Home,
        here: str,
        there: str,
        daemon: str,
        *,
        delete: bool,
        say: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> Syncing:
        """Return one with what is known from the last time. Raises HomeError and what calls do."""
        here = await asyncio.to_thread(os.path.realpath, here)
        there = (await client.resolve(there)).rstrip("/")
        manifest = Manifest(home, here, daemon, there)
        return cls(client, here, there, manifest, delete=delete, say=say, warn=warn)

    async def once(self, *, dry: bool = False) -> None:
        """Look at both, and take each change to the other side. With ``dry`` say only what.

        Raises WireError, Unreachable, NotRunning; ShellwireError if one side is gone, or can't be
        read.
        """
        self.conflicts.clear()
        self.failed.clear()
        self._warned, self._warned_before = set(), self._warned
        manifest = self._manifest
        try:
            here = await asyncio.to_thread(scan_here, self._here, manifest.here)
        except OSError as error:
            raise ShellwireError(f"{error.filename or self._here}: {error.strerror}") from error
        there = await scan_there(self._client, self._there, manifest.there)
        if manifest.common and not (here.exists and there.exists):
            gone = self._there if here.exists else self._here
            raise ShellwireError(
                f"{gone} is gone, which was synced before: nothing is done;"
                f" to begin anew, remove {manifest.path}"
            )
        others = here.others | there.others
        for path in sorted(others):
            self._tell(f"{path}: neither file nor directory, and not synced")
        acts = [
            act
            for act in decided(manifest.common, here.files, there.files, delete=self._delete)
            if not blocked(act.path, others)
        ]
        if not dry:
            manifest.here, manifest.there = here.stamps, there.stamps
            self._agree(here, there)
        try:
            await self._do_all(acts, here, there, dry=dry)
        finally:
            if not dry:
                manifest.save()

    async def begin_anew_if_gone_there(self) -> None:
        """Forget the last time if the directory there is no more; make it if it is not there."""
        try:
            await self._client.stat(self._there)
        except NotFound:
            self._manifest.forget()
            await self._client.mkdir(self._there)

    async def clean(self) -> None:
        """Remove the directory there, and what is known of it."""
        self._manifest.forget()
        await self._client.remove(self._there, recursive=True)

    def _agree(self, here: Scan, there: Scan) -> None:
        """Take note of what is the same on both sides by now."""
        common = self._manifest.common
        for path in {*common, *here.files, *there.files}:
            ours, theirs = here.files.get(path), there.files.get(path)
            if ours is not None and ours == theirs:
                common[path] = ours
            elif ours is None and theirs is None:
                common.pop(path, None)

    async def _do_all(self, acts: list[Act], here: Scan, there: Scan, *, dry: bool) -> None:
        rest = iter(acts)

        async def work() -> None:
            for act in rest:
                if act.what == "conflict":
                    self._conflict(act.path, act.why)
                elif dry:
                    self._say(f"{act.what} {act.path}")
                else:
                    await self._attempt(act, here, there)

        tasks = [asyncio.create_task(work()) for _ in range(_AT_A_TIME)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt(self, act: Act, here: Scan, there: Scan) -> None:
        path = act.path
        common = self._manifest.common
        try:
            if act.what == "push":
                common[path] = await self._push(path, here, there)
            elif act.what == "pull":
                common[path] = await self._pull(path, here, there)
            else:
                await (self._delete_there if act.what == "delete there" else self._delete_here)(
                    path, here, there
                )
                common.pop(path, None)
        except Conflict:
            self._conflict(path, "changed while it was synced")
        except (Unreachable, NotRunning, Refusal):
            raise
        except (OSError, WireError) as error:
            self.failed.add(path)
            reason = error.strerror if isinstance(error, OSError) else None
            self._tell(f"{path}: {reason.lower() if reason else error}")
        else:
            self._say(f"{act.what} {path}")

    # What is done --------------------------------------------------------------------------------

    async def _push(self, path: str, here: Scan, there: Scan) -> File:
        theirs = there.files.get(path)
        hashed = await self._client.upload(
            os.path.join(self._here, path),
            f"{self._there}/{path}",
            preserve=True,
            expected_hash=theirs.hash if theirs else "",
        )
        return File(hashed, here.files[path].executable)

    async def _pull(self, path: str, here: Scan, there: Scan) -> File:
        target = os.path.join(self._here, path)
        directory = os.path.dirname(target)
        real = await asyncio.to_thread(os.path.realpath, directory)
        if real != directory:  # swapped for a symlink since it was seen
            raise FileSystemError(f"{directory}: a symlink is in the way")
        await asyncio.to_thread(os.makedirs, directory, exist_ok=True)
        hashed = await self._client.download(
            f"{self._there}/{path}",
            target,
            preserve=True,
            unless=lambda: not self._is_as_seen(path, here),
        )
        return File(hashed, there.files[path].executable)

    async def _delete_there(self, path: str, _here: Scan, there: Scan) -> None:
        await self._client.remove(f"{self._there}/{path}", expected_hash=there.files[path].hash)
        with contextlib.suppress(FileProblem):  # until one is not empty
            for each in parents(path):
                await self._client.remove(f"{self._there}/{each}")

    async def _delete_here(self, path: str, here: Scan, _there: Scan) -> None:
        if not self._is_as_seen(path, here):
            raise Conflict(path)
        os.unlink(os.path.join(self._here, path))
        with contextlib.suppress(OSError):
            for each in parents(path):
                os.rmdir(os.path.join(self._here, each))

    def _is_as_seen(self, path: str, here: Scan) -> bool:
        try:
            return look_here(os.path.join(self._here, path)) == here.seen.get(path)
        except FileNotFoundError:
            return path not in here.seen

    # What is told --------------------------------------------------------------------------------

    def _conflict(self, path: str, why: str) -> None:
        self.conflicts.add(path)
        self._tell(f"conflict: {path}: {why}")

    def _tell(self, text: str) -> None:
        if text not in self._warned | self._warned_before:
            self._warn(text)
        self._warned.add(text)
