"""A whole daemon where there is no POSIX: pipes by threads, files for text and report, no signals.

The shell is sh in cmd.exe's place; tests/shell tests the scripts for cmd.exe and PowerShell.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import shellwire
from tests.jobs.observe import FOREVER, becomes, below, is_alive
from tests.live import Daemon
from tests.windows.test_imports import HERE, on_windows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.live import Client


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    path = tmp_path_factory.mktemp("windows")
    (path / "tmp").mkdir()
    env = {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(Path(shellwire.__file__).parents[1])]),
        "SIMULATED": str(path / "simulated"),
        "TMPDIR": str(path / "tmp"),
    }
    daemon = Daemon(path / "home", "--max-clients", "100", "--max-processes", "16", env=env)
    assert (path / "simulated").exists()
    yield daemon
    daemon.stop()
    assert list((path / "tmp").iterdir()) == []
    assert not (path / "home" / "daemon.sock").exists()


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[Client]:
    client = await daemon.client()
    yield client
    await client.close()


async def test_state_carries_over(client: Client) -> None:
    assert client.status["features"] == ["attach", "transient", "text_bytes"]
    ran = await client.run("cd /usr; export A='b c'; exit 3", env={"B": "1"})
    assert (ran.code, ran.last["committed"], ran.last["cwd"]) == (3, True, "/usr")
    ran = await client.run('echo "$A $B"; pwd; echo err >&2')
    assert (ran.out, ran.err) == ("b c \n/usr\n", "err\n")


async def test_every_byte_comes(client: Client) -> None:
    ran = await client.run("seq 300000; seq 1000 >&2")
    assert ran.out == "".join(f"{number}\n" for number in range(1, 300001))
    assert ran.err == "".join(f"{number}\n" for number in range(1, 1001))


@pytest.mark.long
async def test_the_last_byte_comes_before_the_result(daemon: Daemon, client: Client) -> None:
    for number in range(20):
        ran = await client.run(f"{FOREVER} & printf {number}")
        assert ran.out == str(number)
        await client.ask({"type": "kill_session", "id": ran.last["id"]})
    # A process group without its leader gets no signal before it is killed.
    await becomes(lambda: below(daemon) == [])


async def test_input(client: Client) -> None:
    text = "é" * 200_000
    ran = await client.run("wc -c; wc -c", stdin_data=text)
    assert [int(count) for count in ran.out.split()] == [400_000, 0]
    assert (await client.run("cat")).out == ""
    job = await client.start("while read -r line; do echo got $line; done", open_stdin=True)
    await client.send({"type": "send_input", "id": job, "data": "one\n"})
    await client.output_until(job, "got one\n")
    await client.send({"type": "send_input", "id": job, "data": "two\n", "close_stdin": True})
    ran = await client.finish(job)
    assert (ran.out, ran.code) == ("got two\n", 0)


@pytest.mark.parametrize("how", ["cancel_command", "kill_session"])
async def test_the_whole_tree_ends(daemon: Daemon, client: Client, how: str) -> None:
    command = f"(trap '' TERM; setsid {FOREVER} & {FOREVER}) & echo ready; {FOREVER}"
    job = await client.start(command)
    await client.output_until(job, "ready")
    await client.send({"type": how, "id": job})
    result = (await client.finish(job)).last
    assert below(daemon) == []
    assert result["reason"] == {"cancel_command": "cancelled"}.get(how, "killed")


async def test_a_time_limit_and_an_output_limit(daemon: Daemon, client: Client) -> None:
    assert (await client.run(FOREVER, timeout=0.1)).last["reason"] == "timed_out"
    ran = await client.run("yes", max_output_bytes=100_000)
    assert (ran.last["reason"], len(ran.out)) == ("output_limit", 100_000)
    assert below(daemon) == []


async def test_what_is_left_in_the_background(client: Client) -> None:
    ran = await client.run("(sleep 0.2; echo late; exec sleep 98765) & echo $!; exit 0")
    job, left = str(ran.last["id"]), int(ran.out)
    late = (await client.until("output", id=job))[-1]
    assert (late["data"], late["background"]) == ("late\n", True)
    await client.ask({"type": "kill_session", "id": job})
    await becomes(lambda: not is_alive(left))


async def test_who_does_not_read_holds_the_writer_up(daemon: Daemon, client: Client) -> None:
    job = await client.start("yes", max_output_bytes=0)
    await client.output_until(job, "y\ny\n")
    other = await daemon.client()
    ran = await other.run("echo still here")
    assert ran.out == "still here\n"
    await client.send({"type": "cancel_command", "id": job})
    assert (await client.finish(job)).last["reason"] == "cancelled"
    await other.close()


async def test_a_session_and_its_signal(client: Client) -> None:
    session = await client.session(command="trap 'echo broken; exit 4' TERM; echo up; read x; wait")
    await client.output_until(session, "up")
    refused = await client.ask({"type": "signal", "id": session, "signal": "ABRT"})
    assert refused["code"] == "SESSION_ERROR"
    # Ctrl-Break, which is TERM in this simulation.
    await client.ask({"type": "signal", "id": session, "signal": "INT"})
    ended = (await client.until("session_ended", id=session))[-1]
    assert (ended["exit_code"], ended["reason"]) == (4, "exited")


async def test_there_are_no_terminals(client: Client) -> None:
    await client.send({"type": "execute", "id": "t", "command": ":", "is_pty": True})
    await client.send({"type": "start_session", "id": "u", "use_pty": True})
    for job in ("t", "u"):
        assert (await client.until("error", id=job))[-1]["code"] == "PTY_UNAVAILABLE"
    # And no slot is lost to them.
    assert (await client.run("echo on")).out == "on\n"


async def test_a_directory_that_is_gone(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    await client.run(f"cd {tmp_path}/a")
    (tmp_path / "a").rmdir()
    ran = await client.run("pwd")
    assert ran.out == f"{tmp_path}\n"
    assert [notice["code"] for notice in ran.of_type("notice")] == ["CWD_GONE"]


class CommandLine:
    """``cli("status")`` runs that on a simulated Windows."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = on_windows("-m", "shellwire", *arguments, SHELLWIRE_HOME=str(self.home))
        assert done.returncode == code, done
        return done.stdout or done.stderr


@pytest.mark.long
async def test_the_command_line_needs_no_slot_and_no_unix_socket(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "home")
    assert "listens at" in cli("start", "--daemon", "--port", "0")
    try:
        status = json.loads(cli("status", "--json"))
        assert "already running" in cli("start", "--daemon", "--port", "0", code=1)
        daemon = Daemon.__new__(Daemon)
        daemon.url, daemon.token = status["url"], cli("token").strip()
        client = await daemon.client("the-only-one")
        (known,) = json.loads(cli("clients", "list", "--json"))
        assert (known["client_id"], known["is_connected"]) == ("the-only-one", True)
        assert cli("token", "rotate").strip() != daemon.token
        assert (await client.closed())[0] == 1008
        daemon.token = cli("token").strip()
        client = await daemon.client("the-only-one")
        job = await client.start(f"echo up; {FOREVER}")
        await client.output_until(job, "up")
    finally:
        assert "has stopped" in cli("stop")
    assert (await client.finish(job)).last["reason"] == "killed"
    assert (await client.closed())[0] == 1001
    assert "not running" in cli("status", code=3)


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "home")
    where = ("--host", "192.0.2.1", "--port", "0", "--insecure-plaintext")
    said = cli("start", "--daemon", *where, code=1)
    assert said.startswith("Error: cannot listen on 192.0.2.1"), said
