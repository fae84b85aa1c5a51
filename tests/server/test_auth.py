"""Authentication: each refusal with its error and close code, in order; the deadline."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import PATIENCE, Daemon
from tests.server.conftest import patched
from tests.server.raw import PING, PONG, TEXT, Raw, frame, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live import Message

HURRIED = "import shellwire.server.authentication as a; a.AUTH_SECONDS = 0.3"


@pytest.fixture(scope="module")
def short_auth_timeout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon with a short auth timeout."""
    root = tmp_path_factory.mktemp("short_auth_timeout")
    daemon = Daemon(root / "home", "--max-clients", "10", env=patched(root / "patch", HURRIED))
    yield daemon
    daemon.stop()


async def refused(raw: Raw, data: bytes) -> tuple[Message, int]:
    """Send the first frame; return the error and the close code that answer it."""
    raw.write(frame(TEXT, data))
    error = await raw.receive()
    code, reason = await raw.closed()
    assert error["message"].startswith(reason), "the reason says the same, as far as it fits"
    await raw.gone()
    return error, code


async def test_status(daemon: Daemon) -> None:
    raw = await Raw.upgraded(daemon)
    raw.send(raw.auth(daemon, "asks", protocol=1, request_id="r"))
    status = await raw.receive()
    assert (status["type"], status["request_id"], status["client_id"]) == ("status", "r", "asks")
    assert (status["protocol"], status["limits"]["max_clients"]) == (1, 100)
    assert status.keys() >= {
        "version",
        "uptime_seconds",
        "active_commands",
        "active_sessions",
        "python_version",
        "shell",
        "features",
        "jobs",
    }


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'"auth"', b"[" * 60_000, b"\xff", b'{"type":"auth",}', b"NaN"],
)
async def test_invalid_json(daemon: Daemon, data: bytes) -> None:
    error, code = await refused(await Raw.upgraded(daemon), data)
    assert (error["code"], code, error["id"]) == ("INVALID_JSON", 4002, None)


@pytest.mark.parametrize(
    "message", [{}, {"type": "ping"}, {"type": None}, {"type": ["auth"]}, {"type": "AUTH"}]
)
async def test_another_first_message_is_refused(daemon: Daemon, message: Message) -> None:
    message |= {"token": daemon.token, "client_id": "x", "request_id": "r"}
    error, code = await refused(await Raw.upgraded(daemon), json.dumps(message).encode())
    assert (error["code"], code) == ("AUTH_REQUIRED", 4003)
    kind = message.get("type")
    operation = kind if isinstance(kind, str) else None
    assert (error["id"], error["request_id"], error.get("operation")) == ("r", "r", operation)


@pytest.mark.parametrize("client_id", [None, "", 7, [], {}, True, "x" * 129, "a\0b"])
async def test_missing_client_id(daemon: Daemon, client_id: Any) -> None:
    message = {"type": "auth", "token": "wrong", "client_id": client_id, "request_id": "r"}
    error, code = await refused(await Raw.upgraded(daemon), json.dumps(message).encode())
    assert (error["code"], code) == ("MISSING_CLIENT_ID", 4004)
    assert (error["id"], error["operation"]) == ("r", "auth")


async def test_wrong_tokens(daemon: Daemon) -> None:
    wrong: list[Any] = [None, "", "wrong", 7, ["x"], "\N{SNOWMAN}", "\0", "x" * 60_000]
    wrong.append(daemon.token.translate(str.maketrans("0a", "1b")))
    for number, token in enumerate(wrong):
        # Each from a different address, or the throttle would delay the refusals.
        raw = await Raw.upgraded(daemon, source=f"127.0.1.{number}")
        message = {"type": "auth", "token": token, "client_id": "x"}
        error, code = await refused(raw, json.dumps(message).encode())
        assert (error["code"], code) == ("INVALID_TOKEN", 4005), token


async def test_half_a_surrogate_pair_is_invalid_json(daemon: Daemon) -> None:
    data = rb'{"type":"auth","token":"\ud800","client_id":"x"}'
    error, _ = await refused(await Raw.upgraded(daemon), data)
    assert error["code"] == "INVALID_JSON"


async def test_a_refusal_answers_the_request(daemon: Daemon) -> None:
    raw = await Raw.upgraded(daemon, source="127.0.1.100")
    data = b'{"type":"auth","token":"wrong","client_id":"x","request_id":"r"}'
    error, _ = await refused(raw, data)
    assert (error["id"], error["request_id"], error["operation"]) == ("r", "r", "auth")


async def test_a_second_auth_is_invalid(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "twice")
    raw.send(raw.auth(daemon, "twice", request_id="r"))
    error = await raw.receive()
    assert (error["code"], error["operation"]) == ("INVALID_MESSAGE", "auth")
    raw.send({"type": "ping"})
    assert (await raw.receive())["type"] == "pong"


async def test_auth_timeout(short_auth_timeout: Daemon) -> None:
    admitted = await Raw.client(short_auth_timeout, "in time")
    silent = await Raw.upgraded(short_auth_timeout)
    halfway = await Raw.upgraded(short_auth_timeout)
    halfway.write(text(halfway.auth(short_auth_timeout))[:-1])
    for raw in (silent, halfway):
        error = await raw.receive()
        assert (error["code"], error["id"]) == ("AUTH_TIMEOUT", None)
        assert (await raw.closed())[0] == 4001
        await raw.gone()
    admitted.send({"type": "ping"})
    assert (await admitted.receive())["type"] == "pong"


async def test_pings_do_not_extend_the_auth_timeout(short_auth_timeout: Daemon) -> None:
    raw = await Raw.upgraded(short_auth_timeout)
    pongs = 0
    while True:
        raw.write(frame(PING))
        opcode, payload = await raw.frame()
        if opcode != PONG:
            break
        pongs += 1
    assert pongs > 0
    assert json.loads(payload)["code"] == "AUTH_TIMEOUT"
    assert (await raw.closed())[0] == 4001


async def test_unread_pongs_do_not_extend_the_auth_timeout(short_auth_timeout: Daemon) -> None:
    raw = await Raw.upgraded(short_auth_timeout)
    raw.stop_reading()
    flood = frame(PING, b"x" * 125) * 1000

    async def send() -> None:
        while True:
            raw.write(flood)
            await raw.writer.drain()

    with pytest.raises(ConnectionError):
        # Raised once the daemon has closed the connection.
        await asyncio.wait_for(send(), PATIENCE)
