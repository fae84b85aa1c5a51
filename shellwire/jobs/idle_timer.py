"""Ending a session that nobody uses, after a word of warning."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WARNING = 30.0
"""Seconds between the warning and the end; half of the whole time where that is shorter."""


class IdleTimer:
    """Calls ``warn(left)`` some seconds before, and ``end()`` after, ``seconds`` without activity.

    ``last()`` is when there was some, by the event loop's clock.
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
        self._timer = self._loop.call_later(seconds - self._warning, self._look)

    def close(self) -> None:
        """Stop looking."""
        self._timer.cancel()

    def _look(self) -> None:
        last = self._last()
        left = last + self._seconds - self._loop.time()
        if left <= 0:
            self._end()
            return
        if left > self._warning:
            left -= self._warning
        elif self._warned != last:
            # Once for each time that it falls idle, however often we look.
            self._warned = last
            self._warn(left)
        self._timer = self._loop.call_later(left, self._look)
