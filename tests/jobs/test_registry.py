"""What no client can bring about: a stolen status, an hour that passes, a fault of our own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from shellwire.jobs.buffer import Piece
from shellwire.jobs.contexts import Contexts
from shellwire.jobs.ended import Retention
from shellwire.jobs.engine import Engine
from shellwire.jobs.model import JobKey, Request
from shellwire.jobs.registry import Registry
from shellwire.process.reap import Reaper
from shellwire.shell.bash import Bash
from shellwire.shell.context import birth_state
from tests.jobs.observe import FOREVER, becomes, is_alive, reap
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shellwire.jobs.job import Job


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Registry]]:
    """Yield a function that makes a registry; this process adopts nobody, as on macOS."""
    made: list[tuple[Registry, Reaper]] = []

    def registry(retention: Retention | None = None) -> Registry:
        reaper = Reaper()
        engine = Engine(Bash(shutil.which("bash") or "bash"), reaper)
        contexts = Contexts(birth_state(os.environb, "/"))
        made.append((Registry(engine, contexts, retention=retention), reaper))
        return made[-1][0]

    yield registry
    for each, reaper in made:
        await each.stop(0)
        each.close()
        reaper.stop()


def _submit(registry: Registry, command: str, name: str = "job") -> Job:
    key = JobKey("client", name)
    job, place = registry.submit(key, Request("command", command.encode()), once=True)
    assert place == 0
    job.start()
    return job


async def _over(job: Job) -> None:
    done = asyncio.Event()

    def look() -> None:
        if job.outcome is not None:
            done.set()

    viewer = job.view(look, silent=True)
    look()
    await asyncio.wait_for(done.wait(), PATIENCE)
    job.leave(viewer)


async def test_a_status_that_somebody_else_took_is_not_made_up(
    make: Callable[..., Registry],
) -> None:
    job = _submit(make(), FOREVER)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    # Before the loop sees it.
    reap(job.pid)
    await _over(job)
    assert job.outcome is not None
    assert (job.outcome.reason, job.outcome.exit_code, job.outcome.signal) == ("lost", -1, None)


async def test_ended_jobs_are_forgotten_in_time(make: Callable[..., Registry]) -> None:
    registry = make(Retention(seconds=0.05))
    await _over(_submit(registry, ":", "one"))
    await _over(_submit(registry, ":", "two"))
    assert len(registry.jobs()) == 2
    await becomes(lambda: registry.jobs() == [])


async def test_a_reader_keeps_what_is_forgotten(make: Callable[..., Registry]) -> None:
    registry = make(Retention(jobs=1))
    job = _submit(registry, "seq 1000", "read")
    viewer = job.view(lambda: None)
    await _over(job)
    for name in ("two", "three"):
        await _over(_submit(registry, ":", name))
    assert job not in registry.jobs()
    assert viewer.take(100_000) == Piece(
        "stdout", "".join(f"{number}\n" for number in range(1, 1001)).encode(), 3893, False
    )
    assert viewer.take(100_000) == job.outcome
    assert viewer.done
    assert len(job.buffer) == 3893
    job.leave(viewer)
    assert len(job.buffer) == 0


async def test_a_tree_ends_where_no_orphan_is_adopted(make: Callable[..., Registry]) -> None:
    registry = make()
    job = _submit(registry, f"(setsid {FOREVER} &); {FOREVER} & echo $! up; wait")
    await becomes(lambda: b"up" in job.buffer.tail(100))
    child = int(job.buffer.tail(100).split()[0])
    registry.kill(job)
    await _over(job)
    assert job.outcome is not None
    assert (job.outcome.reason, job.outcome.signal) == ("killed", "SIGTERM")
    assert not is_alive(child)


async def test_a_fault_of_ours_ends_the_job_and_frees_its_slot(
    make: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = make()

    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr("shellwire.shell.launch._Waiting.run", fault)
        for number in range(6):
            job = _submit(registry, ":", f"broken-{number}")
            assert job.outcome is not None
            assert job.outcome.refusal is not None
            assert job.outcome.refusal.code == "INTERNAL_ERROR"
    assert registry.running("command") == 0
    job = _submit(registry, "exit 3")
    await _over(job)
    assert job.outcome is not None
    assert job.outcome.exit_code == 3
    for each in registry.jobs():
        await each.over()
    assert {each.state for each in registry.jobs()} == {"ended"}


async def test_a_report_that_cannot_be_read_ends_the_job_all_the_same(
    make: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = make()

    def fault(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("shellwire.shell.context.Context.commit", fault)
    job = _submit(registry, "exit 3")
    await _over(job)
    assert job.outcome is not None
    assert (job.outcome.exit_code, job.outcome.committed) == (3, False)
    assert [each.code for each in job.notices] == ["STATE_NOT_KEPT"]
