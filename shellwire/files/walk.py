"""Walking directories: listings, glob matches and text search.

These functions run in a worker process (``workers.py``) that is killed if they take too long. They
never check the time themselves: a single regular expression match may take forever.
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
"""Most entries listed of one directory."""

MAX_MATCHES = 10_000
"""Most matches of a glob."""

MAX_RESULTS = 1000
"""Most matches of a search."""

MAX_SEARCHED = 64 * 1024 * 1024
"""Largest file searched, in bytes; larger ones are skipped."""

MAX_LINE = 2000
"""Most characters shown of a matching line."""

# Each level holds a descriptor; a process may be limited to 256.
_MAX_DEPTH = 128

_SAMPLE = 8192


@dataclass(frozen=True, slots=True)
class Match:
    """A match in one line of a file. Positions count characters of ``line``, from 0."""

    path: bytes
    line_number: int
    """From 1."""
    line: str
    """Without its line end; at most ``MAX_LINE`` characters around the match."""
    start: int
    end: int


class Listing:
    """The members of a directory, as sorted entries. Use it in a ``with`` block."""

    def __init__(self, root: Root, path: bytes, *, include_hidden: bool) -> None:
        """Read the names. Raises NotDirectory and the errors of ``Root.at``."""
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
        """Return the entries: directories first, then by name. Vanished members are left out.

        Raises FileSystemError, for example for a directory that is readable but not searchable.
        """
        found = []
        for name in self._names:
            path = self.path + b"/" + name if self.path else name
            with translate_os_errors(path), contextlib.suppress(FileNotFoundError):
                stat_data = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
                found.append(member_entry(self._root, path, name, stat_data))
        return sorted(found, key=lambda entry: entry.rank)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file below a directory.

    ``directory`` is its parent's descriptor, open only until the next entry.
    """

    path: bytes
    name: bytes
    stat: os.stat_result
    directory: int

    @property
    def place(self) -> Place:
        """The file as a ``Place``; valid as long as ``directory``."""
        return Place(self.directory, self.name, self.path, self.path)


def walk_tree(place: Place, *, include_hidden: bool) -> Iterator[TreeEntry]:
    """Yield everything below a directory, members sorted by name, without following symlinks.

    Unreadable directories and levels deeper than 128 are skipped. Raises OSError if the directory
    itself can't be read.
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
    """Yield the files below the root that match ``pattern``.

    ``*`` and ``?`` match characters of a name, ``[…]`` one of a set; ``**`` as a whole part matches
    any number of directories. A pattern without a slash is matched against names at any depth, one
    with a slash against paths from the root.
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
    """Yield the regular expression for the parts of a glob pattern."""
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


# A member of a set: a range, or one character.
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def _set(inside: str) -> str | None:
    """Return a set as a regular expression; None if it is empty or has a reversed range."""
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

    Files are decoded as UTF-8. Skipped: files with a NUL among their first bytes, and files that
    can't be read. Raises InvalidRegex, InvalidArgument, and the errors of ``Root.at``.
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
        # Keep some text before the match; of a long match keep the beginning.
        first = max(0, min(start - MAX_LINE // 4, len(line) - MAX_LINE))
        line, start, end = line[first : first + MAX_LINE], start - first, end - first
    return Match(path, number, line, start, min(end, len(line)))
