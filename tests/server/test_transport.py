"""HTTP upgrades and frames: limits, and which errors close the connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shellwire.protocol.codec import MAX_FRAME, MAX_FRAME_BEFORE_AUTH
from tests.server.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Raw,
    frame,
    handshake,
    request,
    text,
)

if TYPE_CHECKING:
    from tests.live import Daemon

PING_MESSAGE = {"type": "ping", "id": "p"}


async def lives(raw: Raw) -> None:
    """Assert that the connection answers."""
    raw.send({"type": "ping", "id": "alive"})
    assert await raw.receive() == {"type": "pong", "id": "alive"}


def padded(size: int) -> bytes:
    """Return a ping message of exactly ``size`` bytes."""
    empty = json.dumps({"type": "ping", "id": "big", "padding": ""}).encode()
    return empty[:-2] + b"x" * (size - len(empty)) + empty[-2:]


@pytest.mark.parametrize("target", ["/", "/ws", "/ws?token=x"])
async def test_upgrades(daemon: Daemon, target: str) -> None:
    raw = await Raw.open(daemon)
    assert (await raw.upgrade(target)).status == 101
    raw.send(raw.auth(daemon, f"upgrade-{target}"))
    assert (await raw.receive())["type"] == "status"


async def test_plain_requests(daemon: Daemon) -> None:
    raw = await Raw.open(daemon)
    refused = await raw.ask("/ws", {"Host": "localhost"})
    assert (refused.status, refused.headers["upgrade"]) == (426, "websocket")
    assert (await raw.ask("/", {"Host": "localhost"})).status == 200
    assert (await raw.ask("/nothing", {"Host": "localhost"})).status == 404
    assert (await raw.ask("/ws", {"Host": "localhost"}, method="POST")).status == 405
    health = await raw.ask("/health", {"Host": "localhost"})
    assert json.loads(health.body).keys() == {
        "status",
        "version",
        "uptime_seconds",
        "active_commands",
        "active_sessions",
        "python_version",
    }


@pytest.mark.parametrize("version", ["8", "7", "0", "99", "", "13, 8", "x"])
async def test_another_version_of_websocket(daemon: Daemon, version: str) -> None:
    raw = await Raw.open(daemon)
    refused = await raw.upgrade(headers={"Sec-WebSocket-Version": version})
    assert (refused.status, refused.headers["sec-websocket-version"]) == (426, "13")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "é" * 12},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"},
        {"Connection": "close"},
        {"Content-Length": "2"},
    ],
)
async def test_invalid_handshakes(daemon: Daemon, headers: dict[str, str]) -> None:
    raw = await Raw.open(daemon)
    refused = await raw.upgrade(headers=headers)
    assert refused.status == 400
    assert not any(value.encode() in refused.body for value in headers.values() if len(value) > 9)


async def test_auth_and_messages_right_behind_the_handshake(daemon: Daemon) -> None:
    raw = await Raw.open(daemon)
    raw.write(
        request("/ws", handshake())
        + text(raw.auth(daemon, "eager"))
        + text(PING_MESSAGE)
        + text({"type": "execute", "id": "e", "command": "echo hi"})
    )
    assert (await raw.answer()).status == 101
    assert (await raw.receive())["type"] == "status"
    assert await raw.receive() == {"type": "pong", "id": "p"}
    assert (await raw.until("output"))["data"] == "hi\n"


async def test_the_limit_before_auth(daemon: Daemon) -> None:
    auth = json.dumps(Raw.auth(daemon, "limit", padding="")).encode()
    right = auth[:-2] + b"x" * (MAX_FRAME_BEFORE_AUTH - len(auth)) + auth[-2:]
    raw = await Raw.upgraded(daemon)
    raw.write(frame(TEXT, right))
    assert (await raw.receive())["type"] == "status"
    raw = await Raw.upgraded(daemon)
    raw.write(frame(TEXT, b" " + right))
    assert (await raw.closed())[0] == 1009
    await raw.gone()


async def test_the_limit_after_auth(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "limits")
    raw.write(frame(TEXT, padded(MAX_FRAME)))
    assert await raw.receive() == {"type": "pong", "id": "big"}
    raw.write(frame(TEXT, padded(MAX_FRAME + 1)))
    assert (await raw.closed())[0] == 1009
    await raw.gone()


async def test_the_limit_holds_for_the_sum_of_fragments(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "sum")
    half = MAX_FRAME // 2
    for opcode in (TEXT, CONTINUATION):
        raw.write(frame(opcode, padded(MAX_FRAME)[:half], final=False))
    raw.write(frame(CONTINUATION, b"}"))
    assert (await raw.closed())[0] == 1009
    await raw.gone()


async def test_binary_frames(daemon: Daemon) -> None:
    raw = await Raw.upgraded(daemon)
    raw.write(frame(BINARY, json.dumps(raw.auth(daemon)).encode()))
    assert (await raw.receive())["code"] == "INVALID_JSON"
    assert (await raw.closed())[0] == 4002
    raw = await Raw.client(daemon, "binary")
    raw.write(frame(BINARY, json.dumps(PING_MESSAGE).encode()))
    error = await raw.receive()
    assert (error["code"], error["id"]) == ("INVALID_MESSAGE", None)
    await lives(raw)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b'{"type": "p\xc3"}', b'{"type":"ping","id":"\xed\xa0\x80"}']
)
async def test_invalid_utf_8(daemon: Daemon, data: bytes) -> None:
    raw = await Raw.client(daemon, "utf-8")
    raw.write(frame(TEXT, data))
    error = await raw.receive()
    assert (error["code"], error["id"]) == ("INVALID_JSON", None)
    await lives(raw)


async def test_fragments_with_a_ping_between_them(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "fragments")
    data = json.dumps({"type": "ping", "id": "é" * 100}, ensure_ascii=False).encode()
    raw.write(frame(TEXT, data[:1], final=False))
    for at in range(1, len(data)):
        raw.write(frame(CONTINUATION, data[at : at + 1], final=False))
    raw.write(frame(PING, b"between"))
    assert await raw.frame() == (PONG, b"between")
    raw.write(frame(CONTINUATION))
    assert await raw.receive() == {"type": "pong", "id": "é" * 100}


async def test_one_byte_at_a_time(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "bytewise")
    for byte in text(PING_MESSAGE):
        raw.write(bytes([byte]))
        await raw.writer.drain()
    assert await raw.receive() == {"type": "pong", "id": "p"}


async def test_an_unsolicited_pong_and_an_empty_frame(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "pong")
    raw.write(frame(PONG, b"unasked") + frame(TEXT))
    assert (await raw.receive())["code"] == "INVALID_JSON"
    await lives(raw)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc1\x80" + bytes(4), 1002),  # a reserved bit without its extension
        (frame(3, b"x"), 1002),  # a reserved opcode
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, final=False), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),  # 1005 is never sent
        (frame(CLOSE, b"\x03\xee"), 1002),  # nor is 1006
        (frame(CLOSE, b"\x03\xe7"), 1002),  # 999
        (frame(CLOSE, b"\x13\x88"), 1002),  # 5000
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),  # a reason that is not UTF-8
        (b"\x81\xff" + b"\xff" * 8, 1009),
        (frame(TEXT, b"{}", mask=False), 1002),
        (frame(PING, mask=False), 1002),
        (frame(CLOSE, b"\x03\xe8", mask=False), 1002),
        (b"\xa1\x80" + bytes(4), 1002),
        (b"\x91\x80" + bytes(4), 1002),
        (b"\xc9\x80" + bytes(4), 1002),  # a control frame is never compressed
        (frame(11), 1002),
        (frame(TEXT, final=False) + frame(TEXT, b"{}"), 1002),  # also if the first is empty
        (frame(TEXT, b"{", final=False) + frame(BINARY, b"}"), 1002),
        (b"\x81\xfe\x00\x02" + bytes(4) + b"{}", 1002),  # 2 takes no 16 bits
        (b"\x81\xff" + bytes(7) + b"\x02" + bytes(4) + b"{}", 1002),
    ],
)
async def test_frames_that_break_the_protocol(daemon: Daemon, data: bytes, code: int) -> None:
    for raw in (await Raw.upgraded(daemon), await Raw.client(daemon, "breaks")):
        raw.write(data)
        assert (await raw.closed())[0] == code
        await raw.gone()


async def test_the_close_handshake(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "closes")
    raw.write(text(PING_MESSAGE) + frame(CLOSE, b"\x03\xe8bye") + text(PING_MESSAGE))
    assert await raw.receive() == {"type": "pong", "id": "p"}
    opcode, payload = await raw.frame()
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xe8")
    await raw.gone()
