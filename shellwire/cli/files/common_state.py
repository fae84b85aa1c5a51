"""Update the common state in a manifest from what both sides hold now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.cli.files.plan import is_within, parents

if TYPE_CHECKING:
    from collections.abc import Collection

    from shellwire.cli.files.manifest import File, Manifest
    from shellwire.cli.files.scan import Scan


def update_common(manifest: Manifest, local: Scan, remote: Scan, excluded: Collection[str]) -> None:
    """Record what is equal on both sides now, and which pending changes were made."""
    common = manifest.common
    for path, (is_local, file) in manifest.pending.items():
        found = (local if is_local else remote).files.get(path)
        before = common.get(path)
        # A change of kind removes the old file before it creates the new one.
        is_half_done = found is None and file and before and before.kind != file.kind
        if (found == file or is_half_done) and not is_within(path, excluded):
            set_common(common, path, found)
    manifest.pending = {}
    for path in {*common, *local.files, *remote.files}:
        ours = local.files.get(path)
        if ours == remote.files.get(path) and not is_within(path, excluded):
            set_common(common, path, ours)


def drop_missing(common: dict[str, File], remote: Scan, excluded: Collection[str]) -> None:
    """Drop the paths that are missing on the remote side, so that they are pushed again.

    Paths below a remote file or symlink stay, and excluded ones.
    """
    for path in set(common) - set(remote.files):
        ancestors = [remote.files[each] for each in parents(path) if each in remote.files]
        if all(each.is_directory for each in ancestors) and not is_within(path, excluded):
            del common[path]


def set_common(common: dict[str, File], path: str, file: File | None) -> None:
    """Record the state of a path on both sides; None: it does not exist."""
    if file is None:
        common.pop(path, None)
    else:
        common[path] = file
