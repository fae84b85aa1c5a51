"""Who is connected, and what all connections share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shellwire import __version__
from shellwire.errors import ClientRejected
from shellwire.protocol import messages
from shellwire.protocol.limits import REPLACED
from shellwire.server import render
from shellwire.server.access import token_matches
from shellwire.server.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shellwire.files.service import Files
    from shellwire.jobs.registry import Registry
    from shellwire.server.access import AccessList
    from shellwire.server.writer import FairWriter

log = logging.getLogger(__name__)

REVOKED = 1008
GOING_AWAY = 1001

MAX_TRANSIENT = 64
"""One-shot tools of one principal that may be connected by TCP at a time."""

MAX_GOODBYES = 64
"""Connections whose answer to the close frame is waited for at the same time."""

STOP_SECONDS = 2.0
"""Seconds that all connections together may take to close when the daemon stops."""

_STOPPING = "the daemon is stopping"


class Admitted(Protocol):
    """Who was let in. ``token`` is None on the Unix socket."""

    client_id: str
    token: str | None


class Working(Admitted, Protocol):
    """A request by plain HTTP that is being worked on."""

    @property
    def abort(self) -> Callable[[], None]: ...


class Connected(Admitted, Protocol):
    """A connection, as the hub sees it."""

    local: bool
    apart: bool
    transient: bool

    @property
    def abort(self) -> Callable[[], None]: ...

    @property
    def writer(self) -> FairWriter: ...

    def send(self, message: messages.ServerMessage) -> None: ...

    def close(self, code: int, reason: str) -> asyncio.Task[None]: ...


@dataclass(slots=True)
class Connections:
    """The connected clients, by client_id: the same one connecting again takes over."""

    registry: Registry
    access: AccessList
    files: Files | None
    """None where none are served: on Windows."""
    limits: messages.Limits
    shell: str
    stop_daemon: Callable[[], None]
    """Makes the whole daemon stop, soon; ``stop`` is then the hub's part of that."""
    features: tuple[str, ...] = ()
    home: str | None = None
    """The home directory of the user whose daemon this is."""
    user: str | None = None
    """That user's name."""
    throttle: Throttle = field(default_factory=Throttle)
    _instance: str = field(default_factory=lambda: secrets.token_hex(8))
    _began: float = field(default_factory=time.monotonic)
    _open: set[Connected] = field(default_factory=set)
    _connected: dict[str, Connected] = field(default_factory=dict)
    requests: set[Working] = field(default_factory=set)
    """The requests by plain HTTP that are being worked on."""
    _goodbyes: list[Connected] = field(default_factory=list)
    _stopping: bool = False

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @property
    def strangers(self) -> int:
        """How many connections have not authenticated yet."""
        return sum(not each.client_id for each in self._open)

    @property
    def stopping(self) -> bool:
        """Whether the daemon takes nothing new."""
        return self._stopping

    # Coming and going ----------------------------------------------------------------------------

    def enter(self, connection: Connected) -> None:
        """A connection has begun; it has yet to authenticate."""
        self._open.add(connection)
        if self._stopping:
            connection.close(GOING_AWAY, _STOPPING)

    def admit(self, connection: Connected) -> None:
        """Let an authenticated client in. Raises ClientRejected."""
        client_id = connection.client_id
        if self.access.is_revoked(client_id):
            raise ClientRejected(f"client {client_id} is revoked")
        if connection.transient:
            self._require_transient(connection)
        elif not connection.apart:
            self._require_slot(client_id)
        old = self._connected.get(client_id)
        self._connected[client_id] = connection
        if old is not None:
            # It is not gone, it is here: only its old connection goes.
            self._close(old, REPLACED, "replaced")
        self.registry.client_connected(client_id, transient=connection.transient)
        self._remember(connection)
        log.info("client %s connected", client_id)

    def _remember(self, connection: Connected) -> None:
        if not (connection.apart or connection.transient):
            self.access.seen(connection.client_id)

    def _require_transient(self, connection: Connected) -> None:
        client_id = connection.client_id
        old = self._connected.get(client_id)
        if old is not None and not old.transient:
            raise ClientRejected(
                f"client {client_id} is connected, and a transient one can't take over from it"
            )
        others = [
            each
            for each in self._connected.values()
            if each.transient and not each.apart and each.client_id != client_id
        ]
        if not connection.apart and len(others) >= MAX_TRANSIENT:
            raise ClientRejected(
                f"{MAX_TRANSIENT} transient clients are connected, and no more may be at a time"
            )

    def _require_slot(self, client_id: str) -> None:
        holders = [
            each.client_id
            for each in self._connected.values()
            if not (each.apart or each.transient) and each.client_id != client_id
        ]
        if len(holders) >= self.limits.max_clients:
            raise ClientRejected(
                f"every client slot is taken, by {', '.join(sorted(holders))};"
                " --max-clients allows more"
            )

    def leave(self, connection: Connected) -> None:
        """A connection has ended; its jobs go on. A late end of a replaced one changes nothing."""
        self._open.discard(connection)
        self._disconnect(connection)

    def _disconnect(self, connection: Connected) -> None:
        if self._connected.get(connection.client_id) is connection:
            del self._connected[connection.client_id]
            self._remember(connection)
            self.registry.client_disconnected(connection.client_id)
            log.info("client %s disconnected", connection.client_id)

    def _close(self, connection: Connected, code: int, reason: str) -> None:
        # It is out at once; that its socket closes may take as long as its client takes to read.
        self._disconnect(connection)
        connection.writer.leave_jobs()
        connection.close(code, reason)

    def reload(self) -> None:
        """Read token and revocations anew, and close whom they no longer admit."""
        self.access.reload()
        token = self.access.token()
        for connection in list(self._connected.values()):
            if self.access.is_revoked(connection.client_id):
                self._close(connection, REVOKED, "this client was revoked")
            elif not connection.local and not token_matches(connection.token, token):
                self._close(connection, REVOKED, "the token was rotated")
        for request in list(self.requests):
            is_old = request.token is not None and not token_matches(request.token, token)
            if is_old or (request.client_id and self.access.is_revoked(request.client_id)):
                request.abort()

    async def stop(self, grace: float) -> None:
        """Tell everybody, end all jobs, and close with what there is still to be read."""
        self._stopping = True
        for connection in self._open:
            if connection in self._connected.values():
                connection.send(messages.DaemonStopping())
            else:
                connection.close(GOING_AWAY, _STOPPING)
        await self.registry.stop(grace)
        closing = [connection.close(GOING_AWAY, _STOPPING) for connection in self._open]
        if closing:
            await asyncio.wait(closing, timeout=STOP_SECONDS)
        for connection in self._open:
            connection.abort()

    @contextlib.contextmanager
    def waiting_for_goodbye(self, connection: Connected) -> Iterator[None]:
        """Count a connection whose peer's close frame is waited for; too many cut the oldest.

        Those that have not authenticated are few, and counted elsewhere. None is cut while the
        daemon stops: all have the same 2 seconds then, and no more come.
        """
        if not connection.client_id:
            yield
            return
        self._goodbyes.append(connection)
        if len(self._goodbyes) > MAX_GOODBYES and not self._stopping:
            self._goodbyes[0].abort()
        try:
            yield
        finally:
            self._goodbyes.remove(connection)

    # Telling -------------------------------------------------------------------------------------

    def clients(self) -> list[messages.ClientInfo]:
        """Return every known client; one that is connected is seen now."""
        now = time.time()
        return [
            messages.ClientInfo(
                client_id=each["client_id"],
                first_seen=each["first_seen"],
                last_seen=now if each["client_id"] in self._connected else each["last_seen"],
                is_revoked=each["is_revoked"],
                is_connected=each["client_id"] in self._connected,
            )
            for each in self.access.clients()
        ]

    def status(self, connection: Connected, request_id: str | None) -> messages.Status:
        """Return the answer to ``auth``."""
        return messages.Status(
            request_id=request_id,
            version=__version__,
            uptime_seconds=round(self.uptime, 3),
            active_commands=self.registry.running("command"),
            active_sessions=self.registry.running("session"),
            python_version=platform.python_version(),
            shell=self.shell,
            client_id=connection.client_id,
            protocol=messages.PROTOCOL_VERSION,
            instance=self._instance,
            limits=self.limits,
            features=list(self.features),
            jobs=render.job_infos(self.registry.jobs()),
            home=_enterable(self.home),
            user=self.user,
        )

    def health(self) -> dict[str, object]:
        """Return what ``/health`` says."""
        return {
            "status": "ok",
            "version": __version__,
            "uptime_seconds": round(self.uptime, 3),
            "active_commands": self.registry.running("command"),
            "active_sessions": self.registry.running("session"),
            "python_version": platform.python_version(),
        }


def _enterable(home: str | None) -> str | None:
    """Return ``home``, or the root where it can't be entered: a service's user may have none."""
    if home is None or os.access(os.path.join(home, "."), os.X_OK):
        return home
    return os.path.abspath(os.sep)
