"""Handlers for break-glass, and for putting a client out."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from shellwire.errors import Forbidden, InvalidMessage, NotFound
from shellwire.jobs.model import ClientKey, EndedBy
from shellwire.output import printable
from shellwire.principals import Bar
from shellwire.protocol import messages
from shellwire.server.bars import close_reason
from shellwire.server.roles import may_touch

if TYPE_CHECKING:
    from shellwire.server.connection import Connection

log = logging.getLogger(__name__)


def elevate(connection: Connection, message: messages.Elevate) -> None:
    elevated = connection.connections.elevations.begin(connection.principal, message)
    connection.send(
        messages.Elevated(
            expires_at=elevated.expires_at,
            role=elevated.role,
            id=message.id,
            request_id=message.request_id,
        )
    )


def kick_client(connection: Connection, message: messages.KickClient) -> None:
    who, connections = connection.principal, connection.connections
    key = ClientKey(message.principal or who.name, message.client_id)
    if not may_touch(who.role, key.principal):
        raise Forbidden(f"the role {who.role} may not kick a client of the owner")
    reason = message.reason.strip()
    if not reason:
        raise InvalidMessage("reason: expected more than blanks")
    registry = connection.services.registry
    jobs = [job for job in registry.jobs(key.principal) if job.key.client == key]
    living = [job for job in jobs if job.state != "ended"] if message.end_jobs else []
    if not (connections.is_connected(key) or message.bar_seconds or living):
        raise NotFound(f"no client {key.client_id} of {key.principal} is connected")
    if message.bar_seconds:
        bar = Bar(time.time() + message.bar_seconds, reason, who.name)
        connection.services.access.bar(key.client_id, key.principal, bar)
    for job in living:
        with contextlib.suppress(NotFound):  # the end of another job has ended it
            registry.kill(job, EndedBy(who.name, reason))
    log.warning(
        "%s kicked client %s of %s: %s",
        who.name,
        printable(key.client_id),
        key.principal,
        printable(reason),
    )
    connection.acknowledge(message)
    connections.kick(key, close_reason(reason, who.name))
