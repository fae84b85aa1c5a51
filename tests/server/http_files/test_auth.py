"""Authentication of HTTP requests: the rules of the WebSocket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import TYPE_CHECKING

from tests.live import PATIENCE
from tests.server.http_files.web import Web, is_cut, until
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


def test_wrong_tokens_are_slowed_down_and_shut_nobody_out(
    own_daemon: Callable[..., Daemon],
) -> None:
    web = Web(own_daemon())
    wrong = ["", "Bearer", "Bearer x", f"Basic {web.daemon.token}", web.daemon.token]
    for text in wrong * 2:
        answer = web.ask("GET", "/files/etc/hostname", Authorization=text)
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "INVALID_TOKEN")
    answer = web.ask("GET", "/files/etc/hostname", Authorization="Bearer x")
    assert (answer.status, json.loads(answer.body)["code"]) == (429, "INVALID_TOKEN")
    assert int(answer.headers["retry-after"]) > 0
    assert web.ask("GET", "/files/etc/hostname").status == 200


def test_hosts_and_origins(web: Web, tmp_path: Path) -> None:
    target = web.target(tmp_path)
    assert web.ask("GET", target, Host="evil.example").status == 403
    assert web.ask("GET", target, Origin="https://evil.example").status == 403


def test_methods(web: Web, tmp_path: Path) -> None:
    for method in ("POST", "PATCH", "OPTIONS"):
        answer = web.ask(method, web.target(tmp_path))
        assert (answer.status, answer.headers["allow"]) == (405, "DELETE,GET,HEAD,PUT")


def test_all_errors_are_json(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("hello")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/f").touch()
    here = web.target(tmp_path)
    long = "/files/" + "x" * 4097
    cases: list[tuple[str, str, dict[str, str], int, str]] = [
        ("GET", "/files", {}, 400, "INVALID_ARGUMENT"),
        ("GET", "/files/", {}, 409, "NOT_FILE"),
        ("DELETE", "/files", {}, 400, "INVALID_ARGUMENT"),
        ("PUT", "/files", {}, 400, "INVALID_ARGUMENT"),
        ("GET", f"{here}/none", {}, 404, "NOT_FOUND"),
        ("DELETE", f"{here}/none", {}, 404, "NOT_FOUND"),
        ("GET", f"{here}/file/none", {}, 409, "NOT_DIRECTORY"),
        ("GET", here, {}, 409, "NOT_FILE"),
        ("DELETE", f"{here}/full", {}, 409, "FS_OS_ERROR"),
        ("GET", f"{here}/../x", {}, 403, "PATH_ESCAPE"),
        ("GET", f"{here}/%2e%2e/x", {}, 403, "PATH_ESCAPE"),
        ("GET", f"{here}/a%00b", {}, 400, "INVALID_ARGUMENT"),
        ("GET", long, {}, 400, "INVALID_ARGUMENT"),
        ("GET", f"{here}/{'x' * 256}", {}, 400, "INVALID_ARGUMENT"),
        ("GET", f"{here}/file", {"Range": "bytes=5-"}, 416, "INVALID_ARGUMENT"),
        ("GET", f"{here}/file", {"If-Match": '"x"'}, 412, "CONFLICT"),
        ("PUT", f"{here}/file", {"If-None-Match": "*"}, 412, "CONFLICT"),
        ("PUT", f"{here}/file", {"Content-Range": "bytes 1-1/3"}, 409, "CONFLICT"),
        ("PUT", f"{here}/file", {"Content-Range": "lines 1-1/3"}, 400, "INVALID_ARGUMENT"),
        ("PUT", f"{here}/full", {}, 409, "IS_DIRECTORY"),
        ("GET", f"{here}?archive=zip", {}, 400, "INVALID_ARGUMENT"),
        ("GET", f"{here}/file?archive=tar.gz", {}, 409, "NOT_DIRECTORY"),
        ("POST", here, {}, 405, "INVALID_ARGUMENT"),
        ("POST", "/files", {}, 405, "INVALID_ARGUMENT"),
        ("GET", here, {"Host": "evil.example"}, 403, "FORBIDDEN"),
        ("GET", here, {"Origin": "https://evil.example"}, 403, "FORBIDDEN"),
        ("GET", here, {"Shellwire-Client": "x" * 2000}, 403, "CLIENT_REJECTED"),
        ("GET", here, {"Authorization": ""}, 401, "INVALID_TOKEN"),
    ]
    for method, target, headers, status, code in cases:
        answer = web.ask(method, target, b"x" if method == "PUT" else None, **headers)
        assert answer.headers["content-type"] == "application/json", (method, target, answer)
        error = json.loads(answer.body)
        assert (answer.status, error["code"]) == (status, code), (method, target, headers)
        assert error.keys() == {"code", "message"}
        assert error["message"].strip()
        assert "\n" not in error["message"]
        head = web.ask("HEAD", target, **headers) if method == "GET" else None
        assert head is None or (head.status, head.body) == (status, b"")
    assert file.read_text() == "hello"


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
