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
    InternalError,
    InvalidMessage,
    InvalidToken,
    Refusal,
    WireError,
)
from shellwire.protocol import codec
from shellwire.protocol.messages import Ack
from shellwire.server import handlers
from shellwire.server.access import token_matches
from shellwire.server.writer import FairWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from shellwire.protocol.messages import Auth, ClientMessage, ServerMessage
    from shellwire.server.hub import Hub

log = logging.getLogger(__name__)

AUTH_SECONDS = 10.0
"""Seconds from the handshake in which the client must have authenticated."""

CLOSE_SECONDS = 2.0
"""Seconds that a client may take to read what it still gets before its connection is closed."""

_TOO_BIG = 1009


class Connection:
    """A WebSocket and who is at its other end. ``local`` is the Unix socket: its uid is proof."""

    def __init__(
        self,
        ws: web.WebSocketResponse[bool],
        address: str,
        hub: Hub,
        abort: Callable[[], None],
    ) -> None:
        self.address = address
        self.local = address == ""
        self.hub = hub
        self.client_id = ""
        self.once = False
        """Whether an id names one job for ever (``protocol: 1``)."""
        self.token: str | None = None
        """The token that let it in."""
        self._ws = ws
        self._abort = abort
        self._writer = FairWriter(self._send_frame)
        self._writing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def _send_frame(self, frame: bytes) -> None:
        await self._ws.send_frame(frame, WSMsgType.TEXT)

    # Authentication ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client until it leaves or is closed."""
        try:
            auth = await self._authenticate()
        except Refusal as refusal:
            await self._refuse(refusal)
            return
        if auth is None:
            return
        self._writing = asyncio.create_task(self._write())
        try:
            self.send(self.hub.status(self, auth.request_id))
            await self._read()
        finally:
            self.hub.leave(self)
            self._writer.stop()
            self._writing.cancel()
            if self._closing is not None:
                await asyncio.wait([self._closing])

    async def _authenticate(self) -> Auth | None:
        """Return the auth message once its sender is admitted; None when it has left.

        Raises a Refusal, in the order of the codes.
        """
        try:
            async with asyncio.timeout(AUTH_SECONDS):
                received = await self._ws.receive()
        except TimeoutError:
            raise AuthTimeout(f"no auth message within {AUTH_SECONDS:g} s") from None
        if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None
        if len(received.data) > codec.MAX_FRAME_BEFORE_AUTH:
            await self._ws.close(code=_TOO_BIG, message=b"message too big")
            return None
        if received.type is WSMsgType.BINARY:
            raise AuthInvalidJson("expected a text frame, got a binary one")
        auth = codec.decode_auth(received.data)
        if not self.local:
            await self._check_token(auth.token)
        self.client_id = auth.client_id
        self.token = auth.token
        self.once = auth.protocol is not None and auth.protocol >= 1
        self.hub.admit(self)
        return auth

    async def _check_token(self, token: str | None) -> None:
        if not token_matches(token, self.hub.access.token()):
            await asyncio.sleep(self.hub.throttle.wrong(self.address))
            raise InvalidToken("the token is missing or wrong")

    async def _refuse(self, refusal: Refusal) -> None:
        log.info("refused %s: %s", self.address or "a local client", refusal.code)
        with contextlib.suppress(ConnectionError):
            await self._send_frame(codec.encode(codec.error_answer(refusal)))
            reason = str(refusal).encode()[:120].decode("utf-8", "ignore").encode()
            await self._ws.close(code=refusal.close_code, message=reason)

    # Reading -------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._writer.roomy()
            received = await self._ws.receive()
            if received.type is WSMsgType.TEXT:
                self._handle(received.data)
            elif received.type is WSMsgType.BINARY:
                self.send(codec.error_answer(InvalidMessage("expected a text frame")))
            else:
                return

    def _handle(self, text: bytes) -> None:
        message: ClientMessage | None = None
        try:
            message = codec.decode_client(text)
            handlers.handle(self, message)
        except WireError as error:
            self.send(codec.error_answer(error, message))
        except Exception:
            log.exception("a message of client %s could not be handled", self.client_id)
            self.send(codec.error_answer(InternalError("see the daemon's log"), message))

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
            self._abort()

    # Closing -------------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> asyncio.Task[None]:
        """Begin to close: what waits is sent first, as far as the client reads it within 2 s."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))
        return self._closing

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.drained()
                await self._ws.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError):
            self._abort()
