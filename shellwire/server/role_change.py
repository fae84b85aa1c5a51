"""Apply the new role of a credential to everything that it has open, when it is raised or lowered.

What the new role may not have open ends at once. So nothing outlives an elevation but what is
finished by then, and jobs that the credential's own role could have started itself.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from shellwire.errors import Forbidden, NotFound
from shellwire.jobs.model import EndedBy
from shellwire.protocol import messages
from shellwire.server.roles import COLUMNS, check_http, reaches

if TYPE_CHECKING:
    from shellwire.jobs.job import Job
    from shellwire.server.admitted import AuthenticatedRequest
    from shellwire.server.connections import Connections
    from shellwire.server.elevation import Raised
    from shellwire.server.identity import Principal
    from shellwire.server.roles import Column

_STARTS = {"command": messages.Execute, "session": messages.StartSession}


def apply(connections: Connections, raised: Raised, text: str) -> None:
    """Give what the credential has open the role that it has now, and tell who must know.

    Told are all admins and the owner, and the credential's own connections, with the line ``text``.
    """
    principal = connections.elevations.apply(raised.who)
    for connection in connections.connected_clients():
        if _is_of(connection.principal, raised):
            connection.become(connections.elevations.apply(connection.principal))
    for request in list(connections.requests):
        if _is_of(request.principal, raised):
            request.principal = connections.elevations.apply(request.principal)
            if not _allows(request):
                request.abort()
    for job in connections.services.registry.jobs(principal.name):
        credential = raised.who.credential
        is_its = credential is not None and job.request.elevated == credential.id
        if is_its and not _may_hold(COLUMNS[principal.role], job):
            with contextlib.suppress(NotFound):  # it has ended
                connections.services.registry.kill(job, EndedBy(None, text))
    notice = messages.Notice(id=None, code="ELEVATION", message=text)
    for connection in connections.connected_clients():
        if connection.principal.role in ("owner", "admin") or _is_of(connection.principal, raised):
            connection.send(notice)


def _is_of(principal: Principal, raised: Raised) -> bool:
    own, credential = principal.credential, raised.who.credential
    return own is not None and credential is not None and own.id == credential.id


def _allows(request: AuthenticatedRequest) -> bool:
    try:
        check_http(request.principal.role, request.row)
    except Forbidden:
        return False
    return True


def _may_hold(column: Column, job: Job) -> bool:
    """Whether the role could have started the job, in the context that it has."""
    own = job.request.namespace in (None, job.key.principal)
    return reaches(column, _STARTS[job.request.kind], own=own)
