"""Waiting for processes: who has ended and how, without polling and without stealing.

The daemon is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) on Linux: what a job leaves
behind becomes the daemon's child, so it can be found and reaped. Children that a job owns are
waited for by their pid only, so that their status is never taken by somebody else.

A leader's end is told by a pidfd, at once and without a look at other children. What it leaves is
told by SIGCHLD: a command may leave a thousand processes, and we have fewer descriptors than that.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.process import proc

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.signal_listener import Signals

log = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: ``code`` as the shell's, or minus the number of the signal."""

    code: int
    signal: str | None


LOST = Exit(code=-1, signal=None)
"""The status of a process that somebody else has reaped."""


def signal_name(number: int) -> str:
    """Return ``SIGTERM`` for 15; a real-time signal without a name is ``SIG40``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def become_subreaper() -> bool:
    """Make orphans of our children our own children. False where the kernel can't (not Linux)."""
    if not sys.platform.startswith(("linux", "android")):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Reaper:
    """Calls back when a child ends. One per event loop; use it from the loop's thread only."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: dict[int, tuple[int | None, Callable[[Exit], None]]] = {}
        self.adopts = False
        """Whether orphans of our children become our own."""

    def start(self, signals: Signals) -> None:
        """Adopt orphans, and listen to SIGCHLD."""
        self.adopts = become_subreaper()
        if sys.platform != "win32":
            signals.listen(signal.SIGCHLD, self.collect)

    def stop(self) -> None:
        """Forget what is still watched."""
        for pidfd, _ in self._watched.values():
            self._forget(pidfd)
        self._watched.clear()

    def watch(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """Call ``callback(exit)`` once, from the loop, when our child ``pid`` has ended.

        Call this before anything is awaited after the spawn: until then the child would be taken
        for a stray. The child is reaped just before the callback. Watching it again replaces the
        callback.
        """
        if pid in self._watched:
            self._watched[pid] = (self._watched[pid][0], callback)
            return
        pidfd = proc.open_pidfd(pid)
        self._watched[pid] = (pidfd, callback)
        if pidfd is not None:
            self._loop.add_reader(pidfd, self._collect, pid)
        else:
            # It may have ended before it was watched.
            self._loop.call_soon(self._collect, pid)

    def adopt(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """The same for a process that has become our child."""
        self._watched[pid] = (None, callback)
        self._loop.call_soon(self._collect, pid)

    def owns(self, pid: int) -> bool:
        """Whether somebody waits for ``pid``."""
        return pid in self._watched

    def collect(self) -> None:
        """Reap all that has ended by now, and call back for it."""
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            self._look_at_each()
            return
        while (pid := _ended_child()) is not None:
            if pid in self._watched:
                self._collect(pid)
            elif not _reap_stray(pid):
                # It stays, and may hide the others.
                self._look_at_each()
                return

    def _look_at_each(self) -> None:
        for pid in proc.children(os.getpid()) if self.adopts else list(self._watched):
            if pid in self._watched:
                self._collect(pid)
            else:
                _reap_stray(pid)

    def _forget(self, pidfd: int | None) -> None:
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)

    def _collect(self, pid: int) -> None:
        entry = self._watched.get(pid)
        if entry is None:
            return
        try:
            status = _reap(pid)
        except ChildProcessError:
            log.error("the status of process %d was taken by somebody else", pid)
            ended = LOST
        else:
            if status is None:
                return
            code = os.waitstatus_to_exitcode(status)
            ended = Exit(code, signal_name(-code) if code < 0 else None)
        del self._watched[pid]
        pidfd, callback = entry
        try:
            callback(ended)
        except Exception:
            # The others that have ended are to be heard of all the same.
            log.exception("what was to follow the end of process %d failed", pid)
        finally:
            self._forget(pidfd)


def _reap(pid: int) -> int | None:
    """Return the wait status of our child if it has ended. Raises ChildProcessError."""
    if sys.platform == "win32":  # where portable.ThreadReaper waits
        raise ChildProcessError
    reaped, status = os.waitpid(pid, os.WNOHANG)
    return status if reaped else None


def _ended_child() -> int | None:
    """Return a child that has ended and is not reaped yet, if there is one."""
    if sys.platform == "win32":
        return None
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if info is None else info.si_pid


def _reap_stray(pid: int) -> bool:
    """Reap an ended child that a job left behind and nobody waits for.

    Each job is a session of its own, so a child in our own session is none of theirs: somebody in
    this process started it and waits for it.
    """
    process = proc.inspect(pid)
    if process is None or not process.zombie or process.session == proc.session(0):
        return False
    with contextlib.suppress(ChildProcessError):
        _reap(pid)
    return True
