"""Long messages are sent in fragments, between which other tasks run; maybe compressed."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from shellwire.server.outgoing_frames import FRAGMENT, MIN_COMPRESSED, Pieces, encode_frames
from tests.live import PATIENCE
from tests.server.raw import CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.live import Daemon, Message

# Lengths around each limit of the header's forms, and of a fragment.
LENGTHS = [0, 1, 125, 126, 65535, 65536, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT + 1]


def many_files(directory: Path) -> int:
    """Make so many files that their list does not fit the socket's buffers; return the number."""
    directory.mkdir()
    count = 5000
    first = directory / "0"
    first.touch()
    for number in range(1, count):
        # A link is cheaper than a file; each character of this name takes six bytes in JSON.
        (directory / f"{number}".ljust(200, "\x01")).hardlink_to(first)
    return count


@given(st.lists(st.sampled_from(LENGTHS), min_size=1, max_size=4))
async def test_libraries_reassemble_the_frames(lengths: list[int]) -> None:
    pieces = [bytes([65 + number]) * length for number, length in enumerate(lengths)]
    whole = b"".join(pieces)
    reader = asyncio.StreamReader()
    sent = list(encode_frames(Pieces(pieces)))
    for each in sent:
        reader.feed_data(each)
    assert all(len(each) <= FRAGMENT + 10 for each in sent)
    raw = Raw.__new__(Raw)
    raw.reader = reader
    found = []
    for number in range(len(sent)):
        final, (opcode, payload) = await raw.fragment()
        assert final is (number == len(sent) - 1)
        assert opcode == (CONTINUATION if number else TEXT)
        found.append(payload)
    assert b"".join(found) == whole
    assert list(encode_frames(whole)) == sent


async def test_pings_are_answered_between_the_fragments_of_a_message(
    daemon: Daemon, tmp_path: Path
) -> None:
    count = many_files(tmp_path / "many")
    raw = await Raw.client(daemon, "between")
    raw.stop_reading()
    raw.send({"type": "fs_list", "id": "1", "root": str(tmp_path / "many")})
    raw.read_again()
    final, (opcode, payload) = await raw.fragment()
    assert (final, opcode) == (False, TEXT)
    raw.stop_reading()
    raw.write(frame(PING, b"still there?"))
    raw.read_again()
    parts = [payload]
    ponged_at = None
    while not final:
        final, (opcode, payload) = await raw.fragment()
        if opcode == PONG:
            ponged_at, final = len(parts), False
        elif opcode != PING:
            assert opcode == CONTINUATION
            parts.append(payload)
    message = json.loads(b"".join(parts))
    assert len(message["result"]["entries"]) == count
    assert ponged_at is not None
    assert ponged_at < len(parts)


async def test_compression_is_off_by_default(daemon: Daemon) -> None:
    raw = await Raw.open(daemon)
    response = await raw.upgrade(headers={"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert response.status == 101
    assert "sec-websocket-extensions" not in response.headers


async def test_few_unauthenticated_connections_may_compress(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--compress")
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}

    async def connect() -> tuple[Raw, bool]:
        raw = await Raw.open(daemon)
        response = await raw.upgrade(headers=offer)
        assert response.status == 101
        return raw, "sec-websocket-extensions" in response.headers

    raws = [await connect() for _ in range(6)]
    assert [accepted for _, accepted in raws] == [True] * 4 + [False] * 2
    known, _ = raws[5]
    known.send(Raw.auth(daemon))
    assert (await known.receive())["type"] == "status"
    for raw, _ in raws[:2]:
        raw.write(frame(CLOSE))
        await raw.gone()
    assert (await connect())[1]


@settings(deadline=None)
@given(st.lists(st.sampled_from([0, MIN_COMPRESSED - 1, *LENGTHS]), max_size=4), st.booleans())
def test_compressed_messages_are_independent(lengths: list[int], keeps_context: bool) -> None:
    inflate = zlib.decompressobj(-9)
    for length in lengths:
        message = (b"%d," % length * length)[:length]
        is_compressed = length >= MIN_COMPRESSED
        found = b""
        for number, each in enumerate(encode_frames(Pieces([message]), 9)):
            first, payload = each[0], each[{126: 4, 127: 10}.get(each[1], 2) :]
            assert bool(first & 0x40) is (is_compressed and number == 0)
            if is_compressed:
                payload = inflate.decompress(payload + b"\0\0\xff\xff" * (first >> 7))
            found += payload
        assert found == message
        if not keeps_context:
            inflate = zlib.decompressobj(-9)


async def _whole(
    send: Callable[[str], Awaitable[None]],
    receive: Callable[[], Awaitable[str | bytes]],
    questions: list[Message],
) -> list[Message]:
    """Return the answer to each message, without the messages in between."""
    answers: list[Message] = []
    for question in questions:
        await send(json.dumps(question))
        async with asyncio.timeout(PATIENCE):
            while (message := json.loads(await receive()))["type"] not in ANSWERS:
                pass
        answers.append(message)
    return answers


ANSWERS = ("status", "pong", "fs_result", "result")


@pytest.mark.long
@pytest.mark.parametrize("bits", [9, None])
async def test_libraries_read_compressed_messages(
    own_daemon: Callable[..., Daemon], tmp_path: Path, bits: int | None
) -> None:
    daemon = own_daemon("--compress", "--max-clients", "2")
    count = many_files(tmp_path / "many")
    ping: Message = {"type": "ping"}
    questions: list[Message] = [
        ping,
        {"type": "fs_list", "id": "list", "root": str(tmp_path / "many")},
        {"type": "execute", "id": "run", "command": "seq 10000", "collect": True},
        {"type": "execute", "id": "long", "command": f"echo {'x' * 100_000}", "collect": True},
        ping,
    ]
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=bits)
    one = await daemon.connect(extensions=[offer])
    assert [each.name for each in one.protocol.extensions] == ["permessage-deflate"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(daemon.url, compress=15, max_msg_size=0) as other,
    ):
        assert other.compress == 15
        for name, send, receive in (
            ("one", one.send, one.recv),
            ("other", other.send_str, other.receive_str),
        ):
            first, *answers = await _whole(send, receive, [Raw.auth(daemon, name), *questions])
            assert first["client_id"] == name
            assert answers[0] == answers[4] == {"type": "pong"}
            assert len(answers[1]["result"]["entries"]) == count
            assert answers[2]["stdout"].startswith("1\n2\n")
            assert answers[3]["stdout"].count("x") == 49_999  # plus the newline
    await one.close()
