"""Check the peer of the Unix socket: the daemon's user, and no other principal's job."""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from aiohttp import web

from shellwire.server.http_connection import peer_log

if TYPE_CHECKING:
    import asyncio

    from shellwire.jobs.registry import Registry


def check_peer(transport: asyncio.BaseTransport, registry: Registry) -> None:
    """Raise HTTPForbidden unless the peer may act as the owner (unix(7), SO_PEERCRED).

    A process of another principal's job has the daemon's uid, but is not the owner. Who runs
    commands natively can get round this (SECURITY.md); it prevents mistakes.
    """
    if sys.platform == "win32" or not hasattr(socket, "SO_PEERCRED"):
        return  # the socket's mode, 0600, keeps other users out
    size = struct.calcsize("3i")
    sock = transport.get_extra_info("socket")
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid not in (0, os.getuid()):
        raise web.HTTPForbidden(text="this socket is another user's\n")
    principal = registry.principal_of_process(pid)
    if principal is not None:
        line = f"refused process {pid} on the Unix socket: it comes from a job of {principal}"
        peer_log.write(logging.WARNING, principal, line)
        raise web.HTTPForbidden(text="this socket is the owner's, and you are another's job\n")
