"""Pipes read and written by threads: no byte is lost, no writer blocks, no mark is visible."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from typing import TYPE_CHECKING

import pytest

from shellwire.process.threads import ThreadReader, ThreadWriter
from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Pipe:
    """A pipe, the bytes read from it, and the number of bytes to read at a time."""

    def __init__(self, at_a_time: int = 65536) -> None:
        reading, writing = os.pipe()
        self.writing = os.dup(writing)
        self.reader = ThreadReader(reading, writing)
        self.at_a_time = at_a_time
        self.read = b""
        self.ended = False

    def listen(self) -> None:
        self.reader.listen(self._ready)

    def _ready(self) -> None:
        data = self.reader.read(self.at_a_time)
        assert data is not None
        self.read += data
        if not data:
            self.ended = True
            self.reader.close()

    def close_writing(self) -> None:
        os.close(self.writing)
        self.writing = -1


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    pipe = Pipe()
    yield pipe
    if pipe.writing >= 0:
        pipe.close_writing()


async def _finished(pipe: Pipe) -> None:
    await asyncio.to_thread(pipe.reader.finish)


def _read_available(pipe: Pipe) -> bytes:
    """Read all bytes that are available now, as a drain does."""
    taken = b""
    while data := pipe.reader.read(1000):
        taken += data
    return taken


@pytest.mark.parametrize("at_a_time", [1, 7, 65536])
async def test_bytes_and_their_end(at_a_time: int) -> None:
    pipe = Pipe(at_a_time)
    pipe.listen()
    sent = random.Random(at_a_time).randbytes(5000)
    os.write(pipe.writing, sent)
    await becomes(lambda: len(pipe.read) == len(sent))
    pipe.close_writing()
    await _finished(pipe)
    await becomes(lambda: pipe.ended)
    assert pipe.read == sent


@pytest.mark.parametrize("size", [0, 1, 65535, 65536])
async def test_all_output_can_be_read_after_finish(pipe: Pipe, size: int) -> None:
    # The writing end stays open, as with a background process.
    sent = random.Random(size).randbytes(size)
    os.write(pipe.writing, sent)
    await _finished(pipe)
    assert _read_available(pipe) == sent
    assert pipe.reader.read(1) is None
    os.write(pipe.writing, b"later")
    await becomes(lambda: pipe.reader.waiting() == 6)
    assert _read_available(pipe) == b"later"
    pipe.close_writing()
    await becomes(lambda: pipe.reader.read(1) == b"")


async def test_finish_reads_unconsumed_output(pipe: Pipe) -> None:
    sent = random.Random(0).randbytes(2 * 65536)
    # The thread reads one chunk ahead; the rest fills the pipe.
    os.write(pipe.writing, sent[:65536])
    await becomes(lambda: pipe.reader.waiting() > 65536)
    os.write(pipe.writing, sent[65536:])
    assert pipe.reader.waiting() == 65536 + 1
    await _finished(pipe)
    assert _read_available(pipe) == sent


@pytest.mark.parametrize("finished", [False, True])
async def test_a_writer_blocks_without_a_consumer(pipe: Pipe, finished: bool) -> None:
    if finished:  # a background process still writes
        await _finished(pipe)
    sent = random.Random(0).randbytes(2_000_000)

    def write() -> None:
        left = memoryview(sent)
        while left:
            left = left[os.write(pipe.writing, left) :]

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    taken = b""
    while len(taken) < len(sent):
        await becomes(lambda: pipe.reader.waiting() > 1)
        assert pipe.reader.waiting() <= 3 * 65536 + 1
        taken += pipe.reader.read(65536) or b""
    assert taken == sent
    await asyncio.to_thread(writer.join)


async def test_no_callback_without_listen(pipe: Pipe) -> None:
    pipe.listen()
    os.write(pipe.writing, b"one")
    await becomes(lambda: pipe.read == b"one")
    pipe.reader.ignore()
    os.write(pipe.writing, b"two")
    await becomes(lambda: pipe.reader.waiting() == 4)
    assert pipe.read == b"one"
    pipe.listen()
    await becomes(lambda: pipe.read == b"onetwo")


async def test_a_closed_reader_does_not_block_the_writer(pipe: Pipe) -> None:
    pipe.reader.close()
    for _ in range(50):
        os.write(pipe.writing, b"x" * 65536)
    assert pipe.reader.read(1) is None


def _read_all(reading: int) -> bytes:
    with open(reading, "rb") as file:
        return file.read()


async def test_writes_arrive_in_order_then_eof() -> None:
    reading, writing = os.pipe()
    writer = ThreadWriter(writing)
    sent = random.Random(1).randbytes(1_000_000)
    writer.write(sent[:10])
    writer.write(sent[10:])
    await becomes(lambda: writer.pending < len(sent))
    assert writer.pending > 0
    writer.finish()
    writer.write(b"too late")
    assert not writer.accepts
    assert await asyncio.to_thread(_read_all, reading) == sent
    assert (writer.closed, writer.pending) == (True, 0)


async def test_it_closes_when_the_reader_is_gone() -> None:
    reading, writing = os.pipe()
    writer = ThreadWriter(writing)
    os.close(reading)
    writer.write(b"x")
    await becomes(lambda: writer.closed)
    assert not writer.accepts
    writer.close()


async def test_close_drops_pending_bytes() -> None:
    reading, writing = os.pipe()
    writer = ThreadWriter(writing)
    writer.write(b"x" * 1_000_000)
    await becomes(lambda: writer.pending < 1_000_000)
    writer.close()
    assert writer.pending == 0
    assert len(await asyncio.to_thread(_read_all, reading)) < 1_000_000
