"""Bringing a manifest up to date with what both sides hold by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.cli.files.manifest import blocked, parents

if TYPE_CHECKING:
    from collections.abc import Collection

    from shellwire.cli.files.manifest import File, Manifest
    from shellwire.cli.files.scan import Scan


def agree(manifest: Manifest, here: Scan, there: Scan, apart: Collection[str]) -> None:
    """Take note of what is the same on both sides by now, and of what we have done to one."""
    common = manifest.common
    for path, (is_here, file) in manifest.begun.items():
        found = (here if is_here else there).files.get(path)
        before = common.get(path)
        # What is of another kind is removed before the new one comes.
        is_half = found is None and file and before and before.kind != file.kind
        if (found == file or is_half) and not blocked(path, apart):
            set_common(common, path, found)
    manifest.begun = {}
    for path in {*common, *here.files, *there.files}:
        ours = here.files.get(path)
        if ours == there.files.get(path) and not blocked(path, apart):
            set_common(common, path, ours)


def forget_missing(common: dict[str, File], there: Scan, apart: Collection[str]) -> None:
    """Take what is missing there for what has never come, if nothing stands in its way."""
    for path in set(common) - set(there.files):
        ways = [there.files[each] for each in parents(path) if each in there.files]
        if all(each.is_directory for each in ways) and not blocked(path, apart):
            del common[path]


def set_common(common: dict[str, File], path: str, file: File | None) -> None:
    """Have a path be this on both sides; None: nothing is there."""
    if file is None:
        common.pop(path, None)
    else:
        common[path] = file
