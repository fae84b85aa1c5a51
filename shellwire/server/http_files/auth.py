"""Authenticate HTTP requests: the rules of the WebSocket, with the token in a header."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from shellwire.errors import (
    ClientRejected,
    DaemonStopping,
    Forbidden,
    InvalidArgument,
    QueueFull,
)
from shellwire.jobs.model import ClientKey
from shellwire.protocol.limits import MAX_ID_LENGTH
from shellwire.server.admitted import AuthenticatedRequest
from shellwire.server.authentication import identify_request
from shellwire.server.bars import refuse_barred
from shellwire.server.expiry import ExpiryTimer
from shellwire.server.http_connection import http_connection_of
from shellwire.server.identity import isolation_unavailable
from shellwire.server.roles import check_http

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from shellwire.server.connections import Connections
    from shellwire.server.identity import Offer

CLIENT_HEADER = "Shellwire-Client"
"""The header with the client_id; optional."""

PRINCIPAL = "principal"
"""The key under which an authenticated request has the name of its principal."""

MAX_REQUESTS = 64
"""Requests that may be served at a time."""

OWNERS_REQUESTS = 8
"""How many of them only the owner may use."""


@contextlib.contextmanager
def count_request(connections: Connections, request: AuthenticatedRequest) -> Iterator[None]:
    """Count the request while the block runs; its credential's end aborts counted requests.

    Raises QueueFull if there are too many, in all or of its principal.
    """
    who = request.principal
    most = MAX_REQUESTS if who.is_owner else MAX_REQUESTS - OWNERS_REQUESTS
    if len(connections.requests) >= most:
        raise QueueFull(f"{most} requests are being worked on already")
    most = connections.services.principal_limits.connections
    own = sum(each.principal.name == who.name for each in connections.requests)
    if not who.is_owner and own >= most:
        raise QueueFull(f"{most} requests of {who.name} are being worked on already")
    expiry = ExpiryTimer(who.expires_at, request.abort)
    connections.requests.add(request)
    try:
        yield
    finally:
        connections.requests.discard(request)
        expiry.cancel()


async def authenticate(
    request: web.Request, connections: Connections, offer: Offer
) -> AuthenticatedRequest:
    """Check the credential, its role and the client.

    Raises HTTPTooManyRequests, HTTPForbidden, and the errors of the WebSocket's authentication.
    """
    transport = request.transport
    assert transport is not None
    principal = await identify_request(request, offer, connections)
    http_connection_of(request).admitted(None if principal.is_owner else principal.name)
    row = f"{request.method}/files"
    try:
        check_http(principal.role, row)
    except Forbidden as error:
        raise web.HTTPForbidden(text=f"{error}\n") from None
    if principal.isolate is not None:
        raise isolation_unavailable(principal.isolate)
    client_id = request.headers.get(CLIENT_HEADER, "")
    if not _is_text(client_id):
        raise InvalidArgument(f"{CLIENT_HEADER}: expected UTF-8")
    if len(client_id) > MAX_ID_LENGTH:
        raise ClientRejected(f"{CLIENT_HEADER}: expected at most {MAX_ID_LENGTH} characters")
    if client_id and connections.services.access.is_revoked(client_id, principal.name):
        raise ClientRejected(f"client {client_id} is revoked")
    if client_id and not offer.is_local:
        refuse_barred(connections.services.access, ClientKey(principal.name, client_id))
    if connections.stopping:
        raise DaemonStopping("the daemon is stopping")
    return AuthenticatedRequest(client_id, principal, offer, partial(_cut, transport), row)


def _cut(transport: asyncio.Transport) -> None:
    # sendfile has a duplicate of the socket, which abort() leaves open; shutdown(2) ends both.
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    transport.abort()


def _is_text(value: str) -> bool:
    # aiohttp decodes invalid UTF-8 in a header to surrogates.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
