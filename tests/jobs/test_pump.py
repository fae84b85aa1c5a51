"""The pump alone: budget, pausing, draining, and the end of each stream."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from shellwire.jobs.buffer import STDERR, STDOUT
from shellwire.jobs.pump import Pump
from shellwire.process.output_reader import Reader
from shellwire.process.poller import running_poller
from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Ends:
    """Two pipes, the bytes read from them, and the budget."""

    def __init__(self) -> None:
        self.budget = 1 << 20
        self.read: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
        self.closed = 0
        out, self.out = os.pipe()
        err, self.err = os.pipe()
        for fd in (out, err, self.out, self.err):
            os.set_blocking(fd, False)
        self.outputs = {
            "stdout": Reader(out, running_poller()),
            "stderr": Reader(err, running_poller()),
        }

    def pump(self) -> Pump:
        return Pump(
            self.outputs,
            budget=lambda: self.budget,
            received=lambda stream, data: self.read[stream].append(data),
            closed=self._on_closed,
        )

    def _on_closed(self) -> None:
        self.closed += 1

    async def until(self, stream: int, count: int) -> None:
        await becomes(lambda: sum(map(len, self.read[stream])) >= count)


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ends = Ends()
    yield ends
    for fd in (ends.out, ends.err):
        if fd >= 0:
            os.close(fd)


class Counting(Reader):
    """Counts how often the source was readable."""

    turns = 0

    def listen(self, ready: Callable[[], None]) -> None:
        def turn() -> None:
            self.turns += 1
            ready()

        super().listen(turn)


async def test_full_pages_are_read_in_one_turn(ends: Ends) -> None:
    ends.budget = 4095  # what a terminal gives at a time
    ends.outputs["stdout"].close()
    out, writing = os.pipe()
    source = Counting(out, running_poller())
    ends.outputs["stdout"] = source
    os.write(writing, b"x" * 12_000)
    pump = ends.pump()
    await ends.until(STDOUT, 12_000)
    assert [len(data) for data in ends.read[STDOUT]] == [4095, 4095, 3810]
    assert source.turns == 1
    os.write(writing, b"x" * 65_536)
    await ends.until(STDOUT, 12_000 + 65_536)
    assert source.turns == 2  # no more than a frame's worth in one
    pump.close()
    os.close(writing)


async def test_each_stream_and_its_end(ends: Ends) -> None:
    pump = ends.pump()
    os.write(ends.out, b"one")
    os.write(ends.err, b"two")
    await ends.until(STDERR, 3)
    os.close(ends.out)
    await becomes(lambda: ends.read[STDOUT][-1:] == [b""])
    assert (pump.is_open, ends.closed) == (True, 0)
    ends.out = -1
    pump.close()
    assert (pump.is_open, ends.closed) == (False, 1)
    assert ends.read == {STDOUT: [b"one", b""], STDERR: [b"two", b""]}
    with pytest.raises(BrokenPipeError):
        os.write(ends.err, b"nobody reads")


async def test_reads_no_more_than_the_budget(ends: Ends) -> None:
    ends.budget = 10
    pump = ends.pump()
    os.write(ends.out, b"x" * 25)
    await ends.until(STDOUT, 1)
    assert ends.read[STDOUT][0] == b"x" * 10
    ends.budget = 0
    await becomes(lambda: pump.paused)
    seen = len(ends.read[STDOUT])
    pump.resume()
    assert pump.paused
    os.write(ends.err, b"y")
    for _ in range(20):
        await asyncio.sleep(0)
    assert (len(ends.read[STDOUT]), ends.read[STDERR]) == (seen, [])
    ends.budget = 100
    pump.resume()
    await ends.until(STDOUT, 25)
    await ends.until(STDERR, 1)
    pump.close()


async def test_drain_ignores_the_budget(ends: Ends) -> None:
    ends.budget = 0
    pump = ends.pump()
    written = os.write(ends.out, b"x" * 1_000_000)
    os.write(ends.err, b"y" * 10)
    os.close(ends.err)
    ends.err = -1
    pump.drain()
    assert b"".join(ends.read[STDOUT]) == b"x" * written
    # The end of the closed pipe was seen at once; the other pipe is still open.
    assert ends.read[STDERR] == [b"y" * 10, b""]
    assert pump.is_open
    pump.drain()
    pump.close()
    assert ends.closed == 1
