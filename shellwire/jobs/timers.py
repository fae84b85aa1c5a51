"""The timers that end a running job: its timeout, and the idle timer of a session."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from shellwire.jobs.idle_timer import IdleTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import Reason, Request
    from shellwire.jobs.readers import Readers


class JobTimers:
    """Calls ``end(reason)`` when a job runs or idles too long.

    ``used_at()`` returns when the job was last used, by time.monotonic().
    """

    __slots__ = ("_deadlines", "_idle", "_readers", "_used_at")

    def __init__(
        self,
        request: Request,
        engine: Engine,
        readers: Readers,
        used_at: Callable[[], float],
        end: Callable[[Reason], None],
    ) -> None:
        self._readers = readers
        self._used_at = used_at
        self._deadlines = engine.deadlines
        self._idle: IdleTimer | None = None
        if request.timeout > 0:
            engine.deadlines.set(self, request.timeout, partial(end, "timed_out"))
        seconds = request.idle_default if engine.idle_timeout is None else engine.idle_timeout
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
