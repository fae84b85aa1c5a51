"""A server that accepts a client like a daemon, then sends what no daemon sends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

from tests.client.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

STATUS: dict[str, Any] = {
    "type": "status",
    "version": "9.9",
    "uptime_seconds": 1.0,
    "active_commands": 0,
    "active_sessions": 0,
    "python_version": "3",
    "shell": "/bin/sh",
    "client_id": "c",
    "protocol": 1,
    "instance": "i",
    "limits": {"max_message_bytes": 16 * 1024 * 1024, "buffer_bytes": 4 * 1024 * 1024},
    "features": ["text_bytes"],
    "jobs": [],
}

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload: bytes, *, first: int = 0x81) -> bytes:
    """Return a server's frame with ``payload``; ``first`` is its first byte (RFC 6455, 5.2)."""
    if len(payload) < 126:
        head = struct.pack("!BB", first, len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", first, 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 127, len(payload))
    return head + payload


def message_frame(message: Any) -> bytes:
    """Return a message as a frame."""
    return frame(json.dumps(message).encode())


class HostileServer:
    """Answers ``auth`` with ``status``, and each later message with the result of ``answers``.

    Both are bytes: frames, or invalid data.
    """

    def __init__(
        self,
        answers: Callable[[dict[str, Any]], bytes],
        *,
        status: bytes | None = None,
        deflate: bool = False,
    ) -> None:
        self.heard: list[dict[str, Any]] = []
        self.connections = 0
        self.url = ""
        self._answers = answers
        self._status = message_frame(STATUS) if status is None else status
        self._deflate = deflate
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[HostileServer]:
        """Serve on a free port while the block runs."""
        async with serving(self._connected) as port:
            self.url = f"ws://127.0.0.1:{port}/ws"
            yield self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(
            line.partition(":")[2].strip()
            for line in head.splitlines()
            if line.lower().startswith("sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if self._deflate else ""
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{extension}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        first = True
        while (payload := await self._receive(reader)) is not None:
            self.heard.append(json.loads(payload))
            answer = self._status if first else self._answers(self.heard[-1])
            first = False
            writer.write(answer)
            await writer.drain()

    async def _receive(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the next text message, None once the client closes."""
        while True:
            first, length = await reader.readexactly(2)
            length &= 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await reader.readexactly(8))
            mask = await reader.readexactly(4)
            data = await reader.readexactly(length)
            if first & 0xF == 8:
                return None
            if first & 0xF == 1:
                plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
                return self._inflate.decompress(plain + b"\0\0\xff\xff") if first & 0x40 else plain
