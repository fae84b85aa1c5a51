"""The process table: parents, children, sessions, start times, environments.

Where there is a /proc like Linux's (proc(5)) it is read directly: ending a job inspects every
descendant, and on Android psutil is not available. Elsewhere psutil gives the same data.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

PROC = "/proc"

# So many processes are inspected before the event loop runs again: a job may have thousands.
BATCH = 64


class Process(msgspec.Struct, frozen=True):
    """One entry of the process table. ``started`` tells it from a later process with its pid."""

    pid: int
    ppid: int
    session: int
    started: float
    zombie: bool
    image: int = 0
    """Changes with each exec, and is the parent's until the first; 0 if unknown."""
    reaped: int = 0
    """Grows when the process reaps a child; 0 if unknown."""

    @property
    def identity(self) -> tuple[int, float]:
        """A key that no other process has, earlier or later."""
        return self.pid, self.started


@dataclass(frozen=True, slots=True)
class SignalState:
    """How a process handles signals at one moment."""

    is_stopped: bool
    blocked: int
    ignored: int

    def blocks(self, number: int) -> bool:
        """Whether the signal would stay pending (sigprocmask(2))."""
        return bool(self.blocked >> (number - 1) & 1)

    def ignores(self, number: int) -> bool:
        """Whether the signal would be dropped."""
        return bool(self.ignored >> (number - 1) & 1)


def signal_state(pid: int) -> SignalState | None:
    """Return whether ``pid`` is stopped and which signals it blocks; None if unknown."""
    try:
        with open(f"{PROC}/{pid}/status", "rb") as file:
            fields = dict(line.split(b":\t", 1) for line in file if b":\t" in line)
    except OSError:
        return None
    return SignalState(
        is_stopped=fields[b"State"][:1] in b"TtZX",
        blocked=int(fields[b"SigBlk"], 16),
        ignored=int(fields[b"SigIgn"], 16),
    )


def _stat(pid: int) -> Process | None:
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The second field is the name in parentheses, and may hold parentheses and spaces itself.
    fields = line[line.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        ppid=int(fields[1]),
        session=int(fields[3]),
        started=float(fields[19]),
        zombie=fields[0] in (b"Z", b"X"),
        # The start of the stack: each exec puts it elsewhere (startstack in proc(5)).
        image=int(fields[25]),
        # Page faults and CPU time of the children that it has reaped (cminflt to cstime).
        reaped=sum(map(int, (fields[8], fields[10], fields[13], fields[14]))),
    )


def _ask_psutil(pid: int) -> Process | None:
    import psutil  # takes 20 ms, and Linux does not need it

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Process(
                pid=pid,
                ppid=process.ppid(),
                session=session(pid),
                started=process.create_time(),
                zombie=process.status() == psutil.STATUS_ZOMBIE,
            )
    except (psutil.Error, OSError):
        return None


@cache
def has_proc() -> bool:
    return sys.platform != "win32" and os.path.exists(f"{PROC}/self/stat")


def pids() -> list[int]:
    if has_proc():
        return [int(name) for name in os.listdir(PROC) if name.isdigit()]
    import psutil

    return psutil.pids()


def session(pid: int) -> int:
    """Return the session id of ``pid`` (0: our own process). Raises OSError.

    Windows has no sessions: there it is -1, which is no process's pid.
    """
    if sys.platform == "win32":
        return -1
    return os.getsid(pid)


def inspect(pid: int) -> Process | None:
    """Return the entry of ``pid``, or None if there is no such process."""
    return _stat(pid) if has_proc() else _ask_psutil(pid)


def now() -> float:
    """Return the present by the clock of ``Process.started``, which counts whole ticks on Linux."""
    if sys.platform != "win32" and has_proc():
        # starttime in proc_pid_stat(5): clock ticks since the system's boot.
        return float(int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")))
    return time.time()


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that is readable once ``pid`` has ended (pidfd_open(2)), or None."""
    if sys.platform == "win32" or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        # ENOSYS before Linux 5.3, EPERM in some sandboxes, EMFILE without free descriptors: the
        # callers have a fallback.
        log.debug("no pidfd for %d: %s", pid, error)
        return None


async def all_processes() -> AsyncIterator[Process]:
    """Yield every process of the system, parents before children."""
    processes = [process for process in map(inspect, pids()) if process is not None]
    for count, process in enumerate(sorted(processes, key=lambda each: each.started), 1):
        yield process
        if count % BATCH == 0:
            await asyncio.sleep(0)


def environ_value(pid: int, name: bytes) -> bytes | None:
    """Return the value of ``name`` in the environment ``pid`` was started with; None if unknown."""
    if has_proc():
        try:
            with open(f"{PROC}/{pid}/environ", "rb") as file:
                environ = b"\0" + file.read()
        except OSError:
            return None
        _, found, rest = environ.partition(b"\0" + name + b"=")
        return rest.partition(b"\0")[0] if found else None
    import psutil

    try:
        value = psutil.Process(pid).environ().get(os.fsdecode(name))
    except (psutil.Error, OSError):
        return None
    return None if value is None else os.fsencode(value)


def environ_has(pid: int, name: bytes, value: bytes, *, prefix: bool = False) -> bool:
    """Whether ``pid`` was started with ``name`` set to ``value``; ``prefix``: to begin with it."""
    found = environ_value(pid, name)
    if found is None:
        return False
    return found.startswith(value) if prefix else found == value


def has_empty_environ(pid: int) -> bool:
    """Whether the environment of ``pid`` reads as empty: it has none, or execve(2) is under way."""
    try:
        with open(f"{PROC}/{pid}/environ", "rb") as file:
            return not file.read(1)
    except OSError:
        return False
