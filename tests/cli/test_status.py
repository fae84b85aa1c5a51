"""``status``: what is known of the daemon, and three exit codes."""

from __future__ import annotations

import json
import os
import platform
import signal
from typing import TYPE_CHECKING

from shellwire import __version__

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def test_not_running_is_said_on_stdout(cli: CommandLine) -> None:
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


def test_alive_and_silent_is_said(cli: CommandLine) -> None:
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
