"""``stop`` returns when the daemon is gone."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from shellwire.cli.stop import _poll_until_gone
from shellwire.home import pidfile

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def test_it_waits_until_process_and_pid_file_are_gone(cli: CommandLine) -> None:
    pid = cli.start()["pid"]
    assert cli.ok("stop") == "shellwire has stopped\n"
    assert pidfile.start_time(pid) is None
    assert not cli.home.pid_file.exists()
    assert not cli.home.socket_file.exists()
    assert cli("status").returncode == 3


def test_nothing_to_stop(cli: CommandLine) -> None:
    assert "not running" in cli.refused("stop")


def test_another_process_with_the_pid_is_not_killed(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.pid_file.write_text(f'{{"pid": {os.getpid()}, "start_time": 1}}')
    assert "not running" in cli.refused("stop")


def test_a_forged_pid_file_ends_nobody(cli: CommandLine) -> None:
    cli.home.ensure()
    with subprocess.Popen(["sleep", "60"]) as victim:
        forged = {"pid": victim.pid, "start_time": pidfile.start_time(victim.pid)}
        for more in ({}, {"host": "127.0.0.1", "port": 1}):
            cli.home.pid_file.write_text(json.dumps({**forged, **more}))
            assert "not running" in cli.refused("stop")
            assert cli("status").returncode == 3
        assert victim.poll() is None
        victim.kill()


def test_without_pidfd_it_is_watched(cli: CommandLine) -> None:
    cli.start()
    record = pidfile.read_live(cli.home)
    assert record is not None
    assert not _poll_until_gone(record, 0.0)
    cli.kill_daemon()
    assert _poll_until_gone(record, 30.0)
