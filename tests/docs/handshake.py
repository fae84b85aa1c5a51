"""Play the raw HTTP and WebSocket examples of PROTOCOL.md over a plain socket.

``> `` lines are sent and ``< `` lines are received. First comes an HTTP head, which an empty line
ends, and perhaps a body. After ``101`` each line is a frame: its header in hexadecimal and its
payload as text (or both in hexadecimal). ``..`` is a byte that varies.
"""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

from tests.docs import pattern
from tests.live import PATIENCE

if TYPE_CHECKING:
    from tests.live import Daemon

_FRAME = re.compile(r"((?:(?:[0-9a-f]{2}|\.\.)(?: |$))+)(.*)", re.DOTALL)


class Raw:
    """A player of one example."""

    def __init__(self, daemon: Daemon, text: str) -> None:
        self._lines = [
            (line[0], line[2:].replace("<token>", daemon.token)) for line in text.splitlines()
        ]
        port = int(daemon.url.rpartition(":")[2])
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._stream = self._socket.makefile("rb")

    def play(self) -> None:
        """Play the example; raise AssertionError where the daemon differs."""
        with self._socket, self._stream:
            while self._lines:
                sent = self._take(">")
                assert "" in sent, "a request ends with an empty line"
                self._socket.sendall("".join(f"{line}\r\n" for line in sent).encode())
                if self._see_answer(self._take("<")):
                    self._play_frames()

    def _take(self, mark: str) -> list[str]:
        taken: list[str] = []
        while self._lines and self._lines[0][0] == mark:
            taken.append(self._lines.pop(0)[1])
        return taken

    def _see_answer(self, wanted: list[str]) -> bool:
        """Compare an HTTP answer; return whether frames follow."""
        status, *rest = wanted
        assert self._stream.readline().decode().rstrip("\r\n") == status
        headers: dict[str, str] = {}
        while line := self._stream.readline().decode().rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        head = rest[: rest.index("")] if "" in rest else rest
        for line in head:
            name, _, value = line.partition(": ")
            assert pattern.mismatch(value, headers.get(name.lower(), "")) is None, (line, headers)
        if " 101 " in status:
            # The lines after the empty line are frames: put them back.
            self._lines[:0] = [("<", line) for line in rest[len(head) + 1 :]]
            return True
        body = self._stream.read(int(headers.get("content-length", 0))).decode()
        expected = "\n".join(rest[len(head) + 1 :])
        if expected.startswith("{"):
            assert pattern.mismatch(pattern.parse(expected), json.loads(body)) is None, body
        else:
            assert body.strip() == expected
        return False

    def _play_frames(self) -> None:
        while self._lines:
            mark, line = self._lines.pop(0)
            match = _FRAME.fullmatch(line)
            assert match, f"not a frame: {line}"
            header, payload = match[1].split(), match[2]
            if mark == ">":
                self._send(bytes.fromhex("".join(header)), payload.encode())
            else:
                self._see_frame(header, payload)

    def _send(self, header: bytes, payload: bytes) -> None:
        if payload:
            length = header[1] & 0x7F
            if length == 126:
                length = int.from_bytes(header[2:4], "big")
            assert length == len(payload), f"the header says {length}, it is {len(payload)}"
        self._socket.sendall(header + payload)

    def _see_frame(self, header: list[str], payload: str) -> None:
        begun = self._stream.read(2)
        more, length = b"", begun[1] & 0x7F
        if length == 126:
            more = self._stream.read(2)
            length = int.from_bytes(more, "big")
        data = self._stream.read(length)
        found = begun + more if payload else begun + more + data
        assert len(found) == len(header), (header, found)
        for byte, wanted in zip(found, header, strict=True):
            assert wanted in ("..", f"{byte:02x}"), (header, found, data)
        if payload:
            problem = pattern.mismatch(pattern.parse(payload), json.loads(data))
            assert problem is None, problem
