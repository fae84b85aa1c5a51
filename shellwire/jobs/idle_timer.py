"""End an unused session after a time, with a warning before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WARNING = 30.0
"""Seconds between the warning and the end; at most half of the idle timeout."""


class IdleTimer:
    """Calls ``end()`` after ``seconds`` without activity, and ``warn(left)`` some seconds before.

    ``last()`` returns the time of the last activity, by the event loop's clock.
    """

    def __init__(
        self,
        seconds: float,
        last: Callable[[], float],
        warn: Callable[[float], None],
        end: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._warning = min(WARNING, seconds / 2)
        self._last = last
        self._warn = warn
        self._end = end
        self._warned: float | None = None
        self._timer = self._loop.call_later(seconds - self._warning, self._check)

    def close(self) -> None:
        """Cancel the timer."""
        self._timer.cancel()

    def _check(self) -> None:
        last = self._last()
        left = last + self._seconds - self._loop.time()
        if left <= 0:
            self._end()
            return
        if left > self._warning:
            left -= self._warning
        elif self._warned != last:
            # Once per idle period, however often the timer fires.
            self._warned = last
            self._warn(left)
        self._timer = self._loop.call_later(left, self._check)
