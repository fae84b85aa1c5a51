"""The connected clients: admission, takeover, revocation and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shellwire.errors import ClientRejected
from shellwire.protocol import messages
from shellwire.protocol.limits import REPLACED
from shellwire.server.access import token_matches
from shellwire.server.status import client_infos
from shellwire.server.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shellwire.server.services import Services
    from shellwire.server.writer import FairWriter

log = logging.getLogger(__name__)

REVOKED = 1008
"""Close code of a client whose token or client_id is no longer valid."""

GOING_AWAY = 1001
"""Close code when the daemon stops."""

MAX_TRANSIENT = 64
"""Transient clients of one principal that may be connected over TCP at a time."""

MAX_CLOSING = 64
"""Connections that may wait for the peer's close frame at a time."""

STOP_SECONDS = 2.0
"""Seconds that all connections together may take to close when the daemon stops."""

_STOPPING = "the daemon is stopping"


@dataclass(eq=False)
class AuthenticatedRequest:
    """An HTTP request that passed authentication. ``token`` is None on the Unix socket."""

    client_id: str
    token: str | None
    abort: Callable[[], None]


class ClientConnection(Protocol):
    """A WebSocket connection; ``client_id`` is empty until it has authenticated."""

    client_id: str
    token: str | None
    local: bool
    slot_free: bool
    transient: bool

    @property
    def abort(self) -> Callable[[], None]: ...

    @property
    def writer(self) -> FairWriter: ...

    def send(self, message: messages.ServerMessage) -> None: ...

    def close(self, code: int, reason: str) -> asyncio.Task[None]: ...


class Connections:
    """The open connections, and the connected clients by client_id.

    A client_id that connects again takes over: its old connection is closed.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.throttle = Throttle()
        self.requests: set[AuthenticatedRequest] = set()
        """The HTTP requests being served under ``/files``."""
        self._open: set[ClientConnection] = set()
        self._connected: dict[str, ClientConnection] = {}
        self._closing: list[ClientConnection] = []
        self._stopping = False

    @property
    def unauthenticated(self) -> int:
        """The number of open connections that have not authenticated yet."""
        return sum(not each.client_id for each in self._open)

    @property
    def stopping(self) -> bool:
        """Whether the daemon is shutting down and accepts no new work."""
        return self._stopping

    # Admission -----------------------------------------------------------------------------------

    def add(self, connection: ClientConnection) -> None:
        """Add a connection that has yet to authenticate."""
        self._open.add(connection)
        if self._stopping:
            connection.close(GOING_AWAY, _STOPPING)

    def admit(self, connection: ClientConnection) -> None:
        """Admit an authenticated client. Raises ClientRejected."""
        access = self.services.access
        client_id = connection.client_id
        if access.is_revoked(client_id):
            raise ClientRejected(f"client {client_id} is revoked")
        if connection.transient:
            self._check_transient(connection)
        elif not connection.slot_free:
            self._check_slot(client_id)
        old = self._connected.get(client_id)
        self._connected[client_id] = connection
        if old is not None:
            # The client is not disconnected: only its old connection ends.
            self._close(old, REPLACED, "replaced")
        self.services.registry.client_connected(client_id, transient=connection.transient)
        self._record_seen(connection)
        log.info("client %s connected", client_id)

    def _record_seen(self, connection: ClientConnection) -> None:
        if not (connection.slot_free or connection.transient):
            self.services.access.seen(connection.client_id)

    def _check_transient(self, connection: ClientConnection) -> None:
        client_id = connection.client_id
        old = self._connected.get(client_id)
        if old is not None and not old.transient:
            raise ClientRejected(
                f"client {client_id} is connected, and a transient one can't take over from it"
            )
        others = [
            each
            for each in self._connected.values()
            if each.transient and not each.slot_free and each.client_id != client_id
        ]
        if not connection.slot_free and len(others) >= MAX_TRANSIENT:
            raise ClientRejected(
                f"{MAX_TRANSIENT} transient clients are connected, and no more may be at a time"
            )

    def _check_slot(self, client_id: str) -> None:
        holders = [
            each.client_id
            for each in self._connected.values()
            if not (each.slot_free or each.transient) and each.client_id != client_id
        ]
        if len(holders) >= self.services.limits.max_clients:
            raise ClientRejected(
                f"every client slot is taken, by {', '.join(sorted(holders))};"
                " --max-clients allows more"
            )

    # Removal -------------------------------------------------------------------------------------

    def remove(self, connection: ClientConnection) -> None:
        """Remove a connection that has ended; its jobs keep running.

        If another connection has replaced it already, the client stays connected.
        """
        self._open.discard(connection)
        self._disconnect(connection)

    def _disconnect(self, connection: ClientConnection) -> None:
        if self._connected.get(connection.client_id) is connection:
            del self._connected[connection.client_id]
            self._record_seen(connection)
            self.services.registry.client_disconnected(connection.client_id)
            log.info("client %s disconnected", connection.client_id)

    def _close(self, connection: ClientConnection, code: int, reason: str) -> None:
        # Disconnected at once; the socket may take as long to close as the client takes to read.
        self._disconnect(connection)
        connection.writer.detach_all()
        connection.close(code, reason)

    def reload(self) -> None:
        """Reread the token and revocations; close the clients that they no longer admit."""
        access = self.services.access
        access.reload()
        token = access.token()
        for connection in list(self._connected.values()):
            if access.is_revoked(connection.client_id):
                self._close(connection, REVOKED, "this client was revoked")
            elif not connection.local and not token_matches(connection.token, token):
                self._close(connection, REVOKED, "the token was rotated")
        for request in list(self.requests):
            is_old = request.token is not None and not token_matches(request.token, token)
            if is_old or (request.client_id and access.is_revoked(request.client_id)):
                request.abort()

    async def stop(self, grace: float) -> None:
        """Notify all clients, end all jobs, and close connections after their pending messages."""
        self._stopping = True
        for connection in self._open:
            if connection in self._connected.values():
                connection.send(messages.DaemonStopping())
            else:
                connection.close(GOING_AWAY, _STOPPING)
        await self.services.registry.stop(grace)
        closing = [connection.close(GOING_AWAY, _STOPPING) for connection in self._open]
        if closing:
            await asyncio.wait(closing, timeout=STOP_SECONDS)
        for connection in self._open:
            connection.abort()

    @contextlib.contextmanager
    def awaiting_close(self, connection: ClientConnection) -> Iterator[None]:
        """Count a connection that waits for the peer's close frame; if too many do, cut the oldest.

        Unauthenticated connections are few and have a limit of their own. While the daemon stops
        none is cut: all then share 2 seconds, and no more are added.
        """
        if not connection.client_id:
            yield
            return
        self._closing.append(connection)
        if len(self._closing) > MAX_CLOSING and not self._stopping:
            self._closing[0].abort()
        try:
            yield
        finally:
            self._closing.remove(connection)

    def clients(self) -> list[messages.ClientInfo]:
        """Return every known client, for ``list_clients``."""
        return client_infos(self.services.access, self._connected)
