"""A minimal blocking WebSocket client (RFC 6455): its own cost must not affect the figures."""

from __future__ import annotations

import base64
import os
import socket
import struct

_TIMEOUT = 60.0
_CHUNK = 1 << 16
_CLOSE, _PING, _PONG = 8, 9, 10
_FINAL = 0x80


class WebSocket:
    """One connection to a loopback port, without extensions.

    Raises:
        ConnectionError: the server refused the handshake, or closed the connection.
        TimeoutError: nothing arrived for 60 s.
    """

    def __init__(self, port: int, path: str = "/ws") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = 0
        """Bytes of payload received."""
        self._buffer = bytearray()
        try:
            self._open(port, path)
        except BaseException:
            self.close()
            raise

    def _open(self, port: int, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        end = self._buffer.index(b"\r\n\r\n") + 4
        status = bytes(self._buffer[:end]).split(b"\r\n")[0].decode("latin-1")
        del self._buffer[:end]
        if " 101 " not in status:
            raise ConnectionError(f"refused: {status}")

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """Send one frame; the mask is all zeros, which RFC 6455 allows and costs nothing."""
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0xFE, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, length)
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def receive(self, *, whole: bool = True) -> bytes:
        """Return the payload of the next data message; without ``whole`` only its first frame."""
        fragments: list[bytes] = []
        while True:
            frame = self._take()
            if frame is None:
                self._fill()
                continue
            first, payload = frame
            opcode = first & 0x0F
            if opcode == _CLOSE:
                raise ConnectionError(f"the server closed: {payload[2:].decode()}")
            if opcode == _PING:
                self.send(payload, _PONG)
            elif opcode != _PONG:
                self.received += len(payload)
                if whole or not fragments:
                    fragments.append(payload)
                if first & _FINAL:
                    return b"".join(fragments)

    def _fill(self) -> None:
        more = self.socket.recv(_CHUNK)
        if not more:
            raise ConnectionError("the server has gone")
        self._buffer += more

    def _take(self) -> tuple[int, bytes] | None:
        """Return a frame's first byte and its payload; None if the frame is not complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length == 126:
            start = 4
            length = struct.unpack_from("!H", buffer, 2)[0] if len(buffer) >= start else 0
        elif length == 127:
            start = 10
            length = struct.unpack_from("!Q", buffer, 2)[0] if len(buffer) >= start else 0
        if len(buffer) < start + length:
            return None
        first = buffer[0]
        with memoryview(buffer) as view:
            payload = bytes(view[start : start + length])
        del buffer[: start + length]
        return first, payload

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def reset(self) -> None:
        """End the connection with RST: close(2) does that with a linger of 0 (socket(7))."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
