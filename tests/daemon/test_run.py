"""Running the daemon: failed starts, signals, and a home that fails at run time."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.home.clients import Clients
from shellwire.home.paths import Home
from tests.cli.command_line import SECONDS, CommandLine
from tests.live import PATIENCE, Daemon
from tests.server.conftest import patched_daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["patched_daemon"]  # a fixture


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line with a home of its own."""
    cli = CommandLine(tmp_path / "home")
    yield cli
    cli.end_daemon()


@pytest.fixture
def foreground(cli: CommandLine) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Yield a function that starts ``shellwire run`` with given options of Popen."""
    begun: list[subprocess.Popen[str]] = []

    def start(**how: Any) -> subprocess.Popen[str]:
        process = cli.begin("run", "--port", "0", stdout=subprocess.PIPE, **how)
        begun.append(process)
        assert process.stdout is not None
        assert "listens at" in process.stdout.readline()
        return process

    yield start
    for process in begun:
        process.terminate()
        process.communicate(timeout=SECONDS)


def test_a_blocked_stderr_does_not_stop_the_daemon(
    cli: CommandLine, foreground: Callable[..., subprocess.Popen[str]]
) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = foreground(stderr=writing)
    os.close(writing)
    for number in range(60):  # two log lines each: together more than a pipe can hold
        assert run(cli, f"echo {number}") == f"{number}\n"
    assert cli.home.log_file.stat().st_size > 4096
    cli.ok("stop")
    assert process.wait(SECONDS) == 0
    os.close(reading)


def left_in(home: Path) -> set[str]:
    """Return the existing files of those that only a running daemon has."""
    return {path.name for path in home.iterdir()} & {"daemon.pid", "daemon.sock"}


def run(cli: CommandLine, command: str) -> str:
    """Run a command in the daemon; return its output."""
    with cli.connected("runs") as connection:
        connection.send(
            json.dumps({"type": "execute", "id": "x", "command": command, "collect": True})
        )
        result = json.loads(connection.recv(SECONDS))
        assert result["type"] == "result", result
        return str(result["stdout"])


# Failing to start --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--host", "x" * 300, "--insecure-plaintext"), "not a valid host name"),
        (("--host", "192.0.2.1", "--insecure-plaintext"), "cannot assign requested address"),
    ],
)
def test_a_failed_start_gives_the_reason(
    cli: CommandLine, flags: tuple[str, ...], reason: str
) -> None:
    for start in (("run",), ("start", "--daemon")):
        assert reason in cli.refused(*start, "--port", "0", *flags)
    assert not left_in(cli.home.root)


def test_a_start_that_fails_half_way_cleans_up(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.socket_file.mkdir()
    assert "daemon.sock" in cli.refused("run", "--port", "0")
    cli.home.socket_file.rmdir()
    cli.home.pid_file.mkdir()
    assert "daemon.pid" in cli.refused("run", "--port", "0")
    assert left_in(cli.home.root) == {"daemon.pid"}
    cli.home.pid_file.rmdir()
    cli.start()


# Signals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_end_it(own_daemon: Callable[..., Daemon], number: signal.Signals) -> None:
    daemon = own_daemon()
    daemon.process.send_signal(number)
    assert daemon.process.wait(PATIENCE) == 0
    assert not left_in(daemon.home)


def test_a_signal_during_the_start(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(
        """
        import os, signal
        import shellwire.server.app as app
        start = app.Server.start
        async def interrupted(*args):
            os.kill(os.getpid(), signal.SIGTERM)
            return await start(*args)
        app.Server.start = interrupted
        """
    )
    assert daemon.process.wait(PATIENCE) == 0
    assert not left_in(daemon.home)


def test_signals_ignored_by_the_starter_stay_ignored(
    cli: CommandLine, foreground: Callable[..., subprocess.Popen[str]]
) -> None:
    def ignore() -> None:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    process = foreground(preexec_fn=ignore)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    assert run(cli, "echo lives") == "lives\n"
    # SIGTERM is never ignored, or no signal could stop the daemon in order.
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0


def test_inherited_descriptors_reach_no_command(
    cli: CommandLine, foreground: Callable[..., subprocess.Popen[str]]
) -> None:
    reading, writing = os.pipe()
    try:
        foreground(pass_fds=(reading, writing))
        pipe = os.readlink(f"/proc/self/fd/{writing}")
        assert pipe not in run(cli, "readlink /proc/self/fd/*").split()
    finally:
        os.close(reading)
        os.close(writing)


# A home that fails -------------------------------------------------------------------------------


async def test_the_home_is_removed_while_it_runs(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home", "--max-clients", "3")
    try:
        client = await daemon.client("a")
        await client.close()
        shutil.rmtree(daemon.home)
        client = await daemon.client("b")
        assert (await client.run("echo on")).out == "on\n"
        other = await daemon.client("c")
        assert (await other.ask({"type": "reload"}))["type"] == "ack"
        assert (await other.run("echo too")).out == "too\n"
        assert not daemon.home.exists()
        # The path may be another daemon's home now; the old daemon leaves it alone.
        second = Daemon(daemon.home)
        try:
            before = {path.name: path.stat().st_mtime_ns for path in second.home.iterdir()}
            await client.close()
            await other.close()
            daemon.stop()
            assert before == {path.name: path.stat().st_mtime_ns for path in second.home.iterdir()}
            assert {"daemon.pid", "daemon.sock"} <= before.keys()
        finally:
            second.stop()
    finally:
        daemon.stop()
    assert daemon.process.returncode == 0


async def test_a_removed_home_is_not_created_again(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    client = await daemon.client()
    shutil.rmtree(daemon.home)
    await client.close()
    daemon.stop()
    assert daemon.process.returncode == 0
    assert not daemon.home.exists()
    assert daemon.failure().count(f"{daemon.home} was removed") == 1


async def test_revocations_stay_when_the_home_is_removed(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "3")
    Clients.load(Home(daemon.home)).revoke("bad")
    client = await daemon.client()
    await client.ask({"type": "reload"})
    daemon.home.rename(daemon.home.with_name("moved"))
    await client.ask({"type": "reload"})
    with pytest.raises(AssertionError, match="CLIENT_REJECTED"):
        await daemon.client("bad")
    # Once the home is back, it is read again.
    daemon.home.with_name("moved").rename(daemon.home)
    Clients.load(Home(daemon.home)).restore("bad")
    await client.ask({"type": "reload"})
    await (await daemon.client("bad")).close()
    await client.close()


async def test_a_full_disk(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "3")
    first = await daemon.client("first")
    # No file may grow any more. Python ignores SIGXFSZ, so write(2) fails.
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, hard))
    second = await daemon.client("second")
    clients = (await first.ask({"type": "list_clients"}))["clients"]
    assert [each["client_id"] for each in clients] == ["first", "second"]
    assert json.loads((daemon.home / "clients.json").read_text()).keys() == {"first"}
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))
    await first.close()
    await second.close()
    daemon.stop()
    assert json.loads((daemon.home / "clients.json").read_text()).keys() == {"first", "second"}


async def test_out_of_descriptors(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "3")
    client = await daemon.client()
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (daemon.descriptors(), hard))
    connecting = asyncio.create_task(daemon.client())
    ran = await client.run("echo")
    assert (ran.last["reason"], ran.last["exit_code"]) == ("spawn_failed", -1)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
    other = await connecting
    for each in (client, other):
        assert (await each.run("echo again")).out == "again\n"
        await each.close()


# Defects -----------------------------------------------------------------------------------------


async def test_an_exception_in_a_callback_is_logged(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(
        """
        import asyncio
        from shellwire.server.connections import Connections
        add = Connections.add
        def broken():
            raise ZeroDivisionError("this is a defect")
        async def broken_task():
            broken()
        def broken_add(self, connection):
            asyncio.get_running_loop().call_soon(broken)
            asyncio.create_task(broken_task())
            add(self, connection)
        Connections.add = broken_add
        """
    )
    client = await daemon.client()
    assert (await client.run("echo on")).out == "on\n"
    await client.close()
    log = (daemon.home / "daemon.log").read_text()
    assert log.count("ZeroDivisionError: this is a defect") >= 1
    assert "Traceback" in log
