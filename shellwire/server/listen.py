"""Listening sockets: which connections are taken, and what happens when descriptors run out."""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
from typing import TYPE_CHECKING

from shellwire.process.limits import most_descriptors
from shellwire.server.rate_limited_log import RateLimitedLog
from shellwire.server.unauthenticated import FULL

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from shellwire.server.unauthenticated import Places

log = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the kernel keeps until they are taken (listen(2)); its own limit may be less."""

RETRY_SECONDS = 1.0
"""Seconds until the next try when there is no descriptor for a new connection."""

MOST_RESERVED = 256
"""Descriptors that connections leave free for jobs, where there are enough."""

# Below this many there is no choice: what comes first gets them.
_TOO_FEW = 128

_QUIET = 60.0
_AT_ONCE = 16


async def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of ``host``.

    Raises OSError, UnicodeError or OverflowError.
    """
    loop = asyncio.get_running_loop()
    # On Windows it means that another may take the same port (SO_REUSEADDR).
    reuse = sys.platform != "win32"
    # asyncio knows how to bind to a name with addresses of both families; it shall not accept.
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
    """Takes connections of one listening socket, and makes a protocol for each with ``make``.

    By TCP (``local`` is False) anybody may come: what ``places`` does not admit is dropped. On the
    Unix socket a connection waits until there is a place.
    """

    def __init__(
        self,
        listening: socket.socket,
        places: Places,
        make: Callable[[], asyncio.Protocol],
        *,
        local: bool,
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._places = places
        self._make = make
        self._local = local
        self._log = RateLimitedLog(log, _QUIET)
        self._task = asyncio.create_task(self._run())

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        name = self._listening.getsockname()
        return name[0], name[1]

    async def close(self) -> None:
        """Take no more connections."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._listening.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        taken = 0
        while True:
            if self._local:
                await self._places.below(FULL)
            try:
                sock, _ = await loop.sock_accept(self._listening)
            except OSError as error:
                await self._failed(error)
                continue
            try:
                if await self._is_welcome(sock):
                    await loop.connect_accepted_socket(self._make, sock)
                else:
                    sock.close()
            except OSError:  # it has gone already
                sock.close()
            except asyncio.CancelledError:
                sock.close()
                raise
            taken += 1
            if taken % _AT_ONCE == 0:
                await asyncio.sleep(0)  # accept(2) that need not wait lets nobody else run

    async def _is_welcome(self, sock: socket.socket) -> bool:
        # open(2), accept(2): a new descriptor has the lowest free number. So all below are in use.
        if sys.platform != "win32" and sock.fileno() >= most_descriptors() - self._reserve():
            self._log.write(
                logging.ERROR,
                "reserve",
                "too many descriptors are open: connections are dropped, to leave some for jobs",
            )
            return False
        return self._local or await self._places.admits()

    def _reserve(self) -> int:
        reserve = min(MOST_RESERVED, max(0, most_descriptors() - _TOO_FEW) // 2)
        return reserve // 2 if self._local else reserve

    async def _failed(self, error: OSError) -> None:
        """Wait a while: what is missing does not come back because accept(2) is called again."""
        if error.errno in (errno.ECONNABORTED, errno.EPROTO):
            return  # it left before it was taken
        self._log.write(
            logging.ERROR,
            errno.errorcode.get(error.errno or 0, "?"),
            f"cannot take new connections for now: {error.strerror}",
        )
        await asyncio.sleep(RETRY_SECONDS)
