"""Administrative requests to the running daemon, through its Unix socket.

The socket's file mode is the credential. On systems without Unix sockets, requests go to a loopback
port that the pid file names, with the token.
"""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Any

from shellwire.errors import Unreachable
from shellwire.home import pidfile
from shellwire.home.token import read_token

if TYPE_CHECKING:
    from shellwire.client.websocket import WebSocket
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

    from shellwire.client.connect_errors import describe_cause, describe_close
    from shellwire.client.http_head import InvalidHead
    from shellwire.client.websocket_protocol import HandshakeRefused, SocketClosed

    try:
        return asyncio.run(_request(home, request, answer))
    except TimeoutError:
        reason = f"no answer in {SECONDS:g} s"
    except SocketClosed as end:
        reason = f"the daemon {describe_close(end.code, end.reason)}"
    except HandshakeRefused as refusal:
        reason = f"the daemon answered with {refusal.status}"
    except (OSError, InvalidHead) as error:
        reason = describe_cause(error)
    raise Unreachable(f"{_address(home)}: {reason}")


async def _request(home: Home, request: str, answer: str) -> dict[str, Any]:
    import asyncio

    from shellwire.client.dial import dial
    from shellwire.client.endpoint import Target

    auth: dict[str, Any] = {"type": "auth", "client_id": f"cli-{secrets.token_hex(8)}"}
    auth["transient"] = True
    target = Target("ws://localhost/ws", None, home, is_local=True)
    port = _control_port(home)
    if port is not None:
        target = Target(f"ws://127.0.0.1:{port}/ws", None, None, is_local=True)
        auth["token"] = read_token(home) or ""
    async with asyncio.timeout(SECONDS):
        ws = await dial(target, SECONDS)
        try:
            await _exchange(ws, auth, "status")
            return await _exchange(ws, {"type": request}, answer)
        finally:
            await ws.close()


def _control_port(home: Home) -> int | None:
    record = pidfile.read_live(home)
    port = None if record is None else record.control
    if port is None and sys.platform == "win32":
        raise Unreachable(f"{home.pid_file} names no port for administration")
    return port


def _address(home: Home) -> str:
    port = _control_port(home)
    return str(home.socket_file) if port is None else f"127.0.0.1 port {port}"


async def _exchange(ws: WebSocket, message: dict[str, Any], answer: str) -> dict[str, Any]:
    """Send ``message``; return the first message of type ``answer``."""
    from shellwire.client.outgoing import encode
    from shellwire.protocol.answers import read

    request = {**message, "request_id": secrets.token_hex(8)}  # without one there is no ack
    await ws.send(encode(request, text_bytes=False))
    while True:
        received = read(await ws.receive())
        if received["type"] == "error":
            raise Unreachable(f"the daemon refused {message['type']}: {received['message']}")
        if received["type"] == answer:
            return received
