"""One client: authenticate it, read what it asks, and write what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from aiohttp import WSMsgType

from shellwire.errors import (
    AuthInvalidJson,
    AuthTimeout,
    FileSystemError,
    InternalError,
    InvalidMessage,
    InvalidToken,
    Refusal,
    WireError,
)
from shellwire.protocol import codec
from shellwire.protocol.error_answers import error_answer
from shellwire.protocol.messages import Ack, Credit
from shellwire.server.access import token_matches
from shellwire.server.http_connection import brief
from shellwire.server.outgoing_frames import frames
from shellwire.server.writer import FairWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from shellwire.protocol.messages import Auth, ClientMessage, ServerMessage
    from shellwire.server.connections import Connections
    from shellwire.server.files.queue import FileQueue
    from shellwire.server.frame_check import Violation
    from shellwire.server.http_connection import Peer
    from shellwire.server.outgoing_frames import Payload

log = logging.getLogger(__name__)

AUTH_SECONDS = 10.0
"""Seconds from the handshake in which the client must have authenticated."""

CLOSE_SECONDS = 2.0
"""Seconds that a client may take to read what it still gets before its connection is closed.

And as many until it has answered the close frame (RFC 6455, 7.1.1).
"""

STRANGER_CLOSE_SECONDS = 0.5
"""The same for one that has not authenticated: so long it takes the place of another."""

_LONGEST_REASON = 123  # a control frame's 125 bytes, less the code (RFC 6455, 5.5)


class Connection:
    """A WebSocket and who is at its other end. ``local`` is the Unix socket: its uid is proof.

    One that is ``apart``, that or the port for administration, takes no client slot and is not
    remembered. ``drain`` returns when the transport has room again; ``handle`` does what a message
    asks, or raises WireError.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse[bool],
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        address: str,
        connections: Connections,
        handle: Callable[[Connection, ClientMessage], None],
        peer: Peer,
        *,
        apart: bool = False,
    ) -> None:
        self.address = address
        self.local = address == ""
        self.apart = apart or self.local
        self.connections = connections
        self.client_id = ""
        self.transient = False
        """Whether it is a one-shot tool, which takes no client slot."""
        self.once = False
        """Whether an id names one job for ever (``protocol: 1``)."""
        self.text_bytes = False
        """Whether bytes that are not UTF-8 are written in text fields (``text: "bytes"``)."""
        self.token: str | None = None
        """The token that let it in."""
        self._handle_message = handle
        self._ws = ws
        self._transport = transport
        self._drain = drain
        self._peer = peer
        assert peer.frames is not None
        self._frames = peer.frames
        self.abort = transport.abort
        """Cut the connection."""
        self._has_said_goodbye = False
        self._writer = FairWriter(self._send)
        self._files: FileQueue | None = None
        self._closing: asyncio.Task[None] | None = None
        self._watching: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve the client until it leaves or is closed."""
        writing = asyncio.create_task(self._write())
        self._watch()
        self.connections.enter(self)
        self._frames.on_violation = self._break_off
        if self._frames.violation is not None:  # it came right behind the handshake
            self._break_off(self._frames.violation)
        try:
            await self._serve()
        except Refusal as refusal:
            told = f"refused {self.address or 'a local client'}: {refusal.code}"
            brief.write(logging.INFO, refusal.code, told)
            self.send(error_answer(refusal))
            self.close(refusal.close_code, str(refusal))
        except ConnectionError:
            pass  # it left while aiohttp answered a ping of its
        finally:
            self.connections.leave(self)
            self._writer.leave_jobs()
            if self._closing is not None:
                await asyncio.wait([self._closing])
            writing.cancel()
            if self._watching is not None:
                self._watching.cancel()
            # What could be sent has been: aiohttp's close waits for that.
            self.abort()
            if self._files is not None:
                await self._files.close()

    @property
    def files(self) -> FileQueue:
        """What this client asks of files. Raises FileSystemError where none are served."""
        if self._files is None:
            if self.connections.files is None:
                raise FileSystemError("files are not served on Windows")
            from shellwire.server.files.queue import FileQueue

            self._files = FileQueue(self.client_id, self._writer, self.connections.files)
        return self._files

    def cancel_file_message(self, message_id: str) -> bool:
        """Give up what is done about files for this id. Returns whether there was such."""
        return self._files is not None and self._files.cancel(message_id)

    async def _serve(self) -> None:
        auth = await self._authenticate()
        if auth is not None:
            self.send(self.connections.status(self, auth.request_id))
            await self._read()

    # Authentication ------------------------------------------------------------------------------

    async def _authenticate(self) -> Auth | None:
        """Return the auth message once its sender is admitted; None when it is not to be served.

        Raises a Refusal, in the order of the codes.
        """
        try:
            async with asyncio.timeout(AUTH_SECONDS):
                received = await self._ws.receive()
        except TimeoutError:
            raise AuthTimeout(f"no auth message within {AUTH_SECONDS:g} s") from None
        if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY) or self._closing is not None:
            return None
        if received.type is WSMsgType.BINARY:
            raise AuthInvalidJson("expected a text frame, got a binary one")
        auth = codec.decode_auth(received.data)
        try:
            await self._admit(auth)
        except Refusal as refusal:
            refusal.operation = codec.type_of(auth)
            refusal.request_id = auth.request_id
            raise
        return auth

    async def _admit(self, auth: Auth) -> None:
        if not self.local and not self._knows_token(auth):
            await asyncio.sleep(self.connections.throttle.wrong(self.address).seconds)
            raise InvalidToken("the token is missing or wrong")
        self.client_id = auth.client_id
        self.token = auth.token
        self.transient = auth.transient
        self.once = auth.protocol is not None and auth.protocol >= 1
        self.text_bytes = self._writer.text_bytes = auth.text == "bytes"
        self.connections.admit(self)
        self._peer.admitted()

    def _knows_token(self, auth: Auth) -> bool:
        if token_matches(auth.token, self.connections.access.token()):
            return True
        if not self.apart:
            return False
        # It may be about to tell us that it has changed the token.
        self.connections.reload()
        return token_matches(auth.token, self.connections.access.token())

    # Reading -------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._writer.wait_writable()
            if self._files is not None:
                await self._files.wait_writable()
            received = await self._ws.receive()
            if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            if self._closing is not None:
                self._take_credit(received.data)
            elif received.type is WSMsgType.TEXT:
                self._handle(received.data)
            else:
                self.send(error_answer(InvalidMessage("expected a text frame")))
            # A client that sends many at once has its answers, and the others their turn, between.
            await asyncio.sleep(0)

    def _handle(self, text: bytes) -> None:
        message: ClientMessage | None = None
        try:
            message = codec.decode_client(text, text_bytes=self.text_bytes)
            self._handle_message(self, message)
        except WireError as error:
            self.send(error_answer(error, message))
        except Exception:
            log.exception("a message of client %s could not be handled", self.client_id)
            self.send(error_answer(InternalError("see the daemon's log"), message))

    def _take_credit(self, text: bytes) -> None:
        """Replaced, revoked or told to go: all that is still done for it is to send what waits."""
        with contextlib.suppress(WireError):
            message = codec.decode_client(text)
            if isinstance(message, Credit):
                self._handle_message(self, message)

    # Writing -------------------------------------------------------------------------------------

    @property
    def writer(self) -> FairWriter:
        """What writes to this client."""
        return self._writer

    def send(self, message: ServerMessage) -> None:
        """Send a control message: before any output that waits."""
        self._writer.put(message)

    def acknowledge(self, message: ClientMessage) -> None:
        """Say that a request was accepted, if it has a request_id."""
        if message.request_id is not None:
            operation = codec.type_of(message)
            self.send(
                Ack(id=message.request_id, operation=operation, request_id=message.request_id)
            )

    async def _write(self) -> None:
        try:
            await self._writer.run()
        except ConnectionError:
            # The reader finds out as well, and ends the connection.
            pass
        except Exception:
            log.exception("the writer of client %s failed", self.client_id)
            self.abort()

    async def _send(self, payload: Payload) -> None:
        for number, frame in enumerate(frames(payload, int(self._ws.compress))):
            if number:
                await asyncio.sleep(0)  # where there is room, to drain lets nobody else run
            if self._has_said_goodbye or self._ws.closed or self._transport.is_closing():
                # Nothing may come behind a close frame, which may still wait for room itself.
                raise ConnectionResetError
            self._transport.write(frame)
            await self._drain()

    # Closing -------------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> asyncio.Task[None]:
        """Begin to close: what waits is sent first, as far as the client reads it within 2 s."""
        if self._closing is None:
            if self._files is not None:
                self._files.forget()
            self._closing = asyncio.create_task(self._close(code, reason))
        return self._closing

    async def _close(self, code: int, reason: str) -> None:
        message = reason.encode(errors="replace")[:_LONGEST_REASON].decode(errors="ignore").encode()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.drained()
                await self._say_goodbye(code, message)
            # Whoever closes first waits for the other's close frame: a client that is cut off
            # before it has read ours knows of no code (RFC 6455, 7.1.1).
            with self.connections.waiting_for_goodbye(self):
                async with asyncio.timeout(self._goodbye_seconds):
                    await self._frames.peer_closed.wait()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self.abort()

    @property
    def _goodbye_seconds(self) -> float:
        return CLOSE_SECONDS if self.client_id else STRANGER_CLOSE_SECONDS

    async def _say_goodbye(self, code: int, message: bytes) -> None:
        if self._ws.closed:
            return
        self._has_said_goodbye = True
        self._frames.drain()
        await self._ws.send_frame(code.to_bytes(2, "big") + message, WSMsgType.CLOSE)
        await self._drain()

    def _break_off(self, violation: Violation) -> None:
        """Close for frames that break the rules: this client is served no more."""
        self.connections.leave(self)
        self._writer.leave_jobs()
        self.close(*violation)

    def _watch(self) -> None:
        """Cut a connection that aiohttp has given up but can't end.

        When the peer is silent, or breaks the protocol, or says goodbye, and the socket is full,
        aiohttp waits for room without an end, and ``receive()`` with it.
        """
        loop = asyncio.get_running_loop()
        if self._ws.closed:
            self._watching = loop.call_later(CLOSE_SECONDS, self.abort)
        else:
            interval = self.connections.limits.ping_interval_seconds
            self._watching = loop.call_later(interval, self._watch)
