"""What two directories had in common when they were last synced, and what is to be done now.

A manifest names contents by their SHA-256. Of each side it also keeps what stat(2) said of each
file when it was hashed, so that only what has changed is hashed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shellwire.errors import DamagedFile, HomeError
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import file_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from shellwire.home.paths import Home

What = Literal["push", "pull", "delete there", "delete here", "conflict"]


class File(NamedTuple):
    """What a file is, as far as that is synced."""

    hash: str
    executable: bool

    @property
    def is_directory(self) -> bool:
        """Whether it is one."""
        return self == DIRECTORY

    @property
    def target(self) -> str | None:
        """What it says if it is a symlink."""
        return self.hash.removeprefix(_SYMLINK) if self.hash.startswith(_SYMLINK) else None

    @property
    def kind(self) -> str:
        """What can't be written over by another."""
        is_file = self.target is None and not self.is_directory
        return "file" if is_file else "directory" if self.is_directory else "symlink"


_SYMLINK = "symlink "
DIRECTORY = File("directory", False)
"""What stands for each directory; what is in it counts by itself."""


def symlink(path: str, target: str) -> File | None:
    """Return what stands for a symlink at a relative path; None if it may lead out of the tree.

    Only at its beginning ``..`` leads where it seems to: behind a name it counts from where that
    leads, if it is another symlink.
    """
    parts = target.split("/")
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    if not target or target.startswith("/") or ".." in parts[up:] or up > path.count("/"):
        return None
    return File(_SYMLINK + target, False)


class Looks(NamedTuple):
    """What stat(2) says of a file, as far as a change of its content changes that.

    Size and mtime are not enough: ``mv`` gives a name another content with both unchanged, and any
    program can set an mtime. Nobody can set ctime. ``ctime_ns`` and ``inode`` are 0 where a daemon
    does not tell them.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Stamp(NamedTuple):
    """What a file looked like when it had this hash."""

    looks: Looks
    hash: str


Root = tuple[int, int]
"""Device and inode of a directory that is synced."""


class Act(NamedTuple):
    """What is to be done with a path, and why if that is not plain."""

    what: What
    path: str
    why: str = ""
    file: File | None = None
    """What is there afterwards."""
    is_quiet: bool = False
    """Whether other acts tell of it: a directory's, if something is done in it."""

    @property
    def is_here(self) -> bool:
        """Whether it changes something here."""
        return self.what in ("pull", "delete here")

    @property
    def shown(self) -> str:
        """What is told of it."""
        return f"{self.what} {self.path}"


class Manifest:
    """The file in the home that belongs to two directories."""

    def __init__(self, home: Home, here: str, daemon: str, there: str) -> None:
        """Know where it is; nothing is read yet."""
        named = json.dumps([here, daemon, there]).encode()
        self._home = home
        self.path: Path = (
            home.manifests_directory / f"{hashlib.sha256(named).hexdigest()[:32]}.json"
        )
        self.common: dict[str, File] = {}
        """What was the same on both sides."""
        self.here: dict[str, Stamp] = {}
        self.there: dict[str, Stamp] = {}
        self.begun: dict[str, tuple[bool, File | None]] = {}
        """What was begun and may be done: whether here, not there, and what is there then."""
        self.roots: dict[str, Root] = {}
        """The directory "here" and the one "there", when something of ``common`` was in it."""
        self.modes: dict[str, dict[str, int]] = {"here": {}, "there": {}}
        """Directories that are writable only while they are filled, and the modes they are to get
        back. What a run that was killed has left here, the next one does."""
        self._saved: bytes | None = None

    def load(self) -> None:
        """Read it. Raises HomeError, DamagedFile."""
        saved = read_private(self.path)
        if saved == self._saved:
            return
        self._clear()
        self._saved = saved
        if saved is not None:
            try:
                found: dict[str, dict[str, Any]] = {**_LATER, **json.loads(saved)}
                self.common = {path: File(*each) for path, each in found["common"].items()}
                self.here = _stamps(found["here"])
                self.there = _stamps(found["there"])
                self.begun = {
                    path: (is_here, None if file is None else File(*file))
                    for path, (is_here, file) in found.get("begun", {}).items()
                }
                self.roots = {side: (each[0], each[1]) for side, each in found["roots"].items()}
                self.modes = {side: dict(found["modes"][side]) for side in self.modes}
            except (ValueError, TypeError, AttributeError, KeyError):
                raise DamagedFile(
                    f"{self.path} is damaged: remove it, and what differs is a conflict"
                ) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[Callable[[], bool]]:
        """Give what tries to be the only one who syncs these two, while the block runs.

        Raises HomeError.
        """
        self._make_directory()
        with file_lock(self.path.with_suffix(".lock")) as take:
            yield take

    def forget(self) -> None:
        """Know nothing of the last time any more. Raises HomeError."""
        self._clear()
        self._saved = None
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"can't remove {self.path}: {error.strerror}") from error

    def _clear(self) -> None:
        self.common, self.here, self.there, self.begun, self.roots = {}, {}, {}, {}, {}
        self.modes = {"here": {}, "there": {}}

    def save(self) -> None:
        """Write it, if it has changed. Raises HomeError."""
        content = {
            "begun": self.begun,
            "common": self.common,
            "here": self.here,
            "modes": self.modes,
            "roots": self.roots,
            "there": self.there,
        }
        text = json.dumps(content, sort_keys=True).encode() + b"\n"
        if text != self._saved:
            self._make_directory()
            write_private(self.path, text)
            self._saved = text

    def _make_directory(self) -> None:
        self._home.ensure()
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise HomeError(f"can't make {self.path.parent}: {error.strerror}") from error


# What the manifests of earlier releases lack.
_LATER: dict[str, dict[str, Any]] = {"roots": {}, "modes": {"here": {}, "there": {}}}


def _stamps(found: dict[str, Any]) -> dict[str, Stamp]:
    """Read stamps; those of earlier releases, of size and time alone, count for nothing."""
    return {path: Stamp(Looks(*each[0]), each[1]) for path, each in found.items() if len(each) == 2}


def decided(
    common: Mapping[str, File],
    here: Mapping[str, File],
    there: Mapping[str, File],
    *,
    delete: bool,
    apart: Collection[str] = (),
) -> list[Act]:
    """Return what is to be done, by path. What has changed on both sides is a conflict.

    A directory is deleted only if all that is in it is, too. What has become of another kind
    replaces what was there, which is deleted with that: unless this is an empty directory it is a
    conflict, too, without ``delete``. Nothing is done with what is ``apart``, nor below that or
    below a conflict.
    """
    full_here = {each for path in (*here, *apart) for each in parents(path)}
    full_there = {each for path in (*there, *apart) for each in parents(path)}
    acts: dict[str, Act] = {}
    conflicts: set[str] = set()
    for path in sorted({*common, *here, *there}):
        before, ours, theirs = common.get(path), here.get(path), there.get(path)
        if ours == theirs or blocked(path, apart) or blocked(path, conflicts):
            continue
        if ours == before and (delete or not _loses(ours, theirs, is_full=path in full_here)):
            if theirs is not None:
                acts[path] = Act("pull", path, file=theirs)
            elif delete:
                acts[path] = Act("delete here", path)
        elif theirs == before and (delete or not _loses(theirs, ours, is_full=path in full_there)):
            if ours is not None:
                acts[path] = Act("push", path, file=ours)
            elif delete:
                acts[path] = Act("delete there", path)
        else:
            conflicts.add(path)
            acts[path] = Act("conflict", path, _why(ours, theirs))
    _keep_what_is_not_empty(acts, {*here, *apart}, "delete here")
    _keep_what_is_not_empty(acts, {*there, *apart}, "delete there")
    busy = {(act.what, each) for act in acts.values() for each in parents(act.path)}
    return [act._replace(is_quiet=(act.what, path) in busy) for path, act in acts.items()]


def _keep_what_is_not_empty(acts: dict[str, Act], side: Collection[str], what: What) -> None:
    for path in side:
        if path not in acts or acts[path].what != what:
            for each in parents(path):
                if each in acts and acts[each].what == what:
                    del acts[each]


def _loses(old: File | None, new: File | None, *, is_full: bool) -> bool:
    """Whether something is deleted when the one is replaced by the other, of another kind."""
    if old is None or new is None or old.kind == new.kind:
        return False
    return is_full or not old.is_directory


def _why(ours: File | None, theirs: File | None) -> str:
    if ours is None:
        return "deleted here, changed there"
    if theirs is None:
        return "changed here, deleted there"
    if ours.kind != theirs.kind:
        return f"a {ours.kind} here, a {theirs.kind} there"
    return "changed on both sides"


def parents(path: str) -> Iterator[str]:
    """Yield the directories on the way to a relative path, the nearest first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def blocked(path: str, others: Collection[str]) -> bool:
    """Whether one of these is at a path, or on the way to it."""
    return path in others or any(each in others for each in parents(path))
