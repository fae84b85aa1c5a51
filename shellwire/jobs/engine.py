"""What all jobs of one daemon share: the shell's dialect, the reaper, and the tags."""

from __future__ import annotations

import os
import pwd
import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from shellwire.process import kill, proc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.process.reap import Reaper
    from shellwire.shell.dialect import Dialect
    from shellwire.shell.state import State


def _login_shell() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    except KeyError:
        return "/bin/sh"


@dataclass(slots=True)
class Engine:
    """Starts and finds processes for the jobs; each has a buffer of ``buffer_bytes``."""

    dialect: Dialect
    reaper: Reaper
    buffer_bytes: int = 4 * 1024 * 1024
    _instance: str = field(default_factory=lambda: secrets.token_hex(8))
    _numbers: Iterator[int] = field(default_factory=count)

    def next_tag(self) -> bytes:
        """Return a value for the tag variable that no other job has, of any daemon."""
        return f"{self._instance}.{next(self._numbers)}".encode()

    def tree(self, leader: int, tag: bytes) -> kill.Tree:
        """Return how the processes of the job that ``leader`` leads are found."""
        return kill.Tree(leader, tag, subreaper=self.reaper.adopts)

    def everything(self) -> kill.Everything:
        """Return how all that the daemon's jobs have left is found."""
        return kill.Everything(self._instance.encode(), subreaper=self.reaper.adopts)

    def orphans(self, tree: kill.Tree) -> list[int]:
        """Return the processes of ``tree`` that have become our own children."""
        if not self.reaper.adopts:
            return []
        found = []
        for pid in proc.children(os.getpid()):
            process = None if self.reaper.owns(pid) else proc.inspect(pid)
            if process is not None and not process.zombie and tree.holds(process):
                found.append(pid)
        return found

    def user_shell(self, state: State) -> str:
        """Return the path of the shell that a session without a command runs: ``$SHELL``."""
        variable = state.variables.get(b"SHELL")
        path = os.fsdecode(variable.value) if variable is not None else ""
        return path if os.path.isabs(path) else _login_shell()
