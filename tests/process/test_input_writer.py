"""Feeding a pipe: in order, never waiting, and what happens when its reader is slow or gone."""

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


async def test_more_than_the_pipe_holds(pipe: Pipe) -> None:
    reading, writing = pipe
    feeder = InputWriter(writing)
    data = bytes(range(256)) * 8192
    feeder.write(data)
    feeder.write(b"end")
    assert 0 < feeder.pending < len(data) + 3
    feeder.finish()
    assert not feeder.closed
    assert await _read_all(reading) == data + b"end"
    assert (feeder.closed, feeder.pending) == (True, 0)


@given(st.lists(st.binary(max_size=50_000), max_size=12))
@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
def test_pieces_arrive_as_the_whole(pieces: list[bytes]) -> None:
    async def run() -> bytes:
        reading, writing = os.pipe()
        feeder = InputWriter(writing)
        for piece in pieces:
            feeder.write(piece)
        feeder.finish()
        read = await _read_all(reading)
        os.close(reading)
        return read

    assert asyncio.run(run()) == b"".join(pieces)


async def test_a_reader_that_has_gone(pipe: Pipe) -> None:
    reading, writing = pipe
    feeder = InputWriter(writing)
    feeder.write(b"x" * 1_000_000)
    os.close(reading)
    await becomes(lambda: feeder.closed)
    feeder.write(b"nobody reads this")
    assert feeder.pending == 0
    # The fixture closes it again.
    assert os.open(os.devnull, os.O_RDONLY) == reading


async def test_closing_drops_what_waits(pipe: Pipe) -> None:
    feeder = InputWriter(pipe[1])
    feeder.write(b"x" * 1_000_000)
    feeder.close()
    feeder.close()
    feeder.finish()
    assert (feeder.closed, feeder.pending) == (True, 0)


async def test_what_is_not_owned_stays_open(pipe: Pipe) -> None:
    feeder = InputWriter(pipe[1], owned=False)
    feeder.write(b"x")
    feeder.finish()
    assert os.read(pipe[0], 10) == b"x"
    os.close(pipe[1])
