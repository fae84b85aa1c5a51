"""Query a daemon's ``/health``.

Imports only the standard library, so that ``status`` is fast.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
from typing import TYPE_CHECKING, Any

from shellwire.errors import Unreachable
from shellwire.home import address
from shellwire.home.socket import socket_address
from shellwire.output import printable

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from shellwire.home.paths import Home

_MAX_BYTES = 4 * 1024 * 1024


def ask_port(host: str, port: int, *, seconds: float) -> dict[str, Any]:
    """Return the ``/health`` answer at the TCP port of a daemon bound to ``host``.

    Raises Unreachable for an invalid answer, and when ``seconds`` pass without a byte.
    """
    from http.client import HTTPConnection

    where = address.url("http", host, port)
    return _ask(HTTPConnection(address.connectable(host), port, timeout=seconds), where)


def ask_process(pid: int, *, seconds: float) -> dict[str, Any]:
    """Do as ``ask_port`` for the daemon with this ``pid``; add its ``host`` and ``port``."""
    try:
        # Imported late: it takes 20 ms, and only daemons with an unknown port need it.
        import psutil
    except ImportError as error:
        raise Unreachable("its port is unknown: psutil is not installed") from error
    try:
        sockets = psutil.Process(pid).net_connections("tcp")
    except (psutil.Error, OSError) as error:
        raise Unreachable(f"its port is unknown: {printable(str(error))}") from error
    for each in sockets:
        if each.status == psutil.CONN_LISTEN:
            host, port = each.laddr.ip, each.laddr.port
            return {"host": host, "port": port, **ask_port(host, port, seconds=seconds)}
    raise Unreachable("it listens on no port")


def ask_socket(home: Home, *, seconds: float, verbose: bool = False) -> dict[str, Any]:
    """Do as ``ask_port``, through the daemon's Unix socket; ``verbose``: as ``/health?verbose``."""
    from http.client import HTTPConnection

    connection = HTTPConnection("localhost", timeout=seconds)
    try:
        connection.sock = _connect(home, seconds)
    except OSError as error:
        raise _unreachable(str(home.socket_file), error) from error
    return _ask(connection, str(home.socket_file), "/health?verbose" if verbose else "/health")


def _connect(home: Home, seconds: float) -> socket.socket:
    if sys.platform == "win32":
        raise OSError(errno.EAFNOSUPPORT, "there are no Unix sockets here")
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(seconds)
        with socket_address(home) as path:
            connected.connect(path)
    except BaseException:
        connected.close()
        raise
    return connected


def _ask(connection: HTTPConnection, where: str, target: str = "/health") -> dict[str, Any]:
    from http.client import HTTPException

    try:
        connection.request("GET", target)
        answer = json.loads(connection.getresponse().read(_MAX_BYTES))
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise _unreachable(where, error) from error
    finally:
        connection.close()
    if not isinstance(answer, dict) or answer.get("status") != "ok":
        raise Unreachable(f"{where} does not answer like a healthy shellwire daemon")
    return answer


def _unreachable(where: str, error: Exception) -> Unreachable:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Unreachable(f"{where} does not answer: {printable(reason)}")
