"""No traceback ever reaches a user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from shellwire.cli.errors import Program, called_as
from shellwire.errors import StartError
from tests.cli.command_line import PROGRAM, unread

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
def test_an_unexpected_error_is_one_line_too(cli: CommandLine, level: str) -> None:
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


@pytest.mark.parametrize("words", ["version", "status", "clients list --json", "--help"])
def test_a_reader_that_left_is_no_error(cli: CommandLine, words: str) -> None:
    assert unread(cli, *words.split()) == 141


@pytest.mark.parametrize("command", [["version"], ["--help"], ["start", "--help"]])
def test_a_full_disk_is_one_line(cli: CommandLine, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, *command],
            env=cli.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: can't write the output: No space left on device\n"


def test_the_exit_code_without_stderr(cli: CommandLine) -> None:
    with open("/dev/full", "wb") as full:
        for command, code in (["nonsense"], 2), (["stop"], 1), (["status"], 3):
            done = subprocess.run(
                [*PROGRAM, *command],
                env=cli.environment,
                stdout=subprocess.DEVNULL,
                stderr=full,
                check=False,
            )
            assert done.returncode == code


def test_what_stdout_cannot_encode_is_escaped(cli: CommandLine) -> None:
    cli.environment["PYTHONIOENCODING"] = "latin-1:strict"
    assert cli.ok("clients", "revoke", "🦀") == "revoked client \\U0001f980\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nonsense", "No such command 'nonsense'. See `{} --help`"),
        ("--nonsense", "No such option '--nonsense'. See `{} --help`"),
        ("clients nonsense", "No such command 'nonsense'. See `{} clients --help`"),
        ("clients revoke", "Missing argument 'CLIENT_ID'. See `{} clients revoke --help`"),
        ("completion", "Choose from: bash, zsh, fish. See `{} completion --help`"),
        ("completion csh", "'csh' is not one of 'bash', 'zsh', 'fish'. See `{} completion --help`"),
        ("token show it", "Got unexpected extra argument (it). See `{} token show --help`"),
        ("stop --force", "No such option '--force'. See `{} stop --help`"),
        ("start --port", "Option '--port' requires an argument."),
    ],
)
def test_wrong_command_lines_are_one_line(cli: CommandLine, words: str, said: str) -> None:
    line = cli.refused(*words.split(), code=2)
    assert line.endswith(said.format("python -m shellwire") + "\n")


@pytest.mark.parametrize("group", [[], ["clients"], ["config"]])
def test_a_group_alone_shows_its_commands(cli: CommandLine, group: list[str]) -> None:
    done = cli(*group)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


EVERY = ("start --daemon", "run", "stop", "status", "token", "token rotate", "config show")
CLIENTS = ("clients list", "clients revoke a", "clients restore a")


@pytest.mark.parametrize("words", [*EVERY, *CLIENTS])
@pytest.mark.parametrize(
    "variables",
    [{"HOME": "", "SHELLWIRE_HOME": ""}, {"SHELLWIRE_HOME": "~no-such-user-here/wire"}],
    ids=["no home", "no user"],
)
def test_each_command_reports_a_missing_home(
    cli: CommandLine, words: str, variables: dict[str, str]
) -> None:
    cli.environment |= variables
    assert "set HOME or SHELLWIRE_HOME" in cli.refused(*words.split())


@pytest.mark.parametrize("words", ["start --daemon", "run", "token rotate", "clients revoke a"])
def test_a_home_that_cannot_be_created_is_reported(cli: CommandLine, words: str) -> None:
    cli.environment["SHELLWIRE_HOME"] = "/proc/wire"
    assert "can't use /proc/wire as home" in cli.refused(*words.split())


needs_another_user = pytest.mark.needs("root", "setpriv")


@needs_another_user
@pytest.mark.parametrize("mode", [0o700, 0o755])
@pytest.mark.parametrize("words", ["start --daemon", "run", "token", "token rotate", *CLIENTS])
def test_the_home_of_another_user_is_reported(cli: CommandLine, words: str, mode: int) -> None:
    cli.home.ensure()
    cli.home.token_file.write_text("0" * 64)
    cli.home.clients_file.write_text("{}")
    for path in (cli.home.token_file, cli.home.clients_file, cli.home.root):
        path.chmod(mode)
        os.chown(path, 65534, 65534)
    # Without capabilities even uid 0 is no superuser.
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *PROGRAM, *words.split()],
        env=cli.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: can't ")
    assert done.stderr.count("\n") == 1
    assert "it belongs to uid 65534" in done.stderr


# The program's name in messages ------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout that run.sh has set up, and set argv[0] to its ``shellwire``."""
    program = tmp_path / "checkout" / ".venv" / "bin" / "shellwire"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    (program.parents[1] / "shellwire.stamp").touch()
    (program.parents[2] / "run.sh").touch()
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return program.parents[2]


def test_from_a_checkout_it_is_run_sh(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert called_as() == f"{checkout}/run.sh"
    monkeypatch.chdir(checkout)
    assert called_as() == "./run.sh"


def test_on_path_it_has_its_name(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(sys.argv[0])
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin")
    assert called_as() == "shellwire"
    # Another program of the same name on PATH is not this one.
    monkeypatch.setattr(sys, "argv", [str(checkout / "sw")])
    (checkout / "sw").touch()
    (program.parent / "sw").touch(0o755)
    assert called_as() == str(checkout / "sw")


def test_another_environment_has_no_run_sh(checkout: Path) -> None:
    (checkout / ".venv" / "shellwire.stamp").unlink()
    assert called_as() == sys.argv[0]


def test_called_as_from_a_removed_directory(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = checkout / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert called_as() == "shellwire"
