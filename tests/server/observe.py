"""Observe a daemon from outside, and wait until it has reached a state."""

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
from shellwire.server import status

health = status.health

def counted(services):
    COLLECT
    kinds = collections.Counter(type(each).__name__ for each in gc.get_objects())
    ours = "Connection", "JobFeed", "PageReply", "Viewer", "Job", "Run", "Pump", "LongPoll"
    return {
        **health(services),
        "tasks": len(asyncio.all_tasks()),
        **{name: kinds[name] for name in (*ours, "WebSocketResponse")},
    }

status.health = counted
"""
COUNTING = _COUNTING.replace("COLLECT", "gc.collect()")
"""Code for a patched daemon: ``/health`` counts objects that must not accumulate."""

COUNTING_UNCOLLECTED = _COUNTING.replace("COLLECT", "gc.disable()")
"""The same without the garbage collector: reference cycles are counted, too."""


def cli(daemon: Daemon, *arguments: str) -> str:
    """Run ``shellwire`` on the daemon's home; return its output."""
    return subprocess.run(
        [sys.executable, "-m", "shellwire", *arguments],
        env={**os.environ, "SHELLWIRE_HOME": str(daemon.home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


async def health(daemon: Daemon) -> dict[str, Any]:
    """Return the content of ``/health``, read on a separate connection."""
    raw = await Raw.open(daemon, local=True)
    found: dict[str, Any] = json.loads((await raw.ask("/health", {"Host": "localhost"})).body)
    await raw.close()
    return found


async def health_is(daemon: Daemon, expected: Mapping[str, Any]) -> None:
    """Return when ``/health`` contains the expected items."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while not expected.items() <= found.items():
                found = await health(daemon)
    except TimeoutError:
        raise AssertionError({name: found[name] for name in expected}) from None


async def window_is_full(observer: Client, job: str) -> None:
    """Return when the daemon has read a full window of a job's output, and waits for a reader."""
    async with asyncio.timeout(PATIENCE):
        end = 0
        while end < WINDOW:
            jobs = (await observer.ask({"type": "list_jobs"}))["jobs"]
            (end,) = (each["end"] for each in jobs if each["id"] == job)


async def job_info(observer: Client, job: str) -> Message:
    """Return a job's entry in ``list_jobs``."""
    jobs = (await observer.ask({"type": "list_jobs"}))["jobs"]
    return next(each for each in jobs if each["id"] == job)


async def wait_state(observer: Client, job: str, *states: str) -> Message:
    """Return a job's entry in ``list_jobs`` once it is in one of these states."""
    async with asyncio.timeout(PATIENCE):
        info = await job_info(observer, job)
        while info["state"] not in states:
            info = await job_info(observer, job)
    return info


async def wait_no_client_connected(daemon: Daemon) -> None:
    """Return when no client is connected over TCP."""
    observer = await daemon.client(local=True)
    async with asyncio.timeout(PATIENCE):
        connected = True
        while connected:
            clients = (await observer.ask({"type": "list_clients"}))["clients"]
            connected = any(each["is_connected"] for each in clients)
    await observer.close()


def memory(daemon: Daemon) -> int:
    """Return the resident memory of the daemon's process in bytes (proc(5), statm)."""
    with open(f"/proc/{daemon.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
