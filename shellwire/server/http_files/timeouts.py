"""Timeouts for a client that stalls."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STALLED_SECONDS = 60.0
"""Seconds that a client may stall: take no byte, or send none."""

# Data of a dead connection is in the kernel already, and a live connection must not delay its
# successor for long.
_SHORTENED_SECONDS = 0.25
_MAX_REMAINING_SECONDS = 5.0


class StallTimeout:
    """Limits the waits for a stalled client; ``shorten`` leaves time only for received data."""

    def __init__(self) -> None:
        self._seconds = STALLED_SECONDS
        self._deadline = float("inf")
        self._waiting: asyncio.Timeout | None = None

    @contextlib.asynccontextmanager
    async def wait(self) -> AsyncIterator[None]:
        """Limit the time of the block. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        when = min(loop.time() + self._seconds, self._deadline)
        async with asyncio.timeout_at(when) as self._waiting:
            yield
        self._waiting = None

    def shorten(self) -> None:
        """Shorten the limit: another request waits for this one to end."""
        if self._seconds == _SHORTENED_SECONDS:
            return
        now = asyncio.get_running_loop().time()
        self._seconds = _SHORTENED_SECONDS
        self._deadline = now + _MAX_REMAINING_SECONDS
        if self._waiting is not None:
            with contextlib.suppress(RuntimeError):  # the timeout has ended already
                self._waiting.reschedule(now + _SHORTENED_SECONDS)
