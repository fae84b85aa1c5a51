"""The parts that all jobs of one daemon share: dialect, reaper, shell pool, orphans, tags."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from shellwire.jobs.deadlines import Deadlines
from shellwire.jobs.lineage import Lineage
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
    """Starts and finds the processes of jobs. ``buffer_bytes`` is the size of a job's buffer."""

    dialect: Dialect
    reaper: Reaper
    buffer_bytes: int = 4 * 1024 * 1024
    spares: int = 0
    """How many shells wait for commands."""
    rewrites: bool = True
    """Whether ``A && B &`` is rewritten to ``A && { B & }``."""
    idle_timeout: float | None = None
    """A session's idle timeout in seconds; 0 is never, None the request's default."""
    journal: Journal | None = None
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    """The prefix of every job's tag, unique to this daemon."""
    _numbers: Iterator[int] = field(default_factory=count)
    orphans: OrphanTracker = field(init=False)
    """Attributes the orphans that the daemon adopts to their jobs."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    """The timeouts of running jobs."""
    lineage: Lineage = field(init=False)
    """Finds the principal whose job a process comes from."""
    _pool: ShellPool = field(init=False)
    _read_back: ReadBack = field(init=False)
    _pause: asyncio.TimerHandle | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        if not self.dialect.is_posix:
            self.rewrites = False
        if not (self.dialect.is_posix and can_reuse()):
            self.spares = 0
        self.orphans = OrphanTracker(self.reaper)
        self.lineage = Lineage(self.orphans)
        self._pool = ShellPool(self.dialect, self.reaper, self.next_tag)
        self._read_back = ReadBack(self.dialect, self.reaper, self.next_tag)

    def take(self, state: State, context: Context, stdio: Stdio, *, report: bool) -> AcquiredShell:
        """Return a shell for ``state``, from which a job of ``context`` starts.

        Raises SpawnError or PtyUnavailable.
        """
        # Orphans from before the start must not be attributed to the job.
        self.orphans.scan_before_start()
        taken = self._pool.take(state, stdio, report=report)
        if self._pause is not None:
            # Commands arrive faster than PAUSE: start shells now, while this command runs.
            self._pause.cancel()
            self.loop.call_soon(self._prepare, context)
        return taken

    def discard(self, shell: Shell) -> None:
        """End a shell that was taken but is used by no job."""
        self._pool.discard(shell)
        self.orphans.note_other()

    def prewarm(self, context: Context) -> None:
        """Start shells for the next commands, which are likely to be of ``context``.

        Only after PAUSE: the answer must be sent, and its reader awake, before they take CPU time.
        """
        if not self.spares:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._pause = self.loop.call_later(PAUSE, self._prepare, context)

    def _prepare(self, context: Context) -> None:
        self._pause = None
        self._pool.prepare(context.start_state(terminal=False), self.spares)

    def close(self) -> None:
        """End the shells in the pool."""
        self.orphans.close()
        self.deadlines.close()
        self.spares = 0
        if self._pause is not None:
            self._pause.cancel()
        self._pool.close()

    async def unreadable(
        self, state: State, functions: Mapping[bytes, Function]
    ) -> frozenset[bytes]:
        """Return the names of new ``functions`` that no shell could restore unchanged."""
        try:
            return await self._read_back.unreadable(state, functions)
        finally:
            # A function that is read back as something else may have started a process.
            self.orphans.note_other()

    def text(self, command: bytes) -> bytes:
        """Return the text that the shell runs for ``command``."""
        return rewrite(command) if self.rewrites else command

    def next_tag(self) -> bytes:
        """Return a tag that is unique among the jobs of all daemons."""
        return f"{self.instance}.{next(self._numbers)}".encode()

    def tree(self, leader: int, tag: bytes, began: float) -> kill.Tree:
        """Return the finder of all processes of the job that ``leader`` leads since ``began``."""
        adopts = self.reaper.adopts
        return kill.Tree(leader, tag, began, subreaper=adopts, refresh=self.orphans.scan)

    def everything(self) -> kill.AllJobProcesses:
        """Return the finder of all processes that this daemon's jobs have left."""
        return kill.AllJobProcesses(self.instance.encode(), subreaper=self.reaper.adopts)

    def user_shell(self, state: State) -> str:
        """Return the path of the shell that a session without a command runs.

        It is ``$SHELL``, else the user's login shell, else, if that can't be executed (Android),
        the shell that runs commands.
        """
        variable = state.variables.get(b"SHELL")
        path = os.fsdecode(variable.value or b"") if variable is not None else ""
        if os.path.isabs(path):
            return path
        path = _login_shell()
        return path if os.access(path, os.X_OK) else self.dialect.path
