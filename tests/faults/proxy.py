"""A TCP proxy that simulates network faults: closed, reset and silent connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing import Self

Ending = Literal["fin", "rst", "silence"]
"""``fin`` after the forwarded bytes, ``rst`` at once, ``silence`` with both sockets open."""


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, daemon: asyncio.StreamWriter) -> None:
        self._writers = (client, daemon)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._answering = asyncio.Event()
        self._answering.set()
        self._left: int | None = None
        self.passed = 0
        self._ending: Ending = "fin"

    def cut_after(self, count: int, ending: Ending) -> None:
        """End after ``count`` more bytes, counting both directions together."""
        self._left, self._ending = count, ending
        if count <= 0:
            self.cut(ending)

    def cut(self, ending: Ending) -> None:
        """End now, on both sides."""
        if ending == "silence":
            self.stall()
            return
        for writer in self._writers:
            if ending == "rst":
                # close(2) with a linger time of 0 sends RST (socket(7)).
                sock: socket.socket = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    def stall(self) -> None:
        """Forward nothing from now on."""
        self._flowing.clear()

    def stall_answers(self) -> None:
        """Forward nothing from the daemon from now on."""
        self._answering.clear()

    def resume(self) -> None:
        """Forward again, beginning with the data held back."""
        self._flowing.set()
        self._answering.set()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Forward the bytes of ``reader``. Returns whether it has fallen silent as planned."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if writer is self._writers[0]:
                    await self._answering.wait()
                if self._left is not None:
                    data = data[: self._left]
                    self._left -= len(data)
                self.passed += len(data)
                writer.write(data)
                if self._left == 0:
                    self.cut(self._ending)
                    return self._ending == "silence"
                await writer.drain()
        if self._flowing.is_set():
            writer.close()
        return False

    def abort(self) -> None:
        """Close both sockets."""
        for writer in self._writers:
            writer.transport.abort()


class Proxy:
    """Listens on a free loopback port and forwards connections to ``url`` until stopped.

    ``cut`` and ``stall`` affect open connections, ``cut_after`` a future one.
    """

    def __init__(self, url: str) -> None:
        self.target = url
        """The target of new connections."""
        self.silent = asyncio.Event()
        """Set when ``cut_after`` has made a connection fall silent: nothing else shows it. Clear it
        after."""
        self.passed = 0
        """Bytes forwarded by finished connections, both directions together."""
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._plans: deque[tuple[int, Ending]] = deque()

    @property
    def url(self) -> str:
        """The URL for clients."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"ws://{host}:{port}"

    @property
    def planned(self) -> int:
        """Ends planned by ``cut_after`` that no connection has used yet."""
        return len(self._plans)

    async def start(self) -> None:
        """Start listening."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Close everything; open connections break."""
        if self._server is not None:
            self._server.close()
        for link in self._links:
            link.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def cut(self, ending: Ending = "fin") -> None:
        """End every open connection now."""
        for link in self._links:
            link.cut(ending)

    def cut_after(self, count: int, ending: Ending = "fin") -> None:
        """End a connection when ``count`` bytes have passed, in both directions together.

        The first call is about the next connection, the second call about the one after that.
        """
        self._plans.append((count, ending))

    def stall(self) -> None:
        """Forward nothing from now on, and close nothing."""
        for link in self._links:
            link.stall()

    def stall_answers(self) -> None:
        """Forward nothing from the daemon from now on."""
        for link in self._links:
            link.stall_answers()

    def resume(self) -> None:
        """Forward again."""
        for link in self._links:
            link.resume()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio does not wait for its tasks at shutdown.
        task = asyncio.create_task(self._pass(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plan = self._plans.popleft() if self._plans else None
        where = urlsplit(self.target)
        try:
            their_reader, their_writer = await asyncio.open_connection(where.hostname, where.port)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, their_writer)
        self._links.add(link)
        try:
            if plan is not None:
                link.cut_after(*plan)
            await asyncio.gather(
                self._pump(link, reader, their_writer), self._pump(link, their_reader, writer)
            )
        finally:
            self._links.discard(link)
            self.passed += link.passed
            link.abort()

    async def _pump(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if await link.pump(reader, writer):
            self.silent.set()
