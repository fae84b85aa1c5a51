"""Make all planned changes of a sync, in an order that always works."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from shellwire.cli.files.common_state import set_common
from shellwire.cli.files.concurrency import for_each
from shellwire.errors import Conflict, NotRunning, Refusal, Unreachable, WireError

if TYPE_CHECKING:
    from shellwire.cli.files.applier import ChangeApplier
    from shellwire.cli.files.manifest import File, Manifest
    from shellwire.cli.files.plan import Change
    from shellwire.cli.files.sync_report import SyncReport


async def make_changes(
    changes: list[Change], applier: ChangeApplier, manifest: Manifest, report: SyncReport
) -> None:
    """Make the changes; record each in the manifest and report it.

    Raises Unreachable, NotRunning and Refusal. Other errors fail one change only.
    """
    await _Executor(applier, manifest, report).run(changes)


class _Executor:
    def __init__(self, applier: ChangeApplier, manifest: Manifest, report: SyncReport) -> None:
        self._applier = applier
        self._manifest = manifest
        self._report = report

    async def run(self, changes: list[Change]) -> None:
        common = self._manifest.common
        deleted: list[Change] = []
        deleted_directories: list[Change] = []
        new_directories: list[Change] = []
        rest: list[Change] = []
        for change in changes:
            if change.file is None and change.action != "conflict":
                is_directory = common[change.path].is_directory
                (deleted_directories if is_directory else deleted).append(change)
            else:
                is_directory = change.file is not None and change.file.is_directory
                (new_directories if is_directory else rest).append(change)
        await for_each(self._make, deleted)
        # A directory after its entries.
        await for_each(self._make, deleted_directories[::-1], at_a_time=1)
        remaining = await self._make_directories(new_directories)
        # A directory before its entries, or it would be created implicitly with another mode.
        for _, level in groupby(sorted(remaining, key=_depth), _depth):
            await for_each(self._make, level)
        await for_each(self._make, rest)

    async def _make_directories(self, changes: list[Change]) -> list[Change]:
        """Create remote directories by one request; return the changes to make one by one."""
        remaining = await self._applier.make_directories(changes)
        for change in changes:
            if change not in remaining:
                self._finish(change, change.file)
        return remaining

    async def _make(self, change: Change) -> None:
        path = change.path
        if change.action == "conflict":
            self._report.add_conflict(path, change.reason)
            return
        try:
            self._finish(change, await self._applier.apply(change))
        except Conflict:
            self._manifest.pending.pop(path, None)
            self._report.add_conflict(path, "changed while it was synced")
        except (Unreachable, NotRunning, Refusal):
            raise
        except (OSError, WireError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self._report.add_failure(path, reason.lower() if reason else str(error))

    def _finish(self, change: Change, file: File | None) -> None:
        set_common(self._manifest.common, change.path, file)
        self._manifest.pending.pop(change.path, None)
        if not change.is_quiet:
            self._report.print_change(change.text)


def _depth(change: Change) -> int:
    return change.path.count("/")
