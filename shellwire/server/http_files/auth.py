"""Authenticate HTTP requests: the rules of the WebSocket, with the token in a header."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from shellwire.errors import (
    ClientRejected,
    DaemonStopping,
    InvalidArgument,
    InvalidToken,
    QueueFull,
)
from shellwire.protocol.limits import MAX_ID_LENGTH
from shellwire.server.access import token_matches
from shellwire.server.connections import AuthenticatedRequest
from shellwire.server.http_connection import http_connection_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.server.connections import Connections

CLIENT_HEADER = "Shellwire-Client"
"""The header with the client_id; optional."""

MAX_REQUESTS = 64
"""Requests that may be served at a time."""


@contextlib.contextmanager
def count_request(connections: Connections, request: AuthenticatedRequest) -> Iterator[None]:
    """Count the request while the block runs; a revocation aborts counted requests.

    Raises QueueFull if there are too many.
    """
    if len(connections.requests) >= MAX_REQUESTS:
        raise QueueFull(f"{MAX_REQUESTS} requests are being worked on already")
    connections.requests.add(request)
    try:
        yield
    finally:
        connections.requests.discard(request)


async def authenticate(
    request: web.Request, connections: Connections, *, local: bool
) -> AuthenticatedRequest:
    """Check the token and the client.

    Raises HTTPTooManyRequests, and the errors of the WebSocket's authentication.
    """
    transport = request.transport
    assert transport is not None
    token = None if local else await _token(request, connections)
    http_connection_of(request).admitted()
    client_id = request.headers.get(CLIENT_HEADER, "")
    if not _is_text(client_id):
        raise InvalidArgument(f"{CLIENT_HEADER}: expected UTF-8")
    if len(client_id) > MAX_ID_LENGTH:
        raise ClientRejected(f"{CLIENT_HEADER}: expected at most {MAX_ID_LENGTH} characters")
    if client_id and connections.services.access.is_revoked(client_id):
        raise ClientRejected(f"client {client_id} is revoked")
    if connections.stopping:
        raise DaemonStopping("the daemon is stopping")
    return AuthenticatedRequest(client_id, token, transport.abort)


def _is_text(value: str) -> bool:
    # aiohttp decodes invalid UTF-8 in a header to surrogates.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _token(request: web.Request, connections: Connections) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token_matches(token, connections.services.access.token()):
        slowdown = connections.throttle.wrong(request.remote or "?")
        if slowdown.retry_after is not None:
            raise web.HTTPTooManyRequests(
                headers={"Retry-After": str(slowdown.retry_after)}, text="too many wrong tokens\n"
            )
        await asyncio.sleep(slowdown.seconds)
        raise InvalidToken("the token is missing or wrong")
    return token
