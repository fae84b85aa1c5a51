"""Administrative requests to the running daemon, through its Unix socket.

The socket's file mode is the credential. On systems without Unix sockets, requests go to a loopback
port that the pid file names, with the token.
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
"""Timeout in seconds of one request, connection included."""


def reload_daemon(home: Home) -> None:
    """Make a running daemon reload token and clients; return when it has. Raises Unreachable."""
    if pidfile.find_live(home) is None:
        return
    try:
        _call_daemon(home, "reload", answer="ack")
    except Unreachable as error:
        raise Unreachable(
            f"the change is stored, but the daemon did not reload: {error}"
        ) from error


def stop_daemon(home: Home) -> None:
    """Ask the running daemon to stop; return when it has confirmed. Raises Unreachable."""
    _call_daemon(home, "stop_daemon", answer="ack")


def list_clients(home: Home) -> list[dict[str, Any]]:
    """Return the running daemon's clients. Raises Unreachable.

    Each is ``{client_id, first_seen, last_seen, is_revoked, is_connected}``.
    """
    answer = _call_daemon(home, "list_clients", answer="clients_list")
    return list(answer["clients"])


def list_jobs(home: Home) -> list[dict[str, Any]]:
    """Return the running daemon's jobs, as in ``jobs_list``. Raises Unreachable."""
    return list(_call_daemon(home, "list_jobs", answer="jobs_list")["jobs"])


def _call_daemon(home: Home, request: str, *, answer: str) -> dict[str, Any]:
    # Imported only here: they take longer to import than the rest of the command line.
    import asyncio

    import aiohttp

    try:
        return asyncio.run(_request(home, request, answer))
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        reason = getattr(error, "strerror", "") or str(error) or f"no answer in {SECONDS:g} s"
        raise Unreachable(f"{_address(home)}: {reason}") from error


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
        raise Unreachable(f"{home.pid_file} names no port for administration")
    return port


def _address(home: Home) -> str:
    port = _control_port(home)
    return str(home.socket_file) if port is None else f"127.0.0.1 port {port}"


async def _exchange(
    socket: ClientWebSocketResponse[Literal[False]], message: dict[str, Any], answer: str
) -> dict[str, Any]:
    """Send ``message``; return the first message of type ``answer``."""
    from aiohttp import WSMsgType

    from shellwire.protocol.answers import read

    await socket.send_json({**message, "request_id": secrets.token_hex(8)})  # else no ack
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            break
        received = read(frame.data)
        if received["type"] == "error":
            raise Unreachable(f"the daemon refused {message['type']}: {received['message']}")
        if received["type"] == answer:
            return received
    raise Unreachable(f"the daemon closed the connection ({socket.close_code})")
