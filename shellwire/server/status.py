"""What the daemon reports about itself: ``status``, ``/health`` and the list of clients."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING

from shellwire import __version__
from shellwire.jobs.model import ClientKey
from shellwire.protocol import messages
from shellwire.server import render

if TYPE_CHECKING:
    from collections.abc import Container

    from shellwire.server.access import AccessList
    from shellwire.server.connection import Connection
    from shellwire.server.connections import Connections
    from shellwire.server.elevation import Raised
    from shellwire.server.identity import Elevated, Principal
    from shellwire.server.services import Services


def status(services: Services, connection: Connection, request_id: str | None) -> messages.Status:
    """Return the answer to ``auth``; jobs and numbers are those that the client may list."""
    registry = services.registry
    who = connection.principal
    cell = connection.cells.get(messages.ListJobs)
    whose = None if cell == "all" else who.name
    return messages.Status(
        request_id=request_id,
        version=__version__,
        uptime_seconds=round(services.uptime, 3),
        active_commands=registry.running("command", whose) if cell else 0,
        active_sessions=registry.running("session", whose) if cell else 0,
        python_version=platform.python_version(),
        shell=services.shell,
        client_id=connection.client_id,
        principal=messages.PrincipalInfo(
            name=who.name,
            role=who.role,
            via=who.via,
            expires_at=who.expires_at,
            elevated=None if who.elevated is None else _elevation(who.elevated),
        ),
        protocol=messages.PROTOCOL_VERSION,
        instance=services.instance,
        limits=services.limits,
        features=list(services.features),
        jobs=render.job_infos(registry.jobs(whose)) if cell else [],
        home=_home_or_root(services.home),
        user=services.user,
    )


def _elevation(elevated: Elevated) -> messages.ElevationInfo:
    return messages.ElevationInfo(
        own_role=elevated.own_role, reason=elevated.reason, expires_at=elevated.expires_at
    )


def _home_or_root(home: str | None) -> str | None:
    """Return ``home``, or the root if it can't be entered: a service's user may lack a home."""
    if home is None or os.access(os.path.join(home, "."), os.X_OK):
        return home
    return os.path.abspath(os.sep)


def health(services: Services) -> dict[str, object]:
    """Return the content of ``/health``."""
    return {
        "status": "ok",
        "version": __version__,
        "uptime_seconds": round(services.uptime, 3),
        "active_commands": services.registry.running("command"),
        "active_sessions": services.registry.running("session"),
        "python_version": platform.python_version(),
    }


def verbose_health(connections: Connections, asker: Principal) -> dict[str, object]:
    """Return the content of ``/health?verbose``; the role metrics gets numbers only."""
    raised = connections.elevations.all()
    registry = connections.services.registry
    return {
        **health(connections.services),
        "commands_queued": registry.queued,
        "clients_connected": connections.connected,
        "http_requests": len(connections.requests),
        "connections_unauthenticated": connections.unauthenticated,
        "tokens": len(connections.services.access.tokens()),
        "elevated": len(raised) if asker.role == "metrics" else [_raised(each) for each in raised],
    }


def _raised(raised: Raised) -> dict[str, object]:
    credential, elevated = raised.who.credential, raised.elevated
    return {
        "principal": raised.who.name,
        "token": None if credential is None else credential.name,
        "own_role": elevated.own_role,
        "role": elevated.role,
        "reason": elevated.reason,
        "expires_at": elevated.expires_at,
    }


def client_infos(access: AccessList, connected: Container[ClientKey]) -> list[messages.ClientInfo]:
    """Return every known client. For a connected client ``last_seen`` is now."""
    now = time.time()
    found = []
    for each in access.clients():
        is_connected = ClientKey(each["principal"], each["client_id"]) in connected
        found.append(
            messages.ClientInfo(
                client_id=each["client_id"],
                principal=each["principal"],
                first_seen=each["first_seen"],
                last_seen=now if is_connected else each["last_seen"],
                is_revoked=each["is_revoked"],
                is_connected=is_connected,
                barred_until=each.get("barred_until"),
            )
        )
    return found
