"""Reap child processes, and call back with their exit status.

The daemon is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) on Linux: processes that a job
leaves behind become the daemon's children, so it can find and reap them. Watched children are
waited for by pid only, so that no other code takes their status.

A pidfd reports a leader's end at once, without a scan of other children. The ends of processes
that it left behind are reported by SIGCHLD: a command may leave a thousand of them, and we have
fewer descriptors than that.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from shellwire.process import children, proc
from shellwire.process.poller import running_poller

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.signal_listener import SignalListener

log = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36


class Exit(msgspec.Struct, frozen=True):
    """How a process ended: ``code`` is its exit code, or minus the number of the signal."""

    code: int
    signal: str | None


LOST = Exit(code=-1, signal=None)
"""The status of a process that other code has reaped."""


def signal_name(number: int) -> str:
    """Return ``SIGTERM`` for 15, and ``SIG40`` for a signal without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def become_subreaper() -> bool:
    """Let orphans of our children become our own children; False where that fails (not Linux)."""
    if not sys.platform.startswith(("linux", "android")):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Reaper:
    """The exit callbacks of child processes. One per event loop, for use in its thread only."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._poller = running_poller()
        self._watched: dict[int, tuple[int | None, Callable[[Exit], None]]] = {}
        self.adopts = False
        """Whether orphans of our children become our own."""

    def start(self, signals: SignalListener) -> None:
        """Adopt orphans, and listen to SIGCHLD."""
        self.adopts = become_subreaper()
        if sys.platform != "win32":
            signals.listen(signal.SIGCHLD, self.reap_ended)

    def stop(self) -> None:
        """Stop watching all processes."""
        for pidfd, _ in self._watched.values():
            self._forget(pidfd)
        self._watched.clear()

    def watch(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """Call ``callback(exit)`` once, from the loop, when our child ``pid`` has ended.

        Call this before anything is awaited after the spawn: until then the child would count as
        an orphan. The child is reaped just before the callback. Watching it again replaces the
        callback.
        """
        if pid in self._watched:
            self._watched[pid] = (self._watched[pid][0], callback)
            return
        pidfd = proc.open_pidfd(pid)
        self._watched[pid] = (pidfd, callback)
        if pidfd is not None:
            self._poller.watch(pidfd, partial(self._collect, pid))
        else:
            # The child may have ended before it was watched.
            self._loop.call_soon(self._collect, pid)

    def adopt(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """Do the same as ``watch``, without a pidfd, for an orphan that has become our child."""
        self._watched[pid] = (None, callback)
        self._loop.call_soon(self._collect, pid)

    def owns(self, pid: int) -> bool:
        """Whether ``pid`` is watched or adopted."""
        return pid in self._watched

    def reap_ended(self) -> None:
        """Reap all children that have ended, and call back for each."""
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            self._reap_each()
            return
        while (pid := _ended_child()) is not None:
            if pid in self._watched:
                self._collect(pid)
            elif not _reap_orphan(pid):
                # It stays a zombie, and waitid may report it instead of the others.
                self._reap_each()
                return

    def _reap_each(self) -> None:
        for pid in children.children(os.getpid()) if self.adopts else list(self._watched):
            if pid in self._watched:
                self._collect(pid)
            else:
                _reap_orphan(pid)

    def _forget(self, pidfd: int | None) -> None:
        if pidfd is not None:
            self._poller.forget(pidfd)
            os.close(pidfd)

    def _collect(self, pid: int) -> None:
        entry = self._watched.get(pid)
        if entry is None:
            return
        try:
            status = _reap(pid)
        except ChildProcessError:
            log.error("other code has taken the exit status of process %d", pid)
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
            # The callbacks of other ended processes must still be called.
            log.exception("the exit callback of process %d failed", pid)
        finally:
            self._forget(pidfd)


def _reap(pid: int) -> int | None:
    """Return the wait status of our child if it has ended. Raises ChildProcessError."""
    if sys.platform == "win32":  # portable.ThreadReaper is used there
        raise ChildProcessError
    reaped, status = os.waitpid(pid, os.WNOHANG)
    return status if reaped else None


def _ended_child() -> int | None:
    """Return the pid of a child that has ended and is not reaped yet, or None."""
    if sys.platform == "win32":
        return None
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if info is None else info.si_pid


def _reap_orphan(pid: int) -> bool:
    """Reap an ended child that a job left behind and nothing waits for.

    Each job is a session of its own, so a child in our own session comes from no job: other code
    of this process has started it and waits for it.
    """
    process = proc.inspect(pid)
    if process is None or not process.zombie or process.session == proc.session(0):
        return False
    with contextlib.suppress(ChildProcessError):
        _reap(pid)
    return True
