"""Talk to the running daemon through its Unix socket, whose mode is the credential.

Where there is none it is a port on loopback, which its pid file names, and the token.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from typing import TYPE_CHECKING, Any, Literal

from shellwire.errors import Unreachable
from shellwire.home import pidfile
from shellwire.home.socket import socket_address
from shellwire.home.token import read_token
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

    from shellwire.home.paths import Home

SECONDS = 10.0
"""Seconds that the daemon has for a whole conversation."""


def tell_to_reload(home: Home) -> None:
    """Have the daemon, if one runs, read token and clients anew; return when it has.

    Raises Unreachable if it can't be told.
    """
    if pidfile.find_live(home) is None:
        return
    try:
        _converse(home, "reload", answer="ack")
    except Unreachable as error:
        raise Unreachable(f"the change is stored, but the daemon does not know: {error}") from error


def tell_to_stop(home: Home) -> None:
    """Have the running daemon stop; return when it has heard. Raises Unreachable."""
    _converse(home, "stop_daemon", answer="ack")


def list_clients(home: Home) -> list[dict[str, Any]]:
    """Return the clients as the running daemon sees them. Raises Unreachable.

    Each is ``{client_id, first_seen, last_seen, is_revoked, is_connected}``.
    """
    answer = _converse(home, "list_clients", answer="clients_list")
    return list(answer["clients"])


def _converse(home: Home, request: str, *, answer: str) -> dict[str, Any]:
    # Imported where they are needed: they cost more time than the rest of the command line.
    import asyncio

    import aiohttp

    try:
        return asyncio.run(_request(home, request, answer))
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        reason = getattr(error, "strerror", "") or str(error) or f"no answer in {SECONDS:g} s"
        raise Unreachable(f"{_place(home)}: {reason}") from error


async def _request(home: Home, request: str, answer: str) -> dict[str, Any]:
    import asyncio

    import aiohttp

    from shellwire.client.handshake import refuse_redirects

    auth: dict[str, Any] = {"type": "auth", "client_id": f"cli-{secrets.token_hex(8)}"}
    auth["transient"] = True
    url, connector = "ws://localhost/ws", None
    async with asyncio.timeout(SECONDS):
        with contextlib.ExitStack() as stack:
            port = _control_port(home)
            if port is None:
                connector = aiohttp.UnixConnector(stack.enter_context(socket_address(home)))
            else:
                url, auth["token"] = f"ws://127.0.0.1:{port}/ws", read_token(home) or ""
            async with (
                aiohttp.ClientSession(
                    connector=connector, trace_configs=[refuse_redirects()]
                ) as session,
                session.ws_connect(
                    url, max_msg_size=MAX_DAEMON_MESSAGE + 1, decode_text=False
                ) as socket,
            ):
                await _exchange(socket, auth, "status")
                return await _exchange(socket, {"type": request}, answer)


def _control_port(home: Home) -> int | None:
    record = pidfile.read_live(home)
    port = None if record is None else record.control
    if port is None and sys.platform == "win32":
        raise Unreachable(f"{home.pid_file} does not tell the daemon's port for administration")
    return port


def _place(home: Home) -> str:
    port = _control_port(home)
    return str(home.socket_file) if port is None else f"127.0.0.1 port {port}"


async def _exchange(
    socket: ClientWebSocketResponse[Literal[False]], message: dict[str, Any], answer: str
) -> dict[str, Any]:
    """Send ``message``; return what is of type ``answer``, for nobody else talks to us here."""
    from aiohttp import WSMsgType

    from shellwire.protocol.answers import read

    await socket.send_json({**message, "request_id": secrets.token_hex(8)})  # else no ack
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            break
        received = read(frame.data)
        if received["type"] == "error":
            raise Unreachable(f"it refused {message['type']}: {received['message']}")
        if received["type"] == answer:
            return received
    raise Unreachable(f"it broke off the conversation ({socket.close_code})")
