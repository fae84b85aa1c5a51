"""Characters written byte by byte on two streams: sent at once as bytes, whole as text."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest

from tests.server.observe import job_info
from tests.server.test_attach import attached
from tests.server.test_read_output import read, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.live import Client, Daemon, Message

# One byte at a time, alternating: 😀 on stdout, € on stderr.
TURNS = [
    *((1, 0xF0), (2, 0xE2), (1, 0x9F), (2, 0x82), (1, 0x98), (2, 0xAC), (1, 0x80)),
    *((2, 0x78), (1, 0xC3), (1, 0x79)),
]
WHOLE = {"stdout": "😀\ufffdy", "stderr": "€x"}
STREAMS = {1: "stdout", 2: "stderr"}


class ByteWriter:
    """A job that writes the bytes that the test names."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.job = ""
        self.end = 0

    async def start(self, **fields: object) -> str:
        """Start the job; return its id."""
        self.job = await self.client.start(
            'while read -r line; do eval "$line"; done', open_stdin=True, **fields
        )
        return self.job

    async def write(self, *turns: tuple[int, int]) -> None:
        """Write bytes in this order; return when the daemon has read them."""
        for stream, byte in turns:
            line = f"printf '\\{byte:03o}' >&{stream}\n"
            await self.client.send({"type": "send_input", "id": self.job, "data": line})
            self.end += 1
            while (await job_info(self.client, self.job))["end"] < self.end:
                pass

    async def finish(self) -> None:
        """End the job."""
        await self.client.send(
            {"type": "send_input", "id": self.job, "data": "", "close_stdin": True}
        )


@pytest.fixture
async def byte_writer(daemon: Daemon) -> AsyncIterator[ByteWriter]:
    """Yield a byte writer whose job no client follows yet."""
    client = await daemon.client()
    byte_writer = ByteWriter(client)
    yield byte_writer
    await client.close()


def _texts(messages: list[Message]) -> dict[str, str]:
    """Return the text of ``output`` messages by stream."""
    texts = {"stdout": "", "stderr": ""}
    for message in messages:
        if message["type"] == "output":
            texts[message["stream"]] += message["data"]
    return texts


async def test_base64_viewers_get_bytes_at_once(client: Client) -> None:
    job = await client.start(
        "printf 'ab\\342'; read; printf '\\202\\254'", open_stdin=True, encoding="base64"
    )
    seen = b""
    while seen != b"ab\xe2":  # the job waits until these are received
        message = (await client.until("output", id=job))[-1]
        seen += base64.b64decode(message["data"])
        assert message["end"] == len(seen)
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    ran = await client.finish(job)
    assert seen + b"".join(map(_decoded, ran.of_type("output"))) == "ab€".encode()
    assert ran.last["bytes"] == {"stdout": 5, "stderr": 0}


def _decoded(message: Message) -> bytes:
    return base64.b64decode(message["data"])


async def test_text_viewers_skip_unfinished_characters(byte_writer: ByteWriter) -> None:
    client = byte_writer.client
    job = await byte_writer.start()
    await byte_writer.write((1, 0xE2), (2, 0x78), (1, 0x82), (2, 0x79), (1, 0xAC), (1, 0xC3))
    await byte_writer.finish()
    ran = await client.finish(job)
    assert [(each["stream"], each["data"], each["end"]) for each in ran.of_type("output")] == [
        ("stderr", "x", 2),
        ("stderr", "y", 4),
        ("stdout", "€", 5),
        ("stdout", "\ufffd", 6),
    ]
    assert ran.last["bytes"] == {"stdout": 4, "stderr": 2}


async def test_unfinished_bytes_are_sent_at_the_end_of_their_stream(client: Client) -> None:
    job = await client.start("printf 'a\\342' >&2; exec 2>&-; read; echo b", open_stdin=True)
    seen: list[Message] = []
    while _texts(seen)["stderr"] != "a\ufffd":
        seen += await client.until("output", id=job)
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    ran = await client.finish(job)
    assert (ran.out, ran.err, ran.last["bytes"]) == ("b\n", "", {"stdout": 2, "stderr": 2})


async def _view(client: Client, job: str, *, credited: bool) -> list[Message]:
    """Return the messages up to the end of a job, crediting each frame if asked to."""
    seen = await client.until("output", "result", id=job)
    while seen[-1]["type"] == "output":
        if credited:
            await client.send({"type": "credit", "id": job, "end": seen[-1]["end"]})
        seen += await client.until("output", "result", id=job)
    return seen


@pytest.mark.parametrize("window", [None, 1, 2, 3, 4, 5])
async def test_every_offset_and_window_yields_the_same_text(
    byte_writer: ByteWriter, client: Client, window: int | None
) -> None:
    asked = {} if window is None else {"window": window}
    job = await byte_writer.start()
    await attached(client, job, **asked)
    await byte_writer.client.ask({"type": "detach", "id": job})
    viewing = asyncio.create_task(_view(client, job, credited=window is not None))
    await byte_writer.write(*TURNS)
    await byte_writer.finish()
    live = await viewing
    assert _texts(live) == WHOLE
    ends = [each["end"] for each in live if each["type"] == "output"]
    assert ends == sorted(ends)
    # Attaching again at the last `end` yields what was not received, once.
    for count in range(len(live)):
        before = live[:count]
        end = before[-1]["end"] if before else 0
        assert (await attached(client, job, after=end, **asked))["after"] == end
        rest = await _view(client, job, credited=window is not None)
        for stream, whole in WHOLE.items():
            assert _texts(before)[stream] + _texts(rest)[stream] == whole
    # The same at any other offset: each later byte, and the character that it completes.
    for after in range(len(TURNS) + 1):
        await attached(client, job, after=after, **asked)
        texts = _texts(await _view(client, job, credited=window is not None))
        assert texts == {stream: _text_after(after, each) for each, stream in STREAMS.items()}
        await attached(client, job, after=after, encoding="base64", **asked)
        rest = await _view(client, job, credited=window is not None)
        assert b"".join(map(_decoded, rest[:-1])) == bytes(byte for _, byte in TURNS[after:])


def _text_after(after: int, stream: int) -> str:
    """Return the text after an offset, with the unfinished character before it."""
    data = bytes(byte for each, byte in TURNS if each == stream)
    begin = sum(each == stream for each, _ in TURNS[:after])
    while begin < len(data) and 0x80 <= data[begin] <= 0xBF:
        begin -= 1
    if 0 < begin < len(data) and data[begin - 1] >= 0xC2:
        begin -= 1  # the next byte shows that the character stays unfinished
    return data[begin:].decode(errors="replace")


async def test_pages_skip_unfinished_characters(byte_writer: ByteWriter) -> None:
    client = byte_writer.client
    job = await byte_writer.start()
    await client.ask({"type": "detach", "id": job})
    await byte_writer.write(*TURNS[:5])
    # Only unfinished characters: the page waits.
    page = await read(client, job, wait_ms=50)
    assert (page["chunks"], page["end"]) == ([], 5)
    page = await read(client, job, encoding="base64", wait_ms=20_000)
    assert b"".join(map(_decoded, page["chunks"])) == bytes(byte for _, byte in TURNS[:5])
    waiting = asyncio.create_task(read(client, job, after=page["end"], wait_ms=20_000))
    await asyncio.sleep(0)  # let its request be sent first
    await client.send({"type": "send_input", "id": job, "data": "printf '\\254' >&2\n"})
    page = await waiting
    assert [(each["stream"], each["data"], each["end"]) for each in page["chunks"]] == [
        ("stderr", "€", 6)
    ]
    assert page["end"] == 6
    byte_writer.end = 6
    await byte_writer.write(*TURNS[6:9])
    # `until` matches a character that was skipped and then completed.
    page = await read(client, job, after=5, until="😀", wait_ms=20_000)
    assert (page["matched"], text(page, "stdout"), page["end"]) == (True, "😀", 7)
    await byte_writer.write((1, 0xE2))
    await byte_writer.finish()
    page = await read(client, job, after=10, wait_ms=20_000)
    while page["exit_code"] is None:
        # The stream may end shortly before the job.
        assert text(page, "stdout") in ("", "\ufffd")
        page = await read(client, job, after=page["end"], wait_ms=20_000)
    assert (text(page, "stdout"), page["end"], page["exit_code"]) == ("\ufffd", 10, 0)


async def test_a_page_smaller_than_a_character(client: Client) -> None:
    await client.run("printf '😀é'; printf '\\360\\237'", id="small")
    for size in (1, 2, 3, 4, 5):
        seen, page = "", await read(client, "small", max_bytes=size)
        while page["exit_code"] is None:
            seen += text(page)
            page = await read(client, "small", max_bytes=size, after=page["end"])
        assert seen + text(page) == "😀é\ufffd"


async def test_collected_text_has_whole_characters(byte_writer: ByteWriter) -> None:
    client = byte_writer.client
    job = await byte_writer.start(collect=True)
    await byte_writer.write(*TURNS, (2, 0xE2))
    await byte_writer.finish()
    result = (await client.finish(job)).last
    assert (result["stdout"], result["stderr"]) == (WHOLE["stdout"], WHOLE["stderr"] + "\ufffd")


async def test_offsets_and_credit_inside_a_character(client: Client) -> None:
    job = await client.start("printf 'a€b'; read", open_stdin=True, window=1)
    assert (await client.until("output", id=job))[-1]["data"] == "a"
    await client.send({"type": "credit", "id": job, "end": 1})
    message = (await client.until("output", id=job))[-1]
    assert (message["data"], message["end"]) == ("€", 4)
    # For text an offset moves to the start of its character; for bytes it is exact.
    for encoding, after, rest in (("utf-8", 1, "€b"), ("base64", 3, "rGI=")):
        answer = await attached(client, job, after=3, encoding=encoding)
        assert answer["after"] == after
        message = (await client.until("output", id=job))[-1]
        if message["end"] < 5:  # the last byte had not been read yet
            more = (await client.until("output", id=job))[-1]
            assert rest.startswith("€") or message["data"] == "rA=="
            message["data"] += more["data"]
        assert message["data"] in (rest, "rA==Yg==")
    await attached(client, job, window=1)
    for end, shown in ((0, "a"), (1, "€"), (3, None), (4, "b")):
        await client.ask({"type": "credit", "id": job, "end": end})
        if shown is not None:
            assert (await client.until("output", id=job))[-1]["data"] == shown
        else:
            assert client.aside == []
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    await client.finish(job)
