"""What can be seen of a daemon from outside, for tests that wait until it has come to something."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from shellwire.jobs.output import WINDOW
from tests.live import PATIENCE
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.live import Client, Daemon, Message

_COUNTING = """
import asyncio, collections, gc
from shellwire.server.connections import Connections

health = Connections.health

def counted(self):
    COLLECT
    kinds = collections.Counter(type(each).__name__ for each in gc.get_objects())
    ours = "Connection", "Feed", "Question", "Viewer", "Job", "Run", "Pump", "Poll"
    return {
        **health(self),
        "tasks": len(asyncio.all_tasks()),
        **{name: kinds[name] for name in (*ours, "WebSocketResponse")},
    }

Connections.health = counted
"""
COUNTING = _COUNTING.replace("COLLECT", "gc.collect()")
"""Makes ``/health`` of a patched daemon count what must not pile up."""

COUNTING_UNCOLLECTED = _COUNTING.replace("COLLECT", "gc.disable()")
"""The same, but that what refers to itself is never collected."""


def cli(daemon: Daemon, *arguments: str) -> str:
    """Run ``shellwire`` on the daemon's home; return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "shellwire", *arguments],
        env={**os.environ, "SHELLWIRE_HOME": str(daemon.home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


async def health(daemon: Daemon) -> dict[str, Any]:
    """Return what ``/health`` says, asked by a connection of its own."""
    raw = await Raw.open(daemon, local=True)
    found: dict[str, Any] = json.loads((await raw.ask("/health", {"Host": "localhost"})).body)
    await raw.close()
    return found


async def health_is(daemon: Daemon, expected: Mapping[str, Any]) -> None:
    """Return when ``/health`` says this, among other things."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while not expected.items() <= found.items():
                found = await health(daemon)
    except TimeoutError:
        raise AssertionError({name: found[name] for name in expected}) from None


async def window_is_full(observer: Client, job: str) -> None:
    """Return when the daemon has read so much of a job's output that it waits for a reader."""
    async with asyncio.timeout(PATIENCE):
        end = 0
        while end < WINDOW:
            jobs = (await observer.ask({"type": "list_jobs"}))["jobs"]
            (end,) = (each["end"] for each in jobs if each["id"] == job)


async def job_info(observer: Client, job: str) -> Message:
    """Return what ``list_jobs`` says of a job."""
    jobs = (await observer.ask({"type": "list_jobs"}))["jobs"]
    return next(each for each in jobs if each["id"] == job)


async def nobody_is_connected(daemon: Daemon) -> None:
    """Return when no client that came by TCP is connected."""
    observer = await daemon.client(local=True)
    async with asyncio.timeout(PATIENCE):
        connected = True
        while connected:
            clients = (await observer.ask({"type": "list_clients"}))["clients"]
            connected = any(each["is_connected"] for each in clients)
    await observer.close()


def memory(daemon: Daemon) -> int:
    """Return the bytes of memory that the daemon's process holds (proc(5), statm)."""
    with open(f"/proc/{daemon.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
