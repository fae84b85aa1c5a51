"""Opening a WebSocket: over the Unix socket, TCP or TLS, directly or through a proxy."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from shellwire.client.websocket import WebSocket
from shellwire.client.websocket_protocol import websocket_uri
from shellwire.home.socket import socket_address

if TYPE_CHECKING:
    from websockets.uri import WebSocketURI

    from shellwire.client.endpoint import Target
    from shellwire.home.paths import Home

_ATTEMPT_DELAY = 0.25
"""Seconds after which the next address of a host is tried too (RFC 8305, 5)."""


async def dial(target: Target, ping_interval: float) -> WebSocket:
    """Connect, and do the WebSocket handshake. Redirects are not followed.

    Raises OSError, also for TLS and for a proxy, ValueError for an impossible host name, and the
    errors of ``WebSocket.open``.
    """
    uri = websocket_uri(target.url)
    ws = WebSocket(uri, ping_interval)
    try:
        if target.home is not None:
            await _connect_unix(ws, target.home)
        else:
            await _connect_tcp(ws, target, uri)
        await ws.open()
    except BaseException:
        ws.abort()
        raise
    return ws


async def _connect_unix(ws: WebSocket, home: Home) -> None:
    with socket_address(home) as path:
        await asyncio.get_running_loop().create_unix_connection(lambda: ws, path)


async def _connect_tcp(ws: WebSocket, target: Target, uri: WebSocketURI) -> None:
    from shellwire.client.proxy import find_proxy, is_address, open_tunnel

    loop = asyncio.get_running_loop()
    context = ssl.create_default_context() if uri.secure else None
    proxy = None if target.is_local else find_proxy(target.url)
    if proxy is None:
        await loop.create_connection(
            lambda: ws,
            uri.host,
            uri.port,
            ssl=context,
            happy_eyeballs_delay=None if is_address(uri.host) else _ATTEMPT_DELAY,
        )
        return
    transport = await open_tunnel(proxy, uri.host, uri.port)
    if context is None:
        transport.set_protocol(ws)
    else:
        # This also ends the pause in reading.
        upgraded = await loop.start_tls(transport, ws, context, server_hostname=uri.host)
        assert upgraded is not None  # it is None only for a transport that is closing
        transport = upgraded
    ws.connection_made(transport)
    transport.resume_reading()
