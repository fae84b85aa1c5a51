"""An HTTP proxy: tunnels by CONNECT, and forwards requests whose target is a whole URL."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.client.serving import serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from typing import Self


class Forwarder:
    """Forwards each connection to a port; with ``tls`` a client speaks TLS to it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._target = (host, port)
        self._tls = tls
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Self]:
        """Serve on a free port while the block runs."""
        try:
            async with serving(self._connected, self._tls) as self.port:
                yield self
        finally:
            for writer in self._writers:
                writer.transport.abort()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, sender = await asyncio.open_connection(*self._target)
        self._writers.append(sender)
        await asyncio.gather(_pump(reader, sender), _pump(there, writer))


class ConnectProxy(Forwarder):
    """Notes each request line in ``asked``.

    ``password`` (``user:password``) is demanded; ``refusal`` is sent to each request instead of an
    answer, as it is.
    """

    def __init__(self, *, password: str | None = None, refusal: bytes | None = None) -> None:
        super().__init__("", 0)
        self.asked: list[str] = []
        self._password = password
        self._refusal = refusal

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, _, rest = head.partition("\r\n")
        self.asked.append(line)
        if self._refusal is not None:
            writer.write(self._refusal)
            await writer.drain()
            await reader.read()
            return
        if self._password is not None:
            expected = base64.b64encode(self._password.encode()).decode()
            if f"Proxy-Authorization: Basic {expected}\r\n" not in head:
                writer.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n")
                await writer.drain()
                return
        method, target, version = line.split(" ")
        address = urlsplit(f"//{target}" if method == "CONNECT" else target)
        there, sender = await asyncio.open_connection(address.hostname, address.port)
        self._writers.append(sender)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Go on\r\nVia: test\r\n\r\n")
        else:
            path = f"{address.path}?{address.query}" if address.query else address.path
            sender.write(f"{method} {path} {version}\r\n{rest}".encode())
        await asyncio.gather(_pump(reader, sender), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
