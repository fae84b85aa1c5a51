"""Ending what a job started: TERM, a grace, KILL, to the whole tree and to what has left it.

A job is its own session, so its members are found by the session id (setsid(2)); those that made a
session of their own are found by descent and by the tag in their environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from shellwire.process import proc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

log = logging.getLogger(__name__)

GRACE = 2.0
"""Seconds between TERM and KILL."""

HANGUP_AFTER = 0.5
"""Seconds between TERM and HUP on a terminal; an interactive shell ignores TERM but heeds HUP."""

TAG_NAME = b"SHELLWIRE_JOB"
"""The variable by which a job's processes are found; it belongs to no context."""

_AFTER_KILL = 2.0
_POLL = 0.02


def _candidates(*, subreaper: bool) -> list[proc.Process]:
    if subreaper:
        return proc.descendants(os.getpid())
    processes = (proc.inspect(pid) for pid in psutil.pids() if pid != os.getpid())
    return [process for process in processes if process is not None]


@dataclass(frozen=True, slots=True)
class Tree:
    """The processes of one job. ``tag`` is the value of TAG_NAME in the environment of each."""

    leader: int
    tag: bytes
    subreaper: bool = True

    def holds(self, process: proc.Process) -> bool:
        """Whether the process is of the job's session, or has its tag."""
        return process.session == self.leader or proc.environ_has(process.pid, TAG_NAME, self.tag)

    def members(self) -> list[proc.Process]:
        """Return the job's living processes, parents before children."""
        inside: dict[int, proc.Process] = {}
        for process in _candidates(subreaper=self.subreaper):
            if process.ppid in inside or self.holds(process):
                inside[process.pid] = process
        return [process for process in inside.values() if not process.zombie]


class Everything:
    """All that the daemon's jobs have left, wherever it went."""

    def __init__(self, instance: bytes, *, subreaper: bool = True) -> None:
        self._prefix = instance
        self._subreaper = subreaper

    def members(self) -> list[proc.Process]:
        """Return every living process that descends from a job or bears a tag of this daemon."""
        session = os.getsid(0)
        return [
            process
            for process in _candidates(subreaper=self._subreaper)
            if not process.zombie
            and (
                process.session != session
                if self._subreaper
                else proc.environ_has(process.pid, TAG_NAME, self._prefix, prefix=True)
            )
        ]


def send(number: signal.Signals, processes: Iterable[proc.Process]) -> None:
    """Send a signal to each process that is still the one that was seen.

    The pid is pinned by a pidfd and then compared again (pidfd_send_signal(2)), so a pid that was
    reused in between is not hit. A stopped process is continued, or it could not react.
    """
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            try:
                _send_one(number, process)
            except PermissionError:
                log.warning("not allowed to signal process %d of a job", process.pid)


def _send_one(number: signal.Signals, process: proc.Process) -> None:
    pidfd = _open_pidfd(process.pid)
    try:
        now = proc.inspect(process.pid)
        if now is None or now.started != process.started:
            return
        for each in (number, signal.SIGCONT) if number != signal.SIGKILL else (number,):
            if pidfd is None:
                os.kill(process.pid, each)
            else:
                signal.pidfd_send_signal(pidfd, each)
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _open_pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


async def gone(processes: Sequence[proc.Process], seconds: float) -> None:
    """Return when every one of ``processes`` has ended, or after ``seconds``."""
    loop = asyncio.get_running_loop()
    waiting: set[int] = set()
    done = asyncio.Event()

    def ended(pidfd: int) -> None:
        loop.remove_reader(pidfd)
        waiting.discard(pidfd)
        os.close(pidfd)
        if not waiting:
            done.set()

    blind = False
    for process in processes:
        pidfd = _open_pidfd(process.pid)
        if pidfd is None:
            blind = blind or proc.inspect(process.pid) is not None
        else:
            waiting.add(pidfd)
            loop.add_reader(pidfd, ended, pidfd)
    try:
        if waiting or blind:
            # Without a pidfd for each, look again soon; the caller scans anew.
            limit = min(seconds, _POLL) if blind else seconds
            await asyncio.wait_for(done.wait(), limit)
    except TimeoutError:
        pass
    finally:
        for pidfd in list(waiting):
            ended(pidfd)


async def end(tree: Tree | Everything, *, hangup: bool = False) -> bool:
    """End every process of ``tree`` and return when none is left.

    TERM at once; with ``hangup`` HUP after 0.5 s; KILL after 2 s; each again to what was forked
    meanwhile. Returns False if something can't be killed (not ours, or stuck in the kernel).
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    stages = [(signal.SIGTERM, HANGUP_AFTER if hangup else GRACE)]
    if hangup:
        stages.append((signal.SIGHUP, GRACE))
    stages.append((signal.SIGKILL, GRACE + _AFTER_KILL))
    for number, until in stages:
        signalled: set[tuple[int, float]] = set()
        while members := tree.members():
            # A TERM handler must not be interrupted by a second TERM.
            fresh = [each for each in members if (each.pid, each.started) not in signalled]
            send(number, members if number == signal.SIGKILL else fresh)
            signalled.update((each.pid, each.started) for each in fresh)
            left = begun + until - loop.time()
            if left <= 0:
                break
            await gone(members, left)
        else:
            return True
    left_over = [process.pid for process in tree.members()]
    if left_over:
        log.warning("processes %s can't be ended", left_over)
    return not left_over
