"""A query of ``/health`` gives an answer or a one-line error."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from shellwire.daemon import health
from shellwire.errors import Unreachable
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


@contextlib.contextmanager
def answering(server: socket.socket, answer: bytes) -> Iterator[list[bytes]]:
    """Accept one request at ``server``, and answer it with exactly these bytes."""
    requests: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            requests.append(connection.recv(65536))
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield requests
    thread.join()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_a_healthy_daemon_answers(server: socket.socket) -> None:
    with answering(server, http(b'{"status": "ok", "version": "1"}')) as requests:
        found = health.ask_port("0.0.0.0", port_of(server), seconds=10)
    assert found == {"status": "ok", "version": "1"}
    assert requests[0].startswith(b"GET /health HTTP/1.1\r\n")
    assert b"Host: 127.0.0.1:" in requests[0]


def test_its_unix_socket_answers_too(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home.socket_file))
        server.listen()
        with answering(server, http(b'{"status": "ok"}')):
            assert health.ask_socket(home, seconds=10) == {"status": "ok"}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        http(b""),
        http(b"<html>"),
        http(b"[]"),
        http(b"[" * 60_000),
        http(b"{}"),
        http(b'{"status": "bad"}'),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    ],
    ids=range(9),
)
def test_an_invalid_answer_is_unreachable(server: socket.socket, answer: bytes) -> None:
    port = port_of(server)
    with answering(server, answer), pytest.raises(Unreachable, match=f"127.0.0.1:{port}") as caught:
        health.ask_port("127.0.0.1", port, seconds=10)
    assert "\n" not in str(caught.value)


def test_no_answer_is_unreachable(server: socket.socket) -> None:
    with pytest.raises(Unreachable, match="timed out"):
        health.ask_port("127.0.0.1", port_of(server), seconds=0.01)


def test_a_closed_port_is_unreachable(server: socket.socket) -> None:
    port = port_of(server)
    server.close()
    with pytest.raises(Unreachable, match="refused"):
        health.ask_port("127.0.0.1", port, seconds=10)


def test_a_missing_socket_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"daemon\.sock does not answer: No such file"):
        health.ask_socket(Home(tmp_path), seconds=10)
