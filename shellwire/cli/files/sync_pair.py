"""Sync a local and a remote directory: scan both, plan the changes, make them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from shellwire.cli.files.applier import (
    ChangeApplier,
    make_local_directory,
    make_remote_directory,
)
from shellwire.cli.files.common_state import drop_missing, update_common
from shellwire.cli.files.deletion_guard import (
    refuse_mass_deletion,
    refuse_missing_side,
    refuse_vanished_side,
    vanished_reason,
)
from shellwire.cli.files.directory_modes import DirectoryModes, make_all_writable
from shellwire.cli.files.executor import make_changes
from shellwire.cli.files.local_scan import scan_local
from shellwire.cli.files.manifest import Manifest
from shellwire.cli.files.pair_paths import refuse_nested, remote_realpath
from shellwire.cli.files.plan import Change, plan_changes
from shellwire.cli.files.remote_scan import scan_remote
from shellwire.client.files.partial_file import remove_partial, umask
from shellwire.errors import (
    DeletionRefused,
    FileProblem,
    InvalidArgument,
    NotFound,
    Refusal,
    Replaced,
    ShellwireError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shellwire.cli.files.scan import Scan
    from shellwire.cli.files.sync_report import SyncReport
    from shellwire.client import Client
    from shellwire.home.paths import Home

_LOCK_POLL_SECONDS = 0.2
_SILENT_WAIT_SECONDS = 1.0
"""Seconds of waiting for another sync before that is reported."""
_RESTORE_SECONDS = 5.0
"""Timeout for restoring directory modes after an error; the next run restores the rest."""


class SyncOptions(NamedTuple):
    """Options of a sync."""

    deletes: bool = False
    """Delete what was deleted on the other side."""
    forced: bool = False
    """Delete even if that side looks vanished."""
    checksum: bool = False
    """Read every file, whatever its stat data."""


class SyncPair:
    """A local and a remote directory that are synced."""

    def __init__(
        self,
        client: Client,
        local: str,
        remote: str,
        manifest: Manifest,
        options: SyncOptions,
        report: SyncReport,
    ) -> None:
        self.local = local
        """The local directory, without symlinks."""
        self.remote = remote
        self.report = report
        self._client = client
        self._manifest = manifest
        self._options = options
        self._modes = DirectoryModes(client, local, remote, manifest, umask())

    @classmethod
    async def begin(
        cls,
        client: Client,
        home: Home,
        local: str,
        remote: str,
        daemon: str,
        options: SyncOptions,
        report: SyncReport,
    ) -> SyncPair:
        """Return a pair with its manifest. Raises InvalidArgument, and what requests raise."""
        local = await asyncio.to_thread(os.path.realpath, local)
        # Canonical paths give a pair one manifest and one lock, whatever names are used.
        remote = (await remote_realpath(client, await client.resolve(remote))).rstrip("/")
        for each in (local, remote or "/"):
            if os.path.dirname(each) == each:
                raise InvalidArgument(f"{each}: a whole file system can't be synced")
        await refuse_nested(client, local, remote)
        return cls(client, local, remote, Manifest(home, local, daemon, remote), options, report)

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the lock of this pair during the block; wait for another sync and report that.

        Raises HomeError.
        """
        with self._manifest.lock() as take:
            since = time.monotonic()
            while not take():
                if time.monotonic() > since + _SILENT_WAIT_SECONDS:
                    self.report.warning(f"{self.local}: waiting for another sync of it to end")
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            yield

    async def sync(
        self, *, dry: bool = False, restores: bool = False, deletes_many: bool = False
    ) -> None:
        """Scan both sides and make the changes; with ``dry`` only report them.

        ``restores``: push files again that are missing on the remote side, and delete nothing
        because of that. ``deletes_many``: allow deleting most files. Call it only while ``locked``.
        Raises WireError, Unreachable, NotRunning; HomeError; DeletionRefused; ShellwireError if a
        side is gone or can't be read.
        """
        self.report.begin_pass()
        manifest = self._manifest
        manifest.load()
        known = dict(manifest.common)
        local = await self._scan_local()
        remote = await scan_remote(
            self._client, self.remote, manifest.remote_hashes, rehash=self._options.checksum
        )
        sides = ((self.local, local), (self.remote, remote))
        options = self._options
        refuse_missing_side(*sides, manifest, deletes=options.deletes, forced=options.forced)
        excluded = self._report_excluded(local, remote)
        update_common(manifest, local, remote, excluded)
        if restores:
            drop_missing(manifest.common, remote, excluded)
        changes = plan_changes(
            manifest.common,
            local.files,
            remote.files,
            delete=options.deletes,
            excluded=excluded,
        )
        if not options.forced:
            refuse_vanished_side(changes, known, *sides, manifest.roots)
            if not deletes_many:
                refuse_mass_deletion(changes, known)
        roots = [] if local.exists else [f"create local {self.local}"]
        roots += [] if remote.exists else [f"create remote {self.remote}"]
        if dry:
            self._report_plan(roots, changes)
            return
        for name, side in (("here", local), ("there", remote)):
            if side.exists and not vanished_reason(name, side, known, manifest.roots.get(name)):
                manifest.roots[name] = side.root
        await self._make(changes, local, remote, roots)

    async def sync_again(self) -> None:
        """Sync once more, locked; report errors, which may be gone the next time.

        Raises Refusal, Replaced and DeletionRefused.
        """
        try:
            async with self.locked():
                await self.sync()
        except (Refusal, Replaced, DeletionRefused):
            raise
        except ShellwireError as error:
            self.report.error(str(error))

    async def forget_if_remote_missing(self) -> None:
        """Forget the manifest if the remote directory does not exist."""
        try:
            await self._client.stat(self.remote)
        except NotFound:
            self._manifest.forget()

    async def remove_remote(self) -> None:
        """Remove the remote directory and the manifest."""
        self._manifest.forget()
        try:
            await self._client.remove(self.remote, recursive=True)
        except FileProblem:
            await make_all_writable(self._client, self.remote)
            await self._client.remove(self.remote, recursive=True)

    # Before the changes --------------------------------------------------------------------------

    async def _scan_local(self) -> Scan:
        stop = threading.Event()
        try:
            cached_hashes = {} if self._options.checksum else self._manifest.local_hashes
            return await asyncio.to_thread(scan_local, self.local, cached_hashes, stop.is_set)
        except OSError as error:
            raise ShellwireError(f"{error.filename or self.local}: {error.strerror}") from error
        finally:
            stop.set()  # after Ctrl-C the thread must not keep reading

    def _report_excluded(self, local: Scan, remote: Scan) -> set[str]:
        """Report the paths that are not synced; return them."""
        for path, reason in sorted({**local.skipped, **remote.skipped}.items()):
            self.report.warning(f"{path}: {reason}, and not synced")
        for path, reason in sorted({**local.failed, **remote.failed}.items()):
            self.report.add_failure(path, reason)
        return {*local.skipped, *remote.skipped, *local.failed, *remote.failed}

    def _report_plan(self, roots: list[str], changes: list[Change]) -> None:
        for each in roots:
            self.report.print_change(each)
        for change in changes:
            if change.action == "conflict":
                self.report.add_conflict(change.path, change.reason)
            elif not change.is_quiet:
                self.report.print_change(change.text)

    # The changes ---------------------------------------------------------------------------------

    async def _make(
        self, changes: list[Change], local: Scan, remote: Scan, roots: list[str]
    ) -> None:
        """Make all changes; ``roots`` are the lines about the two directories themselves."""
        manifest = self._manifest
        manifest.local_hashes = local.cached_hashes
        manifest.remote_hashes = remote.cached_hashes
        for change in changes:
            # A copied file keeps its times, so its stat data may match those of the old file.
            cached = manifest.local_hashes if change.is_local else manifest.remote_hashes
            cached.pop(change.path, None)
        # If this run is killed, the next one knows which side a change came from.
        manifest.pending = {
            change.path: (change.is_local, change.file)
            for change in changes
            if change.action != "conflict"
        }
        self._modes.plan(changes, local, remote)
        manifest.save()
        try:
            await self._modes.make_writable(local, remote)
            if not remote.exists:
                await make_remote_directory(self._client, self.remote, local.modes[""])
            if not local.exists:
                await asyncio.to_thread(make_local_directory, self.local, remote.modes[""])
            for each in roots:
                self.report.print_change(each)
            applier = ChangeApplier(self._client, self.local, self.remote, local, remote)
            await make_changes(changes, applier, manifest, self.report)
            await asyncio.to_thread(self._remove_unfinished, local)
        except BaseException:
            with contextlib.suppress(ShellwireError, TimeoutError):
                async with asyncio.timeout(_RESTORE_SECONDS):
                    await self._modes.restore()
            manifest.save()
            raise
        for path, reason in (await self._modes.restore()).items():
            self.report.add_failure(path, f"its mode can't be set: {reason}")
        manifest.save()

    def _remove_unfinished(self, local: Scan) -> None:
        """Remove the temporary files of unfinished downloads."""
        for path in local.unfinished:
            full = os.path.join(self.local, path)
            if os.path.islink(full):
                os.unlink(full)
            else:
                remove_partial(full)
