"""Ping a client that is silent, and cut its connection if it stays silent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shellwire.server.close_handshake import CLOSE_SECONDS
from shellwire.server.frame_head import FINAL, PING, encode_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

_PING_FRAME = encode_head(FINAL | PING, 0)


class Heartbeat:
    """One timer for one WebSocket.

    After ``interval`` seconds without a byte from the client it sends a ping; after as many more it
    cuts the connection. It never cuts one without a ping: the daemon itself may have been stopped.
    ``received_at()`` returns when the last byte arrived, by the event loop's clock. aiohttp's own
    heartbeat sets timers anew after each message.

    It also cuts a connection that aiohttp has closed but can't end: if the socket is full when the
    peer breaks the protocol or sends a close frame, aiohttp waits for room without a limit.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse[bool],
        transport: asyncio.Transport,
        interval: float,
        received_at: Callable[[], float],
        is_closing: Callable[[], bool],
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._interval = interval
        self._received_at = received_at
        self._is_closing = is_closing
        self._pinged_after = -1.0  # when the last byte before the last ping arrived
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(interval, self._check)

    def stop(self) -> None:
        """Cancel the timer."""
        self._timer.cancel()

    def _check(self) -> None:
        if self._ws.closed:
            self._timer = self._loop.call_later(CLOSE_SECONDS, self._transport.abort)
            return
        last, now, interval = self._received_at(), self._loop.time(), self._interval
        due = last + interval
        if due <= now:
            if self._pinged_after == last:
                self._transport.abort()
                return
            self._pinged_after, due = last, now + interval
            # Nothing may follow our close frame.
            if not (self._is_closing() or self._transport.is_closing()):
                self._transport.write(_PING_FRAME)
        self._timer = self._loop.call_at(due, self._check)
