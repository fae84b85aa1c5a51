"""InputWriter writes in order and never blocks, with a slow or closed reader too."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shellwire.process.input_writer import InputWriter
from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from collections.abc import Iterator

    Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


async def _read_all(fd: int) -> bytes:
    def read() -> bytes:
        with open(fd, "rb", closefd=False) as file:
            return file.read()

    return await asyncio.to_thread(read)


async def test_data_larger_than_the_pipe(pipe: Pipe) -> None:
    reading, writing = pipe
    writer = InputWriter(writing)
    data = bytes(range(256)) * 8192
    writer.write(data)
    writer.write(b"end")
    assert 0 < writer.pending < len(data) + 3
    writer.finish()
    assert not writer.closed
    assert await _read_all(reading) == data + b"end"
    assert (writer.closed, writer.pending) == (True, 0)


@given(st.lists(st.binary(max_size=50_000), max_size=12))
@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
def test_pieces_arrive_in_order(pieces: list[bytes]) -> None:
    async def run() -> bytes:
        reading, writing = os.pipe()
        writer = InputWriter(writing)
        for piece in pieces:
            writer.write(piece)
        writer.finish()
        read = await _read_all(reading)
        os.close(reading)
        return read

    assert asyncio.run(run()) == b"".join(pieces)


async def test_it_closes_when_the_reader_is_gone(pipe: Pipe) -> None:
    reading, writing = pipe
    writer = InputWriter(writing)
    writer.write(b"x" * 1_000_000)
    os.close(reading)
    await becomes(lambda: writer.closed)
    writer.write(b"nobody reads this")
    assert writer.pending == 0
    # The fixture closes the pipe again.
    assert os.open(os.devnull, os.O_RDONLY) == reading


async def test_close_drops_pending_bytes(pipe: Pipe) -> None:
    writer = InputWriter(pipe[1])
    writer.write(b"x" * 1_000_000)
    writer.close()
    writer.close()
    writer.finish()
    assert (writer.closed, writer.pending) == (True, 0)


async def test_a_descriptor_not_owned_stays_open(pipe: Pipe) -> None:
    writer = InputWriter(pipe[1], owned=False)
    writer.write(b"x")
    writer.finish()
    assert os.read(pipe[0], 10) == b"x"
    os.close(pipe[1])
