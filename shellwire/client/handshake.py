"""Opening a connection: the WebSocket handshake, and authentication as PROTOCOL.md says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shellwire.client.connect_errors import (
    connect_error,
    describe_close,
    describe_redirect,
    describe_refusal,
)
from shellwire.client.dial import dial
from shellwire.client.outgoing import encode
from shellwire.client.websocket_protocol import HandshakeRefused, SocketClosed
from shellwire.errors import ClientRejected, InvalidAnswer, Refusal, Unreachable, from_wire
from shellwire.output import printable
from shellwire.protocol.answers import read
from shellwire.protocol.limits import PROTOCOL_VERSION
from shellwire.protocol.text_bytes import FEATURE, read_fields

if TYPE_CHECKING:
    from shellwire.client.endpoint import Endpoint
    from shellwire.client.results import Message
    from shellwire.client.websocket import WebSocket

CONNECT_SECONDS = 10.0
"""Seconds that connecting and authenticating may take."""


async def open_socket(
    endpoint: Endpoint, client_id: str, *, ping_interval: float, transient: bool
) -> tuple[WebSocket, Message]:
    """Connect and authenticate; return the WebSocket and the daemon's ``status``.

    Raises NotRunning, Unreachable, InvalidAnswer, or the daemon's refusal.
    """
    target = endpoint.target()
    name = endpoint.name
    auth = _auth(client_id, target.token, transient=transient)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            ws = await dial(target, ping_interval)
            try:
                return ws, await _authenticate(ws, auth)
            except BaseException:
                await ws.close()
                raise
    except TimeoutError:
        raise Unreachable(f"{name} has not answered in {CONNECT_SECONDS:g} s") from None
    except HandshakeRefused as refusal:
        location = refusal.headers.get("location")
        if 300 <= refusal.status < 400 and location is not None:
            raise InvalidAnswer(describe_redirect(refusal.status, location), name) from None
        how = describe_refusal(refusal.status, refusal.headers.get("retry-after", "60"), target)
        raise Unreachable(f"{name} {how}") from None
    except SocketClosed as end:
        raise Unreachable(f"{name} {describe_close(end.code, end.reason)}") from None
    except InvalidAnswer as error:
        raise InvalidAnswer(error.sent, name) from None
    except (OSError, ValueError) as error:
        raise connect_error(error, target, name) from None


def _auth(client_id: str, token: str | None, *, transient: bool) -> Message:
    auth: Message = {
        "type": "auth",
        "client_id": client_id,
        "protocol": PROTOCOL_VERSION,
        "text": "bytes",
    }
    if transient:
        auth["transient"] = True
    if token is not None:
        auth["token"] = token
    return auth


async def _authenticate(ws: WebSocket, auth: Message) -> Message:
    with contextlib.suppress(SocketClosed):  # the peer may have said why: `receive` tells
        await ws.send(encode(auth, text_bytes=False))
    message = read(await ws.receive())
    if message["type"] == "error":
        error = from_wire(message["code"], message["message"])
        # Any error here, also one of a newer daemon, means that we were not admitted.
        raise error if isinstance(error, Refusal) else ClientRejected(f"{error.code}: {error}")
    if message["type"] != "status":
        raise InvalidAnswer(f"{printable(message['type'])}, where status was expected")
    # Only `status` itself says whether the daemon sends bytes in text fields.
    return read_fields(message) if FEATURE in message["features"] else message
