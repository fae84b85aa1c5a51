"""Ending what a killed daemon has left, and noting what the next one would have to end."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from shellwire.errors import HomeError
from shellwire.home.journal import Journal, Left, LiveJob, read_left
from shellwire.home.pidfile import start_time
from shellwire.jobs.model import JobKey
from shellwire.process import kill
from shellwire.process.recovery import CrashRecovery

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.home.paths import Home
    from shellwire.jobs.model import Kind
    from shellwire.jobs.registry import Registry

log = logging.getLogger(__name__)

MAX_LOST = 64
"""Jobs that are remembered as lost, however often the daemon is killed: the newest."""


class HomeJournal:
    """The journal of live jobs in the home. What goes wrong with it is logged, once.

    No start and no job is to suffer from it, and no client can do anything about it.
    """

    def __init__(self, home: Home, instance: str) -> None:
        self._home = home
        self._instance = instance
        self._journal: Journal | None = None
        self._failed = False

    async def recover(self, registry: Registry, starter: int) -> None:
        """End what the last daemon left, if it was killed, and begin a journal of our own.

        It is not what the process ``starter`` descends from, which waits for us. ``registry`` then
        knows what was lost.
        """
        left = self._read()
        jobs = left.jobs[-MAX_LOST:] if left is not None else ()
        if left is not None:
            await _end(left, starter)
        started = start_time(os.getpid())
        assert started is not None, "we are alive"
        self._journal = Journal(self._home, self._instance, started, jobs)
        self._quietly(self._journal.begin)
        for job in jobs:
            registry.mark_lost(JobKey(job.client_id, job.id), job.kind, job.started_at)

    def _read(self) -> Left | None:
        try:
            return read_left(self._home)
        except HomeError as error:
            log.error("%s; if the last daemon was killed, what it left goes on", error)
            return None

    def began(self, key: JobKey, kind: Kind, tag: bytes) -> None:
        """Note that a job has started."""
        if self._journal is not None:
            job = LiveJob(tag.decode(), kind, key.client_id, key.id, time.time())
            self._quietly(self._journal.began, job)

    def ended(self, tag: bytes) -> None:
        """Note that a job has been answered for."""
        if self._journal is not None:
            self._quietly(self._journal.ended, tag.decode())

    def remove(self) -> None:
        """Remove the file: there is nothing left for the next daemon to end."""
        if self._journal is not None:
            self._quietly(self._journal.remove)

    def close(self) -> None:
        """Write no more."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _quietly(self, act: Callable[..., None], *args: object) -> None:
        try:
            act(*args)
        except HomeError as error:
            if not self._failed:
                self._failed = True
                log.error("%s; after a crash the next start may not know of every job", error)


async def _end(left: Left, starter: int) -> None:
    leftovers = CrashRecovery(left.instance.encode(), since=left.started, starter=starter)
    if await leftovers.members():
        log.warning("ending what the last daemon left: it was killed")
        await kill.end(leftovers, hangup=True)
