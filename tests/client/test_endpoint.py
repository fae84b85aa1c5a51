"""Where a client finds its daemon, and the errors if there is none."""

from __future__ import annotations

import asyncio
import ssl
from socket import AF_INET, SOCK_STREAM
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from shellwire.client import Client
from shellwire.client.endpoint import Endpoint, checked
from shellwire.errors import (
    ClientRejected,
    InvalidAnswer,
    InvalidToken,
    InvalidUrl,
    NotRunning,
    ShellwireError,
    Unreachable,
    WireError,
    from_wire,
)
from shellwire.home.paths import Home
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


async def refused(c: Client) -> ShellwireError:
    """Return the error raised on entering; it has one line."""
    with pytest.raises(ShellwireError) as refusal:
        async with asyncio.timeout(PATIENCE), c:
            pytest.fail("it connected")
    assert "\n" not in str(refusal.value)
    return refusal.value


async def test_the_local_daemon_is_the_default(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELLWIRE_HOME", str(daemon.home))
    async with Client() as c:
        assert (await c.run("echo hi")).stdout == "hi\n"
        # Over the Unix socket: without a token, and not recorded in clients.json.
        clients = daemon.home / "clients.json"
        assert not clients.exists() or c.client_id not in clients.read_text()


async def test_a_local_daemon_without_a_socket(
    own_daemon: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = own_daemon("--grace", "0")
    monkeypatch.setenv("SHELLWIRE_HOME", str(daemon.home))
    (daemon.home / "daemon.sock").unlink()
    async with Client() as c:
        assert (await c.run("echo hi")).stdout == "hi\n"


async def test_environment_variables(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLWIRE_URL", daemon.url)
    monkeypatch.setenv("SHELLWIRE_TOKEN", daemon.token)
    monkeypatch.setenv("SHELLWIRE_CLIENT_ID", "of the variable")
    async with Client() as c:
        assert c.client_id == "of the variable"
        found = await c.run("env | grep -e SHELLWIRE_URL -e SHELLWIRE_TOKEN; echo $?")
        assert found.stdout == "1\n"


def test_the_token_goes_to_no_other_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLWIRE_TOKEN", "secret")
    assert Endpoint.find("ws://here:1").token == "secret"
    monkeypatch.setenv("SHELLWIRE_URL", "ws://here:1")
    assert Endpoint.find("ws://here:1").token == "secret"
    assert Endpoint.find("ws://there:1").token is None
    assert Endpoint.find("ws://there:1", "given").token == "given"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("ws://localhost:7842", "ws://localhost:7842/ws"),
        ("ws://localhost:7842/", "ws://localhost:7842/ws"),
        ("http://[::1]:7842", "ws://[::1]:7842/ws"),
        ("https://shell.example", "wss://shell.example/ws"),
        ("wss://shell.example/below/ws?a=b#c", "wss://shell.example/below/ws?a=b"),
    ],
)
def test_urls(given: str, meant: str) -> None:
    assert checked(given) == meant


@pytest.mark.parametrize(
    "given", ["localhost:7842", "ws://", "ftp://a", "ws://a:port", "ws://a:70000", "ws://u@a", "é"]
)
def test_invalid_urls(given: str) -> None:
    with pytest.raises(InvalidUrl) as refusal:
        Client(given)
    assert str(refusal.value).startswith(given)


async def test_no_daemon(tmp_path: Path) -> None:
    assert isinstance(await refused(Client.at(Endpoint(home=Home(tmp_path)), "x")), NotRunning)
    error = await refused(Client("ws://127.0.0.1:1"))
    assert type(error) is Unreachable
    assert str(error) == "ws://127.0.0.1:1/ws can't be reached: Connection refused"


async def test_a_stale_socket(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    daemon.process.kill()
    daemon.failure()
    assert (daemon.home / "daemon.sock").is_socket()
    error = await refused(Client.at(Endpoint(home=Home(daemon.home)), "x"))
    assert isinstance(error, NotRunning)


async def test_wrong_tokens(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    error = await refused(Client(daemon.url))
    assert isinstance(error, InvalidToken)
    assert error.code == "INVALID_TOKEN"
    for _ in range(9):
        await refused(Client(daemon.url, token="wrong"))
    assert isinstance(await refused(Client(daemon.url, token="wrong")), InvalidToken)
    async with Client(daemon.url, token=daemon.token):
        pass  # wrong tokens of others don't block a right one


async def test_one_client_at_a_time(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    async with Client(daemon.url, token=daemon.token, client_id="first"):
        error = await refused(Client(daemon.url, token=daemon.token))
        assert isinstance(error, ClientRejected)
        assert "first" in str(error)


async def test_a_refused_host_name(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(AF_INET, SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    url = daemon.url.replace("127.0.0.1", "shell.example")
    assert "(403)" in str(await refused(Client(url, token=daemon.token)))


async def test_a_server_that_is_not_shellwire() -> None:
    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(request.query_string or "hello")
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/ws", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    for path in ("/ws", "/ws?[]", "/ws?{}", '/ws?{"type":"pong"}', "/nothing"):
        error = await refused(Client(f"ws://{host}:{port}{path}"))
        assert type(error) is (Unreachable if path == "/nothing" else InvalidAnswer), error
    await runner.cleanup()


def test_unknown_error_codes_are_shown() -> None:
    error = from_wire("TOO_LATE", "come earlier")
    assert isinstance(error, WireError)
    assert (error.code, str(error)) == ("TOO_LATE", "come earlier")
    assert type(from_wire("TOO_LATE", "")) is type(error)
    assert WireError.code == "INTERNAL_ERROR"


@pytest.mark.needs("openssl")
async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=box"]
    made = await asyncio.create_subprocess_exec(
        *request, "-keyout", key, "-out", certificate, stderr=asyncio.subprocess.DEVNULL
    )
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    error = await refused(Client(f"wss://127.0.0.1:{port}", token="x"))
    assert isinstance(error, Unreachable)
    # Older releases of OpenSSL write "self signed".
    assert str(error).replace("-", " ").endswith("reached: TLS: self signed certificate")
    server.close()
    await server.wait_closed()
