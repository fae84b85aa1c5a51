"""A file into a socket, by the kernel (sendfile(2)): nothing of it passes through our memory."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from shellwire.server.http_files.timeouts import STALLED_SECONDS

if TYPE_CHECKING:
    from aiohttp import web

    from shellwire.files.service import FileService

# So much in one go of a thread that others wait for.
_TURN = 8 * 1024 * 1024


async def pour(
    request: web.Request, response: web.StreamResponse, files: FileService, source: int, span: range
) -> None:
    """Answer with the bytes of the open file ``source`` that ``span`` names.

    The disk is read by a thread, which waits for nothing else: for room in the socket the loop
    waits. Cuts the connection if the file has become shorter, or the client takes nothing for a
    minute.
    """
    transport = request.transport
    writer = await response.prepare(request)
    assert transport is not None
    assert writer is not None
    # Nothing of ours may be in the way when the kernel writes: the head is out when this is over.
    transport.set_write_buffer_limits(high=0)
    writer.send_headers()
    await writer.drain()
    sock = os.dup(transport.get_extra_info("socket").fileno())
    try:
        while span:
            sent = await files.run(_send, sock, source, span)
            if sent < 0:
                transport.abort()
                return
            span = span[sent:]
            if span and not sent:
                await _writable(sock)
    except (TimeoutError, ConnectionError):
        transport.abort()
    finally:
        os.close(sock)


async def write(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Send a piece of the content. Cuts a client that takes nothing for a minute.

    Raises ConnectionError if nobody takes it any more.
    """
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await response.write(data)
    except TimeoutError:
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError("the client takes nothing") from None


def _send(sock: int, source: int, span: range) -> int:
    """Send until the socket is full or the turn is over; -1 if the file has ended before."""
    done = 0
    try:
        while done < min(len(span), _TURN):
            sent = os.sendfile(sock, source, span.start + done, min(len(span) - done, _TURN))
            if not sent:
                return -1
            done += sent
    except BlockingIOError:
        pass
    return done


async def _writable(sock: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def on_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(sock, on_ready)
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await ready
    finally:
        loop.remove_writer(sock)
