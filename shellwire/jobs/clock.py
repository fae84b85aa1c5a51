"""The times of one job: when it started, exited, was used and ended."""

from __future__ import annotations

import time


class JobClock:
    """Records the times of a job. Durations are measured by the monotonic clock."""

    __slots__ = ("_begun", "_duration", "ended_at", "started_at", "used_at")

    def __init__(self) -> None:
        self.started_at: float | None = None
        """Seconds since the epoch."""
        self.ended_at: float | None = None
        """Seconds since the epoch."""
        self.used_at = time.monotonic()
        """When the job started or last got input, by the monotonic clock."""
        self._begun = self.used_at
        self._duration: float | None = None

    def start(self) -> None:
        """Record that the job starts now."""
        self.started_at = time.time()
        self.used_at = self._begun = time.monotonic()

    def exit(self) -> None:
        """Record that the leader exits or reports now; later calls change nothing."""
        if self._duration is None:
            self._duration = time.monotonic() - self._begun

    def end(self) -> float:
        """Record that the outcome is known now. Returns the duration in seconds."""
        self.exit()
        self.ended_at = time.time()
        return self.duration

    def use(self) -> None:
        """Record input."""
        self.used_at = time.monotonic()

    @property
    def duration(self) -> float:
        """Seconds from the start until the leader's exit or report, until now; 0 while queued."""
        if self.started_at is None and self._duration is None:
            return 0.0
        return time.monotonic() - self._begun if self._duration is None else self._duration
