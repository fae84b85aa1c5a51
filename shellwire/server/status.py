"""What the daemon reports about itself: ``status``, ``/health`` and the list of clients."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING

from shellwire import __version__
from shellwire.protocol import messages
from shellwire.server import render

if TYPE_CHECKING:
    from collections.abc import Container

    from shellwire.server.access import AccessList
    from shellwire.server.services import Services


def status(services: Services, client_id: str, request_id: str | None) -> messages.Status:
    """Return the answer to ``auth``."""
    registry = services.registry
    return messages.Status(
        request_id=request_id,
        version=__version__,
        uptime_seconds=round(services.uptime, 3),
        active_commands=registry.running("command"),
        active_sessions=registry.running("session"),
        python_version=platform.python_version(),
        shell=services.shell,
        client_id=client_id,
        protocol=messages.PROTOCOL_VERSION,
        instance=services.instance,
        limits=services.limits,
        features=list(services.features),
        jobs=render.job_infos(registry.jobs()),
        home=_home_or_root(services.home),
        user=services.user,
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


def client_infos(access: AccessList, connected: Container[str]) -> list[messages.ClientInfo]:
    """Return every known client. For a connected client ``last_seen`` is now."""
    now = time.time()
    return [
        messages.ClientInfo(
            client_id=each["client_id"],
            first_seen=each["first_seen"],
            last_seen=now if each["client_id"] in connected else each["last_seen"],
            is_revoked=each["is_revoked"],
            is_connected=each["client_id"] in connected,
        )
        for each in access.clients()
    ]
