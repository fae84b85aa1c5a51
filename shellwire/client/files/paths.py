"""Paths there, as a program says them, as messages write them and as URLs do."""

from __future__ import annotations

import os

from shellwire.errors import FileSystemError, InvalidArgument
from shellwire.output import printable, quoted
from shellwire.protocol.names import decode_name, encode_name

LONGEST_SHOWN = 200
"""Characters of a path in what a daemon says of it."""

StrPath = str | os.PathLike[str]
"""What names a path there; a path object gives its own form of it, so take PurePosixPath."""


def absolute(path: str, home: str) -> str:
    """Return ``path`` from the root there; a relative one, and ``~``, count from ``home``.

    Raises InvalidArgument for what no path can be.
    """
    if "\0" in path:
        raise InvalidArgument("a path holds no NUL")
    if path == "~":
        return home
    if path.startswith("~/"):
        path = path[2:]
    if not path.startswith("/"):
        path = f"{home}/{path}"
    # So an error names it as it is told from there.
    plain = "/".join(part for part in path.split("/") if part not in ("", "."))
    return f"/{plain}/" if plain and path.endswith("/") else f"/{plain}"


def to_wire(path: str) -> str:
    """Return an absolute path as a message has it, from the root ``/``."""
    return encode_name(os.fsencode(path)).strip("/")


def from_wire(text: str) -> str:
    """Return a path or a name of a message as Python has it."""
    return os.fsdecode(decode_name(text))


def name_absolutely(said: str, path: str, label: str) -> str:
    """Return what the daemon said of an absolute path, which it names without the first slash.

    ``label`` is put before that. A daemon escapes what does not print, and shortens what is long.
    """
    named = path.strip("/")
    if not named and said.startswith((":", "the root:")):
        return f"{label}/{said.removeprefix('the root')}"
    for each in (named, printable(named)[:LONGEST_SHOWN]):
        if each and said.startswith(each):
            return f"{label}/{said}"
    return said


def child(directory: str, name: str, label: str = "") -> str:
    """Return the path of what is in a directory; whoever copies it here must be able to trust it.

    Raises FileSystemError for a name that leads elsewhere, which is told with ``label`` before the
    directory.
    """
    if name in ("", ".", "..") or os.path.basename(name) != name:
        raise FileSystemError(
            f"{label}{directory}: holds {quoted(name)}, which is no name of a file here"
        )
    return f"{directory.rstrip('/')}/{name}"
