"""Waiting for processes: who has ended and how, without polling and without stealing.

The daemon is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) on Linux: what a job leaves
behind becomes the daemon's child, so it can be found and reaped. Children that a job owns are
waited for by their pid only, so that their status is never taken by somebody else.
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
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def _open_pidfd(pid: int) -> int | None:
    if hasattr(os, "pidfd_open"):
        try:
            return os.pidfd_open(pid)
        except OSError as error:
            # ENOSYS before Linux 5.3, EPERM under some sandboxes, EMFILE when we are out of
            # descriptors: SIGCHLD serves all of them.
            log.debug("no pidfd for %d: %s", pid, error)
    return None


class Reaper:
    """Calls back when a child ends. One per event loop; use it from the loop's thread only."""

    def __init__(self, *, use_pidfd: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._use_pidfd = use_pidfd
        self._watched: dict[int, tuple[int | None, Callable[[Exit], None]]] = {}
        self._old_handler: object = None
        self._started = False

    def start(self) -> None:
        """Adopt orphans and listen to SIGCHLD. The main thread's loop only (signal(2))."""
        become_subreaper()
        self._loop.add_signal_handler(signal.SIGCHLD, self._on_sigchld)
        self._started = True

    def stop(self) -> None:
        """Stop listening; what is still watched is forgotten."""
        if self._started:
            self._loop.remove_signal_handler(signal.SIGCHLD)
            self._started = False
        for pid in list(self._watched):
            self._forget(pid)

    def watch(self, pid: int, callback: Callable[[Exit], None]) -> None:
        """Call ``callback(exit)`` once, from the loop, when our child ``pid`` has ended.

        Call this before anything is awaited after the spawn: until then the child would be taken
        for a stray. The child is reaped just before the callback.
        """
        pidfd = _open_pidfd(pid) if self._use_pidfd else None
        self._watched[pid] = (pidfd, callback)
        if pidfd is not None:
            self._loop.add_reader(pidfd, self._collect, pid)
        else:
            # It may have ended before it was watched.
            self._loop.call_soon(self._collect, pid)

    def owns(self, pid: int) -> bool:
        """Whether somebody waits for ``pid``."""
        return pid in self._watched

    def _forget(self, pid: int) -> None:
        pidfd, _ = self._watched.pop(pid)
        if pidfd is not None:
            self._loop.remove_reader(pidfd)
            os.close(pidfd)

    def _collect(self, pid: int) -> None:
        entry = self._watched.get(pid)
        if entry is None:
            return
        try:
            info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            log.error("the status of process %d was taken by somebody else", pid)
            ended = LOST
        else:
            if info is None:
                return
            killed = info.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
            ended = (
                Exit(-info.si_status, signal_name(info.si_status))
                if killed
                else Exit(info.si_status, None)
            )
        self._forget(pid)
        entry[1](ended)

    def _on_sigchld(self) -> None:
        for pid, (pidfd, _) in list(self._watched.items()):
            if pidfd is None:
                self._collect(pid)
        self.reap_strays()

    def reap_strays(self) -> None:
        """Reap every ended child that a job left behind.

        Each job is a session of its own, so a child in our own session is none of theirs: somebody
        in this process started it and waits for it.
        """
        session = os.getsid(0)
        for pid in proc.children(os.getpid()):
            process = None if pid in self._watched else proc.inspect(pid)
            if process is not None and process.session != session:
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
