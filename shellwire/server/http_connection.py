"""One HTTP connection, with limits for a peer that has not authenticated.

Answers and log lines never quote what such a peer sent, and the log gets at most one short line a
second of each kind. aiohttp's own reports quote the request, including a token in it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from aiohttp import web

from shellwire.server.frame_check import FrameCheck
from shellwire.server.rate_limited_log import RateLimitedLog, raised_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.http import WebSocketReader
    from aiohttp.streams import StreamReader

    from shellwire.server.unauthenticated import UnauthenticatedLimit

log = logging.getLogger(__name__)
peer_log = RateLimitedLog(log)
"""For lines that an unauthenticated peer can cause."""

HANDSHAKE_SECONDS = 10.0
"""Seconds that a client has to send a request, and between two requests."""

MAX_KEPT = 8
"""Connections of a principal other than the owner that stay open after a request under /files."""

UNAUTHENTICATED_SECONDS = 25.0
"""Seconds that an unauthenticated connection may last: handshake, ``auth``, and the close."""

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of request heads that may await an answer, from an unauthenticated peer."""

READ_SIZE = 64 * 1024
"""Bytes that are read from the socket at a time."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)

# A path may have 4,095 bytes, each percent-encoded; method, query and version add to it.
_MAX_LINE = 16 * 1024

_MAX_FIELDS = 64


class HttpConnection(web.RequestHandler):
    """Serves one TCP or Unix connection; until ``admitted`` it counts in ``unauthenticated``."""

    __slots__ = (
        "_content",
        "_deadline",
        "_head_bytes",
        "_is_admitted",
        "_kept",
        "_made",
        "_read_size",
        "_unauthenticated",
        "compressed",
        "frame_check",
        "on_writable",
        "received_at",
    )

    def __init__(self, server: web.Server, unauthenticated: UnauthenticatedLimit) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as aiohttp itself passes it
            keepalive_timeout=HANDSHAKE_SECONDS,
            # The reader of a body decodes it, in a thread and with a limit.
            auto_decompress=False,
            max_line_size=_MAX_LINE,
            max_headers=_MAX_FIELDS,
        )
        self.compressed: Callable[[], bool] = lambda: False
        """Returns whether permessage-deflate was agreed on; valid after the handshake."""
        self.frame_check: FrameCheck | None = None
        """Checks the client's frames, once this is a WebSocket."""
        self.received_at = self._loop.time()
        """When the last bytes arrived, by the event loop's clock."""
        self.on_writable: Callable[[], None] | None = None
        """Called when the transport has room again, or is lost; once this is a WebSocket."""
        self._unauthenticated = unauthenticated
        self._is_admitted = False
        self._kept: set[object] = set()
        self._head_bytes = 0
        self._content: StreamReader | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # Lifetime ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the limits of a new connection."""
        self._unauthenticated.add(self)
        self._made = self._loop.time()
        self._deadline = self._loop.call_later(UNAUTHENTICATED_SECONDS, self.abort)
        # asyncio allocates a buffer of this size per read. Its default of 256 KiB is a memory
        # mapping each time, which costs more than most messages.
        self._read_size = getattr(transport, "max_size", READ_SIZE)
        transport.max_size = READ_SIZE  # type: ignore[attr-defined]
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the limits of a closed connection."""
        self._end_limits()
        self._kept.discard(self)
        super().connection_lost(exc)
        if self.on_writable is not None:
            self.on_writable()

    def admitted(self, principal: str | None = None) -> None:
        """Lift the limits for unauthenticated peers: the credential was accepted.

        With ``principal``, the connection counts toward that principal's MAX_KEPT.
        """
        self._is_admitted = True
        self._kept.discard(self)
        self._kept = set() if principal is None else self._unauthenticated.kept[principal]
        self._kept.add(self)
        self._end_limits()
        if self.frame_check is not None:
            self.frame_check.admit()
            # FrameCheck may have paused reading; aiohttp's reader may have paused it, too.
            if self.transport is not None and not self._reading_paused:
                self.transport.resume_reading()
        elif self.transport is not None:
            self.transport.max_size = self._read_size  # type: ignore[attr-defined]

    @property
    def must_close(self) -> bool:
        """Whether this answer is the last one.

        The time to authenticate is over, or its principal keeps too many connections open.
        """
        if self._is_admitted:
            return len(self._kept) > MAX_KEPT
        return self._loop.time() - self._made >= HANDSHAKE_SECONDS

    def _end_limits(self) -> None:
        self._unauthenticated.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()

    def abort(self) -> None:
        """Cut the connection."""
        if self.transport is not None:
            self.transport.abort()

    async def start(self) -> None:
        """Answer requests, one after the other."""
        try:
            await super().start()
        except Exception as error:
            self.log_exception(exc_info=error)
            self.force_close()

    # Reading -------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take received bytes."""
        self.received_at = self._loop.time()
        try:
            super().data_received(data)
        except Exception as error:
            # asyncio would log the exception with its text, which may quote the peer.
            peer_log.write(
                logging.WARNING,
                raised_at(error),
                f"cut a connection: {raised_at(error)}",
            )
            self.force_close()
            return
        if not self._is_admitted and self.frame_check is None:
            self._count_head(len(data))

    def resume_writing(self) -> None:
        """Go on writing: the transport has room again."""
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def _count_head(self, size: int) -> None:
        if self._messages:
            self._content = self._messages[-1][1]
        if self._content is not None and not self._content.is_eof():
            return  # a body: its reader limits it
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            peer_log.write(
                logging.WARNING, "head", f"the head of a request has over {MAX_HEAD_BYTES} bytes"
            )
            if self.transport is not None and not self._request_in_progress:
                self.transport.write(_TOO_LARGE)
            self.force_close()

    def begin_request(self) -> None:
        """Reset the count of head bytes if no further request is waiting."""
        if not self._messages:
            self._head_bytes = 0

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """Become a WebSocket: ``parser`` gets the frames that pass FrameCheck."""
        self.frame_check = FrameCheck(parser, compressed=self.compressed(), pause=self._pause)
        super().set_parser(cast("WebSocketReader", self.frame_check), data_received_cb)

    def _pause(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    # aiohttp's error reports ---------------------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that aiohttp could not parse, without quoting it."""
        kind = type(exc).__name__ if exc is not None else f"{status}"
        if status == 400:
            text = "this is no valid HTTP request"
            line = f"refused a malformed request of {request.remote}: {kind}"
        else:
            text = "something went wrong; see the daemon's log"
            line = f"a request failed: {raised_at(exc) if exc is not None else status}"
        peer_log.write(logging.WARNING, kind, line)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        response = web.Response(status=status, text=f"{text}\n")
        response.force_close()
        return response

    def log_exception(self, *args: object, exc_info: object = None, **_: object) -> None:
        """Log one line in place of aiohttp's traceback."""
        kind = raised_at(exc_info) if isinstance(exc_info, BaseException) else "aiohttp"
        peer_log.write(logging.ERROR, kind, f"a connection failed: {kind}")


def http_connection_of(request: web.BaseRequest) -> HttpConnection:
    """Return the connection of a request."""
    return cast("HttpConnection", request.protocol)
