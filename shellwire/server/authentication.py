"""Authenticate: the ``auth`` message, and the Authorization header of HTTP requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from shellwire.errors import AuthInvalidJson, AuthTimeout, Expired, Forbidden, InvalidToken
from shellwire.protocol import codec
from shellwire.server.roles import check_http

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.protocol.messages import Auth
    from shellwire.server.connections import Connections
    from shellwire.server.identity import Offer, Principal

AUTH_SECONDS = 10.0
"""Seconds after the handshake within which the client must authenticate."""

RETRY_SECONDS = 5
"""Seconds after which a principal with too many connections may try again."""


async def receive_auth(
    ws: web.WebSocketResponse[bool], is_closing: Callable[[], bool]
) -> Auth | None:
    """Return the auth message, its token not yet checked; None if the connection has ended.

    Raises AuthTimeout, AuthInvalidJson, AuthRequired or MissingClientId.
    """
    try:
        async with asyncio.timeout(AUTH_SECONDS):
            received = await ws.receive()
    except TimeoutError:
        raise AuthTimeout(f"no auth message within {AUTH_SECONDS:g} s") from None
    if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY) or is_closing():
        return None
    if received.type is WSMsgType.BINARY:
        raise AuthInvalidJson("expected a text frame, got a binary one")
    return codec.decode_auth(received.data)


async def identify(
    offer: Offer, connections: Connections, *, may_have_changed: bool = False
) -> Principal:
    """Return who makes this offer. Raises Expired, and InvalidToken, late if its address guesses.

    With ``may_have_changed`` the tokens are reread from the home first: this client may be the one
    that changed them, and be about to send ``reload``.
    """
    principal = connections.authenticate(offer)
    if principal is None and may_have_changed:
        connections.reload()
        principal = connections.authenticate(offer)
    if principal is None:
        await asyncio.sleep(connections.throttle.wrong(offer.address).seconds)
        raise InvalidToken("the token is missing or wrong")
    return principal


def bearer_token(request: web.Request) -> str | None:
    """Return the token of the ``Authorization: Bearer`` header (RFC 6750, 2.1), or None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def identify_request(
    request: web.Request, offer: Offer, connections: Connections
) -> Principal:
    """Return who sends an HTTP request. Raises like ``identify``, and HTTPTooManyRequests."""
    principal = connections.authenticate(offer)
    if principal is not None:
        return principal
    slowdown = connections.throttle.wrong(request.remote or "?")
    if slowdown.retry_after is not None:
        raise web.HTTPTooManyRequests(
            headers={"Retry-After": str(slowdown.retry_after)}, text="too many wrong tokens\n"
        )
    await asyncio.sleep(slowdown.seconds)
    raise InvalidToken("the token is missing or wrong")


async def check_http_request(
    request: web.Request, offer: Offer, connections: Connections, row: str
) -> Principal:
    """Return who sends a request that the role must allow; ``row`` is its row in ``roles.HTTP``.

    Raises HTTPUnauthorized, HTTPForbidden or HTTPTooManyRequests.
    """
    try:
        principal = await identify_request(request, offer, connections)
    except (InvalidToken, Expired) as error:
        raise web.HTTPUnauthorized(
            headers={"WWW-Authenticate": "Bearer"}, text=f"{error.code}: {error}\n"
        ) from None
    try:
        check_http(principal.role, row)
    except Forbidden as error:
        raise web.HTTPForbidden(text=f"{error.code}: {error}\n") from None
    return principal


async def check_handshake(request: web.Request, offer: Offer, connections: Connections) -> None:
    """Refuse a handshake whose Authorization header does not admit a connection.

    The client still sends ``auth``, which then needs no token. Raises like ``check_http_request``;
    HTTPTooManyRequests also if the principal has as many connections as it may.
    """
    principal = await check_http_request(request, offer, connections, "GET/ws")
    excess = connections.excess(principal)
    if excess is not None:
        raise web.HTTPTooManyRequests(
            headers={"Retry-After": str(RETRY_SECONDS)}, text=f"CLIENT_REJECTED: {excess}\n"
        )
