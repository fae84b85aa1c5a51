"""The HTTP server: routes, checks before a handshake, listening sockets, start and stop."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from aiohttp import web

from shellwire.errors import StartError
from shellwire.protocol import codec
from shellwire.server import handshake, status
from shellwire.server.authentication import (
    bearer_token,
    check_handshake,
    check_http_request,
)
from shellwire.server.close_handshake import CLOSE_SECONDS
from shellwire.server.connection import Connection
from shellwire.server.handlers.dispatch import handle
from shellwire.server.http_connection import HttpConnection, http_connection_of, peer_log
from shellwire.server.http_files.errors import json_errors
from shellwire.server.identity import Offer
from shellwire.server.listen import BACKLOG, Listener, bind
from shellwire.server.rate_limited_log import raised_at
from shellwire.server.socket_peer import check_peer
from shellwire.server.unauthenticated import UnauthenticatedLimit

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp.http import RawRequestMessage

    from shellwire.server.connections import Connections
    from shellwire.server.origin import OriginCheck

log = logging.getLogger(__name__)

# A control message can't overtake data in the kernel's buffer, so it is small (tcp(7), socket(7)).
_NOT_SENT_LOW_WATER = 64 * 1024
_SEND_BUFFER = 128 * 1024

# A compressed first message costs CPU time before its sender has authenticated.
_MAX_UNAUTHENTICATED_COMPRESSED = 4


def _limit_kernel_buffers(transport: asyncio.Transport) -> None:
    # Each frame waits until the kernel has taken the one before it.
    transport.set_write_buffer_limits(high=0)
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32" or sock.family == socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOT_SENT_LOW_WATER)


def _hosts(request: web.Request) -> list[str]:
    """Return every host that the request names, including that of an absolute target."""
    hosts = request.headers.getall("Host", [])
    if not request.raw_path.startswith(("/", "*")):
        hosts = [*hosts, request.raw_path.partition("://")[2].partition("/")[0]]
    return hosts


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "not a valid host name"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error).lower()
    # Not error.strerror: asyncio adds the address to it.
    return os.strerror(error.errno).lower()


def _accept_any_target(make: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
    """Wrap the request factory ``make`` to accept targets with an invalid host.

    Such a host is refused later, when it is read from the raw target instead of the URL.
    """

    def make_request(message: RawRequestMessage, *rest: Any) -> web.BaseRequest:
        try:
            return make(message, *rest)
        except ValueError:
            return make(message._replace(url=message.url.relative()), *rest)

    return make_request


class Server:
    """The daemon's HTTP server, on one TCP port and a Unix socket."""

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
        if connections.services.files is not None:
            from shellwire.server.http_files.routes import FileRoutes

            FileRoutes(connections, connections.services.files, self._offer).add_to(app.router)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen on TCP. Returns the bound address and port; ``port`` 0 takes any free one.

        Raises StartError.
        """
        await self._runner.setup()
        assert self._runner.server is not None
        server = self._runner.server
        self._route, server.request_handler = server.request_handler, self._respond
        server.request_factory = _accept_any_target(server.request_factory)
        try:
            listening = await bind(host, port)
        except (OSError, UnicodeError) as error:
            raise StartError(f"cannot listen on {host} port {port}: {_reason(error)}") from None
        except OverflowError:
            raise StartError(f"cannot listen on port {port}: it must be 0 to 65535") from None
        limit = UnauthenticatedLimit()
        for sock in listening:
            self._listen(sock, limit)
        return self._listeners[0].address

    def _listen(
        self, sock: socket.socket, limit: UnauthenticatedLimit, *, local: bool = False
    ) -> None:
        server = self._runner.server
        assert server is not None

        def make() -> HttpConnection:
            return HttpConnection(server, limit)

        self._listeners.append(Listener(sock, limit, make, local=local))

    async def start_control(self) -> int:
        """Listen on a free loopback port for administration, where Unix sockets are not supported.

        Returns the port. Its clients need the token, and take no client slot. Raises StartError.
        """
        try:
            (listening,) = await bind("127.0.0.1", 0)
        except OSError as error:
            raise StartError(f"cannot listen for administration: {_reason(error)}") from None
        self._listen(listening, UnauthenticatedLimit())
        self._control_port = self._listeners[-1].address[1]
        return self._control_port

    async def start_unix(self, listening: socket.socket) -> None:
        """Listen on a bound Unix socket, with a limit of its own for unauthenticated peers."""
        listening.listen(BACKLOG)
        self._listen(listening, UnauthenticatedLimit(), local=True)

    async def stop_listening(self) -> None:
        """Accept no new connections; existing ones continue."""
        while self._listeners:
            await self._listeners.pop().close()

    async def stop(self) -> None:
        """Close the listening sockets and the remaining connections."""
        await self.stop_listening()
        await self._runner.cleanup()

    # Requests ------------------------------------------------------------------------------------

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; called before it is routed."""
        assert isinstance(request, web.Request)
        http_connection = http_connection_of(request)
        http_connection.begin_request()
        response: web.StreamResponse
        try:
            response = await json_errors(request, self._check)
        except web.HTTPException as refusal:
            if http_connection.must_close:
                refusal.force_close()
            raise
        except ConnectionError as error:
            # The client has left; nobody reads an answer.
            log.debug("%s: %s", request.remote, error)
            http_connection.abort()
            response = web.Response(status=400)
        except Exception as error:
            location = raised_at(error)
            peer_log.write(logging.ERROR, location, f"a request failed: {location}")
            response = web.Response(status=500, text="something went wrong; see the daemon's log\n")
            response.force_close()
        if http_connection.must_close:
            response.force_close()
        return response

    async def _check(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            raise web.HTTPForbidden
        if self._is_local(request):
            check_peer(transport, self._connections.services.registry)
        else:
            address = transport.get_extra_info("sockname")
            hosts, origins = _hosts(request), request.headers.getall("Origin", [])
            refusal = self._origin.refusal(hosts, origins, address and address[0])
            if refusal is not None:
                line = f"refused a request of {request.remote}: {refusal}"
                peer_log.write(logging.WARNING, refusal, line)
                raise web.HTTPForbidden(text=f"{refusal}\n")
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            raise web.HTTPExpectationFailed(text="Expect: expected 100-continue\n")
        return await self._route(request)

    def _is_local(self, request: web.Request) -> bool:
        sock = request.transport.get_extra_info("socket") if request.transport else None
        return sock is not None and sock.family == getattr(socket, "AF_UNIX", None)

    def _offer(self, request: web.Request) -> Offer:
        """Return what a request offers to prove who sends it."""
        if self._is_local(request):
            return Offer("")
        return Offer(request.remote or "?", bearer_token(request))

    async def _health(self, request: web.Request) -> web.Response:
        if "verbose" not in request.query:
            return web.json_response(status.health(self._connections.services))
        asker = await check_http_request(
            request, self._offer(request), self._connections, "GET/health?verbose"
        )
        return web.json_response(status.verbose_health(self._connections, asker))

    async def _root(self, request: web.Request) -> web.StreamResponse:
        if handshake.is_upgrade(request):
            return await self._websocket(request)
        return web.Response(text="shellwire: a WebSocket is served at / and /ws\n")

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        handshake.check(request)
        transport = request.transport
        assert transport is not None
        offer = self._offer(request)
        if offer.token is not None:
            await check_handshake(request, offer, self._connections)
        ws: web.WebSocketResponse[bool] = web.WebSocketResponse(
            timeout=CLOSE_SECONDS,
            # aiohttp refuses messages of this size; MAX_FRAME bytes pass.
            max_msg_size=codec.MAX_FRAME + 1,
            compress=self._compress
            and self._connections.unauthenticated < _MAX_UNAUTHENTICATED_COMPRESSED,
            writer_limit=0,
            # The codec decodes UTF-8: invalid text is answered with an error, not a close.
            decode_text=False,
        )
        _limit_kernel_buffers(transport)
        http_connection = http_connection_of(request)
        http_connection.compressed = lambda: bool(ws.compress)
        try:
            await ws.prepare(request)
        except ConnectionError as error:  # the client left during the handshake
            log.debug("%s: %s", offer.address or "a local client", error)
            transport.abort()
            return web.Response(status=400)
        except (web.HTTPException, ValueError):
            raise handshake.refused() from None
        bound = transport.get_extra_info("sockname")
        slot_free = self._control_port is not None and bound[1] == self._control_port
        await Connection(
            ws,
            transport,
            offer,
            self._connections,
            handle,
            http_connection,
            slot_free=slot_free,
        ).run()
        return ws
