"""A pool of shells started in advance, so that commands start without delay.

A pooled shell was started in the state that was current then. A patch, sent with its command,
brings it up to date, the directory included; if there is no patch for the difference, the shell is
discarded. Each shell runs one command. If no pooled shell fits, a new one is launched.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import msgspec

from shellwire.errors import PtyUnavailable, SpawnError
from shellwire.shell.launch import launch
from shellwire.shell.shell import Shell, Stdio

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.reap import Exit, Reaper
    from shellwire.shell.dialect import Dialect
    from shellwire.shell.state import State

PLAIN = Stdio()
"""The descriptors of a pooled shell: those of a command without input and terminal."""


@dataclass(slots=True, eq=False)
class _PooledShell:
    shell: Shell
    state: State


class AcquiredShell(msgspec.Struct, frozen=True):
    """A shell for one command. ``patch`` is the text that it must run before the command."""

    shell: Shell
    patch: bytes


class ShellPool:
    """The waiting shells, at most as many as the last ``prepare`` asked for."""

    def __init__(self, dialect: Dialect, reaper: Reaper, next_tag: Callable[[], bytes]) -> None:
        self._dialect = dialect
        self._reaper = reaper
        self._next_tag = next_tag
        self._waiting: deque[_PooledShell] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, state: State, stdio: Stdio, *, report: bool) -> AcquiredShell:
        """Return a shell for ``state``: a pooled one if one fits, else a new one.

        The caller must watch its process. Raises SpawnError or PtyUnavailable.
        """
        while self._waiting and report and stdio == PLAIN:
            waiting = self._waiting.popleft()
            patch = self._dialect.patch(waiting.state, state, waiting.shell.token)
            if patch is not None and _is_usable(waiting):
                return AcquiredShell(waiting.shell, patch)
            self.discard(waiting.shell)
        tag = self._next_tag()
        return AcquiredShell(launch(self._dialect, state, stdio, tag=tag, report=report), b"")

    def prepare(self, state: State, count: int) -> None:
        """Fill the pool up to ``count`` shells, new ones in ``state``. Failures are ignored."""
        while len(self._waiting) < count:
            tag = self._next_tag()
            try:
                shell = launch(self._dialect, state, PLAIN, tag=tag, report=True)
            except (SpawnError, PtyUnavailable):
                return
            waiting = _PooledShell(shell, state)
            self._reaper.watch(shell.pid, partial(self._lost, waiting))
            self._waiting.append(waiting)

    def close(self) -> None:
        """End all waiting shells."""
        while self._waiting:
            self.discard(self._waiting.popleft().shell)

    def discard(self, shell: Shell) -> None:
        """End an unused shell; the Reaper still reaps it."""
        if shell.pid:  # a shell of a FileDialect has no process before its command
            self._reaper.watch(shell.pid, _forget)
        shell.discard()

    def _lost(self, waiting: _PooledShell, _ended: Exit) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        waiting.shell.close()


def _forget(_ended: Exit) -> None:
    """Exit callback of a discarded shell: no action, but the process is reaped."""


@cache
def can_reuse() -> bool:
    """Whether pooled shells can be used: their working directory must be verifiable.

    That needs a /proc like Linux's; elsewhere each command gets a new shell.
    """
    return os.path.exists("/proc/self/cwd")


def _is_usable(waiting: _PooledShell) -> bool:
    """Whether the shell lives, and its directory is still the one at that path."""
    try:
        # An ended process has no cwd entry.
        theirs, ours = os.stat(f"/proc/{waiting.shell.pid}/cwd"), os.stat(waiting.state.cwd)
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
