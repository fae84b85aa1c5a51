"""Going through directories: their entries, names that match, lines that match.

These run in a worker (``workers.py``), which is ended if they take too long: they never check the
time themselves, for what takes long may be one match of one regular expression.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.errors import InvalidArgument, InvalidRegex, NotDirectory, WireError
from shellwire.files.entry import Entry, member_entry
from shellwire.files.problems import shown, translate_os_errors
from shellwire.files.read import opened
from shellwire.files.root import Place, Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_ENTRIES = 500_000
"""Entries of one directory that are listed."""

MAX_MATCHES = 10_000
"""Matches that a glob gives at most."""

MAX_RESULTS = 1000
"""Matches that a search gives at most."""

MAX_SEARCHED = 64 * 1024 * 1024
"""Bytes of a file that is searched; a larger one is passed over."""

MAX_LINE = 2000
"""Characters of a line that a match is shown in."""

# Each level holds a descriptor, of which a process may have 256 at the least.
_MAX_DEPTH = 128

_SAMPLE = 8192


@dataclass(frozen=True, slots=True)
class Match:
    """A match in a line of a file. Positions count characters of ``line``, from 0."""

    path: bytes
    line_number: int
    """From 1."""
    line: str
    """Without its end; at most ``MAX_LINE`` characters, those around the match."""
    start: int
    end: int


class Listing:
    """The members of a directory, and their entries in order. Use it in a ``with``."""

    def __init__(self, root: Root, path: bytes, *, include_hidden: bool) -> None:
        """Read it. Raises NotDirectory and what ``Root.at`` raises."""
        self._root = root
        with root.at(path) as place:
            self.path = place.path
            if not stat.S_ISDIR(place.stat().st_mode):
                raise NotDirectory(f"{shown(path)}: not a directory")
            self._descriptor = place.open_directory()
        try:
            self._names = [
                name
                for name in map(os.fsencode, os.listdir(self._descriptor))
                if include_hidden or not name.startswith(b".")
            ]
        except OSError:
            os.close(self._descriptor)
            raise
        self.truncated = len(self._names) > MAX_ENTRIES
        del self._names[MAX_ENTRIES:]

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def entries(self) -> list[Entry]:
        """Return them, directories first, then by name. What has just gone is not among them.

        Raises FileSystemError, as for a directory that may be read and not entered.
        """
        found = []
        for name in self._names:
            path = self.path + b"/" + name if self.path else name
            with translate_os_errors(path), contextlib.suppress(FileNotFoundError):
                looked = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
                found.append(member_entry(self._root, path, name, looked))
        return sorted(found, key=lambda entry: entry.rank)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """Something below a directory. ``directory`` is the descriptor of what holds it, for now."""

    path: bytes
    name: bytes
    stat: os.stat_result
    directory: int

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.directory, self.name, self.path, self.path)


def walk_tree(place: Place, *, include_hidden: bool) -> Iterator[TreeEntry]:
    """Yield what is below a directory, each one's members sorted; no symlink is followed.

    What can't be read is passed over, and so is what lies deeper than 128 levels. Raises OSError if
    that is the directory itself.
    """
    levels: list[tuple[int, bytes, Iterator[bytes]]] = []

    def enter(place: Place) -> None:
        descriptor = place.open_directory()
        levels.append((descriptor, place.path, iter(())))
        names = sorted(map(os.fsencode, os.listdir(descriptor)))
        levels[-1] = (descriptor, place.path, iter(names))

    try:
        enter(place)
        while levels:
            directory, above, names = levels[-1]
            name = next(names, None)
            if name is None:
                os.close(levels.pop()[0])
                continue
            if name.startswith(b".") and not include_hidden:
                continue
            path = above + b"/" + name if above else name
            try:
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except OSError:
                continue
            yield TreeEntry(path, name, found, directory)
            if stat.S_ISDIR(found.st_mode) and len(levels) < _MAX_DEPTH:
                with contextlib.suppress(OSError):
                    enter(Place(directory, name, path, path))
    finally:
        for descriptor, _, _ in levels:
            os.close(descriptor)


def glob(root: Root, pattern: str, *, include_hidden: bool) -> Iterator[Entry]:
    """Yield what matches ``pattern`` below the root.

    ``*`` and ``?`` stand for characters of a name, ``[…]`` for one of a set, ``**`` as a whole part
    for any number of directories. A pattern without a slash is compared with names at any depth,
    one with a slash with paths from the root.
    """
    matches = _matcher(pattern)
    with root.at(b"") as place:
        for found in walk_tree(place, include_hidden=include_hidden):
            if matches(found.path):
                yield member_entry(root, found.path, found.name, found.stat)


def _matcher(pattern: str) -> Callable[[bytes], bool]:
    parts = [part for part in pattern.split("/") if part]
    if not parts:
        raise InvalidArgument("pattern: expected at least one character")
    if len(parts) == 1 and "/" not in pattern:
        parts.insert(0, "**")
    compiled = re.compile("".join(_translated(parts)), re.DOTALL)
    return lambda path: compiled.fullmatch(path.decode("utf-8", "surrogateescape")) is not None


def _translated(parts: list[str]) -> Iterator[str]:
    """Yield a regular expression for the parts of a glob pattern."""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            yield ".+" if last else "(?:[^/]+/)*"
        else:
            yield _part(part) + ("" if last else "/")


_TOKEN = re.compile(r"\*+|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)


def _part(part: str) -> str:
    return "".join(map(_token, _TOKEN.findall(part)))


def _token(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token == "?":
        return "[^/]"
    found = _set(token[1:-1]) if len(token) > 2 and token.startswith("[") else None
    return re.escape(token) if found is None else found


# What may stand in a set: a range, or one character.
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def _set(inside: str) -> str | None:
    """Return a set as a regular expression; None for an empty one, or with a range backwards."""
    outside = inside.startswith("!")
    members = []
    for first, last, alone in _MEMBER.findall(inside.removeprefix("!")):
        if first > last:
            return None
        members.append(re.escape(alone) or f"{re.escape(first)}-{re.escape(last)}")
    return f"[{'^' if outside else ''}{''.join(members)}]" if members else None


def search(
    root: Root,
    path: bytes,
    query: str,
    *,
    regex: bool,
    case_sensitive: bool,
    include_hidden: bool,
) -> Iterator[Match]:
    """Yield every match in the lines of the files at or below ``path``.

    Text is taken as UTF-8; files with a NUL among their first bytes are passed over, and so is what
    can't be read. Raises InvalidRegex, InvalidArgument, and what ``Root.at`` raises.
    """
    pattern = _compiled(query, regex=regex, case_sensitive=case_sensitive)
    with root.at(path) as place:
        if not stat.S_ISDIR(place.stat().st_mode):
            yield from _lines(place, pattern)
            return
        for found in walk_tree(place, include_hidden=include_hidden):
            if stat.S_ISREG(found.stat.st_mode) and found.stat.st_size <= MAX_SEARCHED:
                with contextlib.suppress(OSError, WireError):
                    yield from _lines(found.place, pattern)


def _compiled(query: str, *, regex: bool, case_sensitive: bool) -> re.Pattern[str]:
    if not query:
        raise InvalidArgument("query: expected at least one character")
    try:
        return re.compile(
            query if regex else re.escape(query), 0 if case_sensitive else re.IGNORECASE
        )
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidRegex(f"query: {error}") from None


def _lines(place: Place, pattern: re.Pattern[str]) -> Iterator[Match]:
    with opened(place) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        if b"\0" in os.pread(descriptor, _SAMPLE, 0):
            return
        for number, raw in enumerate(file, 1):
            line = raw.decode(errors="replace").rstrip("\r\n")
            for match in pattern.finditer(line):
                yield _match(place.path, number, line, *match.span())


def _match(path: bytes, number: int, line: str, start: int, end: int) -> Match:
    if len(line) > MAX_LINE:
        # Some of what stands before it, and of a long match its beginning.
        first = max(0, min(start - MAX_LINE // 4, len(line) - MAX_LINE))
        line, start, end = line[first : first + MAX_LINE], start - first, end - first
    return Match(path, number, line, start, min(end, len(line)))
