"""Choose the directory in which `exec` and `shell` start, without -s and --with."""

from __future__ import annotations

import contextlib
import ntpath
import os
import posixpath
from typing import TYPE_CHECKING

from shellwire.cli.printing import print_line
from shellwire.errors import NotFound
from shellwire.protocol.file_names import encode_name

if TYPE_CHECKING:
    from shellwire.client import Client
    from shellwire.client.endpoint import Endpoint
    from shellwire.client.options import Options


async def choose_directory(client: Client, endpoint: Endpoint, options: Options) -> None:
    """Set the ``cwd`` of a command or shell. A named context has its own directory."""
    if not options.get("context"):
        cwd = await starting_directory(client, endpoint, options.get("cwd"))
        if cwd is not None:
            options["cwd"] = cwd


async def starting_directory(client: Client, endpoint: Endpoint, cwd: str | None) -> str | None:
    """Return the start directory of a command, joined with a relative ``cwd``.

    - Local daemon: the current directory. If the daemon sees another directory at that path, the
      home directory of the daemon's user, with a line on stderr.
    - Daemon at a URL: the home directory of the daemon's user.
    - Older daemon, which does not send that home: ``cwd`` unchanged; its context decides.
    """
    status = await client.status()
    home = status.get("home")
    if not isinstance(home, str):
        return cwd
    paths = posixpath if home.startswith("/") else ntpath  # of the daemon's system
    if cwd is not None and paths.isabs(cwd):
        return cwd
    start = home
    if endpoint.url is None:
        here = _current_directory()
        if here is not None and await _is_same(client, here, status["features"]):
            start = here
        else:
            _report_elsewhere(here, home)
    return paths.join(start, cwd) if cwd else start


def _report_elsewhere(here: str | None, home: str) -> None:
    if here is None:
        why = "the current directory was removed"
    else:
        why = f"the daemon does not see the directory {here}"
    print_line(f"shellwire: {why}; the command starts in {home}", err=True)


def _current_directory() -> str | None:
    """Return the current directory as the user's shell names it, None if it was removed."""
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
    """Return whether the daemon has the same directory at this path, by device and inode."""
    raw = os.fsencode(path)
    if path.encode(errors="replace") != raw and "text_bytes" not in features:
        return False  # this daemon can't be sent such a name
    try:
        here = os.stat(path)
        found = await client.request("stat_directory", path=encode_name(raw))
    except (OSError, NotFound):
        return False
    return bool(found["identity"] == f"{here.st_dev}:{here.st_ino}")
