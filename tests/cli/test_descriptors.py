"""Closed standard descriptors: no other file takes their numbers."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import PROGRAM, SECONDS, CommandLine, ended

if TYPE_CHECKING:
    from pathlib import Path

CLOSED = [">&-", "2>&-", "<&-", "<&- >&-", "<&- >&- 2>&-"]


def closing(redirections: str, *words: str) -> list[str]:
    """Return the command that runs the program with standard descriptors closed."""
    return ["sh", "-c", f'exec "$@" {redirections}', "sh", *PROGRAM, *words]


@pytest.mark.parametrize("redirections", CLOSED)
def test_the_exit_code_is_the_commands_and_the_rest_arrives(
    here: CommandLine, redirections: str
) -> None:
    command = "cat; echo out; echo err >&2; exit 3"
    done = subprocess.run(
        closing(redirections, "exec", command),
        env=here.environment,
        input=b"in\n",
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    given = b"" if "<&-" in redirections else b"in\n"
    out = b"" if ">&-" in redirections.replace("2>&-", "") else given + b"out\n"
    err = b"" if "2>&-" in redirections else b"err\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, out, err)


@pytest.mark.parametrize("words", [("jobs",), ("status",), ("exec", "exit 3 >&-")])
def test_output_to_closed_streams_is_dropped(here: CommandLine, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        closing("<&- >&- 2>&-", *words), env=here.environment, timeout=SECONDS, check=False
    )
    assert done.returncode == (3 if words[0] == "exec" else 0)
    refused = subprocess.run(
        closing("<&- >&- 2>&-", "kill", "nothing"),
        env=here.environment,
        timeout=SECONDS,
        check=False,
    )
    assert refused.returncode == 1


def standard(pid: int) -> list[str]:
    """Return the targets of descriptors 0 to 2 of a process."""
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)]


def test_no_socket_gets_a_standard_number(here: CommandLine, tmp_path: Path) -> None:
    fifo = tmp_path / "runs"
    os.mkfifo(fifo)
    command = f"echo > {fifo}; read < {fifo}; exit 4"
    process = subprocess.Popen(
        closing("<&- >&- 2>&-", "exec", command), env=here.environment, text=True
    )
    with ended(process):
        fifo.read_text()  # returns once the command runs, so its client is connected
        assert standard(process.pid) == ["/dev/null"] * 3
        fifo.write_text("\n")
        assert process.wait(SECONDS) == 4


def test_a_daemon_in_the_background(cli: CommandLine) -> None:
    done = subprocess.run(
        closing("<&- >&- 2>&-", "start", "--daemon", "--port", "0"),
        env=cli.environment,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0
    assert standard(cli.status()["pid"]) == ["/dev/null"] * 3
    assert cli("exec", "echo out; echo err >&2; exit 5").returncode == 5


def test_a_daemon_in_the_foreground(cli: CommandLine) -> None:
    process = subprocess.Popen(
        closing("<&- >&- 2>&-", "run", "--port", "0"), env=cli.environment, text=True
    )
    with ended(process):
        while cli("status").returncode:  # without stdout it can't print that it is ready
            assert process.poll() is None
        done = cli("exec", "echo out; echo err >&2; exit 5")
        assert (done.returncode, done.stdout, done.stderr) == (5, "out\n", "err\n")
        assert standard(process.pid) == ["/dev/null"] * 3
