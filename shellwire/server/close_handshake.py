"""The WebSocket close handshake (RFC 6455, 7.1.1), with time limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import WSMsgType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from aiohttp import web

    from shellwire.server.frame_check import FrameCheck

CLOSE_SECONDS = 2.0
"""Seconds to send pending messages and the close frame; then as many for the peer's close frame."""

UNAUTHENTICATED_CLOSE_SECONDS = 0.5
"""Seconds to wait for an unauthenticated peer's close frame; it still counts in their limit."""

_MAX_REASON = 123  # a control frame's 125 bytes, less the code (RFC 6455, 5.5)


class CloseHandshake:
    """Closes one WebSocket: flush, send the close frame, await the peer's, cut the connection.

    ``flush`` returns when all pending messages are sent. ``awaiting`` is entered while the peer's
    close frame is awaited.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse[bool],
        transport: asyncio.Transport,
        frame_check: FrameCheck,
        flush: Callable[[], Awaitable[None]],
        awaiting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.task: asyncio.Task[None] | None = None
        """The handshake, once it has begun."""
        self.sent = False
        """Whether the close frame was sent: no frame may follow it."""
        self._ws = ws
        self._transport = transport
        self._frame_check = frame_check
        self._flush = flush
        self._awaiting = awaiting

    def begin(self, code: int, reason: str, *, reply_seconds: float) -> asyncio.Task[None]:
        """Begin the handshake, if it has not begun."""
        if self.task is None:
            self.task = asyncio.create_task(self._close(code, reason, reply_seconds))
        return self.task

    async def _close(self, code: int, reason: str, reply_seconds: float) -> None:
        text = reason.encode(errors="replace")[:_MAX_REASON].decode(errors="ignore").encode()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._flush()
                await self._send_close(code.to_bytes(2, "big") + text)
            # The side that closes first waits for the other's close frame: a client that is cut
            # before it has read ours does not learn the code (RFC 6455, 7.1.1).
            with self._awaiting():
                async with asyncio.timeout(reply_seconds):
                    await self._frame_check.peer_closed.wait()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._transport.abort()

    async def _send_close(self, payload: bytes) -> None:
        if self._ws.closed:
            return
        self.sent = True
        self._frame_check.drain()
        await self._ws.send_frame(payload, WSMsgType.CLOSE)
