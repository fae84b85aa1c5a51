"""One WebSocket client: authenticate it, read its messages, write the answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import WSMsgType

from shellwire.errors import (
    FileSystemError,
    InternalError,
    InvalidMessage,
    Refusal,
    WireError,
)
from shellwire.jobs.model import ClientKey
from shellwire.protocol import codec
from shellwire.protocol.error_answers import error_answer
from shellwire.protocol.messages import Ack, Credit, FsRead
from shellwire.server.authentication import identify, receive_auth
from shellwire.server.close_handshake import (
    CLOSE_SECONDS,
    UNAUTHENTICATED_CLOSE_SECONDS,
    CloseHandshake,
)
from shellwire.server.expiry import ExpiryTimer
from shellwire.server.frame_socket import FrameSocket
from shellwire.server.heartbeat import Heartbeat
from shellwire.server.http_connection import peer_log
from shellwire.server.identity import NOBODY, share_of
from shellwire.server.roles import COLUMNS
from shellwire.server.status import status
from shellwire.server.writer import FairWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from shellwire.protocol.messages import Auth, ClientMessage, ServerMessage
    from shellwire.server.connections import Connections
    from shellwire.server.files.queue import FileQueue
    from shellwire.server.frame_rules import Violation
    from shellwire.server.http_connection import HttpConnection
    from shellwire.server.identity import Offer, Principal
    from shellwire.server.roles import Column

log = logging.getLogger(__name__)


class Connection:
    """A WebSocket and the client at its other end.

    ``offer`` is what the handshake offered: its address, and the token of its Authorization header.
    ``slot_free``: it takes no client slot and is not in clients.json (the Unix socket, and the
    administration port). ``handle`` executes a message, or raises WireError.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse[bool],
        transport: asyncio.Transport,
        offer: Offer,
        connections: Connections,
        handle: Callable[[Connection, ClientMessage], None],
        http_connection: HttpConnection,
        *,
        slot_free: bool = False,
    ) -> None:
        self.offer = offer
        """What the client has offered to prove who it is."""
        self.principal = NOBODY
        self.cells: Column = {}
        """What the client may do, by class of message."""
        self.isolate: str | None = None
        """The isolation that the client's credential demands."""
        self.slot_free = slot_free or offer.is_local
        self.connections = connections
        self.services = connections.services
        self.client_id = ""
        self.transient = False
        """Whether it is a one-shot tool, which takes no client slot."""
        self.unique_ids = False
        """Whether an id is never used twice (``protocol: 1``)."""
        self.text_bytes = False
        """Whether text fields may encode bytes that are not UTF-8 (``text: "bytes"``)."""
        self.abort = transport.abort
        """Cut the connection."""
        self.writer = FairWriter(
            FrameSocket(
                ws,
                transport,
                http_connection,
                has_closed=lambda: self._closing.sent,
                client_id=lambda: self.client_id,
            )
        )
        self._handle_message = handle
        self._ws = ws
        self._transport = transport
        self._http_connection = http_connection
        assert http_connection.frame_check is not None
        self._frame_check = http_connection.frame_check
        self._closing = CloseHandshake(
            ws,
            transport,
            self._frame_check,
            self.writer.drained,
            lambda: connections.awaiting_close(self),
        )
        self._files: FileQueue | None = None
        self._ended_files: list[asyncio.Task[None]] = []
        self._expiry = ExpiryTimer(None, self.abort)
        self._handled = 1  # messages received; the first one is ``auth``

    @property
    def key(self) -> ClientKey:
        """The client: its principal and its client_id, empty before authentication."""
        return ClientKey(self.principal.name, self.client_id)

    async def run(self) -> None:
        """Serve the client until it leaves or is closed."""
        self._http_connection.on_writable = self.writer.resume
        heartbeat = Heartbeat(
            self._ws,
            self._transport,
            self.services.limits.ping_interval_seconds,
            received_at=lambda: self._http_connection.received_at,
            is_closing=lambda: self._closing.sent,
        )
        self.connections.add(self)
        self._frame_check.on_violation = self._close_for_violation
        if self._frame_check.violation is not None:  # it arrived right after the handshake
            self._close_for_violation(self._frame_check.violation)
        try:
            await self._serve()
        except Refusal as refusal:
            line = f"refused {self.offer.address or 'a local client'}: {refusal.code}"
            peer_log.write(logging.INFO, refusal.code, line)
            self.send(error_answer(refusal))
            self.close(refusal.close_code, str(refusal))
        except ConnectionError:
            pass  # the client left while aiohttp answered its ping
        finally:
            self.connections.remove(self)
            self.writer.detach_all()
            if self._closing.task is not None:
                await asyncio.wait([self._closing.task])
            self._http_connection.on_writable = None
            self.writer.stop()
            heartbeat.stop()
            self._expiry.cancel()
            # Everything that could be sent is sent. Abort: aiohttp's close would wait for more.
            self.abort()
            if self._files is not None:
                await self._files.close()
            await asyncio.gather(*self._ended_files)

    @property
    def files(self) -> FileQueue:
        """The queue of this client's file messages. Raises FileSystemError on Windows."""
        if self._files is None:
            if self.services.files is None:
                raise FileSystemError("files are not served on Windows")
            from shellwire.server.files.queue import FileQueue

            self._files = FileQueue(self.key, self.writer, self.services.files)
        return self._files

    def cancel_file_message(self, message_id: str) -> bool:
        """Cancel the file message with this id. Returns whether one was found."""
        return self._files is not None and self._files.cancel(message_id)

    async def _serve(self) -> None:
        auth = await self._authenticate()
        if auth is not None:
            self.send(status(self.services, self, auth.request_id))
            await self._read()

    # Authentication ------------------------------------------------------------------------------

    async def _authenticate(self) -> Auth | None:
        """Return the auth message of an admitted client; None if the connection has ended.

        Raises a Refusal; the checks are in the order of the close codes.
        """
        auth = await receive_auth(self._ws, lambda: self._closing.task is not None)
        if auth is not None:
            try:
                await self._admit(auth)
            except Refusal as refusal:
                refusal.operation = codec.type_of(auth)
                refusal.request_id = auth.request_id
                raise
        return auth

    async def _admit(self, auth: Auth) -> None:
        if self.offer.token is None:
            self.offer = replace(self.offer, token=auth.token)
        principal = await identify(self.offer, self.connections, may_have_changed=self.slot_free)
        self.principal, self.client_id = principal, auth.client_id
        self.slot_free = self.slot_free and principal.is_owner
        self.transient = auth.transient
        self.unique_ids = auth.protocol is not None and auth.protocol >= 1
        self.text_bytes = self.writer.text_bytes = auth.text == "bytes"
        self.connections.admit(self)
        self.become(principal)
        self._http_connection.admitted()
        self._expiry = ExpiryTimer(principal.expires_at, lambda: self.connections.expire(self))

    def become(self, principal: Principal) -> None:
        """Serve this client as ``principal`` from now on; end what that role may not have open."""
        self.principal = principal
        self.cells, self.isolate = COLUMNS[principal.role], principal.isolate
        self.writer.share = share_of(principal, self.services.principal_limits)
        self.writer.limit(self.cells)
        if self._files is not None and FsRead not in self.cells:
            self._ended_files.append(asyncio.create_task(self._files.forbid()))
            self._files = None

    # Reading -------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self.writer.wait_writable()
            if self._files is not None:
                await self._files.wait_writable()
            received = await self._ws.receive()
            if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            if self._closing.task is not None:
                self._take_credit(received.data)
            elif received.type is WSMsgType.TEXT:
                self._handle(received.data)
            else:
                self.send(error_answer(InvalidMessage("expected a text frame")))
            self._handled += 1
            if self._frame_check.messages > self._handled:
                # Between many messages at once, let the writer and the other clients run.
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
        """Handle a message during the close: only credit, so that unsent output can be sent."""
        with contextlib.suppress(WireError):
            message = codec.decode_client(text)
            if isinstance(message, Credit):
                self._handle_message(self, message)

    # Writing -------------------------------------------------------------------------------------

    def send(self, message: ServerMessage) -> None:
        """Send a control message, ahead of unsent output."""
        self.writer.put(message)

    def acknowledge(self, message: ClientMessage) -> None:
        """Send ``ack`` for a request, if it has a request_id."""
        if message.request_id is not None:
            operation = codec.type_of(message)
            self.send(
                Ack(id=message.request_id, operation=operation, request_id=message.request_id)
            )

    # Closing -------------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> asyncio.Task[None]:
        """Begin to close. Pending messages are sent first, if the client reads them within 2 s."""
        if self._closing.task is None and self._files is not None:
            self._files.drop_pending()
        seconds = CLOSE_SECONDS if self.client_id else UNAUTHENTICATED_CLOSE_SECONDS
        return self._closing.begin(code, reason, reply_seconds=seconds)

    def _close_for_violation(self, violation: Violation) -> None:
        """Close because the client's frames break the rules; serve it no longer."""
        self.connections.remove(self)
        self.writer.detach_all()
        self.close(*violation)
