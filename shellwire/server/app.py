"""HTTP: the routes, the checks before a handshake, the sockets, start-up and shutdown."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

from aiohttp import web

from shellwire.errors import StartError
from shellwire.protocol import codec
from shellwire.server import handshake
from shellwire.server.connection import CLOSE_SECONDS, Connection
from shellwire.server.handlers import handle
from shellwire.server.http_connection import Peer, brief, peer_of
from shellwire.server.http_files.errors import in_one_form
from shellwire.server.listen import BACKLOG, Listener, bind
from shellwire.server.rate_limited_log import raised_at
from shellwire.server.unauthenticated import Places

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp.http import RawRequestMessage

    from shellwire.server.connections import Connections
    from shellwire.server.origin import OriginCheck

log = logging.getLogger(__name__)

# What the kernel has taken can't be overtaken by a control message (tcp(7), socket(7)).
_NOT_SENT_LOW_WATER = 64 * 1024
_SEND_BUFFER = 128 * 1024

# What a stranger sends compressed costs time before anybody can ask who it is.
_COMPRESSING_STRANGERS = 4


def _limit_kernel_buffers(transport: asyncio.Transport) -> None:
    # Every frame waits until the one before is with the kernel.
    transport.set_write_buffer_limits(high=0)
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


def _readable(make: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
    """Return what makes requests like ``make``, also of targets with a host that is none.

    The host is refused later: it is read from the target, not from the URL that is made of it.
    """

    def readable(message: RawRequestMessage, *rest: Any) -> web.BaseRequest:
        try:
            return make(message, *rest)
        except ValueError:
            return make(message._replace(url=message.url.relative()), *rest)

    return readable


class Server:
    """The daemon's HTTP server on one port, and on a Unix socket."""

    def __init__(
        self,
        connections: Connections,
        origin: OriginCheck,
        *,
        ping_interval: float,
        compress: bool = False,
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._ping_interval = ping_interval
        self._compress = compress
        self._control_port: int | None = None
        self._listeners: list[Listener] = []
        app = web.Application()
        app.router.add_get("/", self._root)
        app.router.add_get("/ws", self._websocket)
        app.router.add_get("/health", self._health)
        if connections.files is not None:
            from shellwire.server.http_files.routes import FileRoutes

            FileRoutes(connections, connections.files, self._is_local).add_to(app.router)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen. Returns the address and port that it got (``port`` 0 is any free one).

        Raises StartError.
        """
        await self._runner.setup()
        assert self._runner.server is not None
        server = self._runner.server
        self._route, server.request_handler = server.request_handler, self._answer
        server.request_factory = _readable(server.request_factory)
        try:
            listening = await bind(host, port)
        except (OSError, UnicodeError) as error:
            raise StartError(f"cannot listen on {host} port {port}: {_reason(error)}") from None
        except OverflowError:
            raise StartError(f"cannot listen on port {port}: it must be 0 to 65535") from None
        places = Places()
        for sock in listening:
            self._listen(sock, places)
        return self._listeners[0].address

    def _listen(self, sock: socket.socket, places: Places, *, local: bool = False) -> None:
        server = self._runner.server
        assert server is not None

        def make() -> Peer:
            return Peer(server, places)

        self._listeners.append(Listener(sock, places, make, local=local))

    async def start_control(self) -> int:
        """Listen on a free port of loopback, for administration where there is no Unix socket.

        Returns the port. Who connects there needs the token, and takes no client slot. Raises
        StartError.
        """
        try:
            (listening,) = await bind("127.0.0.1", 0)
        except OSError as error:
            raise StartError(f"cannot listen for administration: {_reason(error)}") from None
        self._listen(listening, Places())
        self._control_port = self._listeners[-1].address[1]
        return self._control_port

    async def start_unix(self, listening: socket.socket) -> None:
        """Listen on a Unix socket that is bound already. It has places of its own."""
        listening.listen(BACKLOG)
        self._listen(listening, Places(), local=True)

    async def stop_listening(self) -> None:
        """Take no new connections; those that there are go on."""
        while self._listeners:
            await self._listeners.pop().close()

    async def stop(self) -> None:
        """Close what is left and give the sockets back."""
        await self.stop_listening()
        await self._runner.cleanup()

    # Requests ------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request: the first that sees it, before it is routed."""
        assert isinstance(request, web.Request)
        peer = peer_of(request)
        peer.begin_request()
        response: web.StreamResponse
        try:
            response = await in_one_form(request, self._check)
        except web.HTTPException as refusal:
            if peer.lingers:
                refusal.force_close()
            raise
        except ConnectionError as error:
            # There is nobody left to be answered.
            log.debug("%s: %s", request.remote, error)
            peer.abort()
            response = web.Response(status=400)
        except Exception as error:
            brief.write(
                logging.ERROR,
                raised_at(error),
                f"a request failed: {raised_at(error)}",
            )
            response = web.Response(status=500, text="something went wrong; see the daemon's log\n")
            response.force_close()
        if peer.lingers and not response.prepared:
            response.force_close()
        return response

    async def _check(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            raise web.HTTPForbidden
        if self._is_local(request):
            if not _is_own_user(transport):
                raise web.HTTPForbidden(text="this socket is another user's\n")
        else:
            address = transport.get_extra_info("sockname")
            hosts, origins = _hosts(request), request.headers.getall("Origin", [])
            refusal = self._origin.refusal(hosts, origins, address and address[0])
            if refusal is not None:
                told = f"refused a request of {request.remote}: {refusal}"
                brief.write(logging.WARNING, refusal, told)
                raise web.HTTPForbidden(text=f"{refusal}\n")
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            raise web.HTTPExpectationFailed(text="Expect: expected 100-continue\n")
        return await self._route(request)

    def _is_local(self, request: web.Request) -> bool:
        sock = request.transport.get_extra_info("socket") if request.transport else None
        return sock is not None and sock.family == getattr(socket, "AF_UNIX", None)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response(self._connections.health())

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if handshake.is_upgrade(request):
            return await self._websocket(request)
        return web.Response(text="shellwire: a WebSocket is served at / and /ws\n")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        handshake.check(request)
        transport = request.transport
        assert transport is not None
        address = "" if self._is_local(request) else request.remote or "?"
        ws: web.WebSocketResponse[bool] = web.WebSocketResponse(
            heartbeat=self._ping_interval,
            timeout=CLOSE_SECONDS,
            # Refused from this size on, so that exactly MAX_FRAME passes.
            max_msg_size=codec.MAX_FRAME + 1,
            compress=self._compress and self._connections.strangers < _COMPRESSING_STRANGERS,
            writer_limit=0,
            # The codec decodes UTF-8 itself: what is wrong is an error then, not an end.
            decode_text=False,
        )
        # aiohttp gives a peer half an interval after a ping, and has no option for it (3.14);
        # promised are two in all.
        ws._pong_heartbeat = self._ping_interval
        _limit_kernel_buffers(transport)
        peer = peer_of(request)
        peer.compressed = lambda: bool(ws.compress)
        try:
            writer = await ws.prepare(request)
        except ConnectionError as error:  # it left while we shook hands
            log.debug("%s: %s", address or "a local client", error)
            transport.abort()
            return web.Response(status=400)
        except (web.HTTPException, ValueError):
            raise handshake.refused() from None
        bound = transport.get_extra_info("sockname")
        apart = self._control_port is not None and bound[1] == self._control_port
        await Connection(
            ws, transport, writer.drain, address, self._connections, handle, peer, apart=apart
        ).run()
        return ws
