"""An HTTP client: http.client, or a bare socket for invalid requests."""

from __future__ import annotations

import http.client
import os
import socket
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_from_bytes

from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.live import Daemon


class Answer(NamedTuple):
    """An HTTP answer, with header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Web:
    """Sends file requests to one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.port = int(daemon.url.rpartition(":")[2])

    def target(self, path: Path | bytes) -> str:
        """Return the request target for a path."""
        return "/files" + quote_from_bytes(os.fsencode(path))

    def headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.daemon.token}", **more}

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        /,
        **headers: str,
    ) -> Answer:
        """Send one request and return the answer; ``_`` in a header's name means ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, body, self.headers(named))
            found = connection.getresponse()
            known = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, known, found.read())
        finally:
            connection.close()

    def get(self, path: Path | bytes, **headers: str) -> Answer:
        return self.ask("GET", self.target(path), **headers)

    def put(self, path: Path | bytes, body: bytes | Iterable[bytes], **headers: str) -> Answer:
        return self.ask("PUT", self.target(path), body, **headers)

    def begin(
        self, path: Path, length: int, *, archive: str = "", method: str = "PUT", **headers: str
    ) -> socket.socket:
        """Send the head of a request, without empty headers, and return the socket."""
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        head = {"Host": "localhost", "Content-Length": str(length), **self.headers(named)}
        query = f"?archive={archive}" if archive else ""
        lines = [f"{method} {self.target(path)}{query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in head.items() if value]
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return sock

    def offset(self, path: Path, total: int, **headers: str) -> int:
        """Return the offset of a resumable upload."""
        answer = self.ask(
            "PUT", self.target(path), b"", Content_Range=f"bytes */{total}", **headers
        )
        assert answer.status == 308, answer
        return int(answer.headers["upload-offset"])


def until(condition: object) -> None:
    """Return when ``condition()`` is true."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_cut(sock: socket.socket) -> bool:
    """Wait for the end of a connection; return whether nothing was received before it."""
    sock.settimeout(PATIENCE)
    with sock:
        try:
            return sock.recv(10) == b""
        except ConnectionResetError:
            return True
