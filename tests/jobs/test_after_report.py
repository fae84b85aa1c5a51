"""What holds between a shell's report, which ended its command, and its exit."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.held import hold
from tests.jobs.observe import FOREVER, becomes, is_alive
from tests.jobs.reported import PATIENT, runs_still, start_daemon
from tests.jobs.test_orphans import STRAY
from tests.live import PATIENCE
from tests.server.conftest import patched
from tests.server.observe import job_info, wait_state
from tests.server.principals import member

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Client, Daemon


@pytest.mark.long
async def test_a_shell_that_does_not_exit_is_ended_alone(tmp_path: Path) -> None:
    """TERM, then KILL; the next command waits; what it had put into the background lives on."""
    daemon = start_daemon(tmp_path / "home")
    client = await daemon.client()
    held = await hold(client, f"trap '' TERM; ({FOREVER} & echo $!)")
    ran = await client.finish(held.job)
    assert (await client.run("echo next")).out == "next\n"
    assert not is_alive(held.pid)
    assert is_alive(int(ran.out))
    assert (await job_info(client, held.job))["state"] == "background"
    log = (daemon.home / "daemon.log").read_text()
    assert log.count("has not exited 2 s after its report") == 1
    await client.close()
    daemon.stop()


@pytest.mark.parametrize("how", ["cancel_command", "kill_session"])
async def test_an_ending_that_is_under_way(patient: Daemon, waiter: Client, how: str) -> None:
    """A shell that survives TERM and reports: the exit and the first reason stand."""
    job = await waiter.start("trap 'echo got' TERM; echo up; read -r _; (exit 5)", open_stdin=True)
    await waiter.output_until(job, "up\n")
    await waiter.send({"type": how, "id": job})
    await waiter.output_until(job, "got\n")
    held = await hold(waiter, "", going=job)
    assert await runs_still(waiter, held)
    held.go()
    ran = await waiter.finish(job)
    reason = "cancelled" if how == "cancel_command" else "killed"
    assert (ran.code, ran.last["reason"], ran.last["signal"]) == (5, reason, None)


async def test_a_timeout_that_is_under_way(patient: Daemon, waiter: Client) -> None:
    job = await waiter.start(
        "trap 'echo got' TERM; read -r _; (exit 5)", open_stdin=True, timeout=0.5
    )
    await waiter.output_until(job, "got\n")
    held = await hold(waiter, "", going=job)
    assert await runs_still(waiter, held)
    held.go()
    ran = await waiter.finish(job)
    assert (ran.code, ran.last["reason"]) == (5, "timed_out")


@pytest.mark.parametrize("fields", [{}, {"is_pty": True}], ids=str)
async def test_the_output_limit_in_the_last_output(
    patient: Daemon, waiter: Client, fields: dict[str, Any]
) -> None:
    """The limit ends the job: its shell is ended although it has reported already."""
    held = await hold(waiter, "printf %0200d 0", stopped=patient, max_output_bytes=100, **fields)
    ran = await waiter.finish(held.job)
    assert (ran.last["reason"], ran.last["bytes"]["stdout"]) == ("output_limit", 100)
    assert (ran.code, ran.last["signal"]) == (-15, "SIGTERM")


async def test_the_report_cancels_the_timeout(patient: Daemon, waiter: Client) -> None:
    held = await hold(waiter, "(exit 4)", timeout=1)
    ran = await waiter.finish(held.job)
    other = await patient.client()
    # The timer would have fired by the end of this other job's.
    assert (await other.run(FOREVER, timeout=1)).last["reason"] == "timed_out"
    await other.close()
    assert (ran.code, ran.last["reason"]) == (4, "exited")
    assert ran.last["duration_ms"] < 1000
    assert is_alive(held.pid)
    held.go()
    await held.gone(patient)
    info = await job_info(waiter, held.job)
    assert (info["exit_code"], info["reason"]) == (4, "exited")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_death_after_the_report(
    patient: Daemon, waiter: Client, number: signal.Signals
) -> None:
    held = await hold(waiter, "(exit 4)")
    assert (await waiter.finish(held.job)).code == 4
    os.kill(held.pid, number)
    held.go()
    await held.gone(patient)
    info = await job_info(waiter, held.job)
    assert (info["exit_code"], info["reason"], info["state"]) == (4, "exited", "ended")
    log = (patient.home / "daemon.log").read_text()
    lines = [line for line in log.splitlines() if f"job {held.job} of client {waiter.id}:" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"its shell reported exit code 4, then ended with {-number}")


async def test_requests_between_report_and_exit(patient: Daemon, waiter: Client) -> None:
    held = await hold(waiter, "(exit 4)")
    await waiter.finish(held.job)
    signalled = await waiter.ask({"type": "signal", "id": held.job, "signal": "TERM"})
    assert (signalled["code"], "has ended" in signalled["message"]) == ("NOT_FOUND", True)
    cancelled = await waiter.ask({"type": "cancel_command", "id": held.job})
    assert (cancelled["code"], "has ended" in cancelled["message"]) == ("NOT_FOUND", True)
    sent = await waiter.ask({"type": "send_input", "id": held.job, "data": "x"})
    assert sent["type"] == "error"
    assert is_alive(held.pid)
    assert (await waiter.ask({"type": "kill_session", "id": held.job}))["type"] == "ack"
    await held.gone(patient)
    assert (await job_info(waiter, held.job))["exit_code"] == 4


async def test_the_id_and_the_name_are_free(patient: Daemon) -> None:
    """For a client that may use an id again (without ``protocol``)."""
    client = await patient.client(protocol=None)
    held = await hold(client, "echo first", name="n")
    await client.finish(held.job)
    again = await client.start("echo second", id=held.job, name="n")
    await client.ask({"type": "ping"})
    held.go()
    assert (await client.finish(again)).out == "second\n"
    await held.gone(patient)
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    assert [job["command"] for job in jobs if job["client_id"] == client.id] == ["echo second"]
    await client.close()


async def test_what_the_shell_holds(patient: Daemon, waiter: Client, tmp_path: Path) -> None:
    """The client's next command gets its text after the exit; another client's does not wait."""
    lock = f"exec 9>'{tmp_path}/lock'; flock -n 9"
    held = await hold(waiter, lock)
    assert (await waiter.finish(held.job)).code == 0
    other = await patient.client()
    assert (await other.run(lock)).code == 1
    following = await waiter.start(lock)
    session = await waiter.session(command=f"sh -c 'flock -n \"{tmp_path}/lock\" true; echo $?'")
    assert (await other.run(":")).code == 0
    assert (await job_info(waiter, following))["exit_code"] is None
    held.go()
    assert (await waiter.finish(following)).code == 0
    await waiter.until("session_ended", id=session)
    await other.close()


async def test_a_client_of_another_principal_with_the_same_id(patient: Daemon) -> None:
    """It does not wait: whoever picks its id, and does not exit, must not delay it."""
    owner = await patient.client("twin")
    alice = await member(patient, "alice", client_id="twin")
    held = await hold(alice, ":")
    assert (await alice.finish(held.job)).code == 0
    assert (await owner.run("echo next")).out == "next\n"
    held.go()
    await owner.close()
    await alice.close()


async def test_what_the_shell_of_a_named_context_holds(patient: Daemon, waiter: Client) -> None:
    held = await hold(waiter, ":", context="shared")
    await waiter.finish(held.job)
    other = await patient.client()
    following = await other.start("echo next", context="shared")
    assert (await other.run(":")).code == 0
    assert (await job_info(other, following))["end"] == 0
    held.go()
    assert (await other.finish(following)).out == "next\n"
    await other.close()


async def test_a_command_that_ends_before_it_gets_its_text(patient: Daemon, waiter: Client) -> None:
    """Its shell, which was started in an earlier state, must not commit that state."""
    other = await patient.client()
    await other.run("A=other")
    held = await hold(waiter, "A=1")
    await waiter.finish(held.job)
    ran = await waiter.run("echo ran", timeout=0.1)
    assert (ran.out, ran.last["reason"], ran.code) == ("", "timed_out", -15)
    assert not ran.last["committed"]
    held.go()
    assert (await waiter.run("echo $A")).out == "1\n"
    await other.close()


async def test_an_orphan_of_the_next_command(tmp_path: Path) -> None:
    """Without session, tag and parent it is the next command's: the first one has ended by then."""
    daemon = start_daemon(tmp_path / "home", env=patched(tmp_path / "patch", PATIENT))
    client = await daemon.client()
    await client.run(":")
    held = await hold(client, ":")
    await client.finish(held.job)
    following = await client.start(f"read -r _; {STRAY} >&2", open_stdin=True)
    await client.ask({"type": "ping"})
    held.go()
    await held.gone(daemon)
    await client.ask({"type": "send_input", "id": following, "data": "\n"})
    assert (await client.finish(following)).code == 0
    (orphan,) = (await wait_state(client, following, "background"))["pids"]
    await client.ask({"type": "kill_session", "id": following})
    await wait_state(client, following, "ended")
    assert not is_alive(orphan)
    await client.close()
    daemon.stop()


async def test_slots(tmp_path: Path) -> None:
    """The slot is free with the result; a second shell of the same slot ends by its exit."""
    env = patched(tmp_path / "patch", PATIENT)
    daemon = start_daemon(tmp_path / "home", "--max-processes", "1", env=env)
    first, second, third = [await daemon.client() for _ in range(3)]
    held = await hold(first, ":")
    await first.finish(held.job)
    also = await hold(second, "(exit 5)")
    assert await runs_still(second, also)
    queued = await third.start(":")
    assert (await third.until("command_queued", id=queued))[-1]["position"] == 1
    also.go()
    assert (await second.finish(also.job)).code == 5
    assert (await third.finish(queued)).code == 0
    assert is_alive(held.pid)
    held.go()
    await held.gone(daemon)
    for client in (first, second, third):
        await client.close()
    daemon.stop()


async def test_the_journal_and_a_crash(tmp_path: Path, own_daemon: Callable[..., Daemon]) -> None:
    """``ended`` is written when the shell is reaped; after a crash before that, it is ended."""
    home = tmp_path / "home"
    daemon = start_daemon(home, env=patched(tmp_path / "patch", PATIENT))
    client = await daemon.client()
    held = await hold(client, ":")
    await client.finish(held.job)
    (journal,) = [path for path in home.iterdir() if "journal" in path.name]
    assert b'"began"' in journal.read_bytes()
    assert b'"ended"' not in journal.read_bytes()
    held.go()
    await held.gone(daemon)
    await client.ask({"type": "ping"})
    assert b'"ended"' in journal.read_bytes()
    held = await hold(client, ":")
    await client.finish(held.job)
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    await client.close()
    own_daemon(home=home)
    await becomes(lambda: not is_alive(held.pid))


async def test_a_stop_waits_for_the_exit(tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path / "home")
    client = await daemon.client()
    held = await hold(client, f"({FOREVER} & echo $!)")
    orphan = int((await client.finish(held.job)).out)
    daemon.stop()
    assert not is_alive(held.pid)
    assert not is_alive(orphan)
    await client.close()


async def test_new_functions_are_read_back_meanwhile(patient: Daemon, waiter: Client) -> None:
    held = await hold(waiter, "f() { echo f; }; (exit 4)")
    ran = await waiter.finish(held.job)
    assert (ran.code, ran.last["committed"]) == (4, True)
    following = await waiter.start("f")
    held.go()
    assert (await waiter.finish(following)).out == "f\n"


@pytest.mark.long
async def test_a_lock_a_thousand_times(client: Client, tmp_path: Path) -> None:
    for number in range(1000):
        ran = await client.run(f"exec 9>'{tmp_path}/lock'; flock -n 9")
        assert ran.code == 0, number
