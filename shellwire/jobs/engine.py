"""What all jobs of one daemon share: the shell's dialect, the reaper, and the tags."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from shellwire.process import kill, proc
from shellwire.shell.rewrite import rewrite
from shellwire.shell.spares import Spares, can_wait
from shellwire.shell.text import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.jobs.model import Journal
    from shellwire.process.reap import Reaper
    from shellwire.shell.context import Context
    from shellwire.shell.dialect import Dialect
    from shellwire.shell.shell import Wiring
    from shellwire.shell.spares import Taken
    from shellwire.shell.state import State


PAUSE = 0.001
"""Seconds without a command after which shells are started in advance."""

COMMAND_DEFAULTS = {b"PAGER": b"cat", b"GIT_PAGER": b"cat"}
"""What commands find set unless their context or their request says otherwise."""

TERMINAL_DEFAULTS = {b"TERM": b"xterm-256color"}
"""The same for what runs on a terminal."""


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
    idle_timeout: float = 0.0
    """Seconds without input and output after which a session is ended; 0 is never."""
    journal: Journal | None = None
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    """What the tag of each job begins with, and that of no other daemon's."""
    _numbers: Iterator[int] = field(default_factory=count)
    _spares: Spares = field(init=False)
    _pause: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        if not self.dialect.is_posix:
            self.rewrites = False
        if not (self.dialect.is_posix and can_wait()):
            self.spares = 0
        self._spares = Spares(self.dialect, self.reaper, self.next_tag)

    def take(self, state: State, context: Context, wiring: Wiring, *, report: bool) -> Taken:
        """Return a shell for ``state``, which a job of ``context`` starts from.

        Raises SpawnError, or PtyUnavailable.
        """
        taken = self._spares.take(state, wiring, report=report)
        if self._pause is not None:
            # Commands come faster than the pause in which shells are started: now, while this runs.
            self._pause.cancel()
            asyncio.get_running_loop().call_soon(self._prepare, context)
        return taken

    def foresee(self, context: Context) -> None:
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
        self._spares.prepare(context.start(COMMAND_DEFAULTS), self.spares)

    def close(self) -> None:
        """End the shells that wait."""
        self.spares = 0
        if self._pause is not None:
            self._pause.cancel()
        self._spares.close()

    def text(self, command: str) -> bytes:
        """Return what a shell is to run for ``command``."""
        text = encoded(command)
        return rewrite(text) if self.rewrites else text

    def next_tag(self) -> bytes:
        """Return a value for the tag variable that no other job has, of any daemon."""
        return f"{self.instance}.{next(self._numbers)}".encode()

    def tree(self, leader: int, tag: bytes) -> kill.Tree:
        """Return how the processes of the job that ``leader`` leads are found."""
        return kill.Tree(leader, tag, subreaper=self.reaper.adopts)

    def everything(self) -> kill.Everything:
        """Return how all that the daemon's jobs have left is found."""
        return kill.Everything(self.instance.encode(), subreaper=self.reaper.adopts)

    def orphans(self, tree: kill.Tree) -> tuple[list[int], bool]:
        """Return the processes of ``tree`` that have become our own children.

        And whether there is one of which that can't be told yet, for it is just being executed.
        """
        found: list[int] = []
        undecided = False
        if not self.reaper.adopts:
            return found, undecided
        session = proc.session(0)
        for pid in proc.adopted():
            process = None if self.reaper.owns(pid) else proc.inspect(pid)
            if process is None or process.zombie or process.session == session:
                continue
            if tree.holds(process):
                found.append(pid)
            elif proc.is_becoming(pid):
                undecided = True
        return found, undecided

    def user_shell(self, state: State) -> str:
        """Return the path of the shell that a session without a command runs: ``$SHELL``.

        Where that is not set it is the user's login shell; where that is none, or not there, as on
        Android, the one that runs commands.
        """
        variable = state.variables.get(b"SHELL")
        path = os.fsdecode(variable.value) if variable is not None else ""
        if os.path.isabs(path):
            return path
        path = _login_shell()
        return path if os.access(path, os.X_OK) else self.dialect.path
