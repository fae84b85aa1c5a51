"""Listening sockets: accept connections, with limits and a reserve of descriptors for jobs."""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
from typing import TYPE_CHECKING

from shellwire.process.limits import max_descriptors
from shellwire.server.rate_limited_log import RateLimitedLog
from shellwire.server.unauthenticated import MAX_UNAUTHENTICATED

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from shellwire.server.unauthenticated import UnauthenticatedLimit

log = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the kernel queues until accepted (listen(2)); its own limit may be lower."""

RETRY_SECONDS = 1.0
"""Seconds until the next attempt if no descriptor is left for a new connection."""

MAX_RESERVED = 256
"""Descriptors that connections leave to jobs, if the limit allows it."""

# With so few descriptors in all, none are reserved.
_TOO_FEW = 128

_LOG_SECONDS = 60.0
_ACCEPTS_PER_TURN = 16


async def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of ``host``.

    Raises OSError, UnicodeError or OverflowError.
    """
    loop = asyncio.get_running_loop()
    # On Windows, SO_REUSEADDR would let another process bind the same port.
    reuse = sys.platform != "win32"
    # asyncio binds every address of a name, of both families. It must not accept connections.
    bound = await loop.create_server(
        asyncio.Protocol, host, port, reuse_address=reuse, start_serving=False
    )
    found: list[socket.socket] = []
    try:
        for each in bound.sockets:
            found.append(each.dup())
            found[-1].listen(BACKLOG)
    except OSError:
        for sock in found:
            sock.close()
        raise
    finally:
        bound.close()
    return found


class Listener:
    """Accepts the connections of one listening socket; ``make`` makes a protocol for each.

    On TCP, which anybody can reach, connections beyond ``unauthenticated`` are dropped. On the Unix
    socket (``local``) they wait until the limit allows them.
    """

    def __init__(
        self,
        listening: socket.socket,
        unauthenticated: UnauthenticatedLimit,
        make: Callable[[], asyncio.Protocol],
        *,
        local: bool,
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._unauthenticated = unauthenticated
        self._make = make
        self._local = local
        self._log = RateLimitedLog(log, _LOG_SECONDS)
        self._task = asyncio.create_task(self._run())

    @property
    def address(self) -> tuple[str, int]:
        """The bound host and port."""
        name = self._listening.getsockname()
        return name[0], name[1]

    async def close(self) -> None:
        """Stop accepting connections."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._listening.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        accepted = 0
        while True:
            if self._local:
                await self._unauthenticated.wait_below(MAX_UNAUTHENTICATED)
            try:
                sock, _ = await loop.sock_accept(self._listening)
            except OSError as error:
                await self._wait_after(error)
                continue
            try:
                if await self._accepts(sock):
                    await loop.connect_accepted_socket(self._make, sock)
                else:
                    sock.close()
            except OSError:  # the peer has left already
                sock.close()
            except asyncio.CancelledError:
                sock.close()
                raise
            accepted += 1
            if accepted % _ACCEPTS_PER_TURN == 0:
                await asyncio.sleep(0)  # an accept that does not block lets no other task run

    async def _accepts(self, sock: socket.socket) -> bool:
        # A new descriptor has the lowest free number (open(2)), so all lower ones are in use.
        if sys.platform != "win32" and sock.fileno() >= max_descriptors() - self._reserve():
            self._log.write(
                logging.ERROR,
                "reserve",
                "too many descriptors are open: connections are dropped, to leave some for jobs",
            )
            return False
        return self._local or await self._unauthenticated.accepts()

    def _reserve(self) -> int:
        reserve = min(MAX_RESERVED, max(0, max_descriptors() - _TOO_FEW) // 2)
        return reserve // 2 if self._local else reserve

    async def _wait_after(self, error: OSError) -> None:
        """Wait before the next accept(2): retrying at once frees no descriptor."""
        if error.errno in (errno.ECONNABORTED, errno.EPROTO):
            return  # the peer left before it was accepted
        self._log.write(
            logging.ERROR,
            errno.errorcode.get(error.errno or 0, "?"),
            f"cannot take new connections for now: {error.strerror}",
        )
        await asyncio.sleep(RETRY_SECONDS)
