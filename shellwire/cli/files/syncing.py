"""Two directories made the same, each change taken to the other side; never merged in silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from shellwire.cli.files.changes import Changes, make_here, make_there
from shellwire.cli.files.manifest import Act, File, Manifest, blocked, decided, parents
from shellwire.cli.files.pair import real, refuse_itself
from shellwire.cli.files.scan import Scan, scan_here, scan_there
from shellwire.cli.files.several import several
from shellwire.client.files.local import discard
from shellwire.errors import (
    Conflict,
    InvalidArgument,
    NotFound,
    NotRunning,
    Refusal,
    Replaced,
    ShellwireError,
    Unreachable,
    WireError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from shellwire.client import Client
    from shellwire.home.paths import Home

_PAUSE = 0.2
"""Seconds between two looks whether another sync has ended."""
_PATIENCE = 1.0
"""Seconds that one waits for another without a word."""


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
        self.here = here
        """Where it is, without symlinks."""
        self.there = there
        self._client = client
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
        # One pair has one manifest and one lock, by whatever name.
        there = (await real(client, await client.resolve(there))).rstrip("/")
        for each in (here, there or "/"):
            if os.path.dirname(each) == each:
                raise InvalidArgument(f"{each}: a whole file system can't be synced")
        await refuse_itself(client, here, there)
        manifest = Manifest(home, here, daemon, there)
        return cls(client, here, there, manifest, delete=delete, say=say, warn=warn)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be the only one who syncs these two while the block runs; wait for another, and say so.

        Raises HomeError.
        """
        with self._manifest.lock() as take:
            since = time.monotonic()
            while not take():
                if time.monotonic() > since + _PATIENCE:
                    self._tell(f"{self.here}: another sync of it is at work; waiting for its end")
                await asyncio.sleep(_PAUSE)
            yield

    async def once(self, *, dry: bool = False, restores: bool = False) -> None:
        """Look at both, and take each change to the other side. With ``dry`` say only what.

        If it ``restores``, what is missing there comes there again, and is not deleted here.
        Nobody else may do so meanwhile, see ``alone``. Raises WireError, Unreachable, NotRunning;
        HomeError; ShellwireError if one side is gone, or can't be read.
        """
        self.conflicts.clear()
        self.failed.clear()
        self._warned, self._warned_before = set(), self._warned
        manifest = self._manifest
        manifest.load()
        here = await self._look_here()
        there = await scan_there(self._client, self.there, manifest.there)
        self._check(here, there)
        apart = self._leave_out(here, there)
        self._agree(here, there, apart)
        if restores:
            self._forget_missing(there, apart)
        acts = decided(manifest.common, here.files, there.files, delete=self._delete, apart=apart)
        made = [] if here.exists else [f"make here {self.here}"]
        made += [] if there.exists else [f"make there {self.there}"]
        if dry:
            for each in made:
                self._say(each)
            for act in acts:
                await self._attempt(act, None)
            return
        manifest.here, manifest.there = here.stamps, there.stamps
        for act in acts:
            # What comes may look like what was there, for it keeps its time.
            stamps = manifest.here if act.is_here else manifest.there
            stamps.pop(act.path, None)
        # If this is killed, the next one knows from which side a change came.
        manifest.begun = {
            act.path: (act.is_here, act.file) for act in acts if act.what != "conflict"
        }
        manifest.save()
        if not there.exists:
            await self._make_there()
        if not here.exists:
            await make_here(self._client, self.there, self.here)
        for each in made:
            self._say(each)
        try:
            await self._do_all(acts, Changes(self._client, self.here, self.there, here, there))
            await asyncio.to_thread(self._sweep, here)
        finally:
            manifest.save()

    async def _look_here(self) -> Scan:
        stop = threading.Event()
        try:
            return await asyncio.to_thread(scan_here, self.here, self._manifest.here, stop.is_set)
        except OSError as error:
            raise ShellwireError(f"{error.filename or self.here}: {error.strerror}") from error
        finally:
            stop.set()  # who is interrupted does not wait for its end

    def _check(self, here: Scan, there: Scan) -> None:
        """Raise ShellwireError if what is gone must not look as if all in it were deleted."""
        if not (here.exists or there.exists):
            raise ShellwireError(f"there is neither {self.here} here nor {self.there} there")
        if self._manifest.common and not (here.exists and there.exists):
            gone = self.there if here.exists else self.here
            raise ShellwireError(
                f"{gone} is gone, which was synced before: nothing is done;"
                f" to begin anew, remove {self._manifest.path}"
            )

    def _leave_out(self, here: Scan, there: Scan) -> set[str]:
        """Tell of what is not synced; return it."""
        for path, why in sorted({**here.others, **there.others}.items()):
            self._tell(f"{path}: {why}, and not synced")
        for path, why in sorted({**here.failed, **there.failed}.items()):
            self.failed.add(path)
            self._tell(f"{path}: {why}")
        return {*here.others, *there.others, *here.failed, *there.failed}

    async def again(self) -> None:
        """Do so once more, alone; what goes wrong is told, and may have passed the next time.

        Raises Refusal and Replaced.
        """
        try:
            async with self.alone():
                await self.once()
        except (Refusal, Replaced):
            raise
        except ShellwireError as error:
            self._tell(str(error))

    async def begin_anew_if_gone_there(self) -> None:
        """Forget the last time if the directory there is no more; make it if it is not there."""
        try:
            await self._client.stat(self.there)
        except NotFound:
            self._manifest.forget()
            await self._make_there()

    async def _make_there(self) -> None:
        mode = (await asyncio.to_thread(os.stat, self.here)).st_mode
        await make_there(self._client, self.there, mode)

    async def clean(self) -> None:
        """Remove the directory there, and what is known of it."""
        self._manifest.forget()
        await self._client.remove(self.there, recursive=True)

    def _agree(self, here: Scan, there: Scan, apart: Collection[str]) -> None:
        """Take note of what is the same on both sides by now, and of what we have done to one."""
        manifest = self._manifest
        common = manifest.common
        for path, (is_here, file) in manifest.begun.items():
            found = (here if is_here else there).files.get(path)
            before = common.get(path)
            # What is of another kind is removed before the new one comes.
            is_half = found is None and file and before and before.kind != file.kind
            if (found == file or is_half) and not blocked(path, apart):
                _set(common, path, found)
        manifest.begun = {}
        for path in {*common, *here.files, *there.files}:
            ours = here.files.get(path)
            if ours == there.files.get(path) and not blocked(path, apart):
                _set(common, path, ours)

    def _forget_missing(self, there: Scan, apart: Collection[str]) -> None:
        """Take what is missing there for what has never come, if nothing stands in its way."""
        common = self._manifest.common
        for path in set(common) - set(there.files):
            ways = [there.files[each] for each in parents(path) if each in there.files]
            if all(each.is_directory for each in ways) and not blocked(path, apart):
                del common[path]

    async def _do_all(self, acts: list[Act], changes: Changes) -> None:
        common = self._manifest.common
        removed: list[Act] = []
        emptied: list[Act] = []
        made: list[Act] = []
        rest: list[Act] = []
        for act in acts:
            if act.file is None and act.what != "conflict":
                (emptied if common[act.path].is_directory else removed).append(act)
            else:
                is_directory = act.file is not None and act.file.is_directory
                (made if is_directory else rest).append(act)
        attempt = partial(self._attempt, changes=changes)
        await several(attempt, removed)
        # A directory after what is in it.
        await several(attempt, emptied[::-1], at_a_time=1)
        # And before that, so that it has its own mode and not one that was made for the way there.
        for _, level in groupby(sorted(made, key=_depth), _depth):
            await several(attempt, level)
        await several(attempt, rest)

    async def _attempt(self, act: Act, changes: Changes | None) -> None:
        path = act.path
        if act.what == "conflict":
            self._conflict(path, act.why)
            return
        try:
            if changes is not None:
                _set(self._manifest.common, path, await changes.do(act))
        except Conflict:
            self._manifest.begun.pop(path, None)
            self._conflict(path, "changed while it was synced")
        except (Unreachable, NotRunning, Refusal):
            raise
        except (OSError, WireError) as error:
            self.failed.add(path)
            reason = error.strerror if isinstance(error, OSError) else None
            self._tell(f"{path}: {reason.lower() if reason else error}")
        else:
            self._manifest.begun.pop(path, None)
            if not act.is_quiet:
                self._say(act.shown)

    def _sweep(self, here: Scan) -> None:
        """Remove what downloads have left that came to nothing."""
        for path in here.unfinished:
            full = os.path.join(self.here, path)
            if os.path.islink(full):
                os.unlink(full)
            else:
                discard(full)

    # What is told --------------------------------------------------------------------------------

    def _conflict(self, path: str, why: str) -> None:
        self.conflicts.add(path)
        self._tell(f"conflict: {path}: {why}")

    def _tell(self, text: str) -> None:
        if text not in self._warned | self._warned_before:
            self._warn(text)
        self._warned.add(text)


def _set(common: dict[str, File], path: str, file: File | None) -> None:
    if file is None:
        common.pop(path, None)
    else:
        common[path] = file


def _depth(act: Act) -> int:
    return act.path.count("/")
