"""Cut WebSockets that aiohttp has closed but can't end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shellwire.server.close_handshake import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable


class Watchdog:
    """Calls ``abort()`` some seconds after ``is_closed()`` has become true.

    If the socket is full when the peer is silent, breaks the protocol or sends a close frame,
    aiohttp waits for room without a limit, and ``receive()`` waits with it. ``interval`` is the
    time between two checks, in seconds.
    """

    def __init__(
        self, is_closed: Callable[[], bool], abort: Callable[[], None], interval: float
    ) -> None:
        self._is_closed = is_closed
        self._abort = abort
        self._interval = interval
        self._watch()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        if self._is_closed():
            self._timer = loop.call_later(CLOSE_SECONDS, self._abort)
        else:
            self._timer = loop.call_later(self._interval, self._watch)

    def cancel(self) -> None:
        """Stop watching."""
        self._timer.cancel()
