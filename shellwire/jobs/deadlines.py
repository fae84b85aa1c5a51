"""The timeouts of all running jobs, by one timer of the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shellwire.jobs.best_effort import best_effort

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Deadlines:
    """Calls back when the time of a key is over; for the event loop's thread only.

    Almost every command ends before its timeout, and asyncio keeps each cancelled timer in its heap
    for a while. Here a cancelled timeout costs one dict entry: the timer stays, and is set anew
    when it is due.
    """

    def __init__(self) -> None:
        self._due: dict[Hashable, tuple[float, Callable[[], None]]] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def set(self, key: Hashable, seconds: float, callback: Callable[[], None]) -> None:
        """Call ``callback()`` once, in ``seconds``; this replaces what was set for ``key``."""
        due = self._loop.time() + seconds
        self._due[key] = due, callback
        if self._timer is None or due < self._timer.when():
            self._wait(due)

    def cancel(self, key: Hashable) -> None:
        """Don't call back for ``key``."""
        self._due.pop(key, None)

    def close(self) -> None:
        """Cancel everything."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self._loop.time()
        for key in [key for key, (due, _) in self._due.items() if due <= now]:
            # A callback before this one may have cancelled it.
            _, callback = self._due.pop(key, (now, None))
            if callback is not None:
                best_effort("a job can't be ended at its timeout", callback)
        if self._due:
            self._wait(min(due for due, _ in self._due.values()))
