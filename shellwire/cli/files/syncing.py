"""Two directories made the same, each change taken to the other side; never merged in silence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from shellwire.cli.files.agree import agree, forget_missing, set_common
from shellwire.cli.files.changes import Changes, make_here, make_there
from shellwire.cli.files.concurrency import several
from shellwire.cli.files.guard import lost, refuse_a_vanished_side, refuse_many
from shellwire.cli.files.manifest import Act, File, Manifest, decided
from shellwire.cli.files.modes import Modes, make_all_writable
from shellwire.cli.files.pair_id import real, refuse_itself
from shellwire.cli.files.scan import Scan, scan_here, scan_there
from shellwire.client.files.partial_file import remove_partial, umask
from shellwire.errors import (
    Conflict,
    DeletionRefused,
    FileProblem,
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
    from collections.abc import AsyncIterator, Callable

    from shellwire.client import Client
    from shellwire.home.paths import Home

_PAUSE = 0.2
"""Seconds between two looks whether another sync has ended."""
_PATIENCE = 1.0
"""Seconds that one waits for another without a word."""
_RESTORING = 5.0
"""Seconds for giving directories their modes when a run is broken off; the next one can do it."""


class Wanted(NamedTuple):
    """What is asked of a sync."""

    deletes: bool = False
    """Delete what was deleted on the other side."""
    forced: bool = False
    """Also when that side looks as if it had vanished."""
    checksum: bool = False
    """Read every file, also those that look as they did."""


class Syncing:
    """A directory here and one there.

    ``say`` gets each act, ``warn`` what is left out or waited for, ``fail`` what has gone wrong;
    none of it a second time while it lasts.
    """

    def __init__(
        self,
        client: Client,
        here: str,
        there: str,
        manifest: Manifest,
        wanted: Wanted,
        *,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        fail: Callable[[str], None],
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
        self._wanted = wanted
        self._modes = Modes(client, here, there, manifest, umask())
        self._say = say
        self._warn = warn
        self._fail = fail
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
        wanted: Wanted,
        *,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        fail: Callable[[str], None],
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
        return cls(client, here, there, manifest, wanted, say=say, warn=warn, fail=fail)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be the only one who syncs these two while the block runs; wait for another, and say so.

        Raises HomeError.
        """
        with self._manifest.lock() as take:
            since = time.monotonic()
            while not take():
                if time.monotonic() > since + _PATIENCE:
                    why = "another sync of it is at work; waiting for its end"
                    self._tell(f"{self.here}: {why}", self._warn)
                await asyncio.sleep(_PAUSE)
            yield

    async def once(
        self, *, dry: bool = False, restores: bool = False, deletes_many: bool = False
    ) -> None:
        """Look at both, and take each change to the other side. With ``dry`` say only what.

        If it ``restores``, what is missing there comes there again, and is not deleted here. If it
        ``deletes_many``, that is no reason to stop. Nobody else may do so meanwhile, see ``alone``.
        Raises WireError, Unreachable, NotRunning; HomeError; DeletionRefused; ShellwireError if one
        side is gone, or can't be read.
        """
        self.conflicts.clear()
        self.failed.clear()
        self._warned, self._warned_before = set(), self._warned
        manifest = self._manifest
        manifest.load()
        known = dict(manifest.common)
        here = await self._look_here()
        there = await scan_there(
            self._client, self.there, manifest.there, anew=self._wanted.checksum
        )
        self._check(here, there)
        apart = self._leave_out(here, there)
        agree(manifest, here, there, apart)
        if restores:
            forget_missing(manifest.common, there, apart)
        acts = decided(
            manifest.common, here.files, there.files, delete=self._wanted.deletes, apart=apart
        )
        self._refuse_deletions(acts, known, here, there, many=deletes_many)
        made = [] if here.exists else [f"make here {self.here}"]
        made += [] if there.exists else [f"make there {self.there}"]
        if dry:
            for each in made:
                self._say(each)
            for act in acts:
                await self._attempt(act, None)
            return
        for name, side in (("here", here), ("there", there)):
            if side.exists and not lost(name, side, known, manifest.roots.get(name)):
                manifest.roots[name] = side.root
        await self._carry_out(acts, here, there, made)

    def _refuse_deletions(
        self, acts: list[Act], known: dict[str, File], here: Scan, there: Scan, *, many: bool
    ) -> None:
        """Raise DeletionRefused for those that look like a vanished side, unless forced."""
        if not self._wanted.forced:
            sides = ((self.here, here), (self.there, there))
            refuse_a_vanished_side(acts, known, *sides, self._manifest.roots)
            if not many:
                refuse_many(acts, known)

    async def _carry_out(self, acts: list[Act], here: Scan, there: Scan, made: list[str]) -> None:
        """Do it all; ``made`` is what is said of the two directories themselves."""
        manifest = self._manifest
        manifest.here, manifest.there = here.stamps, there.stamps
        for act in acts:
            # What comes may look like what was there, for it keeps its time.
            stamps = manifest.here if act.is_here else manifest.there
            stamps.pop(act.path, None)
        # If this is killed, the next one knows from which side a change came.
        manifest.begun = {
            act.path: (act.is_here, act.file) for act in acts if act.what != "conflict"
        }
        self._modes.plan(acts, here, there)
        manifest.save()
        try:
            await self._modes.open(here, there)
            if not there.exists:
                await make_there(self._client, self.there, here.modes[""])
            if not here.exists:
                await asyncio.to_thread(make_here, self.here, there.modes[""])
            for each in made:
                self._say(each)
            await self._do_all(acts, Changes(self._client, self.here, self.there, here, there))
            await asyncio.to_thread(self._sweep, here)
        except BaseException:
            with contextlib.suppress(ShellwireError, TimeoutError):
                async with asyncio.timeout(_RESTORING):
                    await self._modes.close()
            manifest.save()
            raise
        for path, why in (await self._modes.close()).items():
            self.failed.add(path)
            self._tell(f"{path}: its mode can't be set: {why}")
        manifest.save()

    async def _look_here(self) -> Scan:
        stop = threading.Event()
        try:
            stamps = {} if self._wanted.checksum else self._manifest.here
            return await asyncio.to_thread(scan_here, self.here, stamps, stop.is_set)
        except OSError as error:
            raise ShellwireError(f"{error.filename or self.here}: {error.strerror}") from error
        finally:
            stop.set()  # who is interrupted does not wait for its end

    def _check(self, here: Scan, there: Scan) -> None:
        """Raise ShellwireError if what is gone must not look as if all in it were deleted.

        With deletions asked for that is a DeletionRefused, unless they are forced.
        """
        if not (here.exists or there.exists):
            raise ShellwireError(f"there is neither {self.here} here nor {self.there} there")
        if (
            self._manifest.common
            and not (here.exists and there.exists)
            and not (self._wanted.deletes and self._wanted.forced)
        ):
            gone = self.there if here.exists else self.here
            raise (DeletionRefused if self._wanted.deletes else ShellwireError)(
                f"{gone} is gone, which was synced before: nothing is done;"
                f" to begin anew, remove {self._manifest.path}"
            )

    def _leave_out(self, here: Scan, there: Scan) -> set[str]:
        """Tell of what is not synced; return it."""
        for path, why in sorted({**here.others, **there.others}.items()):
            self._tell(f"{path}: {why}, and not synced", self._warn)
        for path, why in sorted({**here.failed, **there.failed}.items()):
            self.failed.add(path)
            self._tell(f"{path}: {why}")
        return {*here.others, *there.others, *here.failed, *there.failed}

    async def again(self) -> None:
        """Do so once more, alone; what goes wrong is told, and may have passed the next time.

        Raises Refusal, Replaced and DeletionRefused.
        """
        try:
            async with self.alone():
                await self.once()
        except (Refusal, Replaced, DeletionRefused):
            raise
        except ShellwireError as error:
            self._tell(str(error))

    async def begin_anew_if_gone_there(self) -> None:
        """Forget the last time if the directory there is no more."""
        try:
            await self._client.stat(self.there)
        except NotFound:
            self._manifest.forget()

    async def clean(self) -> None:
        """Remove the directory there, and what is known of it."""
        self._manifest.forget()
        try:
            await self._client.remove(self.there, recursive=True)
        except FileProblem:
            await make_all_writable(self._client, self.there)
            await self._client.remove(self.there, recursive=True)

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
        made = await self._make_at_once(made, changes)
        # And before that, so that it has its own mode and not one that was made for the way there.
        for _, level in groupby(sorted(made, key=_depth), _depth):
            await several(attempt, level)
        await several(attempt, rest)

    async def _make_at_once(self, acts: list[Act], changes: Changes) -> list[Act]:
        """Make directories there by one request; return those that are to be made one by one."""
        left = await changes.make_directories(acts)
        for act in acts:
            if act not in left:
                self._done(act, act.file)
        return left

    async def _attempt(self, act: Act, changes: Changes | None) -> None:
        path = act.path
        if act.what == "conflict":
            self._conflict(path, act.why)
            return
        if changes is None:
            self._say_of(act)
            return
        try:
            self._done(act, await changes.do(act))
        except Conflict:
            self._manifest.begun.pop(path, None)
            self._conflict(path, "changed while it was synced")
        except (Unreachable, NotRunning, Refusal):
            raise
        except (OSError, WireError) as error:
            self.failed.add(path)
            reason = error.strerror if isinstance(error, OSError) else None
            self._tell(f"{path}: {reason.lower() if reason else error}")

    def _done(self, act: Act, file: File | None) -> None:
        set_common(self._manifest.common, act.path, file)
        self._manifest.begun.pop(act.path, None)
        self._say_of(act)

    def _say_of(self, act: Act) -> None:
        if not act.is_quiet:
            self._say(act.shown)

    def _sweep(self, here: Scan) -> None:
        """Remove what downloads have left that came to nothing."""
        for path in here.unfinished:
            full = os.path.join(self.here, path)
            if os.path.islink(full):
                os.unlink(full)
            else:
                remove_partial(full)

    # What is told --------------------------------------------------------------------------------

    def _conflict(self, path: str, why: str) -> None:
        self.conflicts.add(path)
        self._tell(f"conflict: {path}: {why}")

    def _tell(self, text: str, tell: Callable[[str], None] | None = None) -> None:
        if text not in self._warned | self._warned_before:
            (tell or self._fail)(text)
        self._warned.add(text)


def _depth(act: Act) -> int:
    return act.path.count("/")
