"""Helpers: other processes that use the same home, and file modes."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import shellwire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.home.paths import Home

_PREAMBLE = """
import sys
from pathlib import Path
from shellwire.home.paths import Home
home = Home(Path(sys.argv[1]))
"""


def mode(path: Path) -> int:
    """Return the permission bits of ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


def start_python(home: Home, code: str) -> subprocess.Popen[str]:
    """Run ``code`` in another process, with this home as its variable ``home``."""
    return subprocess.Popen(
        [sys.executable, "-c", _PREAMBLE + code, str(home.root)],
        env={**os.environ, "PYTHONPATH": str(Path(shellwire.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def lock_held_elsewhere(home: Home, name: str) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the lock ``name`` while the block runs, or until it is killed."""
    code = f"""
from shellwire.home.lock import {name}
with {name}(home):
    print("held", flush=True)
    sys.stdin.read()
"""
    with start_python(home, code) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        if holder.returncode is None:
            holder.communicate()
