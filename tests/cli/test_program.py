"""No traceback ever reaches a user."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from shellwire.cli.program import Program
from shellwire.errors import StartError
from tests.cli.command_line import PROGRAM

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine


def fails_with(error: BaseException) -> Program:
    """Return a program whose one command, ``do``, raises ``error``."""
    program = Program("program")

    @program.command("do")
    def do() -> None:
        raise error

    return program


def test_an_error_of_ours_is_one_line() -> None:
    result = CliRunner().invoke(fails_with(StartError("no room\x1b[2J\n")), ["do"])
    assert (result.exit_code, result.output) == (1, "Error: no room\\x1b[2J\\n\n")


def test_an_interrupt_is_130() -> None:
    result = CliRunner().invoke(fails_with(KeyboardInterrupt()), ["do"])
    assert (result.exit_code, result.output) == (130, "")


UNEXPECTED = """
from shellwire.cli import main
import shellwire.cli.status
def fail(*_): raise RuntimeError("one\\ntwo")
shellwire.cli.status.pidfile.read_live = fail
main(["status"])
"""


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_what_nobody_expected_is_one_line_too(cli: CommandLine, level: str) -> None:
    done = subprocess.run(
        [PROGRAM[0], "-c", UNEXPECTED],
        env={**cli.environment, "SHELLWIRE_LOG_LEVEL": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    *traceback, line = done.stderr.splitlines()
    assert line.startswith(r"Error: unexpected RuntimeError: one\ntwo (")
    assert str(cli.home.log_file) in line
    assert bool(traceback) == (level == "DEBUG")


@pytest.mark.parametrize("command", [["version"], ["status"], ["clients", "list", "--json"]])
def test_a_reader_that_left_is_no_error(cli: CommandLine, command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, *command],
        env=cli.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_one_line(cli: CommandLine) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "version"],
            env=cli.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_usage_errors_stay_clicks() -> None:
    program = fails_with(click.UsageError("wrong"))
    result = CliRunner().invoke(program, ["do"])
    assert result.exit_code == 2
    assert "Error: wrong" in result.output
