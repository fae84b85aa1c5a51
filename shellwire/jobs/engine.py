"""What all jobs of one daemon share: the shell's dialect, the reaper, and the tags."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from shellwire.process import kill
from shellwire.process.orphans import OrphanTracker
from shellwire.shell.pool import ShellPool, can_reuse
from shellwire.shell.readback import ReadBack
from shellwire.shell.rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shellwire.jobs.model import Journal
    from shellwire.process.reap import Reaper
    from shellwire.shell.context import Context
    from shellwire.shell.dialect import Dialect
    from shellwire.shell.pool import AcquiredShell
    from shellwire.shell.shell import Shell, Stdio
    from shellwire.shell.state import Function, State


PAUSE = 0.001
"""Seconds without a command after which shells are started in advance."""


def _login_shell() -> str:
    if sys.platform == "win32":
        return ""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return ""


@dataclass(slots=True)
class Engine:
    """Starts and finds processes for the jobs; each has a buffer of ``buffer_bytes``."""

    dialect: Dialect
    reaper: Reaper
    buffer_bytes: int = 4 * 1024 * 1024
    spares: int = 0
    """Shells that wait for commands."""
    rewrites: bool = True
    """Whether ``A && B &`` is put as it is meant."""
    idle_timeout: float | None = None
    """Seconds unused after which a session is ended; 0 is never, None as its request says."""
    journal: Journal | None = None
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    """What the tag of each job begins with, and that of no other daemon's."""
    _numbers: Iterator[int] = field(default_factory=count)
    orphans: OrphanTracker = field(init=False)
    """Whose the processes are that have become our children."""
    _pool: ShellPool = field(init=False)
    _read_back: ReadBack = field(init=False)
    _pause: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        if not self.dialect.is_posix:
            self.rewrites = False
        if not (self.dialect.is_posix and can_reuse()):
            self.spares = 0
        self.orphans = OrphanTracker(self.reaper)
        self._pool = ShellPool(self.dialect, self.reaper, self.next_tag)
        self._read_back = ReadBack(self.dialect, self.reaper, self.next_tag)

    def take(self, state: State, context: Context, stdio: Stdio, *, report: bool) -> AcquiredShell:
        """Return a shell for ``state``, which a job of ``context`` starts from.

        Raises SpawnError, or PtyUnavailable.
        """
        # What is there before it runs is none of its.
        self.orphans.scan()
        taken = self._pool.take(state, stdio, report=report)
        if self._pause is not None:
            # Commands come faster than the pause in which shells are started: now, while this runs.
            self._pause.cancel()
            asyncio.get_running_loop().call_soon(self._prepare, context)
        return taken

    def discard(self, shell: Shell) -> None:
        """End a shell that was taken and that no job has come to use."""
        self._pool.discard(shell)

    def prewarm(self, context: Context) -> None:
        """Have shells wait for the next commands, which may well be of ``context``.

        After a pause: the answer must have gone out first, and its reader have woken.
        """
        if not self.spares:
            return
        if self._pause is not None:
            self._pause.cancel()
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(PAUSE, self._prepare, context)

    def _prepare(self, context: Context) -> None:
        self._pause = None
        self._pool.prepare(context.start(terminal=False), self.spares)

    def close(self) -> None:
        """End the shells that wait."""
        self.orphans.close()
        self.spares = 0
        if self._pause is not None:
            self._pause.cancel()
        self._pool.close()

    async def unreadable(
        self, state: State, functions: Mapping[bytes, Function]
    ) -> frozenset[bytes]:
        """Return the names of new ``functions`` that no shell could restore unchanged."""
        return await self._read_back.unreadable(state, functions)

    def text(self, command: bytes) -> bytes:
        """Return the text that a shell runs for ``command``."""
        return rewrite(command) if self.rewrites else command

    def next_tag(self) -> bytes:
        """Return a value for the tag variable that no other job has, of any daemon."""
        return f"{self.instance}.{next(self._numbers)}".encode()

    def tree(self, leader: int, tag: bytes) -> kill.Tree:
        """Return how the processes of the job that ``leader`` leads are found."""
        return kill.Tree(leader, tag, subreaper=self.reaper.adopts, refresh=self.orphans.scan)

    def everything(self) -> kill.AllJobProcesses:
        """Return how all that the daemon's jobs have left is found."""
        return kill.AllJobProcesses(self.instance.encode(), subreaper=self.reaper.adopts)

    def user_shell(self, state: State) -> str:
        """Return the path of the shell that a session without a command runs: ``$SHELL``.

        Where that is not set it is the user's login shell; where that is none, or not there, as on
        Android, the one that runs commands.
        """
        variable = state.variables.get(b"SHELL")
        path = os.fsdecode(variable.value or b"") if variable is not None else ""
        if os.path.isabs(path):
            return path
        path = _login_shell()
        return path if os.access(path, os.X_OK) else self.dialect.path
