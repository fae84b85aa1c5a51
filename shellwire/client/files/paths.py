"""Convert remote paths between programs, messages and error texts."""

from __future__ import annotations

import os

from shellwire.errors import FileSystemError, InvalidArgument
from shellwire.output import printable, quoted
from shellwire.protocol.file_names import decode_name, encode_name

LONGEST_SHOWN = 200
"""Characters of a path that a daemon puts in an error."""

StrPath = str | os.PathLike[str]
"""A remote path. A path object is taken in its own syntax, so use PurePosixPath."""


def absolute(path: str, home: str) -> str:
    """Return ``path`` as an absolute path; a relative one, and ``~``, start at ``home``.

    Raises InvalidArgument for an invalid path.
    """
    if "\0" in path:
        raise InvalidArgument("a path can't contain NUL")
    if path == "~":
        return home
    if path.startswith("~/"):
        path = path[2:]
    if not path.startswith("/"):
        path = f"{home}/{path}"
    # Normalized, so that errors of the daemon can be matched against it.
    plain = "/".join(part for part in path.split("/") if part not in ("", "."))
    return f"/{plain}/" if plain and path.endswith("/") else f"/{plain}"


def to_wire(path: str) -> str:
    """Return an absolute path in the form of messages: relative to the root ``/``."""
    return encode_name(os.fsencode(path)).strip("/")


def from_wire(text: str) -> str:
    """Return a path or name from a message as a Python string."""
    return os.fsdecode(decode_name(text))


def name_absolutely(said: str, path: str, label: str) -> str:
    """Return a daemon's error text with its path, which lacks the first slash, made absolute.

    ``label`` is put before the path. The daemon escapes unprintable characters and shortens long
    paths.
    """
    named = path.strip("/")
    if not named and said.startswith((":", "the root:")):
        return f"{label}/{said.removeprefix('the root')}"
    for each in (named, printable(named)[:LONGEST_SHOWN]):
        if each and said.startswith(each):
            return f"{label}/{said}"
    return said


def child(directory: str, name: str, label: str = "") -> str:
    """Return the path of a directory entry, checked: the caller may use its name locally.

    Raises FileSystemError for a name with a separator or one like ``..``; ``label`` is put before
    the directory in its text.
    """
    if name in ("", ".", "..") or os.path.basename(name) != name:
        raise FileSystemError(
            f"{label}{directory}: contains {quoted(name)}, which is not a valid file name here"
        )
    return f"{directory.rstrip('/')}/{name}"
