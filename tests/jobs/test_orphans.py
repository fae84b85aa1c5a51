"""Orphans without the session, tag and parents of their job: to which job each one belongs."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, becomes, below, is_alive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.live import Client, Daemon

# Prints its pid. By then its parent has ended, and it has a new session and an empty environment.
STRAY = f"env -i setsid -f sh -c 'echo $$; exec {FOREVER}'"

_LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


@pytest.fixture
def lone(own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon without jobs of other tests and without waiting shells."""
    return own_daemon("--spares", "0", "--grace", "0")


@pytest.fixture
async def sole(lone: Daemon) -> AsyncIterator[Client]:
    """Yield the only client of that daemon."""
    client = await lone.client()
    yield client
    await client.close()


async def _run_with(client: Client, command: str) -> tuple[int, list[int] | None]:
    """Run a command that prints a pid, and end it. Returns the pid and the unclaimed pids."""
    job = await client.start(f"{command}; {FOREVER}", timeout=0)
    pid = int(await client.output_until(job, "\n"))
    await client.send({"type": "cancel_command", "id": job})
    ran = await client.finish(job)
    assert ran.last["reason"] == "cancelled"
    return pid, ran.last.get("left")


async def _leave_unclaimed(client: Client, command: str) -> int:
    """Run a command that leaves an unclaimed orphan, beside another job; return the orphan's pid.

    On a slow machine a survey may see the process below its job before it is an orphan. It is the
    job's own then, and ends with it: another one is left.
    """
    while True:
        pid, left = await _run_with(client, command)
        if left is not None:
            assert left == [pid]
            assert is_alive(pid)
            return pid
        assert not is_alive(pid)


async def _run_leaving(client: Client, command: str) -> tuple[str, int]:
    """Run a command that prints a pid, and let it exit. Returns the job's id and the pid."""
    job = await client.start(f"{command}; read -r _", open_stdin=True)
    pid = int(await client.output_until(job, "\n"))
    await client.send({"type": "send_input", "id": job, "data": "\n", "close_stdin": True})
    assert (await client.finish(job)).last["reason"] == "exited"
    return job, pid


async def _hold(client: Client) -> str:
    """Start a job that runs beside others."""
    job = await client.start(f"echo up; {FOREVER}", timeout=0)
    await client.output_until(job, "up")
    return job


async def test_the_only_jobs_orphan_is_ended_with_it(lone: Daemon, sole: Client) -> None:
    result = (await sole.run(f"{STRAY} >/dev/null; {FOREVER}", timeout=0.5)).last
    assert (result["reason"], "left" in result) == ("timed_out", False)
    assert below(lone) == []
    session = await sole.session(command=f"{STRAY}; cat")
    pid = int(await sole.output_until(session, "\n"))
    await sole.send({"type": "kill_session", "id": session})
    ended = (await sole.until("session_ended", id=session))[-1]
    assert ("left" in ended, is_alive(pid)) == (False, False)


async def test_the_only_jobs_orphan_stays_its_background_process(sole: Client) -> None:
    job, pid = await _run_leaving(sole, STRAY)
    (info,) = (await sole.ask({"type": "list_jobs"}))["jobs"]
    assert (info["state"], info["pids"]) == ("background", [pid])
    await sole.ask({"type": "kill_session", "id": job})
    await becomes(lambda: not is_alive(pid))


async def test_beside_another_job_an_orphan_is_unclaimed_and_reported(
    lone: Daemon, sole: Client
) -> None:
    holder = await _hold(sole)
    pid = await _leave_unclaimed(sole, STRAY)
    # The orphan may belong to either job.
    await sole.send({"type": "cancel_command", "id": holder})
    assert (await sole.finish(holder)).last["left"] == [pid]
    assert is_alive(pid)
    # It can't belong to a later job. It has no child, so the later job's orphan is not its child.
    later, left = await _run_with(sole, STRAY)
    assert (left, is_alive(later), is_alive(pid)) == (None, False, True)
    await sole.close()
    lone.stop()
    assert not is_alive(pid)


async def test_a_possible_child_of_an_unclaimed_orphan_is_not_ended(
    lone: Daemon, sole: Client, tmp_path: Path
) -> None:
    holder = await _hold(sole)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # The script leaves one orphan for each line that it reads.
    script = f"echo $$; while read x <{fifo}; do setsid -f {FOREVER}; done"
    starter = await _leave_unclaimed(sole, f"env -i setsid -f sh -c '{script}'")
    await sole.send({"type": "cancel_command", "id": holder})
    await sole.finish(holder)
    job = await sole.start(f"echo >{fifo}; echo up; {FOREVER}", timeout=0)
    await sole.output_until(job, "up")
    await becomes(lambda: len(below(lone)) == 4)
    await sole.send({"type": "cancel_command", "id": job})
    left = (await sole.finish(job)).last["left"]
    assert len(left) == 1
    assert is_alive(left[0])
    assert is_alive(starter)


async def test_the_child_of_an_ended_unclaimed_orphan_is_not_ended(
    sole: Client, tmp_path: Path
) -> None:
    holder = await _hold(sole)
    fifo, child = tmp_path / "fifo", tmp_path / "child"
    os.mkfifo(fifo)
    script = f"{FOREVER} & echo $! >{child}; echo $$; read x <{fifo}"
    starter = await _leave_unclaimed(sole, f"env -i setsid -f sh -c '{script}'")
    await sole.send({"type": "cancel_command", "id": holder})
    await sole.finish(holder)
    # This job is the only one when the daemon adopts the child; that does not make it the owner.
    job = await _hold(sole)
    fifo.write_text("\n")
    await becomes(lambda: not is_alive(starter))
    await sole.send({"type": "cancel_command", "id": job})
    await sole.finish(job)
    assert is_alive(int(child.read_text()))


async def test_a_pooled_shell_does_not_claim_older_orphans(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--spares", "2", "--grace", "0")
    client = await daemon.client()
    await client.run(":")
    await becomes(lambda: len(below(daemon)) == 2)
    holder = await client.start(f"echo up; {FOREVER}", timeout=0, is_pty=True)
    await client.output_until(holder, "up")
    pid = await _leave_unclaimed(client, STRAY)
    await client.send({"type": "cancel_command", "id": holder})
    assert (await client.finish(holder)).last["left"] == [pid]
    assert (await client.run(FOREVER, timeout=0.1)).last.get("left") is None
    await client.close()


async def test_a_background_job_counts_as_another_job(sole: Client) -> None:
    await sole.run(f"{FOREVER} & :")
    await _leave_unclaimed(sole, STRAY)


def _have_next(pid: int) -> None:
    """Make the kernel give ``pid`` to the next process."""
    _LAST_PID.write_text(str(pid - 1))


async def _becomes_pid(client: Client, pid: int) -> str:
    """Start a job whose leader has a reused pid. Skip the test if that is not possible."""
    for _ in range(50):
        _have_next(pid)
        job = await client.start(f"echo $$; exec {FOREVER}", timeout=0)
        if int(await client.output_until(job, "\n")) == pid:
            return job
        await client.send({"type": "cancel_command", "id": job})
        await client.finish(job)
    pytest.skip("others took that pid")


@pytest.mark.long
@pytest.mark.skipif(not os.access(_LAST_PID, os.W_OK), reason="pids can't be chosen here")
async def test_a_reused_pid_does_not_claim_orphans(lone: Daemon, sole: Client) -> None:
    # Its orphan has another session; its own session ends with its leader.
    first, stray = await _run_leaving(sole, f"setsid -f sh -c 'echo $$; exec {FOREVER}'")
    (job,) = (await sole.ask({"type": "list_jobs"}))["jobs"]
    second = await _becomes_pid(sole, job["pid"])
    await sole.ask({"type": "kill_session", "id": first})
    await becomes(lambda: not is_alive(stray))
    states = {each["id"]: each["state"] for each in (await sole.ask({"type": "list_jobs"}))["jobs"]}
    assert states[second] == "running"
    await sole.send({"type": "cancel_command", "id": second})
    assert (await sole.finish(second)).last["reason"] == "cancelled"
    assert below(lone) == []


# Makes a process group that has ended the foreground group, and prints its number.
_GIVES_AWAY = """
import os, signal, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
if (child := os.fork()) == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    os._exit(0)
os.waitpid(child, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
print(child, flush=True)
time.sleep(98765)
"""


@pytest.mark.long
@pytest.mark.skipif(not os.access(_LAST_PID, os.W_OK), reason="pids can't be chosen here")
async def test_a_reused_process_group_number_gets_no_signal(sole: Client) -> None:
    command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(_GIVES_AWAY)}"
    first = await sole.start(command, is_pty=True, timeout=0)
    group = int(await sole.output_until(first, "\n"))
    second = await _becomes_pid(sole, group)
    await sole.ask({"type": "signal", "id": first, "signal": "INT"})
    assert (await sole.finish(first)).last["signal"] == "SIGINT"
    await sole.send({"type": "cancel_command", "id": second})
    result = (await sole.finish(second)).last
    assert (result["reason"], result["signal"]) == ("cancelled", "SIGTERM")
