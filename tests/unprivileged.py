"""A user without root's privileges, who is subject to file modes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine
from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

# Root stays root by its uid, so that it can read its own Python, and loses its capabilities with
# the next exec (capabilities(7): PR_SET_SECUREBITS is 28, SECBIT_NOROOT 1).
_DROP = (
    "import ctypes, os, sys\n"
    "if os.geteuid() == 0 and ctypes.CDLL(None).prctl(28, 1, 0, 0, 0): sys.exit('no CAP_SETPCAP')\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
UNPRIVILEGED = [sys.executable, "-c", _DROP]
"""The command line that drops privileges and executes the command after it."""


class Unprivileged(CommandLine):
    """A command line of that user, with a host ``box`` whose daemon also runs as that user."""

    def __init__(self, top: Path, daemon: Daemon) -> None:
        super().__init__(top / "away")
        self.top = top
        self.environment["HOME"] = str(top)
        save_host(self.home, "box", Host(f"{daemon.url}/ws", daemon.token))

    def __call__(
        self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*UNPRIVILEGED, *PROGRAM, *arguments],
            env={**self.environment, **(env or {})},
            cwd=cwd or self.top,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def can_drop() -> bool:
    """Whether privileges can be dropped here at all, or are not there."""
    return subprocess.run([*UNPRIVILEGED, "/bin/true"], check=False).returncode == 0


@contextlib.contextmanager
def unprivileged() -> Iterator[Unprivileged]:
    """Give that user's command line and daemon, with a home of its own, while the block runs."""
    top = Path(tempfile.mkdtemp(prefix="shellwire-user-"))
    try:
        daemon = Daemon(top / "daemon", env={"HOME": str(top)}, wrapper=UNPRIVILEGED)
        try:
            yield Unprivileged(top, daemon)
        finally:
            daemon.stop()
    finally:
        for path, _, _ in os.walk(top):
            os.chmod(path, 0o700)
        shutil.rmtree(top)
