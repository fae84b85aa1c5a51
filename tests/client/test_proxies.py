"""Proxies that the environment names: CONNECT, passwords, NO_PROXY, and their refusals."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from shellwire.client import Client
from shellwire.client.endpoint import Endpoint
from shellwire.client.http_head import MAX_HEAD
from shellwire.client.proxy import ProxyError, find_proxy, is_excepted
from shellwire.errors import Unreachable
from tests.client.connect_proxy import ConnectProxy, Forwarder
from tests.client.hostile import HostileServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.command_line import CommandLine
    from tests.live import Daemon

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "request_method")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def failure(url: str, token: str = "x") -> str:
    """Return the error of connecting."""
    with pytest.raises(Unreachable) as refusal:
        async with Client(url, token=token):
            pytest.fail("it connected")
    return str(refusal.value)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_tunnel(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    async with ConnectProxy().serve() as proxy:
        scheme = "" if variable == "ALL_PROXY" else "http://"  # a proxy without a scheme is HTTP's
        monkeypatch.setenv(variable, f"{scheme}127.0.0.1:{proxy.port}")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # for wss only
        async with Client(daemon.url, token=daemon.token) as c:
            assert (
                await c.run("cat", input=b"\xff" * 3_000_000)
            ).stdout_bytes == b"\xff" * 3_000_000
    assert proxy.asked == [f"CONNECT {urlsplit(daemon.url).netloc} HTTP/1.1"]


async def test_user_and_password(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ConnectProxy(password="me:p@ss/w").serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss%2Fw@127.0.0.1:{proxy.port}")
        async with Client(daemon.url, token=daemon.token) as c:
            assert (await c.run("echo hi")).stdout == "hi\n"
        for wrong, wanted in (("me:secret@", "another"), ("", "a")):
            monkeypatch.setenv("HTTP_PROXY", f"http://{wrong}127.0.0.1:{proxy.port}")
            error = await failure(daemon.url)
            assert error == (
                f"{daemon.url}/ws can't be reached: the proxy http://127.0.0.1:{proxy.port}"
                f" wants {wanted} user and password (407)"
            )


async def test_files_take_the_same_proxy(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with ConnectProxy(password="me:pass").serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:pass@127.0.0.1:{proxy.port}")
        async with Client(daemon.url, token=daemon.token) as c:
            (tmp_path / "f").write_bytes(b"x" * 2_000_000)
            await c.upload(tmp_path / "f", f"{tmp_path}/g")
            await c.download(f"{tmp_path}/g", tmp_path / "h")
    assert (tmp_path / "h").read_bytes() == b"x" * 2_000_000
    assert {line.split(" ")[0] for line in proxy.asked} == {"CONNECT", "PUT"}


async def test_a_proxy_is_not_for_the_own_daemon(
    own_daemon: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    daemon = own_daemon("--grace", "0")
    monkeypatch.setenv("SHELLWIRE_HOME", str(daemon.home))
    async with Client() as c:
        assert (await c.run("echo hi")).stdout == "hi\n"
    (daemon.home / "daemon.sock").unlink()  # now by the pid file's port
    async with Client() as c:
        assert (await c.run("echo hi")).stdout == "hi\n"


async def test_hosts_to_reach_directly(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "example.org, 127.0.0.0/8")
    async with Client(daemon.url, token=daemon.token) as c:
        assert (await c.run("echo hi")).stdout == "hi\n"


REFUSALS = {
    b"HTTP/1.1 502 Bad Gateway\r\n\r\n": "refused the connection (502)",
    b"HTTP/1.0 403 No\r\nContent-Length: 2\r\n\r\nno": "refused the connection (403)",
    b"HTTP/1.1 200\r\n" + b"X: y\r\n" * MAX_HEAD: f"has sent more than {MAX_HEAD} bytes of headers",
    b"SSH-2.0-OpenSSH_9.6\r\n": "has sent something else than HTTP",
    b"HTTP/1.1 fine\r\n\r\n": "has sent an HTTP response without a status",
}


@pytest.mark.parametrize(
    ("answer", "how"), REFUSALS.items(), ids=["502", "403", "long", "ssh", "x"]
)
async def test_a_proxy_that_refuses(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, how: str
) -> None:
    async with ConnectProxy(refusal=answer).serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        error = await failure("ws://shell.example:7842")
    assert error == (
        "ws://shell.example:7842/ws can't be reached: the proxy"
        f" http://127.0.0.1:{proxy.port} {how}"
    )


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    assert await failure("ws://shell.example") == (
        "ws://shell.example/ws can't be reached: the proxy http://127.0.0.1:1 can't be reached:"
        " Connection refused"
    )


@pytest.mark.parametrize(
    "value", ["socks5://127.0.0.1:1080", "http://", "http://a:port", "http://[::1"]
)
async def test_a_variable_that_names_no_http_proxy(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    error = await failure("ws://shell.example")
    assert "HTTP_PROXY or ALL_PROXY names no HTTP proxy" in error
    assert "1080" not in error  # a proxy's URL may hold a password


def test_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(url: str) -> str | None:
        proxy = find_proxy(url)
        return None if proxy is None else proxy.name

    assert found("ws://a/ws") is None
    monkeypatch.setenv("ALL_PROXY", "http://all")
    assert found("ws://a/ws") == "http://all:80"
    monkeypatch.setenv("HTTPS_PROXY", "https://[::1]:3128/")
    assert found("wss://a/ws") == "https://[::1]:3128"
    monkeypatch.setenv("HTTP_PROXY", "http://upper:1")
    assert found("ws://a/ws") == "http://upper:1"
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert found("ws://a/ws") == "http://all:80"
    monkeypatch.setenv("http_proxy", "lower:2")
    assert found("ws://a/ws") == "http://lower:2"
    monkeypatch.setenv("http_proxy", "")
    monkeypatch.setenv("all_proxy", " ")
    assert found("ws://a/ws") is None
    monkeypatch.setenv("https_proxy", "ftp://a")
    with pytest.raises(ProxyError, match="HTTPS_PROXY"):
        found("wss://a/ws")


def test_no_proxy() -> None:
    for excepted in (
        *("*", "box.example", "example", ".example", "*.example", "other,  BOX.Example "),
        "box.example:7842",
    ):
        assert is_excepted("Box.example", 7842, excepted), excepted
    for excepted in ("", "ample", "box.example:443", "10.0.0.0/8"):
        assert not is_excepted("Box.example", 7842, excepted), excepted


def test_no_proxy_for_addresses() -> None:
    for host, excepted in (
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3:80"),
        *(("::1", each) for each in ("::1", "[::1]", "[::1]:80")),
        ("fd00::1", "fd00::/8"),
    ):
        assert is_excepted(host, 80, excepted), (host, excepted)
    for host, excepted in (
        ("10.1.2.3", "10.1.2.3:81"),
        ("11.1.2.3", "10.0.0.0/8,fd00::/8"),
        ("::1", "127.0.0.1"),
    ):
        assert not is_excepted(host, 80, excepted), (host, excepted)


async def test_the_command_line_names_the_proxy(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ConnectProxy(refusal=b"HTTP/1.1 502 X\r\n\r\n").serve() as proxy:
        variables = {
            "SHELLWIRE_URL": "ws://shell.example",
            "SHELLWIRE_TOKEN": "0",
            "HTTP_PROXY": f"http://a:b@127.0.0.1:{proxy.port}",
        }
        done = await asyncio.to_thread(cli, "exec", "--", "true", env=variables)
    assert done.returncode == 255
    assert done.stderr == (
        "Error: ws://shell.example/ws can't be reached: the proxy"
        f" http://127.0.0.1:{proxy.port} refused the connection (502)\n"
    )


async def test_what_comes_with_the_proxy_s_answer_is_no_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy that speaks for the daemon is caught by the handshake's key."""
    answer = b"HTTP/1.1 200 Go on\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02{}"
    server = HostileServer(lambda _: b"")
    async with server.serve(), ConnectProxy(refusal=answer).serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setattr("shellwire.client.handshake.CONNECT_SECONDS", 0.2)
        assert "has not answered" in await failure(server.url)
    assert Endpoint.find(server.url).url == server.url


@pytest.mark.needs("openssl")
async def test_tls(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A TLS proxy before the daemon, reached directly and through a tunnel."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=box"]
    made = await asyncio.create_subprocess_exec(
        *(*request, "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", key, "-out", certificate),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    plain = urlsplit(daemon.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with (
        Forwarder(plain.hostname or "", plain.port or 0, context).serve() as tls,
        ConnectProxy().serve() as proxy,
    ):
        url = f"wss://127.0.0.1:{tls.port}"
        for variable in ("", f"http://127.0.0.1:{proxy.port}"):
            monkeypatch.setenv("HTTPS_PROXY", variable)
            async with Client(url, token=daemon.token) as c:
                content = b"\xff" * 2_000_000
                assert (await c.run("cat", input=content)).stdout_bytes == content
        monkeypatch.delenv("SSL_CERT_FILE")
        assert "TLS: self" in await failure(url)
    assert len(proxy.asked) == 2
