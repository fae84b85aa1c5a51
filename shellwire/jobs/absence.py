"""Jobs whose client has gone: they end with it, or after a while, or when somebody ends them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shellwire.jobs.job import Job


class Absence:
    """Knows which clients are connected, and calls ``end(job)`` for what is not to outlive that.

    A job that has not been answered for is abandoned while its client is not connected and nobody
    reads it. After ``ttl`` seconds of that, counted anew whenever somebody asks for it, it is
    ended; 0 is never. One that is to be killed on disconnect ends at once, with all that it left.
    """

    def __init__(
        self, ttl: float, jobs: Callable[[], Iterable[Job]], end: Callable[[Job], None]
    ) -> None:
        self._ttl = ttl
        self._jobs = jobs
        self._end = end
        self._present: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def came(self, client_id: str) -> None:
        """A client has connected."""
        self._present.add(client_id)

    def left(self, client_id: str) -> None:
        """A client has disconnected, and not because it had connected anew."""
        self._present.discard(client_id)
        for job in list(self._jobs()):
            if job.key.client_id == client_id and job.state != "ended":
                job.attend()
                if job.request.kill_on_disconnect:
                    self._end(job)
        self._schedule(self._ttl)

    def close(self) -> None:
        """End nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _orphans(self) -> list[Job]:
        return [
            job
            for job in self._jobs()
            if job.outcome is None and job.key.client_id not in self._present
        ]

    def _schedule(self, delay: float) -> None:
        if self._timer is None and self._ttl and self._orphans():
            self._timer = asyncio.get_running_loop().call_later(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        delay = self._ttl
        for job in self._orphans():
            left = self._ttl if job.is_read else job.attended_at + self._ttl - now
            if left > 0:
                delay = min(delay, left)
            else:
                self._end(job)
        self._schedule(delay)
