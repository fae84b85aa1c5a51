"""Jobs whose client has gone: they end with it, or after a while, or when somebody ends them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shellwire.jobs.job import Job


_ENDING = 1.0
"""Seconds after which a job that is being ended is looked at again."""

_APART = 0.05
"""Seconds between two looks at least: a client may ask for a detach time near 0."""


class DisconnectPolicy:
    """Knows which clients are connected, and calls ``end(job)`` for what is not to outlive that.

    A running job is abandoned while its client is not connected and nobody reads it. It is ended
    when its detach time has passed since it was used last: by input, output, a viewer or a
    question. That time is the job's own, or else ``ttl`` seconds; 0 is never. One that is to be
    killed on disconnect ends at once, with all that it left.
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
                job.readers.touch()
                if job.request.kill_on_disconnect:
                    self._end(job)
        self._look()

    def is_present(self, client_id: str) -> bool:
        """Whether this client is connected."""
        return client_id in self._present

    def close(self) -> None:
        """End nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _left_of(self, job: Job, now: float) -> float | None:
        """Return how many seconds an abandoned job still has; None if it is not one, or for ever.

        One that waits for a slot is not running: its time begins with it.
        """
        ttl = self._ttl if job.request.detach_ttl is None else job.request.detach_ttl
        if not ttl or job.outcome is not None or job.key.client_id in self._present:
            return None
        is_used = job.state == "queued" or job.readers.is_read
        return ttl if is_used else job.used_at() + ttl - now

    def _look(self) -> None:
        """End what has no time left, and look again when the next one may have none."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        times = []
        for job in list(self._jobs()):
            left = self._left_of(job, now)
            if left is not None and left <= 0:
                self._end(job)
                left = _ENDING
            if left is not None:
                times.append(left)
        if times:
            self._timer = asyncio.get_running_loop().call_later(max(min(times), _APART), self._look)
