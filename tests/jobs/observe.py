"""Inspect a daemon's processes through the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import os
from itertools import chain, repeat
from typing import TYPE_CHECKING

import psutil

from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon

# Longer than any test runs. Tests recognise their own processes by the unusual number.
FOREVER = "sleep 98765"


def below(daemon: Daemon) -> list[str]:
    """Return the command line and status of every process that the daemon has started.

    Orphans that the daemon can't adopt are recognised by its home in their environment.
    """
    found = {}
    home = str(daemon.home)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != daemon.pid and process.environ().get("SHELLWIRE_HOME") == home:
                found[process.pid] = process
    found.update((each.pid, each) for each in psutil.Process(daemon.pid).children(recursive=True))
    lines = []
    for process in found.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            lines.append(f"{process.pid} {process.status()} {process.cmdline()}")
    return lines


def is_alive(pid: int) -> bool:
    """Whether ``pid`` is a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except FileNotFoundError:  # the process has ended, and another one gets its pid meanwhile
        return is_alive(pid)


def kinds(daemon: Daemon) -> dict[str, int]:
    """Return how many descriptors of each kind the daemon has open."""
    counted: dict[str, int] = {}
    for name in os.listdir(f"/proc/{daemon.pid}/fd"):
        try:
            kind = os.readlink(f"/proc/{daemon.pid}/fd/{name}").partition(":")[0]
        except FileNotFoundError:
            continue
        counted[kind] = counted.get(kind, 0) + 1
    return counted


async def becomes(condition: Callable[[], bool]) -> None:
    """Poll until ``condition()`` holds, where no event reports it."""
    async with asyncio.timeout(PATIENCE):
        for pause in chain([0.0] * 50, repeat(0.01)):
            if condition():
                return
            await asyncio.sleep(pause)


def has_ended(pid: int) -> None:
    """Wait until our child ``pid`` has ended, without reaping it."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def reap(pid: int) -> int:
    """Reap our child ``pid``. Returns its exit code, or minus its signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
