"""The directory in which `exec` and `shell` start when neither -s nor --with decides it."""

from __future__ import annotations

import contextlib
import ntpath
import os
import posixpath
from typing import TYPE_CHECKING

from shellwire.cli.say import say
from shellwire.errors import NotFound
from shellwire.protocol.file_names import encode_name

if TYPE_CHECKING:
    from shellwire.client import Client
    from shellwire.client.endpoint import Endpoint
    from shellwire.client.options import Options


async def choose_directory(client: Client, place: Endpoint, options: Options) -> None:
    """Set the ``cwd`` of a command or shell, unless a context is named: that has its own."""
    if not options.get("context"):
        cwd = await starting_directory(client, place, options.get("cwd"))
        if cwd is not None:
            options["cwd"] = cwd


async def starting_directory(client: Client, place: Endpoint, cwd: str | None) -> str | None:
    """Return the directory for a command; a relative ``cwd`` is joined to it.

    With the local daemon it is the current directory, if that is the same directory for the daemon;
    if not, it is the home directory of the daemon's user, and a line on stderr says so. With a
    daemon at a URL it is that home directory too. An earlier daemon does not tell its user's home:
    then ``cwd`` is returned as it is, and the daemon's context decides.
    """
    status = await client.status()
    home = status.get("home")
    if not isinstance(home, str):
        return cwd
    paths = posixpath if home.startswith("/") else ntpath  # of the daemon's system, not of ours
    if cwd is not None and paths.isabs(cwd):
        return cwd
    start = home
    if place.url is None:
        here = _current_directory()
        if here is not None and await _is_same(client, here, status["features"]):
            start = here
        else:
            _say_elsewhere(here, home)
    return paths.join(start, cwd) if cwd else start


def _say_elsewhere(here: str | None, home: str) -> None:
    if here is None:
        why = "the current directory was removed"
    else:
        why = f"the daemon does not see the directory {here}"
    say(f"shellwire: {why}; the command starts in {home}", err=True)


def _current_directory() -> str | None:
    """Return it by the path that the user's shell calls it, None if it was removed."""
    try:
        here = os.getcwd()
    except OSError:
        return None
    named = os.environ.get("PWD", "")
    with contextlib.suppress(OSError, ValueError):
        if os.path.isabs(named) and os.path.samefile(named, here):
            return named
    return here


async def _is_same(client: Client, path: str, features: list[str]) -> bool:
    """Tell whether the daemon finds the same directory at this path: device and inode decide."""
    raw = os.fsencode(path)
    if path.encode(errors="replace") != raw and "text_bytes" not in features:
        return False  # its name can't be told to this daemon
    try:
        here = os.stat(path)
        found = await client.request("stat_directory", path=encode_name(raw))
    except (OSError, NotFound):
        return False
    return bool(found["identity"] == f"{here.st_dev}:{here.st_ino}")
