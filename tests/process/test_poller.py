"""Watching descriptors: by one epoll instance, and by the event loop where there is none."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from shellwire.process.poller import EpollPoller, LoopPoller, running_poller
from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shellwire.process.poller import Poller


@pytest.fixture(params=[EpollPoller, LoopPoller])
async def poller(request: pytest.FixtureRequest) -> Poller:
    made: Poller = request.param()
    return made


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for fd in ends:
        os.close(fd)


async def test_it_calls_while_something_can_be_read(poller: Poller, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    got: list[bytes] = []
    poller.watch(reading, lambda: got.append(os.read(reading, 1)))
    os.write(writing, b"ab")
    await becomes(lambda: got == [b"a", b"b"])
    poller.forget(reading)
    os.write(writing, b"c")
    for _ in range(10):
        await asyncio.sleep(0)
    assert got == [b"a", b"b"]
    poller.forget(reading)  # not watched: no error
    poller.watch(reading, lambda: got.append(os.read(reading, 1)))
    await becomes(lambda: got == [b"a", b"b", b"c"])
    poller.forget(reading)


async def test_watching_again_replaces_the_callback(poller: Poller, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    calls: list[str] = []
    poller.watch(reading, lambda: calls.append("first"))
    poller.watch(reading, lambda: calls.append("second"))
    os.write(writing, b"x")
    await becomes(lambda: "second" in calls)
    poller.forget(reading)
    assert "first" not in calls


async def test_the_end_of_a_pipe_is_reported(poller: Poller) -> None:
    reading, writing = os.pipe()
    ended = asyncio.Event()
    poller.watch(reading, ended.set)
    os.close(writing)
    await ended.wait()
    poller.forget(reading)
    os.close(reading)


async def test_a_callback_may_forget_another_descriptor() -> None:
    poller = EpollPoller()
    pipes = [os.pipe() for _ in range(2)]
    calls: list[int] = []

    def ready(number: int) -> None:
        calls.append(number)
        for reading, _ in pipes:
            poller.forget(reading)

    for number, (reading, writing) in enumerate(pipes):
        poller.watch(reading, lambda number=number: ready(number))  # type: ignore[misc]
        os.write(writing, b"x")
    await becomes(lambda: bool(calls))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(calls) == 1
    for ends in pipes:
        for fd in ends:
            os.close(fd)


async def test_one_failing_callback_does_not_affect_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    poller = EpollPoller()
    (bad, bad_writing), (good, good_writing) = os.pipe(), os.pipe()
    calls: list[str] = []

    def fail() -> None:
        poller.forget(bad)
        raise ValueError("on purpose")

    def succeed() -> None:
        poller.forget(good)
        calls.append("good")

    poller.watch(bad, fail)
    poller.watch(good, succeed)
    os.write(bad_writing, b"x")
    os.write(good_writing, b"x")
    await becomes(lambda: calls == ["good"] and "on purpose" in caplog.text)
    for fd in (bad, bad_writing, good, good_writing):
        os.close(fd)


async def test_there_is_one_for_each_event_loop() -> None:
    assert running_poller() is running_poller()
    other = await asyncio.to_thread(lambda: asyncio.run(_poller()))
    assert other is not running_poller()


async def _poller() -> Poller:
    return running_poller()
