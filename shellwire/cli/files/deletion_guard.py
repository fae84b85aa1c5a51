"""Refuse a sync that would delete because a side has vanished, such as an unmounted disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import DeletionRefused, ShellwireError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.cli.files.manifest import File, Manifest, Root
    from shellwire.cli.files.plan import Change
    from shellwire.cli.files.scan import Scan

FEW = 20
"""With at most this many files in the last sync, any number may be deleted."""


def refuse_missing_side(
    local: tuple[str, Scan],
    remote: tuple[str, Scan],
    manifest: Manifest,
    *,
    deletes: bool,
    forced: bool,
) -> None:
    """Raise ShellwireError if a synced directory does not exist: its files were not deleted.

    If deletions are asked for that is a DeletionRefused; forced, it is no error.
    """
    (local_path, local_scan), (remote_path, remote_scan) = local, remote
    if not (local_scan.exists or remote_scan.exists):
        raise ShellwireError(f"neither {local_path} here nor {remote_path} on the host exists")
    if (
        manifest.common
        and not (local_scan.exists and remote_scan.exists)
        and not (deletes and forced)
    ):
        gone = remote_path if local_scan.exists else local_path
        raise (DeletionRefused if deletes else ShellwireError)(
            f"{gone} is gone, but was synced before: nothing was synced;"
            f" to start over, remove {manifest.path}"
        )


def vanished_reason(path: str, side: Scan, known: Mapping[str, File], root: Root | None) -> str:
    """Return why a side looks vanished: nothing of the last sync is left. Empty if it does not.

    ``root`` is the directory of the last sync. New names alone in the same directory are normal: a
    build does that.
    """
    if not known or any(each in side.files for each in known):
        return ""
    if not side.exists:
        return f"{path} is gone"
    if not side.files:
        return f"{path} is empty"
    if root is not None and root != side.root:
        return f"{path} is another directory than at the last sync, without its files"
    return ""


def refuse_vanished_side(
    changes: list[Change],
    known: Mapping[str, File],
    local: tuple[str, Scan],
    remote: tuple[str, Scan],
    roots: Mapping[str, Root],
) -> None:
    """Raise DeletionRefused if something would be deleted because a whole side has vanished."""
    for name, (path, side), deletion in (
        ("here", local, "delete remote"),
        ("there", remote, "delete local"),
    ):
        if any(change.action == deletion for change in changes):
            reason = vanished_reason(path, side, known, roots.get(name))
            if reason:
                raise DeletionRefused(
                    f"{reason}, and the last sync had {len(known)} files and directories in it:"
                    " nothing was synced"
                )


def refuse_mass_deletion(changes: list[Change], known: Mapping[str, File]) -> None:
    """Raise DeletionRefused if more than half of the known files, if not few, would be deleted."""
    files = {path for path, file in known.items() if not file.is_directory}
    gone = sum(change.path in files and _deletes(change, known[change.path]) for change in changes)
    if len(files) > FEW and 2 * gone > len(files):
        raise DeletionRefused(
            f"{gone} of the {len(files)} files of the last sync would be deleted:"
            " nothing was synced"
        )


def _deletes(change: Change, before: File) -> bool:
    """Whether a file is deleted, or replaced by another kind."""
    if change.action == "conflict":
        return False
    return change.file is None or change.file.kind != before.kind
