"""A TCP proxy that does to a connection what networks do: ends it, breaks it, or falls silent."""

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
"""``fin`` after what was passed on, ``rst`` at once, ``silence`` with both sockets open."""


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
        """End when ``count`` more bytes have passed, in both directions together."""
        self._left, self._ending = count, ending
        if count <= 0:
            self.cut(ending)

    def cut(self, ending: Ending) -> None:
        """End now, towards both sides."""
        if ending == "silence":
            self.stall()
            return
        for writer in self._writers:
            if ending == "rst":
                # close(2) with a linger of 0 sends RST (socket(7)).
                sock: socket.socket = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    def stall(self) -> None:
        """Pass nothing on from now."""
        self._flowing.clear()

    def stall_answers(self) -> None:
        """Pass nothing on from now that comes from the daemon."""
        self._answering.clear()

    def resume(self) -> None:
        """Pass on again, with what came meanwhile."""
        self._flowing.set()
        self._answering.set()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass on what ``reader`` gets. Returns whether it has fallen silent as planned."""
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
        """Give both sockets back."""
        for writer in self._writers:
            writer.transport.abort()


class Proxy:
    """Listens on a free port of loopback and passes connections on to ``url``, while it is so.

    ``cut`` and ``stall`` concern the connections that there are, ``cut_after`` one that is to come.
    """

    def __init__(self, url: str) -> None:
        self.target = url
        """Where the next connection goes to."""
        self.silent = asyncio.Event()
        """Set when ``cut_after`` has made one fall silent, which nothing else tells; clear it."""
        self.passed = 0
        """Bytes that crossed in connections that are over, in both directions together."""
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._plans: deque[tuple[int, Ending]] = deque()

    @property
    def url(self) -> str:
        """Where clients connect."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"ws://{host}:{port}"

    @property
    def planned(self) -> int:
        """How many ends that ``cut_after`` has planned are left for connections to come."""
        return len(self._plans)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Give everything back; connections that there are break."""
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
        """End every connection now."""
        for link in self._links:
            link.cut(ending)

    def cut_after(self, count: int, ending: Ending = "fin") -> None:
        """End a connection when ``count`` bytes have passed, in both directions together.

        It is the next one; if that has such an end already, the one after that, and so on.
        """
        self._plans.append((count, ending))

    def stall(self) -> None:
        """Pass nothing on from now, and end nothing."""
        for link in self._links:
            link.stall()

    def stall_answers(self) -> None:
        """Pass nothing on from now that comes from the daemon."""
        for link in self._links:
            link.stall_answers()

    def resume(self) -> None:
        """Pass on again."""
        for link in self._links:
            link.resume()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: those that asyncio makes are not waited for at the end.
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
