"""Cases that no client can cause: a stolen exit status, expiry, faults of our own."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from shellwire.jobs.buffer import Piece
from shellwire.jobs.ended import Retention
from shellwire.jobs.model import ClientKey, JobKey, Request
from shellwire.principals import OWNER
from tests.jobs.observe import FOREVER, becomes, is_alive, reap
from tests.jobs.registries import Registries, concluded, submit

if TYPE_CHECKING:
    import pytest


async def test_a_stolen_exit_status_is_reported_as_lost(
    make: Registries,
) -> None:
    job = submit(make(), FOREVER)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    # Before the loop sees it.
    reap(job.pid)
    await concluded(job)
    assert job.outcome is not None
    assert (job.outcome.reason, job.outcome.exit_code, job.outcome.signal) == ("lost", -1, None)


async def test_ended_jobs_are_forgotten_in_time(make: Registries) -> None:
    registry = make(Retention(seconds=0.05))
    await concluded(submit(registry, ":", "one"))
    await concluded(submit(registry, ":", "two"))
    assert len(registry.jobs()) == 2
    await becomes(lambda: registry.jobs() == [])


async def test_a_viewer_keeps_the_output_of_a_forgotten_job(make: Registries) -> None:
    registry = make(Retention(jobs=1))
    job = submit(registry, "seq 1000", "read")
    viewer = job.readers.view(lambda: None)
    await concluded(job)
    for name in ("two", "three"):
        await concluded(submit(registry, ":", name))
    assert job not in registry.jobs()
    assert viewer.take(100_000) == Piece(
        "stdout", "".join(f"{number}\n" for number in range(1, 1001)).encode(), 3893, False
    )
    assert viewer.take(100_000) == job.outcome
    assert viewer.done
    assert len(job.buffer) == 3893
    job.readers.leave(viewer)
    assert len(job.buffer) == 0


async def test_a_tree_ends_where_no_orphan_is_adopted(make: Registries) -> None:
    registry = make()
    job = submit(registry, f"(setsid {FOREVER} &); {FOREVER} & echo $! up; wait")
    await becomes(lambda: b"up" in job.buffer.tail(100))
    child = int(job.buffer.tail(100).split()[0])
    registry.kill(job)
    await concluded(job)
    assert job.outcome is not None
    assert (job.outcome.reason, job.outcome.signal) == ("killed", "SIGTERM")
    assert not is_alive(child)


async def test_a_fault_of_ours_ends_the_job_and_frees_its_slot(
    make: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = make()

    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr("shellwire.shell.launch._WaitingShell.run", fault)
        for number in range(6):
            job = submit(registry, ":", f"broken-{number}")
            assert job.outcome is not None
            assert job.outcome.refusal is not None
            assert job.outcome.refusal.code == "INTERNAL_ERROR"
    assert registry.running("command") == 0
    job = submit(registry, "exit 3")
    await concluded(job)
    assert job.outcome is not None
    assert job.outcome.exit_code == 3
    for each in registry.jobs():
        await each.wait_ended()
    assert {each.state for each in registry.jobs()} == {"ended"}


async def test_a_process_that_cannot_get_its_first_input_is_ended(
    make: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("shellwire.jobs.run.Run.write_input", fault)
    registry = make()
    request = Request("command", FOREVER.encode(), stdin_data=b"x", timeout=0)
    job, _ = registry.submit(JobKey(ClientKey(OWNER, "client"), "job"), request, once=True)
    job.start()
    assert job.outcome is not None
    assert job.outcome.refusal is not None
    assert job.outcome.refusal.code == "INTERNAL_ERROR"
    assert job.pid is not None
    await job.wait_ended()
    assert not is_alive(job.pid)
    assert job.state == "ended"


async def test_an_ended_job_keeps_no_input(make: Registries) -> None:
    data = bytes(1000)
    before = sys.getrefcount(data)
    registry = make()
    request = Request("command", b"cat", stdin_data=data, timeout=0)
    job, _ = registry.submit(JobKey(ClientKey(OWNER, "client"), "job"), request, once=True)
    del request
    job.start()
    await concluded(job)
    await becomes(lambda: job.state == "ended")
    assert sys.getrefcount(data) == before


async def test_a_report_that_cannot_be_read_ends_the_job_all_the_same(
    make: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = make()

    def fault(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("shellwire.shell.context.Context.commit", fault)
    job = submit(registry, "exit 3")
    await concluded(job)
    assert job.outcome is not None
    assert (job.outcome.exit_code, job.outcome.committed) == (3, False)
    assert [each.code for each in job.readers.notices] == ["STATE_NOT_KEPT"]
