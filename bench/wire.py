"""The smallest blocking WebSocket client that can drive the daemon: its own cost must not show."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class Daemon:
    """A daemon of this checkout in a process of its own, in a home that vanishes with it."""

    def __init__(self, *flags: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="shellwire-bench-")
        self.home = Path(self._directory.name)
        env = {name: text for name, text in os.environ.items() if not name.startswith("SHELLWIRE_")}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "shellwire",
                "run",
                "--port",
                "0",
                "--max-clients",
                "64",
                *flags,
            ],
            env={**env, "SHELLWIRE_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.port = json.loads((self.home / "daemon.pid").read_text())["port"]
        self.token = (self.home / "auth.token").read_text().strip()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._directory.cleanup()

    def rss(self) -> int:
        """Return its resident memory in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def cpu(self) -> float:
        """Return the seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Client:
    """One authenticated connection."""

    def __init__(self, daemon: Daemon, name: str = "bench") -> None:
        self.socket = socket.create_connection(("127.0.0.1", daemon.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._buffer = bytearray()
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.socket.recv(65536)
        del self._buffer[: self._buffer.index(b"\r\n\r\n") + 4]
        self.send({"type": "auth", "token": daemon.token, "client_id": name})
        self.receive()

    def send(self, message: Message) -> None:
        """Send one message; the mask is all zeros, which RFC 6455 allows and costs nothing."""
        payload = json.dumps(message).encode()
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x81, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x81, 0xFE, length)
        else:
            head = struct.pack("!BBQ", 0x81, 0xFF, length)
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def receive_raw(self) -> bytes:
        """Return the payload of the next frame."""
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the daemon closed the connection")
            self._buffer += more

    def _take(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length == 126:
            length, start = (
                struct.unpack_from("!H", buffer, 2)[0] if len(buffer) > 3 else 1 << 62,
                4,
            )
        elif length == 127:
            length, start = (
                struct.unpack_from("!Q", buffer, 2)[0] if len(buffer) > 9 else 1 << 62,
                10,
            )
        if len(buffer) < start + length:
            return None
        opcode = buffer[0] & 0x0F
        frame = bytes(buffer[start : start + length])
        del buffer[: start + length]
        if opcode == 9:
            self.socket.sendall(struct.pack("!BB", 0x8A, 0x80 | length) + b"\0\0\0\0" + frame)
            return self._take()
        return frame

    def receive(self) -> Message:
        """Return the next message."""
        message: Message = json.loads(self.receive_raw())
        return message

    def run(self, job: str, command: str, **fields: Any) -> Message:
        """Run a command to its result, without looking at its output."""
        self.send({"type": "execute", "id": job, "command": command, **fields})
        while True:
            raw = self.receive_raw()
            if b'"type":"result"' in raw[:40] or b'"type":"error"' in raw[:40]:
                message: Message = json.loads(raw)
                return message

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()
