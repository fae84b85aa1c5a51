"""Stops a sync that would delete what a vanished side no longer shows: an unmounted disk, say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.errors import DeletionRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.cli.files.manifest import Act, File, Root
    from shellwire.cli.files.scan import Scan

FEW = 20
"""Files that the last run knew, of which any number may be deleted."""


def lost(path: str, side: Scan, known: Mapping[str, File], root: Root | None) -> str:
    """Return why nothing of what the last run knew is left on a side; empty if something is.

    ``root`` is which directory it was then. All names may be new in the same directory: that is
    what a build does.
    """
    if not known or any(each in side.files for each in known):
        return ""
    if not side.exists:
        return f"{path} is gone"
    if not side.files:
        return f"{path} is empty"
    if root is not None and root != side.root:
        return f"{path} is another directory than at the last sync, with nothing of what was there"
    return ""


def refuse_a_vanished_side(
    acts: list[Act],
    known: Mapping[str, File],
    here: tuple[str, Scan],
    there: tuple[str, Scan],
    roots: Mapping[str, Root],
) -> None:
    """Raise DeletionRefused if something would be deleted because all of a side has vanished."""
    for name, (path, side), deletes in (
        ("here", here, "delete there"),
        ("there", there, "delete here"),
    ):
        if any(act.what == deletes for act in acts):
            why = lost(path, side, known, roots.get(name))
            if why:
                raise DeletionRefused(
                    f"{why}, and the last sync knew {len(known)} files and directories in it:"
                    " nothing is done"
                )


def refuse_many(acts: list[Act], known: Mapping[str, File]) -> None:
    """Raise DeletionRefused if more than half of what may not be few files would be deleted."""
    files = {path for path, file in known.items() if not file.is_directory}
    gone = sum(act.path in files and _deletes(act, known[act.path]) for act in acts)
    if len(files) > FEW and 2 * gone > len(files):
        raise DeletionRefused(
            f"{gone} of the {len(files)} files that the last sync knew would be deleted:"
            " nothing is done"
        )


def _deletes(act: Act, before: File) -> bool:
    """Whether a file is no more afterwards: deleted, or replaced by what is no file."""
    if act.what == "conflict":
        return False
    return act.file is None or act.file.kind != before.kind
