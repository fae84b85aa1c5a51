"""The manifest of a sync: the state that two directories had in common after the last one.

A manifest identifies contents by their SHA-256. For each side it also caches the hashes of files
with their stat(2) data, so that only changed files are read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from shellwire.errors import DamagedFile, HomeError
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import file_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shellwire.home.paths import Home


class File(NamedTuple):
    """The synced properties of a file, a directory or a symlink."""

    hash: str
    executable: bool

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory."""
        return self == DIRECTORY

    @property
    def target(self) -> str | None:
        """The target of a symlink, None for others."""
        return self.hash.removeprefix(_SYMLINK) if self.hash.startswith(_SYMLINK) else None

    @property
    def kind(self) -> str:
        """``file``, ``directory`` or ``symlink``; one kind can't overwrite another."""
        is_file = self.target is None and not self.is_directory
        return "file" if is_file else "directory" if self.is_directory else "symlink"


_SYMLINK = "symlink "
DIRECTORY = File("directory", False)
"""Any directory; its entries have paths of their own."""


def symlink(path: str, target: str) -> File | None:
    """Return the File of a symlink at a relative path, None if it may point out of the tree.

    ``..`` is allowed only at the beginning: after a name that is a symlink itself, it means the
    parent of that symlink's target.
    """
    parts = target.split("/")
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    if not target or target.startswith("/") or ".." in parts[up:] or up > path.count("/"):
        return None
    return File(_SYMLINK + target, False)


class StatData(NamedTuple):
    """The part of stat(2) that changes with a file's content.

    Size and mtime are not enough: ``mv`` can put another file of the same size and mtime in its
    place, and any program can set an mtime. No program can set a ctime. ``ctime_ns`` and ``inode``
    are 0 if the daemon does not send them.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class CachedHash(NamedTuple):
    """The hash of a file's content while stat(2) returned ``stat_data``."""

    stat_data: StatData
    hash: str


Root = tuple[int, int]
"""Device and inode of a synced directory."""


class Manifest:
    """The manifest file of one pair of directories."""

    def __init__(self, home: Home, local: str, daemon: str, remote: str) -> None:
        """Name the file; nothing is read yet."""
        key = json.dumps([local, daemon, remote]).encode()
        self._home = home
        self.path: Path = home.manifests_directory / f"{hashlib.sha256(key).hexdigest()[:32]}.json"
        self.common: dict[str, File] = {}
        """The state that both sides had in common, by path."""
        self.local_hashes: dict[str, CachedHash] = {}
        self.remote_hashes: dict[str, CachedHash] = {}
        self.pending: dict[str, tuple[bool, File | None]] = {}
        """Changes begun, perhaps done: whether on the local side, and the resulting File."""
        self.roots: dict[str, Root] = {}
        """The root of each side ("here", "there") when it last held a file of ``common``."""
        self.modes: dict[str, dict[str, int]] = {"here": {}, "there": {}}
        """Modes to restore of directories that are made writable for a while. If a run is killed,
        the next one restores them."""
        self._saved: bytes | None = None

    def load(self) -> None:
        """Read the file. Raises HomeError, DamagedFile."""
        saved = read_private(self.path)
        if saved == self._saved:
            return
        self._clear()
        self._saved = saved
        if saved is not None:
            try:
                found: dict[str, dict[str, Any]] = {**_ADDED_KEYS, **json.loads(saved)}
                self.common = {path: File(*each) for path, each in found["common"].items()}
                self.local_hashes = _read_cached_hashes(found["here"])
                self.remote_hashes = _read_cached_hashes(found["there"])
                self.pending = {
                    path: (is_local, None if file is None else File(*file))
                    for path, (is_local, file) in found.get("begun", {}).items()
                }
                self.roots = {side: (each[0], each[1]) for side, each in found["roots"].items()}
                self.modes = {side: dict(found["modes"][side]) for side in self.modes}
            except (ValueError, TypeError, AttributeError, KeyError):
                raise DamagedFile(
                    f"{self.path} is damaged: remove it; files that differ become conflicts then"
                ) from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[Callable[[], bool]]:
        """Open the lock of this pair during the block; yield a function that tries to take it.

        Raises HomeError.
        """
        self._make_directory()
        with file_lock(self.path.with_suffix(".lock")) as take:
            yield take

    def forget(self) -> None:
        """Remove the file and clear the state. Raises HomeError."""
        self._clear()
        self._saved = None
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"can't remove {self.path}: {error.strerror}") from error

    def _clear(self) -> None:
        self.common, self.pending, self.roots = {}, {}, {}
        self.local_hashes, self.remote_hashes = {}, {}
        self.modes = {"here": {}, "there": {}}

    def save(self) -> None:
        """Write the file if the state has changed. Raises HomeError."""
        content = {
            "begun": self.pending,
            "common": self.common,
            "here": self.local_hashes,
            "modes": self.modes,
            "roots": self.roots,
            "there": self.remote_hashes,
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


# Keys that manifests of earlier releases do not have.
_ADDED_KEYS: dict[str, dict[str, Any]] = {"roots": {}, "modes": {"here": {}, "there": {}}}


def _read_cached_hashes(found: dict[str, Any]) -> dict[str, CachedHash]:
    """Read cached hashes; skip those of earlier releases, which have only size and mtime."""
    return {
        path: CachedHash(StatData(*each[0]), each[1])
        for path, each in found.items()
        if len(each) == 2
    }
