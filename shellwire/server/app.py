"""HTTP: the routes, the checks before a handshake, the sockets, start-up and shutdown."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from aiohttp import web

from shellwire.errors import StartError
from shellwire.protocol import codec
from shellwire.server.bulk.admission import refuse_flood
from shellwire.server.bulk.problems import in_one_form
from shellwire.server.connection import CLOSE_SECONDS, Connection
from shellwire.server.handlers import handle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from shellwire.server.access import Gate
    from shellwire.server.hub import Hub

log = logging.getLogger(__name__)

# What the kernel has taken can't be overtaken by a control message (tcp(7), socket(7)).
_NOT_SENT_LOW_WATER = 64 * 1024
_SEND_BUFFER = 128 * 1024

_READ_SIZE = 64 * 1024

# A path may have 4,095 bytes, each of which may be percent-encoded; and something stands around it.
_LONGEST_LINE = 16 * 1024

_BACKLOG = 128

# aiohttp unpacks a frame before anybody can ask who sent it: 16 KiB may become 16 MiB.
_COMPRESSING_STRANGERS = 4

HANDSHAKE_SECONDS = 10.0
"""Seconds that a client has for a whole request, and between two of them."""


def _limit_kernel_buffers(transport: asyncio.Transport) -> None:
    # Every frame waits until the one before is with the kernel.
    transport.set_write_buffer_limits(high=0)
    # asyncio reads with a buffer of this size: at its 256 KiB each is a mapping of its own, which
    # costs more than what most messages do.
    transport.max_size = _READ_SIZE  # type: ignore[attr-defined]
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32" or sock.family == socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOT_SENT_LOW_WATER)


def _hosts(request: web.Request) -> list[str]:
    """Return every host that the request names: a target in absolute form names one as well."""
    hosts = request.headers.getall("Host", [])
    if not request.raw_path.startswith(("/", "*")):
        hosts = [*hosts, request.raw_path.partition("://")[2].partition("/")[0]]
    return hosts


def _is_own_user(transport: asyncio.BaseTransport) -> bool:
    """Whether the peer of a Unix socket is our user or root (unix(7), SO_PEERCRED)."""
    if sys.platform == "win32" or not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's mode, 0600, has said so already
    size = struct.calcsize("3i")
    sock = transport.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (0, os.getuid())


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is no name of a host"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error).lower()
    # Not strerror: asyncio puts the address into it.
    return os.strerror(error.errno).lower()


class Server:
    """The daemon's HTTP server on one port, and on a Unix socket."""

    def __init__(
        self, hub: Hub, gate: Gate, *, ping_interval: float, compress: bool = False
    ) -> None:
        self._hub = hub
        self._gate = gate
        self._ping_interval = ping_interval
        self._compress = compress
        self._control_port: int | None = None
        app = web.Application(middlewares=[in_one_form, self._check])
        app.router.add_get("/", self._root)
        app.router.add_get("/ws", self._websocket)
        app.router.add_get("/health", self._health)
        if hub.files is not None:
            from shellwire.server.bulk.routes import Bulk

            Bulk(hub, hub.files, self._is_local).add_to(app.router)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=HANDSHAKE_SECONDS,
            shutdown_timeout=CLOSE_SECONDS,
            # Whoever reads a content decodes it, in a thread and with a bound.
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
        )

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen. Returns the address and port that it got (``port`` 0 is any free one).

        Raises StartError.
        """
        await self._runner.setup()
        try:
            await self._listen(host, port)
        except (OSError, UnicodeError) as error:
            raise StartError(f"cannot listen on {host} port {port}: {_reason(error)}") from None
        except OverflowError:
            raise StartError(f"cannot listen on port {port}: it must be 0 to 65535") from None
        bound = self._runner.addresses[0]
        return bound[0], bound[1]

    async def _listen(self, host: str, port: int) -> None:
        # On Windows it means that another may take the same port (SO_REUSEADDR).
        reuse = sys.platform != "win32"
        site = web.TCPSite(self._runner, host, port, backlog=_BACKLOG, reuse_address=reuse)
        await site.start()

    async def start_control(self) -> int:
        """Listen on a free port of loopback, for administration where there is no Unix socket.

        Returns the port. Who connects there needs the token, and takes no client slot. Raises
        StartError.
        """
        try:
            await self._listen("127.0.0.1", 0)
        except OSError as error:
            raise StartError(f"cannot listen for administration: {_reason(error)}") from None
        self._control_port = self._runner.addresses[-1][1]
        return self._control_port

    async def start_unix(self, listening: socket.socket) -> None:
        """Listen on a Unix socket that is bound already."""
        await web.SockSite(self._runner, listening, backlog=_BACKLOG).start()

    async def stop_listening(self) -> None:
        """Take no new connections; those that there are go on."""
        for site in list(self._runner.sites):
            await site.stop()

    async def stop(self) -> None:
        """Close what is left and give the sockets back."""
        await self._runner.cleanup()

    # Requests ------------------------------------------------------------------------------------

    @web.middleware
    async def _check(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            raise web.HTTPForbidden
        if self._is_local(request):
            if not _is_own_user(transport):
                raise web.HTTPForbidden(text="this socket is another user's\n")
            return await handler(request)
        address = transport.get_extra_info("sockname")
        hosts, origins = _hosts(request), request.headers.getall("Origin", [])
        refusal = self._gate.refusal(hosts, origins, address and address[0])
        if refusal is not None:
            log.warning("refused a request of %s: %s", request.remote, refusal)
            raise web.HTTPForbidden(text=f"{refusal}\n")
        return await handler(request)

    def _is_local(self, request: web.Request) -> bool:
        sock = request.transport.get_extra_info("socket") if request.transport else None
        return sock is not None and sock.family == getattr(socket, "AF_UNIX", None)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response(self._hub.health())

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        return web.Response(text="shellwire: a WebSocket is served at / and /ws\n")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPUpgradeRequired(
                headers={"Upgrade": "websocket"}, text="shellwire: this is a WebSocket\n"
            )
        transport = request.transport
        assert transport is not None
        address = "" if self._is_local(request) else request.remote or "?"
        if address:
            refuse_flood(self._hub, address)
        ws: web.WebSocketResponse[bool] = web.WebSocketResponse(
            heartbeat=self._ping_interval,
            timeout=CLOSE_SECONDS,
            # Refused from this size on, so that exactly MAX_FRAME passes.
            max_msg_size=codec.MAX_FRAME + 1,
            compress=self._compress and self._hub.strangers < _COMPRESSING_STRANGERS,
            writer_limit=0,
            # The codec decodes UTF-8 itself: what is wrong is an error then, not an end.
            decode_text=False,
        )
        # aiohttp gives a peer half an interval after a ping, and has no option for it (3.14);
        # promised are two in all.
        ws._pong_heartbeat = self._ping_interval
        _limit_kernel_buffers(transport)
        try:
            writer = await ws.prepare(request)
        except ConnectionError as error:  # it left while we shook hands
            log.debug("%s: %s", address or "a local client", error)
            transport.abort()
            return web.Response(status=400)
        bound = transport.get_extra_info("sockname")
        apart = self._control_port is not None and bound[1] == self._control_port
        await Connection(ws, transport, writer.drain, address, self._hub, handle, apart=apart).run()
        return ws
