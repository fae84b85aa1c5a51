"""Who may come in by plain HTTP: as by WebSocket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import TYPE_CHECKING

from tests.live import PATIENCE
from tests.server.bulk.web import Web, is_cut, until
from tests.server.observe import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


def test_tokens(web: Web, tmp_path: Path) -> None:
    target = web.target(tmp_path / "f")
    assert web.ask("PUT", target, b"x", Authorization=f"bearer  {web.daemon.token}").status == 201
    answer = web.ask("GET", target, Authorization="Bearer wrong")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_wrong_tokens_are_slowed_down_and_shut_out(own_daemon: Callable[..., Daemon]) -> None:
    web = Web(own_daemon())
    wrong = ["", "Bearer", "Bearer x", f"Basic {web.daemon.token}", web.daemon.token]
    for text in wrong * 2:
        answer = web.ask("GET", "/files/etc/hostname", Authorization=text)
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "INVALID_TOKEN")
    answer = web.ask("GET", "/files/etc/hostname")
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0


def test_hosts_and_origins(web: Web, tmp_path: Path) -> None:
    target = web.target(tmp_path)
    assert web.ask("GET", target, Host="evil.example").status == 403
    assert web.ask("GET", target, Origin="https://evil.example").status == 403


def test_methods(web: Web, tmp_path: Path) -> None:
    for method in ("POST", "PATCH", "OPTIONS"):
        assert web.ask(method, web.target(tmp_path)).status == 405


def test_revoked_clients(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon()
    web = Web(daemon)
    sock = web.begin(tmp_path / "f", 10, Shellwire_Client="phone")
    other = web.begin(tmp_path / "g", 10, Shellwire_Client="laptop")
    until(lambda: len([n for n in os.listdir(tmp_path) if n.startswith(".shell")]) == 2)
    cli(daemon, "clients", "revoke", "phone")
    assert is_cut(sock)
    assert web.get(tmp_path, Shellwire_Client="phone").status == 403
    assert web.get(tmp_path, Shellwire_Client="laptop").status == 409
    cli(daemon, "token", "rotate")
    assert is_cut(other)
    assert web.get(tmp_path).status == 401


class _Local(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def test_the_unix_socket_needs_no_token(web: Web, tmp_path: Path) -> None:
    connection = _Local(str(web.daemon.home / "daemon.sock"))
    data = os.urandom(1_000_000)
    connection.request("PUT", web.target(tmp_path / "f"), data)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["entry"]["size"]) == (201, len(data))
    connection.request("GET", web.target(tmp_path / "f"))
    assert connection.getresponse().read() == data
    connection.close()


def test_a_connection_is_kept(web: Web, tmp_path: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE)
    for number in range(20):
        body = b"%d" % number * 1000
        connection.request("PUT", web.target(tmp_path / "f"), body, web.headers({}))
        assert connection.getresponse().read()
        connection.request("GET", web.target(tmp_path / "f"), headers=web.headers({}))
        assert connection.getresponse().read() == body
    connection.close()
