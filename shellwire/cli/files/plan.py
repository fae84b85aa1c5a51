"""Plan a sync: compare both sides with their common state and list the changes to make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from shellwire.cli.files.manifest import File

Action = Literal["push", "pull", "delete remote", "delete local", "conflict"]


class Change(NamedTuple):
    """A change to make at a path, or a conflict."""

    action: Action
    path: str
    reason: str = ""
    """Why it is a conflict."""
    file: File | None = None
    """The result; None for a deletion."""
    is_quiet: bool = False
    """Whether it is not printed: a directory, if changes inside it are."""

    @property
    def is_local(self) -> bool:
        """Whether it changes the local side."""
        return self.action in ("pull", "delete local")

    @property
    def text(self) -> str:
        """The line to print."""
        return f"{self.action} {self.path}"


def plan_changes(
    common: Mapping[str, File],
    local: Mapping[str, File],
    remote: Mapping[str, File],
    *,
    delete: bool,
    excluded: Collection[str] = (),
) -> list[Change]:
    """Return the changes to make, by path. A path that changed on both sides is a conflict.

    A directory is deleted only if everything in it is deleted too. A change of kind, such as a file
    that became a directory, deletes the old file; without ``delete`` it is a conflict, unless it
    replaces an empty directory. Skipped are ``excluded`` paths, and paths below an excluded one or
    a conflict.
    """
    nonempty_local = {each for path in (*local, *excluded) for each in parents(path)}
    nonempty_remote = {each for path in (*remote, *excluded) for each in parents(path)}
    changes: dict[str, Change] = {}
    conflicts: set[str] = set()
    for path in sorted({*common, *local, *remote}):
        before, ours, theirs = common.get(path), local.get(path), remote.get(path)
        if ours == theirs or is_within(path, excluded) or is_within(path, conflicts):
            continue
        if ours == before and (
            delete or not _deletes_something(ours, theirs, is_nonempty=path in nonempty_local)
        ):
            if theirs is not None:
                changes[path] = Change("pull", path, file=theirs)
            elif delete:
                changes[path] = Change("delete local", path)
        elif theirs == before and (
            delete or not _deletes_something(theirs, ours, is_nonempty=path in nonempty_remote)
        ):
            if ours is not None:
                changes[path] = Change("push", path, file=ours)
            elif delete:
                changes[path] = Change("delete remote", path)
        else:
            conflicts.add(path)
            changes[path] = Change("conflict", path, _conflict_reason(ours, theirs))
    _keep_nonempty_directories(changes, {*local, *excluded}, "delete local")
    _keep_nonempty_directories(changes, {*remote, *excluded}, "delete remote")
    busy = {(change.action, each) for change in changes.values() for each in parents(change.path)}
    return [
        change._replace(is_quiet=(change.action, path) in busy) for path, change in changes.items()
    ]


def _keep_nonempty_directories(
    changes: dict[str, Change], side: Collection[str], action: Action
) -> None:
    """Drop the deletion of each directory that keeps some file."""
    for path in side:
        if path not in changes or changes[path].action != action:
            for each in parents(path):
                if each in changes and changes[each].action == action:
                    del changes[each]


def _deletes_something(old: File | None, new: File | None, *, is_nonempty: bool) -> bool:
    """Whether replacing ``old`` by ``new``, of another kind, deletes a file or more."""
    if old is None or new is None or old.kind == new.kind:
        return False
    return is_nonempty or not old.is_directory


def _conflict_reason(local: File | None, remote: File | None) -> str:
    if local is None:
        return "deleted locally, changed remotely"
    if remote is None:
        return "changed locally, deleted remotely"
    if local.kind != remote.kind:
        return f"a {local.kind} locally, a {remote.kind} remotely"
    return "changed on both sides"


def parents(path: str) -> Iterator[str]:
    """Yield the parent directories of a relative path, innermost first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def is_within(path: str, others: Collection[str]) -> bool:
    """Whether ``path`` or one of its parents is in ``others``."""
    return path in others or any(each in others for each in parents(path))
