"""Receive and check the ``auth`` message, a WebSocket client's first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import WSMsgType

from shellwire.errors import AuthInvalidJson, AuthTimeout, InvalidToken
from shellwire.protocol import codec
from shellwire.server.access import token_matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from shellwire.protocol.messages import Auth
    from shellwire.server.connections import Connections

AUTH_SECONDS = 10.0
"""Seconds after the handshake within which the client must authenticate."""


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


async def check_token(
    auth: Auth, connections: Connections, address: str, *, may_have_changed: bool
) -> None:
    """Raise InvalidToken, late for an address that guesses, unless the token is the daemon's.

    With ``may_have_changed`` the token is reread from the home first: this client may be the one
    that changed it, and be about to send ``reload``.
    """
    access = connections.services.access
    if token_matches(auth.token, access.token()):
        return
    if may_have_changed:
        connections.reload()
        if token_matches(auth.token, access.token()):
            return
    await asyncio.sleep(connections.throttle.wrong(address).seconds)
    raise InvalidToken("the token is missing or wrong")
