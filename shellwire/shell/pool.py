"""Shells started in advance, so that a command need not wait for one.

A spare was started in the state that was current then, and waits. What has changed since, directory
included, it is told together with its command, in the words that restore a state; where that can't
be done it is thrown away. It is used once. Every shell is launched in this one way: a cold start is
a spare that is used at once.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from shellwire.errors import PtyUnavailable, SpawnError
from shellwire.shell.launch import launch
from shellwire.shell.shell import Shell, Wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.reap import Exit, Reaper
    from shellwire.shell.dialect import Dialect
    from shellwire.shell.state import State

PLAIN = Wiring()
"""What a spare's descriptors are: those of a command without input or terminal."""


@dataclass(slots=True, eq=False)
class _Spare:
    shell: Shell
    state: State


@dataclass(frozen=True, slots=True)
class ReadyShell:
    """A shell to be used now. ``patch`` is what it must be told before its command."""

    shell: Shell
    patch: bytes


class ShellPool:
    """The shells that wait. At most as many as were asked for last."""

    def __init__(self, dialect: Dialect, reaper: Reaper, next_tag: Callable[[], bytes]) -> None:
        self._dialect = dialect
        self._reaper = reaper
        self._next_tag = next_tag
        self._waiting: deque[_Spare] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, state: State, wiring: Wiring, *, report: bool) -> ReadyShell:
        """Return a shell for ``state``: a spare where one fits, else a new one.

        The caller watches it from now on. Raises SpawnError, or PtyUnavailable.
        """
        while self._waiting and report and wiring == PLAIN:
            spare = self._waiting.popleft()
            patch = self._dialect.patch(spare.state, state, spare.shell.token)
            if patch is not None and _is_fit(spare):
                return ReadyShell(spare.shell, patch)
            self.discard(spare.shell)
        tag = self._next_tag()
        return ReadyShell(launch(self._dialect, state, wiring, tag=tag, report=report), b"")

    def prepare(self, state: State, count: int) -> None:
        """Have ``count`` shells wait, new ones in ``state``. What can't be had is not missed."""
        while len(self._waiting) < count:
            tag = self._next_tag()
            try:
                shell = launch(self._dialect, state, PLAIN, tag=tag, report=True)
            except (SpawnError, PtyUnavailable):
                return
            spare = _Spare(shell, state)
            self._reaper.watch(shell.pid, partial(self._lost, spare))
            self._waiting.append(spare)

    def close(self) -> None:
        """End all that wait."""
        while self._waiting:
            self.discard(self._waiting.popleft().shell)

    def discard(self, shell: Shell) -> None:
        """End a shell that nobody uses; it is reaped all the same."""
        if shell.pid:  # one that waits for its text to be started has none
            self._reaper.watch(shell.pid, _forget)
        shell.discard()

    def _lost(self, spare: _Spare, _ended: Exit) -> None:
        if spare in self._waiting:
            self._waiting.remove(spare)
        spare.shell.close()


def _forget(_ended: Exit) -> None:
    """Nobody waits for a shell that was let go; it is reaped all the same."""


@cache
def can_wait() -> bool:
    """Whether it can be told that a waiting shell's directory is still the one it was started in.

    That takes a /proc like Linux's; elsewhere each command has a shell started for it.
    """
    return os.path.exists("/proc/self/cwd")


def _is_fit(spare: _Spare) -> bool:
    """Whether it lives, in the directory that its path names now, not in a removed one."""
    try:
        # One that has ended has no directory any more.
        theirs, ours = os.stat(f"/proc/{spare.shell.pid}/cwd"), os.stat(spare.state.cwd)
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
