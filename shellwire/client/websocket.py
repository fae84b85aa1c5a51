"""A client's WebSocket over an asyncio transport. The library websockets makes and reads frames.

Memory is bounded in both directions: reading stops while messages wait for the application, and
sending waits while the peer does not read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN

from shellwire import __version__
from shellwire.client.http_head import Head, InvalidHead
from shellwire.client.websocket_protocol import (
    HandshakeRefused,
    SocketClosed,
    client_protocol,
    end_of,
)
from shellwire.errors import InvalidAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.uri import WebSocketURI

CLOSE_SECONDS = 2.0
"""Seconds that the peer may take to answer our close frame, or to take our last bytes."""

MAX_UNREAD = 1024 * 1024
"""Bytes of received messages that may wait for the application before reading stops."""

# zlib inflates by at most 1032:1, so this many bytes become at most 33 MiB of messages.
_PIECE = 32 * 1024
_OVERHEAD = 100  # bytes of memory that an empty message takes, about
_RESUME = MAX_UNREAD // 2


class WebSocket(asyncio.Protocol):
    """One connection, from the handshake to the close. One task receives, any task sends."""

    def __init__(self, uri: WebSocketURI, ping_interval: float) -> None:
        """``ping_interval``: seconds without a byte after which the peer is pinged.

        If nothing arrives in half that time after the ping, the connection is aborted.
        """
        self._loop = loop = asyncio.get_running_loop()
        self._protocol = client_protocol(uri)
        self._ping_interval = ping_interval
        self._transport: asyncio.Transport | None = None
        self._head: Head | None = Head()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._lost: asyncio.Future[None] = loop.create_future()
        self._end: Exception | None = None
        """What ``receive`` raises after the last message."""
        self._unfed = memoryview(b"")
        self._messages: deque[bytes | bytearray] = deque()
        self._unread = 0
        self._fragments: bytearray | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._pong = b""
        self._heard = loop.time()
        self._pinged = False
        self._timer: asyncio.TimerHandle | None = None

    # For the application -------------------------------------------------------------------------

    async def open(self) -> None:
        """Wait for the end of the handshake.

        Raises HandshakeRefused, SocketClosed, or InvalidHead for something else than HTTP.
        """
        await asyncio.shield(self._opened)

    async def receive(self) -> bytes | bytearray:
        """Return the next text message. Raises InvalidAnswer for anything else, and SocketClosed.

        It is UTF-8 only if the peer is honest.
        """
        while not self._messages:
            if self._end is not None:
                raise self._end
            self._arrived = self._loop.create_future()
            try:
                await self._arrived
            finally:
                self._arrived = None
        message = self._messages.popleft()
        self._unread -= len(message) + _OVERHEAD
        if self._unread < _RESUME:
            self._read_on()
        return message

    async def send(self, message: bytes) -> None:
        """Send a text message; return when the socket has room again. Raises SocketClosed."""
        if self._end is not None or self._protocol.state is not OPEN:
            raise SocketClosed
        self._protocol.send_text(message)
        self._flush()
        await self._writable.wait()
        if self._lost.done():
            raise SocketClosed

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE) -> None:
        """Close the connection, with a close frame unless one has been sent.

        Waits for the peer's close frame: to close a socket with unread bytes resets the connection,
        and the peer would lose what it has not read yet (RFC 1122, 4.2.2.13).
        """
        if self._transport is None:
            return
        if self._protocol.state is OPEN and not self._transport.is_closing():
            self._protocol.send_close(code)
            self._flush()
            self._finish(SocketClosed(code))
            self._messages.clear()
            self._unread = 0
            self._read_on()  # to the peer's close frame
        try:
            await asyncio.wait([self._lost], timeout=CLOSE_SECONDS)
        finally:
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # Called by asyncio ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        request = self._protocol.connect()
        request.headers["User-Agent"] = f"shellwire/{__version__}"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._pinged = False
        if self._head is not None:
            self._read_head(self._head, data)
            return
        self._unfed = memoryview(bytes(self._unfed) + data if self._unfed else data)
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._finish(SocketClosed())
        self._lost.set_result(None)
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        pong, self._pong = self._pong, b""
        assert self._transport is not None
        if pong and self._end is None:
            self._transport.write(pong)
        self._writable.set()

    # Handshake -----------------------------------------------------------------------------------

    def _read_head(self, head: Head, data: bytes) -> None:
        try:
            if not head.feed(data):
                return
        except InvalidHead as error:
            self._finish(error)
            return
        self._head = None
        if head.status == 101:
            self._protocol.receive_data(head.received[: head.length])
            self._protocol.events_received()
        if self._protocol.state is not OPEN:
            self._finish(HandshakeRefused(head))
            return
        self._opened.set_result(None)
        self._restart_timer(self._ping_interval, self._check_silence)
        self._unfed = memoryview(head.received)[head.length :]
        self._read_on()

    # Reading -------------------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Turn received bytes into messages until enough of these wait; read only meanwhile."""
        assert self._transport is not None
        while self._unfed and self._unread < MAX_UNREAD and not self._transport.is_closing():
            piece, self._unfed = self._unfed[:_PIECE], self._unfed[_PIECE:]
            self._protocol.receive_data(bytes(piece))
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            self._answer()
            if self._protocol.state is not OPEN:
                self._check_end()
        if self._transport.is_closing():
            return
        if self._unfed:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take(self, frame: Frame) -> None:
        data = frame.data
        assert not isinstance(data, memoryview)  # only that of frames to send may be one
        if frame.opcode is Opcode.TEXT and frame.fin:
            self._deliver(data)
        elif frame.opcode is Opcode.TEXT:
            self._fragments = bytearray(data)
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += data
            if frame.fin:
                message, self._fragments = self._fragments, None
                self._deliver(message)
        elif frame.opcode is Opcode.BINARY:
            self._finish(InvalidAnswer("a binary frame"))

    def _deliver(self, message: bytes | bytearray) -> None:
        if self._end is None:
            self._messages.append(message)
            self._unread += len(message) + _OVERHEAD
            self._wake()

    def _check_end(self) -> None:
        end = end_of(self._protocol)
        if end is not None:  # otherwise our close frame has not been answered yet
            self._finish(end)
            self._shut()

    def _finish(self, end: Exception) -> None:
        """Let ``receive`` raise ``end`` after the last message. Only the first call counts."""
        if self._end is None:
            self._end = end
        if not self._opened.done():
            self._opened.set_exception(end)
            self._opened.exception()  # mark it retrieved: `open` may have been cancelled
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    # Writing -------------------------------------------------------------------------------------

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:  # an empty one asks for a half-close: `_shut` closes instead
                self._transport.write(data)

    def _answer(self) -> None:
        """Send the frames that answer received ones.

        A peer that sends pings and reads nothing gets only the last pong, once it reads again (RFC
        6455, 5.5.3): otherwise the pongs would fill our memory.
        """
        if self._writable.is_set() or self._protocol.state is not OPEN:
            self._flush()
        else:
            self._pong = b"".join(self._protocol.data_to_send()[-1:]) or self._pong

    def _shut(self) -> None:
        """Close the transport once it has sent what it holds, at the latest after a time."""
        assert self._transport is not None
        self._transport.close()
        if not self._lost.done():
            self._restart_timer(CLOSE_SECONDS, self.abort)

    # Time ----------------------------------------------------------------------------------------

    def _restart_timer(self, seconds: float, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, call)

    def _check_silence(self) -> None:
        """Ping a peer that has been silent; abort if it has not even answered the ping."""
        limit = self._ping_interval / 2 if self._pinged else self._ping_interval
        silence = self._loop.time() - self._heard
        if self._unfed or self._protocol.state is not OPEN:  # it is us who don't read
            self._restart_timer(self._ping_interval, self._check_silence)
        elif silence < limit:
            self._restart_timer(limit - silence, self._check_silence)
        elif self._pinged:
            self.abort()
        else:
            self._pinged = True
            self._heard = self._loop.time()
            self._protocol.send_ping(b"")
            self._flush()
            self._restart_timer(self._ping_interval / 2, self._check_silence)
