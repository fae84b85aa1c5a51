"""What two directories had in common when they were last synced, and what is to be done now.

A manifest names contents by their SHA-256. Of each side it also keeps size and time of what has
been hashed, so that only what has changed is hashed again.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shellwire.errors import DamagedFile, HomeError
from shellwire.home.atomic import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from shellwire.home.paths import Home

What = Literal["push", "pull", "delete there", "delete here", "conflict"]


class File(NamedTuple):
    """What a file is, as far as that is synced."""

    hash: str
    executable: bool


class Stamp(NamedTuple):
    """What a file looked like when it had this hash."""

    size: int
    mtime_ns: int
    hash: str


class Act(NamedTuple):
    """What is to be done with a path, and why if that is not plain."""

    what: What
    path: str
    why: str = ""


class Manifest:
    """The file in the home that belongs to two directories."""

    def __init__(self, home: Home, here: str, daemon: str, there: str) -> None:
        """Read it. Raises HomeError, DamagedFile."""
        named = json.dumps([here, daemon, there]).encode()
        self._home = home
        self.path: Path = (
            home.manifests_directory / f"{hashlib.sha256(named).hexdigest()[:32]}.json"
        )
        self.common: dict[str, File] = {}
        """What was the same on both sides."""
        self.here: dict[str, Stamp] = {}
        self.there: dict[str, Stamp] = {}
        self._saved = read_private(self.path)
        if self._saved is not None:
            try:
                found: dict[str, dict[str, Any]] = json.loads(self._saved)
                self.common = {path: File(*each) for path, each in found["common"].items()}
                self.here = {path: Stamp(*each) for path, each in found["here"].items()}
                self.there = {path: Stamp(*each) for path, each in found["there"].items()}
            except (ValueError, TypeError, AttributeError, KeyError):
                raise DamagedFile(
                    f"{self.path} is damaged: remove it, and what differs is a conflict"
                ) from None

    def forget(self) -> None:
        """Know nothing of the last time any more. Raises HomeError."""
        self.common, self.here, self.there = {}, {}, {}
        self._saved = None
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"can't remove {self.path}: {error.strerror}") from error

    def save(self) -> None:
        """Write it, if it has changed. Raises HomeError."""
        content = {"common": self.common, "here": self.here, "there": self.there}
        text = json.dumps(content, sort_keys=True).encode() + b"\n"
        if text != self._saved:
            self._home.ensure()
            try:
                self.path.parent.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise HomeError(f"can't make {self.path.parent}: {error.strerror}") from error
            write_private(self.path, text)
            self._saved = text


def decided(
    common: Mapping[str, File],
    here: Mapping[str, File],
    there: Mapping[str, File],
    *,
    delete: bool,
) -> Iterator[Act]:
    """Yield what is to be done, by path. What has changed on both sides is a conflict."""
    for path in sorted({*common, *here, *there}):
        before, ours, theirs = common.get(path), here.get(path), there.get(path)
        if ours == theirs:
            continue
        if ours == before:
            if theirs is not None:
                yield Act("pull", path)
            elif delete:
                yield Act("delete here", path)
        elif theirs == before:
            if ours is not None:
                yield Act("push", path)
            elif delete:
                yield Act("delete there", path)
        else:
            yield Act("conflict", path, _why(ours, theirs))


def _why(ours: File | None, theirs: File | None) -> str:
    if ours is None:
        return "deleted here, changed there"
    return "changed here, deleted there" if theirs is None else "changed on both sides"


def parents(path: str) -> Iterator[str]:
    """Yield the directories on the way to a relative path, the nearest first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def blocked(path: str, others: Collection[str]) -> bool:
    """Whether something that is neither file nor directory is at a path, or on the way to it."""
    return path in others or any(each in others for each in parents(path))
