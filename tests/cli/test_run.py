"""`run`, and what a daemon keeps of the process that started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.command_line import PROGRAM, SECONDS, CommandLine


def test_the_detached_one_keeps_nothing_of_its_starter(cli: CommandLine, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    command = [*PROGRAM, "start", "--daemon", "--port", "0"]
    subprocess.run(
        ["sh", "-c", 'umask 027; exec "$@"', "sh", *command],
        env=cli.environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        pass_fds=[writer],
        check=True,
        timeout=SECONDS,
    )  # returns only after end-of-file on its stdout
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)
    pid = cli.status()["pid"]
    process = Path(f"/proc/{pid}")
    assert os.readlink(process / "cwd") == "/"
    assert {os.readlink(process / "fd" / str(number)) for number in range(3)} == {"/dev/null"}
    assert "Umask:\t0027" in (process / "status").read_text()
    session, terminal = (process / "stat").read_text().rpartition(")")[2].split()[3:5]
    assert int(session) not in (os.getsid(0), pid)  # no session leader can't acquire a terminal
    assert terminal == "0"


def test_it_starts_without_standard_descriptors(cli: CommandLine) -> None:
    subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, "start", "--daemon", "--port=0"],
        env=cli.environment,
        check=True,
        timeout=SECONDS,
    )
    assert cli.status()["running"]


def test_it_starts_from_a_directory_that_is_gone(cli: CommandLine, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *PROGRAM, "start", "--daemon", "--port=0"],
        env=cli.environment,
        cwd=gone,
        check=True,
        timeout=SECONDS,
        stdout=subprocess.DEVNULL,
    )
    assert cli.status()["running"]


def _begin_run(cli: CommandLine) -> tuple[subprocess.Popen[str], str]:
    """Run a daemon in the foreground for the first time; return its process and announcement."""
    running = cli.begin("run", "--port", "0", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    announced = ""
    # Up to the last line: communicate() would miss text left in this buffer.
    while '"type": "auth"' not in announced:
        line = running.stdout.readline()
        assert line, announced
        announced += line
    return running, announced


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_foreground_logs_to_stderr_and_ends_on_a_signal(
    cli: CommandLine, end: signal.Signals
) -> None:
    running, announced = _begin_run(cli)
    status = cli.status()
    assert status["url"] in announced
    assert str(cli.home.token_file) in announced
    assert status["pid"] == running.pid
    running.send_signal(end)
    _, err = running.communicate(timeout=SECONDS)
    assert err == cli.home.log_file.read_text()
    assert "Traceback" not in err
    assert running.returncode == 0
    assert not cli.home.pid_file.exists()


def test_stop_ends_the_foreground_too(cli: CommandLine) -> None:
    running, _ = _begin_run(cli)
    cli.ok("stop")
    running.communicate(timeout=SECONDS)
    assert running.returncode == 0


def test_flags_come_from_variables(cli: CommandLine) -> None:
    cli.environment |= {"SHELLWIRE_PORT": "0", "SHELLWIRE_DAEMON": "1", "SHELLWIRE_GRACE": "1.5"}
    cli.ok("start")
    assert cli.status()["running"]
    assert json.loads(cli.home.pid_file.read_text())["grace"] == 1.5


def test_a_log_that_cannot_be_written_is_no_obstacle(cli: CommandLine) -> None:
    cli.home.ensure()
    cli.home.log_file.symlink_to("/dev/full")
    assert cli.start()["running"]
    cli.ok("stop")
