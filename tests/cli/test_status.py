"""``status``: its output, and three exit codes."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from shellwire import __version__
from tests.home.helpers import lock_held_elsewhere

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def test_not_running_is_printed_to_stdout(cli: CommandLine) -> None:
    done = cli("status")
    assert (done.returncode, done.stdout, done.stderr) == (3, "shellwire is not running\n", "")
    done = cli("status", "--json")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (3, {"running": False}, "")
    assert not cli.home.root.exists()


def test_running(cli: CommandLine) -> None:
    status = cli.start()
    assert status["running"] is True
    assert status["status"] == "ok"
    assert status["version"] == __version__
    assert status["python_version"] == platform.python_version()
    assert status["url"] == f"ws://127.0.0.1:{status['port']}"
    assert status["uptime_seconds"] >= 0
    assert (status["active_commands"], status["active_sessions"]) == (0, 0)
    words = cli.ok("status")
    assert status["url"] in words
    assert str(status["pid"]) in words


def test_without_its_socket_the_port_is_asked(cli: CommandLine) -> None:
    cli.start()
    cli.home.socket_file.unlink()
    assert cli.status()["status"] == "ok"


@pytest.mark.parametrize("lost", ["daemon.pid", "all files", "home"])
def test_one_without_a_pid_file_is_found_and_stopped(cli: CommandLine, lost: str) -> None:
    status = cli.start()
    if lost == "home":
        shutil.rmtree(cli.home.root)
    for file in cli.home.root.glob(lost if lost == "daemon.pid" else "*"):
        file.unlink()
    found = cli.status()
    assert (found["running"], found["status"]) == (True, "ok")
    assert [found[key] for key in ("pid", "host", "port", "url", "version")] == [
        status[key] for key in ("pid", "host", "port", "url", "version")
    ]
    assert "daemon.pid is gone" in found["warning"]
    assert "daemon.pid is gone" in cli.ok("status")
    if lost != "daemon.pid":
        line = cli.refused("clients", "list")
        assert "daemon.sock" in line
    assert cli.ok("stop") == "shellwire has stopped\n"
    assert "not running" in cli.refused("stop")
    assert cli("status").returncode == 3
    if lost == "home":
        assert not cli.home.root.exists()


def test_one_that_listens_nowhere_is_silent(cli: CommandLine) -> None:
    cli.home.ensure()
    with lock_held_elsewhere(cli.home, "daemon_lock") as holder:
        done = cli("status", "--json")
        assert (done.returncode, done.stderr) == (1, "")
        found = json.loads(done.stdout)
        assert (found["pid"], found["status"]) == (holder.pid, "silent")
        assert "listens on no port" in found["error"]
    assert cli("status").returncode == 3


def test_a_daemon_of_0_1_4_is_asked_at_its_address(cli: CommandLine) -> None:
    # Not forked: where the pid file says so little, the command line of the process counts.
    cli.ok("start", "--daemon", "--port", "0")
    status = cli.status()
    record = json.loads(cli.home.pid_file.read_text())
    cli.home.pid_file.write_text(json.dumps({key: record[key] for key in ("pid", "start_time")}))
    found = cli.status()
    assert found["url"] == status["url"]
    assert "warning" not in found


def test_a_daemon_that_does_not_answer(cli: CommandLine) -> None:
    pid = cli.start()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = cli("status", "--json")
        found = json.loads(done.stdout)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 1
    assert (found["running"], found["status"], found["pid"]) == (True, "silent", pid)
    assert "does not answer" in found["error"]
