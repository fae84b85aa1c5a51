"""What the kernel knows of a daemon's processes."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon

# Longer than any test runs, and by it a test knows its own.
FOREVER = "sleep 98765"


def below(daemon: Daemon) -> list[str]:
    """Return the command line and status of every process below the daemon."""
    found = []
    for process in psutil.Process(daemon.pid).children(recursive=True):
        try:
            found.append(f"{process.pid} {process.status()} {process.cmdline()}")
        except psutil.NoSuchProcess:
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether ``pid`` is a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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
    """Return when ``condition()`` holds of what no message tells."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
