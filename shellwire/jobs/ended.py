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
    """The limits within which ended jobs are retained; number and bytes are for each principal."""

    seconds: float = 86_400.0
    jobs: int = 64
    total_bytes: int = 16 * 1024 * 1024


class EndedJobs:
    """The retained jobs. Calls ``forget(job)`` for each beyond the limits, the oldest first.

    Each principal has limits of its own, so nobody's jobs push out another's.
    """

    def __init__(self, retention: Retention, forget: Callable[[Job], None]) -> None:
        self._retention = retention
        self._forget = forget
        self._jobs: OrderedDict[Job, tuple[float, int]] = OrderedDict()
        # By principal: how many jobs are retained, and their bytes.
        self._numbers: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, job: Job) -> bool:
        return job in self._jobs

    def add(self, job: Job) -> None:
        """Retain a job whose output is complete."""
        principal = job.key.principal
        size = job.readers.kept_bytes
        self._jobs[job] = (time.monotonic() + self._retention.seconds, size)
        self._count(principal, 1, size)
        while self._numbers[principal] > self._retention.jobs or (
            self._bytes[principal] > self._retention.total_bytes and self._numbers[principal] > 1
        ):
            self._drop(next(each for each in self._jobs if each.key.principal == principal))
        self._schedule()

    def discard(self, job: Job) -> None:
        """Remove a job without calling ``forget``."""
        if job in self._jobs:
            _, size = self._jobs.pop(job)
            self._count(job.key.principal, -1, -size)

    def _count(self, principal: str, number: int, size: int) -> None:
        self._numbers[principal] = self._numbers.get(principal, 0) + number
        self._bytes[principal] = self._bytes.get(principal, 0) + size

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
