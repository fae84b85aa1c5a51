"""The timers that end a running job: its timeout, and the idle timer of a session."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from shellwire.jobs.idle_timer import IdleTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.deadlines import Deadlines
    from shellwire.jobs.model import Reason, Request
    from shellwire.jobs.readers import Readers


class JobTimers:
    """Calls ``end(reason)`` when a job runs or idles too long. ``deadlines`` holds its timeout.

    ``idle`` is the daemon's idle timeout in seconds, None for the request's default; 0 is never.
    ``used_at()`` returns when the job was last used, by time.monotonic().
    """

    __slots__ = ("_deadlines", "_idle", "_readers", "_used_at")

    def __init__(
        self,
        request: Request,
        deadlines: Deadlines,
        idle: float | None,
        readers: Readers,
        used_at: Callable[[], float],
        end: Callable[[Reason], None],
    ) -> None:
        self._readers = readers
        self._used_at = used_at
        self._deadlines = deadlines
        self._idle: IdleTimer | None = None
        if request.timeout > 0:
            deadlines.set(self, request.timeout, partial(end, "timed_out"))
        seconds = request.idle_default if idle is None else idle
        if request.kind == "session" and seconds > 0:
            self._idle = IdleTimer(seconds, self._active_at, self._warn, lambda: end("idle"))

    def stop(self) -> None:
        """Cancel both timers."""
        self._deadlines.cancel(self)
        if self._idle is not None:
            self._idle.close()

    def _active_at(self) -> float:
        # A user who only watches a session is using it.
        return time.monotonic() if self._readers.is_read else self._used_at()

    def _warn(self, left: float) -> None:
        ends = f"it ends in {left:.3g} s unless somebody attaches to it"
        self._readers.notify("IDLE_SOON", f"nobody uses this session; {ends}")
