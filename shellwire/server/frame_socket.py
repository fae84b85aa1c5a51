"""Our end of a WebSocket, as the fair writer uses it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import web

    from shellwire.server.http_connection import HttpConnection

log = logging.getLogger(__name__)


class FrameSocket:
    """Takes frames while it has room.

    ``has_closed()``: whether our close frame was sent. ``client_id()`` names the client in the log.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse[bool],
        transport: asyncio.Transport,
        http_connection: HttpConnection,
        has_closed: Callable[[], bool],
        client_id: Callable[[], str],
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._http_connection = http_connection
        self._has_closed = has_closed
        self._client_id = client_id

    @property
    def has_room(self) -> bool:
        """Whether the kernel has taken all that was written, or the connection is lost."""
        return not self._http_connection.writing_paused or self._transport.is_closing()

    @property
    def window_bits(self) -> int:
        """The window agreed on for permessage-deflate, 0 without."""
        return int(self._ws.compress)

    def write(self, frame: bytes) -> None:
        """Write a frame. Raises ConnectionError if nothing more can be written."""
        if self._has_closed() or self._ws.closed or self._transport.is_closing():
            # Nothing may follow a close frame, which may itself still wait for room.
            raise ConnectionResetError
        self._transport.write(frame)

    def failed(self, error: Exception) -> None:
        """Record that nothing more will be written, because of ``error``."""
        # After a ConnectionError the reader ends the connection.
        if not isinstance(error, ConnectionError):
            log.error("the writer of client %s failed", self._client_id(), exc_info=error)
            self._transport.abort()
