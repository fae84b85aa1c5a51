"""A low-level WebSocket client that can also break the protocol (RFC 6455)."""

from __future__ import annotations

import array
import asyncio
import base64
import contextlib
import fcntl
import json
import os
import socket
import struct
import termios
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.live import Daemon, Message

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class Response(NamedTuple):
    """The head of an HTTP answer, and the body that its Content-Length announces."""

    status: int
    headers: dict[str, str]
    body: bytes


class Frame(NamedTuple):
    """One WebSocket frame from the daemon."""

    opcode: int
    payload: bytes


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, mask: bool = True) -> bytes:
    """Return the bytes of a frame."""
    first = (0x80 if final else 0) | opcode
    length = len(payload)
    bit = 0x80 if mask else 0
    if length < 126:
        head = struct.pack("!BB", first, bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    # The mask is zero: masking protects proxies, and the tests use none.
    return head + (bytes(4) if mask else b"") + payload


def text(message: Message) -> bytes:
    """Return a message as one text frame."""
    return frame(TEXT, json.dumps(message).encode())


class Raw:
    """A connection to the daemon. The fixture ``_close_raws`` closes it after the test."""

    opened: ClassVar[list[Raw]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.opened.append(self)

    @classmethod
    async def open(cls, daemon: Daemon, *, local: bool = False, source: str | None = None) -> Raw:
        """Connect by TCP, from the address ``source``, or to the Unix socket."""
        if local:
            return cls(*await asyncio.open_unix_connection(str(daemon.home / "daemon.sock")))
        where = urlsplit(daemon.url)
        sender = (source, 0) if source else None
        return cls(*await asyncio.open_connection(where.hostname, where.port, local_addr=sender))

    @classmethod
    async def upgraded(
        cls, daemon: Daemon, *, local: bool = False, source: str | None = None
    ) -> Raw:
        """Connect and complete the WebSocket handshake."""
        raw = await cls.open(daemon, local=local, source=source)
        response = await raw.upgrade()
        assert response.status == 101, response
        return raw

    @classmethod
    async def client(cls, daemon: Daemon, client_id: str, *, local: bool = False) -> Raw:
        """Connect and authenticate."""
        raw = await cls.upgraded(daemon, local=local)
        raw.write(text(raw.auth(daemon, client_id)))
        status = await raw.receive()
        assert status["type"] == "status", status
        return raw

    @staticmethod
    def auth(daemon: Daemon, client_id: str = "raw", **fields: Any) -> Message:
        """Return a valid ``auth`` message."""
        return {"type": "auth", "token": daemon.token, "client_id": client_id, **fields}

    # HTTP ----------------------------------------------------------------------------------------

    async def ask(
        self, target: str, headers: Mapping[str, str] | None = None, *, method: str = "GET"
    ) -> Response:
        """Send a request with these headers and no others, and read the answer."""
        self.write(request(target, headers or {}, method=method))
        return await self.answer()

    async def upgrade(
        self, target: str = "/ws", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Request a WebSocket upgrade. ``Host`` defaults to ``localhost``."""
        return await self.ask(target, handshake(headers))

    async def answer(self) -> Response:
        """Read one HTTP answer."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Response(int(first.split()[1]), headers, body)

    # Frames --------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send raw bytes."""
        self.writer.write(data)

    def send(self, message: Message) -> None:
        """Send a message in one frame."""
        self.write(text(message))

    async def fragment(self) -> tuple[bool, Frame]:
        """Read one frame; return whether it is the last of its message, and the frame."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80, "a server does not mask"
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(length)
            return bool(first & 0x80), Frame(first & 0x0F, payload)

    async def frame(self) -> Frame:
        """Read one frame that must be a whole message."""
        final, frame = await self.fragment()
        assert final, "the daemon fragments only what is long"
        return frame

    async def receive(self) -> Message:
        """Return the next message."""
        parts: list[bytes] = []
        final = False
        while not final:
            last, (opcode, payload) = await self.fragment()
            if opcode not in (PING, PONG):
                assert opcode == (CONTINUATION if parts else TEXT), (opcode, payload)
                parts.append(payload)
                final = last
        message: Message = json.loads(b"".join(parts))
        return message

    async def until(self, *kinds: str, **fields: Any) -> Message:
        """Return the first message of these types with these fields."""
        while True:
            message = await self.receive()
            if message["type"] in kinds and fields.items() <= message.items():
                return message

    async def closed(self) -> tuple[int, str]:
        """Skip all other frames; answer the close frame and return its code and reason."""
        opcode, payload = await self.frame()
        while opcode != CLOSE:
            opcode, payload = await self.frame()
        self.write(frame(CLOSE, payload[:2]))
        (code,) = struct.unpack("!H", payload[:2])
        return code, payload[2:].decode()

    # Endings -------------------------------------------------------------------------------------

    async def gone(self) -> None:
        """Return when the daemon has ended the connection; ignore what it sends before."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                pass

    def stop_reading(self) -> None:
        """Stop reading from the socket."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def read_again(self) -> None:
        """Resume reading from the socket."""
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    def unsent(self) -> int:
        """Return the number of written bytes that the daemon's kernel has not received."""
        count = array.array("i", [0])
        fcntl.ioctl(self.writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
        buffered: int = self.writer.transport.get_write_buffer_size()
        return buffered + count[0]

    def reset(self) -> None:
        """End the connection with RST: close(2) with a linger of 0."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """End the connection with FIN, without a close frame."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def request(target: str, headers: Mapping[str, str], *, method: str = "GET") -> bytes:
    """Return the bytes of an HTTP/1.1 request."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {v}" for name, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def handshake(headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the headers of a WebSocket handshake."""
    return {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **(headers or {}),
    }
