"""Send a file with sendfile(2), which copies in the kernel, not through our memory."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from shellwire.server.http_files.timeouts import STALLED_SECONDS

if TYPE_CHECKING:
    from aiohttp import web

    from shellwire.files.service import FileService

# Bytes sent per call in a worker thread, which other requests share.
_MAX_PER_CALL = 8 * 1024 * 1024


async def send_range(
    request: web.Request, response: web.StreamResponse, files: FileService, source: int, span: range
) -> None:
    """Send the bytes ``span`` of the open file ``source`` as the body.

    A thread reads the disk; the event loop waits for room in the socket. Cuts the connection if the
    file has become shorter, or if the client takes nothing for a minute.
    """
    transport = request.transport
    writer = await response.prepare(request)
    assert transport is not None
    assert writer is not None
    # The head must have left our buffer before the kernel writes to the socket.
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
                await _wait_writable(sock)
    except (TimeoutError, ConnectionError):
        transport.abort()
    finally:
        os.close(sock)


async def write_body(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Send a part of the body. Cuts a client that takes nothing for a minute.

    Raises ConnectionError if the client has left.
    """
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await response.write(data)
    except TimeoutError:
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError("the client takes nothing") from None


def _send(sock: int, source: int, span: range) -> int:
    """Send until the socket is full, or for one call's share; return -1 if the file ended early."""
    done = 0
    try:
        while done < min(len(span), _MAX_PER_CALL):
            sent = os.sendfile(
                sock, source, span.start + done, min(len(span) - done, _MAX_PER_CALL)
            )
            if not sent:
                return -1
            done += sent
    except BlockingIOError:
        pass
    return done


async def _wait_writable(sock: int) -> None:
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
