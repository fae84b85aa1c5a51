"""End the jobs of disconnected clients: at once, after a detach time, or never."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shellwire.jobs.job import Job
    from shellwire.jobs.model import ClientKey


_RECHECK = 1.0
"""Seconds until a job that is being ended is checked again."""

_MIN_INTERVAL = 0.05
"""Least seconds between two checks: a client may ask for a detach time near 0."""


class DisconnectPolicy:
    """Knows which clients are connected; calls ``end(job)`` for a job that must end without one.

    A running job is abandoned while its client is disconnected and the job has no viewer. It is
    ended when its detach time has passed since the job was last used: by input, output, a viewer or
    a request that names it. The detach time is the job's own, else ``ttl`` seconds; 0 is never. A
    job with ``kill_on_disconnect`` ends at once, with its background processes.
    """

    def __init__(
        self, ttl: float, jobs: Callable[[], Iterable[Job]], end: Callable[[Job], None]
    ) -> None:
        self._ttl = ttl
        self._jobs = jobs
        self._end = end
        self._connected: set[ClientKey] = set()
        self._timer: asyncio.TimerHandle | None = None

    def client_connected(self, client: ClientKey) -> None:
        """Record that a client has connected."""
        self._connected.add(client)

    def client_disconnected(self, client: ClientKey) -> None:
        """Record that a client has disconnected. Not called if it has reconnected already."""
        self._connected.discard(client)
        for job in list(self._jobs()):
            if job.key.client == client and job.state != "ended":
                job.readers.touch()
                if job.request.kill_on_disconnect:
                    self._end(job)
        self._end_expired()

    def is_connected(self, client: ClientKey) -> bool:
        """Whether this client is connected."""
        return client in self._connected

    def close(self) -> None:
        """Stop ending jobs."""
        if self._timer is not None:
            self._timer.cancel()

    def _remaining(self, job: Job, now: float) -> float | None:
        """Return the seconds until a job is to be ended; None if it is not to be.

        A queued job or one with a viewer has its whole detach time left.
        """
        ttl = self._ttl if job.request.detach_ttl is None else job.request.detach_ttl
        if not ttl or job.outcome is not None or job.key.client in self._connected:
            return None
        is_used = job.state == "queued" or job.readers.is_read
        return ttl if is_used else job.used_at() + ttl - now

    def _end_expired(self) -> None:
        """End the jobs whose time is up, and set the timer for the next one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        times = []
        for job in list(self._jobs()):
            left = self._remaining(job, now)
            if left is not None and left <= 0:
                self._end(job)
                left = _RECHECK
            if left is not None:
                times.append(left)
        if times:
            self._timer = asyncio.get_running_loop().call_later(
                max(min(times), _MIN_INTERVAL), self._end_expired
            )
