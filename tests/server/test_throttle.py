"""Host and Origin checks and the throttle for wrong tokens, over the wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from shellwire.server.throttle import Throttle
from tests.server.raw import Raw, handshake, request, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon

# Over the wire -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/", "/ws", "/health", "/nothing"])
async def test_403_comes_before_all_else(daemon: Daemon, target: str) -> None:
    raw = await Raw.open(daemon)
    for headers in ({"Host": "evil.example"}, {"Host": "localhost", "Origin": "null"}):
        assert (await raw.upgrade(target, headers)).status == 403
        assert (await raw.ask(target, headers)).status == 403


async def test_requests_that_name_no_host_or_two(daemon: Daemon) -> None:
    for data in (
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://localhost/health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.0\r\n\r\n",
    ):
        raw = await Raw.open(daemon)
        raw.write(data)
        assert (await raw.answer()).status in (400, 403), data
    raw = await Raw.open(daemon)
    raw.write(b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await raw.answer()).status == 200
    raw = await Raw.open(daemon)
    raw.write(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert (await raw.answer()).status == 200


async def test_an_origin_that_is_ours_still_needs_the_token(daemon: Daemon) -> None:
    raw = await Raw.open(daemon)
    port = daemon.url.rpartition(":")[2]
    headers = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert (await raw.upgrade(headers=headers)).status == 101
    raw.send({"type": "auth", "client_id": "page"})
    assert (await raw.receive())["code"] == "INVALID_TOKEN"


async def test_the_flags(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--allow-host", "box.example:1", "--allow-origin", "https://page.example")
    raw = await Raw.open(daemon)
    headers = {"Host": "box.example"}
    assert (await raw.ask("/health", headers)).status == 200
    assert (await raw.ask("/health", headers | {"Origin": "https://page.example"})).status == 200
    assert (await raw.ask("/health", headers | {"Origin": "https://other.example"})).status == 403
    assert (await raw.ask("/health", {"Host": "other.example"})).status == 403


# Wrong tokens ------------------------------------------------------------------------------------


async def _wrong(daemon: Daemon, source: str) -> float:
    """Send a wrong token; return the seconds until the answer."""
    return await _refused(await Raw.upgraded(daemon, source=source))


async def _refused(raw: Raw) -> float:
    loop = asyncio.get_running_loop()
    asked = loop.time()
    raw.send({"type": "auth", "token": "wrong", "client_id": "guesser"})
    assert (await raw.receive())["code"] == "INVALID_TOKEN"
    answered = loop.time()
    assert (await raw.closed())[0] == 4005
    await raw.close()
    return answered - asked


async def test_wrong_tokens_are_slowed_down_and_shut_nobody_out(daemon: Daemon) -> None:
    guesser = "127.0.2.1"
    for _ in range(2):
        await _wrong(daemon, guesser)
        # Right tokens and other errors do not count.
        await _right(daemon, guesser)
        other = await Raw.upgraded(daemon, source=guesser)
        other.send({"type": "ping"})
        assert (await other.receive())["code"] == "AUTH_REQUIRED"
        await other.close()
    # A connection opened before the wrong tokens counts, too.
    older = await Raw.upgraded(daemon, source=guesser)
    for _ in range(7):
        assert await _wrong(daemon, guesser) >= 0.2
    assert await _refused(older) >= 0.2
    # That makes ten. Further wrong tokens are refused at once; handshakes and right tokens never.
    await _wrong(daemon, guesser)
    await _right(daemon, guesser)
    raw = await Raw.open(daemon, source=guesser)
    asked = {"Host": "localhost", "Authorization": "Bearer wrong"}
    refused = await raw.ask("/files/etc/hostname", asked)
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await raw.ask("/files/etc/hostname", {**asked, "Host": "evil.example"})).status == 403
    asked["Authorization"] = f"Bearer {daemon.token}"
    assert (await raw.ask("/files/etc/hostname", asked)).status == 200
    assert (await raw.upgrade(headers={"Host": "evil.example"})).status == 403
    assert (await raw.ask("/health", {"Host": "localhost"})).status == 200


async def _right(daemon: Daemon, source: str) -> None:
    raw = await Raw.upgraded(daemon, source=source)
    raw.write(text(raw.auth(daemon, "not a guess")))
    assert (await raw.receive())["type"] == "status"
    await raw.close()


async def test_a_token_of_any_bytes_is_a_wrong_one(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    values = [b"Bearer \xff", b"Bearer \xc3\xa9", b"\xff", b"Bearer \xed\xa0\x80", b"bearer\xa0x"]
    raw = await Raw.open(daemon)
    for value, status in zip(values * 3, [401] * 10 + [429] * 5, strict=True):
        asked = b"GET /files/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: %b\r\n\r\n" % value
        raw.write(asked)
        assert (await raw.answer()).status == status
    log = (daemon.home / "daemon.log").read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


async def test_the_unix_socket_is_exempt(daemon: Daemon) -> None:
    for number in range(12):
        raw = await Raw.upgraded(daemon, local=True)
        raw.send({"type": "auth", "token": "wrong", "client_id": f"local {number}"})
        assert (await raw.receive())["type"] == "status"


def test_the_throttle_forgets_the_oldest_address() -> None:
    throttle = Throttle()
    for _ in range(10):
        throttle.wrong("first")
    assert throttle.wrong("first").retry_after is not None
    for number in range(4095):
        throttle.wrong(f"other {number}")
    assert throttle.wrong("first").retry_after is not None
    for number in range(4096):
        throttle.wrong(f"more {number}")
    assert throttle.wrong("first").retry_after is None


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [
        ("2001:db8::1", "2001:db8::ffff:2:3:4", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("?", "?", True),
    ],
)
def test_addresses_counted_together(one: str, other: str, *, counts: bool) -> None:
    throttle = Throttle()
    delays = [throttle.wrong(one).seconds for _ in range(10)]
    assert delays == [0.0] * 2 + [0.2] * 8
    assert (throttle.wrong(other).retry_after is not None) is counts


async def test_the_request_line_may_not_hide_a_host(daemon: Daemon) -> None:
    raw = await Raw.open(daemon)
    raw.write(request("//evil.example/ws", handshake()))
    assert (await raw.answer()).status == 404
