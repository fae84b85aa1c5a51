"""Retention of ended jobs, limited by time, number and bytes."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.job import Job


@dataclass(frozen=True, slots=True)
class Retention:
    """The limits within which ended jobs are retained."""

    seconds: float = 86_400.0
    jobs: int = 64
    total_bytes: int = 16 * 1024 * 1024


class EndedJobs:
    """The retained jobs. Calls ``forget(job)`` for each beyond the limits, the oldest first."""

    def __init__(self, retention: Retention, forget: Callable[[Job], None]) -> None:
        self._retention = retention
        self._forget = forget
        self._jobs: OrderedDict[Job, tuple[float, int]] = OrderedDict()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, job: Job) -> bool:
        return job in self._jobs

    def add(self, job: Job) -> None:
        """Retain a job whose output is complete."""
        size = job.readers.kept_bytes
        self._jobs[job] = (time.monotonic() + self._retention.seconds, size)
        self._bytes += size
        while len(self._jobs) > self._retention.jobs or (
            self._bytes > self._retention.total_bytes and len(self._jobs) > 1
        ):
            self._drop(next(iter(self._jobs)))
        self._schedule()

    def discard(self, job: Job) -> None:
        """Remove a job without calling ``forget``."""
        _, size = self._jobs.pop(job, (0.0, 0))
        self._bytes -= size

    def close(self) -> None:
        """Stop forgetting jobs."""
        if self._timer is not None:
            self._timer.cancel()

    def _drop(self, job: Job) -> None:
        self.discard(job)
        self._forget(job)

    def _schedule(self) -> None:
        if self._timer is None and self._jobs:
            due, _ = next(iter(self._jobs.values()))
            delay = max(0.0, due - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = time.monotonic()
        for job, (due, _) in list(self._jobs.items()):
            if due <= now:
                self._drop(job)
        self._schedule()
