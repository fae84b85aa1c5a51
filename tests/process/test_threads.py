"""Pipes read and written by threads: nothing lost, nothing held up, and the mark never seen."""

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
    """A pipe, what was read of it, and how many bytes may be read at a time."""

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

    def let_go(self) -> None:
        os.close(self.writing)
        self.writing = -1


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    pipe = Pipe()
    yield pipe
    if pipe.writing >= 0:
        pipe.let_go()


async def _finished(pipe: Pipe) -> None:
    await asyncio.to_thread(pipe.reader.finish)


def _take(pipe: Pipe) -> bytes:
    """Take all that there is now, as a drain does."""
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
    pipe.let_go()
    await _finished(pipe)
    await becomes(lambda: pipe.ended)
    assert pipe.read == sent


@pytest.mark.parametrize("size", [0, 1, 65535, 65536])
async def test_what_was_written_is_there_when_it_is_finished(pipe: Pipe, size: int) -> None:
    # The writing end stays open, as a process in the background holds it.
    sent = random.Random(size).randbytes(size)
    os.write(pipe.writing, sent)
    await _finished(pipe)
    assert _take(pipe) == sent
    assert pipe.reader.read(1) is None
    os.write(pipe.writing, b"later")
    await becomes(lambda: pipe.reader.waiting() == 6)
    assert _take(pipe) == b"later"
    pipe.let_go()
    await becomes(lambda: pipe.reader.read(1) == b"")


async def test_a_finish_reads_more_than_anybody_takes(pipe: Pipe) -> None:
    sent = random.Random(0).randbytes(2 * 65536)
    # The thread reads one chunk ahead; the rest fills the pipe.
    os.write(pipe.writing, sent[:65536])
    await becomes(lambda: pipe.reader.waiting() > 65536)
    os.write(pipe.writing, sent[65536:])
    assert pipe.reader.waiting() == 65536 + 1
    await _finished(pipe)
    assert _take(pipe) == sent


@pytest.mark.parametrize("finished", [False, True])
async def test_a_writer_is_held_up_by_who_does_not_take(pipe: Pipe, finished: bool) -> None:
    if finished:  # what it left in the background writes on
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


async def test_nobody_is_called_who_does_not_listen(pipe: Pipe) -> None:
    pipe.listen()
    os.write(pipe.writing, b"one")
    await becomes(lambda: pipe.read == b"one")
    pipe.reader.ignore()
    os.write(pipe.writing, b"two")
    await becomes(lambda: pipe.reader.waiting() == 4)
    assert pipe.read == b"one"
    pipe.listen()
    await becomes(lambda: pipe.read == b"onetwo")


async def test_who_writes_to_a_closed_one_is_not_held_up(pipe: Pipe) -> None:
    pipe.reader.close()
    for _ in range(50):
        os.write(pipe.writing, b"x" * 65536)
    assert pipe.reader.read(1) is None


def _read_all(reading: int) -> bytes:
    with open(reading, "rb") as file:
        return file.read()


async def test_feeding_in_order_to_the_end() -> None:
    reading, writing = os.pipe()
    feeder = ThreadWriter(writing)
    sent = random.Random(1).randbytes(1_000_000)
    feeder.write(sent[:10])
    feeder.write(sent[10:])
    await becomes(lambda: feeder.pending < len(sent))
    assert feeder.pending > 0
    feeder.finish()
    feeder.write(b"too late")
    assert not feeder.accepts
    assert await asyncio.to_thread(_read_all, reading) == sent
    assert (feeder.closed, feeder.pending) == (True, 0)


async def test_a_reader_that_is_gone_ends_the_feeding() -> None:
    reading, writing = os.pipe()
    feeder = ThreadWriter(writing)
    os.close(reading)
    feeder.write(b"x")
    await becomes(lambda: feeder.closed)
    assert not feeder.accepts
    feeder.close()


async def test_close_drops_what_waits() -> None:
    reading, writing = os.pipe()
    feeder = ThreadWriter(writing)
    feeder.write(b"x" * 1_000_000)
    await becomes(lambda: feeder.pending < 1_000_000)
    feeder.close()
    assert feeder.pending == 0
    assert len(await asyncio.to_thread(_read_all, reading)) < 1_000_000
