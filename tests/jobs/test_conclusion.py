"""New functions are read back before the state is committed; the daemon works meanwhile."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.jobs.model import ClientKey
from shellwire.principals import OWNER
from shellwire.shell.launch import launch
from tests.jobs.observe import becomes, is_alive
from tests.jobs.registries import Registries, concluded, submit

if TYPE_CHECKING:
    from shellwire.jobs.job import Job
    from shellwire.shell.shell import Shell

DEFINE = "f() { echo f; }; export A=1; exit 3"


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[Shell]:
    """Return the shells that read functions back; each is stopped (SIGSTOP) when it starts."""
    shells: list[Shell] = []

    def stopping(*args: Any, **named: Any) -> Shell:
        shell = launch(*args, **named)
        os.kill(shell.pid, signal.SIGSTOP)
        shells.append(shell)
        return shell

    monkeypatch.setattr("shellwire.shell.readback.launch", stopping)
    return shells


def described(job: Job) -> tuple[str, int, bool]:
    assert job.outcome is not None
    return job.outcome.reason, job.outcome.exit_code, job.outcome.committed


async def test_other_jobs_run_while_functions_are_read_back(
    make: Registries, stopped: list[Shell]
) -> None:
    registry = make()
    defining = submit(registry, DEFINE, "defining")
    await becomes(lambda: bool(stopped))
    other = submit(registry, "echo meanwhile", "other")
    await concluded(other)
    assert defining.outcome is None
    assert defining.state == "running"
    os.kill(stopped[0].pid, signal.SIGCONT)
    await concluded(defining)
    assert described(defining) == ("exited", 3, True)
    after = submit(registry, "f; echo $A", "after")
    await concluded(after)
    assert after.buffer.tail(100) == b"f\n1\n"


@pytest.mark.parametrize("reason", ["cancelled", "killed"])
async def test_an_ending_drops_the_functions_and_changes_no_outcome(
    make: Registries, stopped: list[Shell], reason: str
) -> None:
    registry = make()
    job = submit(registry, DEFINE)
    await becomes(lambda: bool(stopped))
    (registry.cancel if reason == "cancelled" else registry.kill)(job)
    await concluded(job)
    assert described(job) == ("exited", 3, True)
    (notice,) = job.readers.notices
    assert (notice.code, notice.message[-2:]) == ("STATE_NOT_KEPT", " f")
    await becomes(lambda: not is_alive(stopped[0].pid))
    after = submit(registry, "type -t f; echo $A", "after")
    await concluded(after)
    assert after.buffer.tail(100) == b"1\n"
    assert job.state == "ended"


async def test_the_timeout_ends_with_the_exit(make: Registries, stopped: list[Shell]) -> None:
    job = submit(make(), DEFINE, timeout=0.5)
    await becomes(lambda: bool(stopped))
    # The timer would have fired by the end of this other job's.
    other = submit(make(), "sleep 60", timeout=0.6)
    await concluded(other)
    assert job.outcome is None
    os.kill(stopped[0].pid, signal.SIGCONT)
    await concluded(job)
    assert described(job) == ("exited", 3, True)


async def test_a_reset_meanwhile_keeps_nothing(make: Registries, stopped: list[Shell]) -> None:
    registry = make()
    job = submit(registry, DEFINE)
    await becomes(lambda: bool(stopped))
    registry.contexts.get(ClientKey(OWNER, "client"), "default").reset()
    os.kill(stopped[0].pid, signal.SIGCONT)
    await concluded(job)
    assert described(job) == ("exited", 3, False)
    (notice,) = job.readers.notices
    assert notice.code == "STATE_NOT_KEPT"


async def test_a_stop_does_not_wait_for_a_check(make: Registries, stopped: list[Shell]) -> None:
    registry = make()
    job = submit(registry, DEFINE)
    await becomes(lambda: bool(stopped))
    await registry.stop(0)
    assert described(job) == ("exited", 3, True)
    await becomes(lambda: not is_alive(stopped[0].pid))


async def test_a_fault_in_the_check_ends_the_job(
    make: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fault(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("shellwire.jobs.engine.Engine.unreadable", fault)
    job = submit(make(), DEFINE)
    await concluded(job)
    assert described(job) == ("exited", 3, False)
    (notice,) = job.readers.notices
    assert notice.code == "STATE_NOT_KEPT"
