"""One connection as aiohttp serves it, with the limits for a peer without an accepted credential.

Whatever such a peer sends is answered without being quoted, and costs the log one short line a
second of each kind. aiohttp's own reports quote what came, a token in it too.
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

    from shellwire.server.unauthenticated import Places

log = logging.getLogger(__name__)
brief = RateLimitedLog(log)

HANDSHAKE_SECONDS = 10.0
"""Seconds that a client has for a whole request, and between two of them."""

STRANGER_SECONDS = 25.0
"""Seconds that a connection may last without a credential: handshake, ``auth``, and the close."""

MAX_HEAD = 64 * 1024
"""Bytes of heads of requests that may wait to be answered, of a peer without a credential."""

READ_SIZE = 64 * 1024
"""Bytes that are read from a socket at once."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)

# A path may have 4,095 bytes, each of which may be percent-encoded; and something stands around it.
_LONGEST_LINE = 16 * 1024

_MOST_FIELDS = 64


class Peer(web.RequestHandler):
    """Serves one connection. Until ``admitted`` it holds one of ``places``, not for long."""

    __slots__ = (
        "_content",
        "_deadline",
        "_head_bytes",
        "_is_admitted",
        "_made",
        "_places",
        "_read_size",
        "compressed",
        "frames",
    )

    def __init__(self, server: web.Server, places: Places) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as aiohttp itself passes it
            keepalive_timeout=HANDSHAKE_SECONDS,
            # Whoever reads a content decodes it, in a thread and with a bound.
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_headers=_MOST_FIELDS,
        )
        self.compressed: Callable[[], bool] = lambda: False
        """Tells, once the handshake is answered, whether permessage-deflate was agreed on."""
        self.frames: FrameCheck | None = None
        """What checks its frames, once it is a WebSocket."""
        self._places = places
        self._is_admitted = False
        self._head_bytes = 0
        self._content: StreamReader | None = None
        self._deadline: asyncio.TimerHandle | None = None

    # Coming and going ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a new connection."""
        self._places.enter(self)
        self._made = self._loop.time()
        self._deadline = self._loop.call_later(STRANGER_SECONDS, self.abort)
        # asyncio reads with a buffer of this size: at its 256 KiB each is a mapping of its own,
        # which costs more than what most messages do.
        self._read_size = getattr(transport, "max_size", READ_SIZE)
        transport.max_size = READ_SIZE  # type: ignore[attr-defined]
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Take note that the connection has gone."""
        self._leave_place()
        super().connection_lost(exc)

    def admitted(self) -> None:
        """Its credential was accepted: the limits for strangers hold no more."""
        self._is_admitted = True
        self._leave_place()
        if self.frames is not None:
            self.frames.admit()
            # FrameCheck may have stopped the reading; aiohttp's reader has its own reasons to.
            if self.transport is not None and not self._reading_paused:
                self.transport.resume_reading()
        elif self.transport is not None:
            self.transport.max_size = self._read_size  # type: ignore[attr-defined]

    @property
    def lingers(self) -> bool:
        """Whether it has had time enough to show a credential: this answer is the last one."""
        return not self._is_admitted and self._loop.time() - self._made >= HANDSHAKE_SECONDS

    def _leave_place(self) -> None:
        self._places.leave(self)
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
        """Take what has come."""
        try:
            super().data_received(data)
        except Exception as error:
            # asyncio would log it with all that it quotes.
            brief.write(
                logging.WARNING,
                raised_at(error),
                f"cut a connection: {raised_at(error)}",
            )
            self.force_close()
            return
        if not self._is_admitted and self.frames is None:
            self._count_head(len(data))

    def _count_head(self, size: int) -> None:
        if self._messages:
            self._content = self._messages[-1][1]
        if self._content is not None and not self._content.is_eof():
            return  # a content: whoever reads it bounds it
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD:
            brief.write(logging.WARNING, "head", f"the head of a request has over {MAX_HEAD} bytes")
            if self.transport is not None and not self._request_in_progress:
                self.transport.write(_TOO_LARGE)
            self.force_close()

    def begin_request(self) -> None:
        """Take note that a request is being answered."""
        if not self._messages:
            self._head_bytes = 0

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """Become a WebSocket: ``parser`` gets what FrameCheck lets pass."""
        self.frames = FrameCheck(parser, compressed=self.compressed(), pause=self._pause)
        super().set_parser(cast("WebSocketReader", self.frames), data_received_cb)

    def _pause(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    # Reports of aiohttp's ------------------------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp could not read as a request, and don't quote it."""
        kind = type(exc).__name__ if exc is not None else f"{status}"
        if status == 400:
            text = "this is no valid HTTP request"
            told = f"refused a malformed request of {request.remote}: {kind}"
        else:
            text = "something went wrong; see the daemon's log"
            told = f"a request failed: {raised_at(exc) if exc is not None else status}"
        brief.write(logging.WARNING, kind, told)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        response = web.Response(status=status, text=f"{text}\n")
        response.force_close()
        return response

    def log_exception(self, *args: object, exc_info: object = None, **_: object) -> None:
        """Report what aiohttp would report with a traceback."""
        kind = raised_at(exc_info) if isinstance(exc_info, BaseException) else "aiohttp"
        brief.write(logging.ERROR, kind, f"a connection failed: {kind}")


def peer_of(request: web.BaseRequest) -> Peer:
    """Return the connection that a request came by."""
    return cast("Peer", request.protocol)
