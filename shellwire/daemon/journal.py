"""Crash recovery: journal the running jobs, and end the ones a crashed daemon left behind."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from shellwire.errors import HomeError
from shellwire.home.journal import CrashedDaemon, Journal, LiveJob, read_crashed
from shellwire.home.pidfile import start_time
from shellwire.jobs.model import ClientKey, JobKey
from shellwire.process import kill
from shellwire.process.recovery import CrashRecovery

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.home.paths import Home
    from shellwire.jobs.model import Kind
    from shellwire.jobs.registry import Registry

log = logging.getLogger(__name__)

MAX_LOST = 64
"""Most jobs remembered as lost, the newest ones, however often the daemon is killed."""


class HomeJournal:
    """The journal of live jobs in the home. The first failed write is logged, and none is raised.

    A failure must stop neither a start nor a job, and no client can do anything about it.
    """

    def __init__(self, home: Home, instance: str) -> None:
        self._home = home
        self._instance = instance
        self._journal: Journal | None = None
        self._failed = False

    async def recover(self, registry: Registry, starter: int) -> None:
        """End the processes that a crashed daemon left, and begin a journal of our own.

        The ancestors of ``starter``, the process that waits for our start, are never ended. The
        crashed daemon's jobs are marked as lost in ``registry``.
        """
        crashed = self._read()
        jobs = crashed.jobs[-MAX_LOST:] if crashed is not None else ()
        if crashed is not None:
            await _end(crashed, starter)
        started = start_time(os.getpid())
        assert started is not None, "we are alive"
        self._journal = Journal(self._home, self._instance, started, jobs)
        self._quietly(self._journal.begin)
        for job in jobs:
            key = JobKey(ClientKey(job.principal, job.client_id), job.id)
            registry.mark_lost(key, job.kind, job.started_at)

    def _read(self) -> CrashedDaemon | None:
        try:
            return read_crashed(self._home)
        except HomeError as error:
            log.error("%s; if the last daemon was killed, its processes continue", error)
            return None

    def began(self, key: JobKey, kind: Kind, tag: bytes) -> None:
        """Record that a job has started."""
        if self._journal is not None:
            job = LiveJob(tag.decode(), kind, key.client_id, key.id, time.time(), key.principal)
            self._quietly(self._journal.began, job)

    def ended(self, tag: bytes) -> None:
        """Record that a job has its outcome, and its leader is reaped."""
        if self._journal is not None:
            self._quietly(self._journal.ended, tag.decode())

    def remove(self) -> None:
        """Remove the file: no job is left for the next daemon to end."""
        if self._journal is not None:
            self._quietly(self._journal.remove)

    def close(self) -> None:
        """Close the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _quietly(self, act: Callable[..., None], *args: object) -> None:
        try:
            act(*args)
        except HomeError as error:
            if not self._failed:
                self._failed = True
                log.error("%s; after a crash the next start may miss some jobs", error)


async def _end(crashed: CrashedDaemon, starter: int) -> None:
    leftovers = CrashRecovery(crashed.instance.encode(), since=crashed.started, starter=starter)
    if await leftovers.members():
        log.warning("the last daemon was killed: ending the processes that it left")
        await kill.end(leftovers, hangup=True)
