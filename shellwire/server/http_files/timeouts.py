"""How long is waited for a client's next bytes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STALLED_SECONDS = 60.0
"""Seconds that a client may take before it takes, or sends, another byte."""

# What a dead connection has left in the kernel is there at once; and a living one is not to keep
# its successor waiting for long.
_HURRIED_SECONDS = 0.25
_AT_MOST_SECONDS = 5.0


class Patience:
    """Waits for as long as a client may take; for what has come already only, once hurried."""

    def __init__(self) -> None:
        self._seconds = STALLED_SECONDS
        self._deadline = float("inf")
        self._waiting: asyncio.Timeout | None = None

    @contextlib.asynccontextmanager
    async def wait(self) -> AsyncIterator[None]:
        """Wait in the block. Raises TimeoutError when it has been long enough."""
        loop = asyncio.get_running_loop()
        when = min(loop.time() + self._seconds, self._deadline)
        async with asyncio.timeout_at(when) as self._waiting:
            yield
        self._waiting = None

    def skip_grace(self) -> None:
        """Another waits for this one to end."""
        if self._seconds == _HURRIED_SECONDS:
            return
        now = asyncio.get_running_loop().time()
        self._seconds = _HURRIED_SECONDS
        self._deadline = now + _AT_MOST_SECONDS
        if self._waiting is not None:
            with contextlib.suppress(RuntimeError):  # it is over already
                self._waiting.reschedule(now + _HURRIED_SECONDS)
