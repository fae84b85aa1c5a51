"""Refuse a home, or files in it, that belong to a user other than us and root.

A user who owns one of our files could read our token, or make `stop` signal a process of his
choice. sshd makes the same check of ~/.ssh (sshd_config(5), StrictModes).
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from typing import TYPE_CHECKING

from shellwire.errors import HomeError

if TYPE_CHECKING:
    from pathlib import Path

INSECURE = "SHELLWIRE_INSECURE_HOME"
"""The environment variable that disables the check where uids are mapped (containers, NFS)."""

_ROOT = 0

# The words that the command line accepts for "on" in a variable, too.
_ON = frozenset({"1", "yes", "true", "on", "t", "y"})

# Linux gives ELOOP after 40 symlinks (path_resolution(7)).
_MAX_LINKS = 40


def is_insecure_allowed() -> bool:
    """Return whether the variable disables the check. Any value but a word for "on" does not."""
    return os.environ.get(INSECURE, "").strip().lower() in _ON


def check_owner(path: Path, status: os.stat_result) -> None:
    """Raise HomeError unless the owner of ``path``, by its ``status``, is us or root."""
    if sys.platform == "win32" or status.st_uid in (os.geteuid(), _ROOT):
        return
    if is_insecure_allowed():
        return
    flag = "-R" if stat.S_ISDIR(status.st_mode) else "-h"
    change = f"chown {flag} {os.geteuid()} {shlex.quote(str(path))}"
    raise HomeError(
        f"can't use {path}: it belongs to uid {status.st_uid}, not to uid {os.geteuid()}"
        f" ({change} makes it yours; where user ids are mapped, set {INSECURE}=1)"
    )


def check_path_owner(path: Path) -> None:
    """Check the owner of ``path`` and of each symlink that leads to it. Raises HomeError.

    A path that does not exist passes; the code that opens it reports the error.
    """
    if sys.platform == "win32":
        return
    left, here, links = list(reversed(path.parts[1:])), path.__class__(path.anchor), 0
    try:
        while left:
            step = here / left.pop()
            status = os.lstat(step)
            if not stat.S_ISLNK(status.st_mode):
                here = here.parent if step.name == ".." else step
                continue
            check_owner(step, status)
            links += 1
            if links > _MAX_LINKS:
                return
            target = path.__class__(os.readlink(step))
            if target.is_absolute():
                here = path.__class__(target.anchor)
                left.extend(reversed(target.parts[1:]))
            else:
                left.extend(reversed(target.parts))
        check_owner(path, os.stat(here))
    except OSError:
        return
