"""The connected clients: admission, takeover, revocation and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from shellwire.errors import ClientRejected, Expired
from shellwire.principals import OWNER
from shellwire.protocol import messages
from shellwire.protocol.limits import KICKED, REPLACED
from shellwire.server import role_change
from shellwire.server.bars import refuse_barred
from shellwire.server.elevation import Elevations
from shellwire.server.roles import check_takeover
from shellwire.server.status import client_infos
from shellwire.server.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.jobs.model import ClientKey
    from shellwire.server.admitted import AuthenticatedRequest, ClientConnection
    from shellwire.server.identity import Offer, Principal
    from shellwire.server.services import Services

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


class Connections:
    """The open connections, and the connected clients by principal and client_id.

    A client that connects again takes over: its old connection is closed.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.throttle = Throttle()
        self.requests: set[AuthenticatedRequest] = set()
        """The HTTP requests being served under ``/files``."""
        self.elevations = Elevations(partial(role_change.apply, self))
        self._open: set[ClientConnection] = set()
        self._connected: dict[ClientKey, ClientConnection] = {}
        self._closing: list[ClientConnection] = []
        self._stopping = False

    @property
    def unauthenticated(self) -> int:
        """The number of open connections that have not authenticated yet."""
        return sum(not each.client_id for each in self._open)

    @property
    def connected(self) -> int:
        """The number of connected clients."""
        return len(self._connected)

    @property
    def stopping(self) -> bool:
        """Whether the daemon is shutting down and accepts no new work."""
        return self._stopping

    def connected_clients(self) -> list[ClientConnection]:
        """Return the connections of the connected clients."""
        return list(self._connected.values())

    # Admission -----------------------------------------------------------------------------------

    def authenticate(self, offer: Offer) -> Principal | None:
        """Return who makes this offer, with the role that the credential has now; or None.

        Raises Expired.
        """
        principal = self.services.authenticators.authenticate(offer)
        return None if principal is None else self.elevations.apply(principal)

    def add(self, connection: ClientConnection) -> None:
        """Add a connection that has yet to authenticate."""
        self._open.add(connection)
        if self._stopping:
            connection.close(GOING_AWAY, _STOPPING)

    def admit(self, connection: ClientConnection) -> None:
        """Admit an authenticated client. Raises ClientRejected."""
        key = connection.key
        if self.services.access.is_revoked(key.client_id, key.principal):
            raise ClientRejected(f"client {key.client_id} is revoked")
        if not connection.slot_free:  # else the owner could lock himself out
            refuse_barred(self.services.access, key)
        self._check_number(connection)
        if connection.transient:
            self._check_transient(connection)
        elif not connection.slot_free:
            self._check_slot(key)
        old = self._connected.get(key)
        check_takeover(connection.principal.role, None if old is None else old.principal.role)
        self._connected[key] = connection
        if old is not None:
            # The client is not disconnected: only its old connection ends.
            self._close(old, REPLACED, "replaced")
        self.services.registry.client_connected(key, transient=connection.transient)
        self._record_seen(connection)
        log.info("client %s connected", _shown(key))

    def _record_seen(self, connection: ClientConnection) -> None:
        if not (connection.slot_free or connection.transient):
            self.services.access.seen(connection.client_id, connection.principal.name)

    def _of_principal(self, name: str) -> list[ClientConnection]:
        return [each for key, each in self._connected.items() if key.principal == name]

    def excess(self, principal: Principal) -> str | None:
        """Return why this principal may not connect once more, or None."""
        most = self.services.principal_limits.connections
        if principal.is_owner or len(self._of_principal(principal.name)) < most:
            return None
        return f"{principal.name} has {most} connections, and may have no more at a time"

    def unread_bytes(self, principal: Principal) -> int:
        """Return the bytes of ended jobs' output that the principal's connections have to read."""
        return sum(each.writer.unread_bytes() for each in self._of_principal(principal.name))

    def credentials_in_use(self) -> set[str]:
        """Return the ids of the tokens of other principals that connections use."""
        used = (each.principal.credential for each in self._connected.values())
        return {credential.id for credential in used if credential is not None}

    def has_principal(self, name: str) -> bool:
        """Whether this is the owner, or a principal with a token, a context or a job."""
        registry = self.services.registry
        return (
            name == OWNER
            or any(each.principal == name for each in self.services.access.tokens())
            or registry.contexts.has_any(name)
            or bool(registry.jobs(name))
        )

    def _check_number(self, connection: ClientConnection) -> None:
        reason = None if connection.key in self._connected else self.excess(connection.principal)
        if reason is not None:
            raise ClientRejected(reason)

    def _check_transient(self, connection: ClientConnection) -> None:
        old = self._connected.get(connection.key)
        if old is not None and not old.transient:
            raise ClientRejected(
                f"client {connection.client_id} is connected, and a transient one can't take over"
                " from it"
            )
        others = [
            each
            for each in self._of_principal(connection.principal.name)
            if each.transient and not each.slot_free and each.client_id != connection.client_id
        ]
        if not connection.slot_free and len(others) >= MAX_TRANSIENT:
            raise ClientRejected(
                f"{MAX_TRANSIENT} transient clients are connected, and no more may be at a time"
            )

    def _check_slot(self, key: ClientKey) -> None:
        holders = [
            each.client_id
            for each in self._of_principal(key.principal)
            if not (each.slot_free or each.transient) and each.client_id != key.client_id
        ]
        if len(holders) >= self.services.limits.max_clients:
            raise ClientRejected(
                f"every client slot is taken, by {', '.join(sorted(holders))};"
                " --max-clients allows more (start --preset person: 16)"
            )

    # Removal -------------------------------------------------------------------------------------

    def remove(self, connection: ClientConnection) -> None:
        """Remove a connection that has ended; its jobs keep running.

        If another connection has replaced it already, the client stays connected.
        """
        self._open.discard(connection)
        self._disconnect(connection)

    def _disconnect(self, connection: ClientConnection) -> None:
        key = connection.key
        if self._connected.get(key) is connection:
            del self._connected[key]
            self._record_seen(connection)
            self.services.registry.client_disconnected(key)
            log.info("client %s disconnected", _shown(key))

    def _close(self, connection: ClientConnection, code: int, reason: str) -> None:
        # Disconnected at once; the socket may take as long to close as the client takes to read.
        self._disconnect(connection)
        connection.writer.detach_all()
        connection.close(code, reason)

    def reload(self) -> None:
        """Reread the tokens and revocations; close the clients that they no longer admit."""
        self.services.access.reload()
        self.recheck()

    def recheck(self) -> None:
        """Close the connections and abort the requests whose credential is no longer valid."""
        access = self.services.access
        for connection in list(self._connected.values()):
            if access.is_revoked(connection.client_id, connection.principal.name):
                self._close(connection, REVOKED, "this client was revoked")
            elif (ended := self._ended(connection)) is not None:
                self._close(connection, *ended)
        for request in list(self.requests):
            revoked = request.client_id and access.is_revoked(
                request.client_id, request.principal.name
            )
            if revoked or self._ended(request) is not None:
                request.abort()
        self.elevations.end_revoked({each.id for each in access.tokens()})

    def kick(self, key: ClientKey, reason: str) -> None:
        """Close a client's connection, and abort its HTTP requests."""
        if key in self._connected:
            self._close(self._connected[key], KICKED, reason)
        for request in [each for each in self.requests if each.key == key]:
            request.abort()

    def is_connected(self, key: ClientKey) -> bool:
        """Whether a client has a connection or an HTTP request."""
        return key in self._connected or any(each.key == key for each in self.requests)

    def _ended(self, each: ClientConnection | AuthenticatedRequest) -> tuple[int, str] | None:
        """Return close code and reason if a credential is no longer what it was; else None."""
        try:
            now = self.authenticate(each.offer)
        except Expired as expired:
            return expired.close_code, str(expired)
        if each.principal.is_still(now):
            return None
        return REVOKED, f"the token was {'rotated' if each.principal.is_owner else 'revoked'}"

    def expire(self, connection: ClientConnection) -> None:
        """Close a connection whose credential has expired."""
        self._close(connection, Expired.close_code, "the credential has expired")

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


def _shown(key: ClientKey) -> str:
    return key.client_id if key.principal == OWNER else f"{key.client_id} of {key.principal}"
