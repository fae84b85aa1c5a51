"""A timer for the moment at which a credential expires."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RECHECK_SECONDS = 60.0


class ExpiryTimer:
    """Calls ``expired()`` once, at ``expires_at`` (epoch seconds); None: never.

    The loop's clock differs from the system's when that is set or the machine sleeps, so the time
    is checked at least once a minute.
    """

    def __init__(self, expires_at: float | None, expired: Callable[[], None]) -> None:
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None
        if expires_at is not None:
            self._check(expires_at)

    def _check(self, expires_at: float) -> None:
        left = expires_at - time.time()
        if left <= 0:
            self._timer = None
            self._expired()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(left, _RECHECK_SECONDS), self._check, expires_at)

    def cancel(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
