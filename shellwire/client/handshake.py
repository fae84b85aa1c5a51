"""Opening a connection: the WebSocket handshake, and authentication as PROTOCOL.md says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

import aiohttp
from aiohttp import WebSocketError, WSCloseCode, WSMsgType

from shellwire.client.connect_errors import (
    ABNORMAL_CLOSURE,
    connect_error,
    describe_close,
    describe_redirect,
    describe_refusal,
)
from shellwire.client.outgoing import encode
from shellwire.errors import ClientRejected, InvalidAnswer, Refusal, Unreachable, from_wire
from shellwire.home.socket import socket_address
from shellwire.output import printable
from shellwire.protocol.answers import read
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE, PROTOCOL_VERSION
from shellwire.protocol.text_bytes import FEATURE, read_fields

if TYPE_CHECKING:
    from shellwire.client.endpoint import Endpoint, Target
    from shellwire.client.results import Message

    Socket = aiohttp.ClientWebSocketResponse[Literal[False]]

CONNECT_SECONDS = 10.0
"""Seconds that connecting and authenticating may take."""

CLOSE_SECONDS = 2.0
"""Seconds that the daemon may take to answer our close frame."""


async def open_socket(
    endpoint: Endpoint, client_id: str, *, ping_interval: float, transient: bool
) -> tuple[aiohttp.ClientSession, Socket, Message]:
    """Connect and authenticate; return the session, its socket and the daemon's ``status``.

    Raises NotRunning, Unreachable, InvalidAnswer, or the daemon's refusal.
    """
    target = endpoint.target()
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                session, ws = await _connect(target, stack, ping_interval)
                auth = _auth(client_id, target.token, transient=transient)
                status = await _authenticate(ws, auth, endpoint.name)
        except TimeoutError:
            raise Unreachable(
                f"{endpoint.name} has not answered in {CONNECT_SECONDS:g} s"
            ) from None
        except aiohttp.WSServerHandshakeError as error:
            raise Unreachable(f"{endpoint.name} {describe_refusal(error, target)}") from None
        except InvalidAnswer as error:
            raise InvalidAnswer(error.sent, endpoint.name) from None
        except (OSError, aiohttp.ClientError, ValueError) as error:
            raise connect_error(error, target, endpoint.name) from None
        stack.pop_all()
    return session, ws, status


async def _connect(
    target: Target, stack: contextlib.AsyncExitStack, ping_interval: float
) -> tuple[aiohttp.ClientSession, Socket]:
    connector: aiohttp.BaseConnector
    with contextlib.ExitStack() as addressed:
        if target.home is not None:
            connector = aiohttp.UnixConnector(addressed.enter_context(socket_address(target.home)))
        else:
            connector = aiohttp.TCPConnector()
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, trace_configs=[refuse_redirects()])
        )
        ws = await session.ws_connect(
            target.url,
            # aiohttp refuses messages of this size and above, compressed or not.
            max_msg_size=MAX_DAEMON_MESSAGE + 1,
            heartbeat=ping_interval,
            compress=15,
            decode_text=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )
    stack.push_async_callback(ws.close)
    return session, ws


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


async def _authenticate(ws: Socket, auth: Message, name: str) -> Message:
    await ws.send_frame(encode(auth, text_bytes=False), WSMsgType.TEXT)
    frame = await ws.receive()
    check_frame(frame.type, frame.data)
    if frame.type is not WSMsgType.TEXT:
        raise Unreachable(
            f"{name} {describe_close(ws.close_code or ABNORMAL_CLOSURE, str(frame.extra or ''))}"
        )
    message = read(frame.data)
    if message["type"] == "error":
        error = from_wire(message["code"], message["message"])
        # Any error here, also one of a newer daemon, means that we were not admitted.
        raise error if isinstance(error, Refusal) else ClientRejected(f"{error.code}: {error}")
    if message["type"] != "status":
        raise InvalidAnswer(f"{printable(message['type'])}, where status was expected")
    # Only `status` itself says whether the daemon sends bytes in text fields.
    return read_fields(message) if FEATURE in message["features"] else message


def refuse_redirects() -> aiohttp.TraceConfig:
    """Return a trace config that refuses redirects: our token is only for the daemon we called.

    aiohttp's ``ws_connect`` has no flag for this.
    """

    async def refuse(
        _session: object, _context: object, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        raise InvalidAnswer(describe_redirect(params.response))

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def check_frame(kind: WSMsgType, data: object) -> None:
    """Raise InvalidAnswer for a frame that no daemon sends."""
    if kind is WSMsgType.BINARY:
        raise InvalidAnswer("a binary frame")
    if kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
        if data.code == WSCloseCode.MESSAGE_TOO_BIG:
            raise InvalidAnswer(f"a message of more than {MAX_DAEMON_MESSAGE} bytes")
        raise InvalidAnswer(f"a broken frame: {data}")
