"""After a daemon is killed, the next start ends the processes that it left, and no others."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.daemon.crashes import home_environment, pids_of, run_words
from tests.jobs.observe import FOREVER, becomes, is_alive
from tests.live import PATIENCE, Daemon
from tests.server.observe import cli
from tests.server.test_attach import attached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def stranger() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Yield a function that starts a process outside any daemon; each ends with the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(**env: str) -> subprocess.Popen[bytes]:
        environ = {"PATH": os.environ["PATH"], **env}
        begun.append(subprocess.Popen(FOREVER.split(), start_new_session=True, env=environ))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


IGNORES = "trap '' TERM HUP; echo $$; while :; do sleep 0.1; done >/dev/null 2>&1"

LEFT = {
    f"echo $$; {FOREVER} >/dev/null 2>&1": 1,
    IGNORES: 1,
    f"setsid {FOREVER} >/dev/null 2>&1 & echo $!; wait": 1,
    # Without the tag, but in a session whose leader has it; and a child of a process with it.
    f"env -i {FOREVER} >/dev/null 2>&1 & echo $!; wait": 1,
    f"setsid sh -c 'env -i setsid {FOREVER} & echo $! >&3; wait' 3>&1 >/dev/null 2>&1 & wait": 1,
}


async def test_processes_that_it_left_are_ended(
    again: Callable[..., Daemon], stranger: Callable[..., subprocess.Popen[bytes]]
) -> None:
    client = await again("--max-processes", "8").client()
    pids = []
    for command, count in LEFT.items():
        pids += await pids_of(client, command, count)
    left = await client.run(f"setsid {FOREVER} >/dev/null 2>&1 & echo $!")
    pids.append(int(left.out))
    shell = await client.session(use_pty=True)
    await client.send({"type": "send_input", "id": shell, "data": 'echo p""id $$.\n'})
    seen = await client.output_until(shell, ".\r\n")
    while (found := re.search(r"pid (\d+)\.", seen)) is None:
        seen += await client.output_until(shell, ".\r\n")
    pids.append(int(found[1]))
    other = stranger()
    daemon = again()
    assert [pid for pid in pids if is_alive(pid)] == []
    assert is_alive(other.pid)
    assert "was killed" in (daemon.home / "daemon.log").read_text()


async def test_other_processes_are_not_ended(
    again: Callable[..., Daemon], stranger: Callable[..., subprocess.Popen[bytes]]
) -> None:
    daemon = again()
    client = await daemon.client()
    pid = (await pids_of(client, f"echo $$; {FOREVER} >/dev/null 2>&1", 1))[0]
    tag = _environ(pid)["SHELLWIRE_JOB"]
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    strangers = [
        stranger(),
        stranger(SHELLWIRE_JOB=tag.replace(".", "")),
        stranger(SHELLWIRE_JOB="x" + tag),
        stranger(SHELLWIRE_JOB=""),
        stranger(OTHER=tag),
        stranger(OTHER=f"SHELLWIRE_JOB={tag}"),
    ]
    journal = daemon.home / "jobs.journal"
    with journal.open("a") as file:
        file.writelines(
            f"\n{json.dumps(['began', other, 'command', 'c', f'{number}', 1.0])}"
            for number, other in enumerate(["", "0123456789abcdef.0"])
        )
    again()
    assert all(is_alive(each.pid) for each in strangers)
    assert not is_alive(pid)


async def test_processes_older_than_the_daemon_are_not_ended(
    again: Callable[..., Daemon], stranger: Callable[..., subprocess.Popen[bytes]]
) -> None:
    old = stranger(SHELLWIRE_JOB="0123456789abcdef.0")
    daemon = again()
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    journal = daemon.home / "jobs.journal"
    head = json.loads(journal.read_text().split("\n")[1])
    # They may have started in the same clock tick.
    journal.write_text(f'\n["daemon","0123456789abcdef",{head[2] + 1}]')
    again()
    assert is_alive(old.pid)


def _environ(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/environ") as file:
        return {
            name: value for name, _, value in (e.partition("=") for e in file.read().split("\0"))
        }


async def test_a_daemon_started_by_a_job_of_the_crashed_one(
    again: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = again()
    client = await daemon.client()
    job = await client.start("echo $$; read", open_stdin=True, timeout=0)
    pid = int(await client.output_until(job, "\n"))
    tag = _environ(pid)["SHELLWIRE_JOB"]
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    # The next daemon and its starter both have the job's tag; recovery must end neither.
    script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, sys.executable, "-m", "shellwire", "start", "--daemon"],
        env={
            **os.environ,
            "SHELLWIRE_JOB": tag,
            "SHELLWIRE_HOME": str(daemon.home),
            "SHELLWIRE_PORT": "0",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    try:
        assert json.loads(cli(daemon, "status", "--json"))["status"] == "ok"
    finally:
        cli(daemon, "stop")


async def test_a_lost_job(again: Callable[..., Daemon]) -> None:
    daemon = again()
    client = await daemon.client("resumes")
    job = await client.start(f"echo seen; {FOREVER}", id="command", timeout=0)
    seen = (await client.until("output", id=job))[-1]["end"]
    await client.session(id="session", command="cat")
    await client.run("echo done; sleep 1000 & :", id="ended")
    daemon = again()
    client = await daemon.client("resumes")
    jobs = {each["id"]: each for each in client.status["jobs"]}
    assert jobs.keys() == {"command", "session"}
    for each in jobs.values():
        assert (
            each.items()
            >= {
                "state": "ended",
                "reason": "lost",
                "exit_code": -1,
                "client_id": "resumes",
                "command": "",
                "cwd": None,
                "pid": None,
                "pids": [],
            }.items()
        )
    # The client has seen the output up to there: the offset is valid, although no output is left.
    answer = await attached(client, "command", after=seen)
    assert (answer["state"], answer["after"], answer["end"]) == ("ended", seen, seen)
    result = (await client.finish("command")).messages
    assert [each["type"] for each in result] == ["result"]
    assert (
        result[0].items()
        >= {
            "reason": "lost",
            "exit_code": -1,
            "signal": None,
            "committed": False,
            "cwd": None,
        }.items()
    )
    await attached(client, "command")
    gap, last = (await client.finish("command")).messages
    assert (gap["type"], gap["from"], gap["to"], last["type"]) == ("gap", 0, seen, "result")
    await attached(client, "session")
    ended = (await client.until("session_ended", id="session"))[-1]
    assert (ended["reason"], ended["exit_code"]) == ("lost", -1)
    page = await client.ask({"type": "read_output", "id": "session", "wait_ms": 10_000})
    assert (page["state"], page["exit_code"]) == ("ended", -1)
    # The id of a lost job stays taken; jobs that had ended before are not remembered.
    assert (await client.run(":", id="command")).last["code"] == "DUPLICATE_ID"
    for kind in ("attach", "read_output"):
        assert (await client.ask({"type": kind, "id": "ended"}))["code"] == "NOT_FOUND"
    assert (await client.ask({"type": "kill_session", "id": "session"}))[
        "code"
    ] == "SESSION_NOT_FOUND"
    await client.close()


async def test_crash_after_crash(again: Callable[..., Daemon]) -> None:
    client = await again().client("resumes")
    await client.session(id="first", command="cat")
    client = await again().client("resumes")
    await client.session(id="second", command="cat")
    daemon = again()
    client = await daemon.client("resumes")
    assert [each["id"] for each in client.status["jobs"]] == ["first", "second"]
    assert {each["reason"] for each in client.status["jobs"]} == {"lost"}
    await client.close()
    daemon.stop()
    assert not (daemon.home / "jobs.journal").exists()
    client = await again().client("resumes")
    assert client.status["jobs"] == []
    await client.close()


@pytest.mark.long
async def test_killed_during_recovery(again: Callable[..., Daemon]) -> None:
    daemon = again()
    # Ending them takes two seconds.
    (pid,) = await pids_of(await daemon.client(), IGNORES, 1)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.communicate(timeout=PATIENCE)
    log = daemon.home / "daemon.log"
    second = await asyncio.create_subprocess_exec(
        *run_words(), env=home_environment(daemon.home), stdout=-3
    )
    await becomes(lambda: "was killed" in log.read_text())
    second.kill()
    await second.wait()
    assert is_alive(pid)
    again()
    assert not is_alive(pid)


async def test_a_failed_start_keeps_the_journal(again: Callable[..., Daemon]) -> None:
    daemon = again()
    client = await daemon.client("resumes")
    await client.session(id="1", command="cat")
    daemon.process.kill()
    daemon.process.communicate(timeout=PATIENCE)
    flags = ("--host", "192.0.2.1", "--insecure-plaintext")
    failed = await asyncio.create_subprocess_exec(
        *run_words(*flags), env=home_environment(daemon.home), stderr=-1
    )
    _, said = await failed.communicate()
    assert (failed.returncode, b"Traceback" in said) == (1, False)
    client = await again().client("resumes")
    assert [each["reason"] for each in client.status["jobs"]] == ["lost"]
    await client.close()
