"""``stop`` returns when nothing is left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.cli.stop import _poll_until_gone
from shellwire.home import pidfile

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def test_when_it_returns_process_and_pid_file_are_gone(cli: CommandLine) -> None:
    pid = cli.start()["pid"]
    assert cli.ok("stop") == "shellwire has stopped\n"
    assert pidfile.start_time(pid) is None
    assert not cli.home.pid_file.exists()
    assert not cli.home.socket_file.exists()
    assert cli("status").returncode == 3


def test_nothing_to_stop(cli: CommandLine) -> None:
    assert "not running" in cli.refused("stop")


def test_a_stranger_with_the_pid_is_left_alone(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.pid_file.write_text(f'{{"pid": {os.getpid()}, "start_time": 1}}')
    assert "not running" in cli.refused("stop")


def test_without_pidfd_it_is_watched(cli: CommandLine) -> None:
    cli.start()
    record = pidfile.read_live(cli.home)
    assert record is not None
    assert not _poll_until_gone(record, 0.0)
    cli.end_daemon()
    assert _poll_until_gone(record, 30.0)
