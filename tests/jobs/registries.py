"""Registries without a daemon, for cases that no client can cause."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

from shellwire.jobs.contexts import Contexts
from shellwire.jobs.engine import Engine
from shellwire.jobs.model import ClientKey, JobKey, Request
from shellwire.jobs.registry import Registry
from shellwire.principals import OWNER
from shellwire.process.reap import Reaper
from shellwire.shell.bash import Bash
from shellwire.shell.context import initial_state
from tests.live import PATIENCE

if TYPE_CHECKING:
    from shellwire.jobs.ended import Retention
    from shellwire.jobs.job import Job


class Registries:
    """Creates registries in this process, which adopts no orphans, as on macOS."""

    def __init__(self) -> None:
        self._made: list[tuple[Registry, Reaper]] = []

    def __call__(self, retention: Retention | None = None) -> Registry:
        reaper = Reaper()
        engine = Engine(Bash(shutil.which("bash") or "bash"), reaper)
        contexts = Contexts(initial_state(os.environb, "/"))
        self._made.append((Registry(engine, contexts, retention=retention), reaper))
        return self._made[-1][0]

    async def close(self) -> None:
        for registry, reaper in self._made:
            await registry.stop(0)
            registry.close()
            reaper.stop()


def submit(registry: Registry, command: str, name: str = "job", *, timeout: float = 0) -> Job:
    key = JobKey(ClientKey(OWNER, "client"), name)
    request = Request("command", command.encode(), timeout=timeout)
    job, place = registry.submit(key, request, once=True)
    assert place == 0
    job.start()
    return job


async def concluded(job: Job) -> None:
    """Wait for the outcome of a job."""
    done = asyncio.Event()

    def look() -> None:
        if job.outcome is not None:
            done.set()

    viewer = job.readers.view(look, silent=True)
    look()
    await asyncio.wait_for(done.wait(), PATIENCE)
    job.readers.leave(viewer)
