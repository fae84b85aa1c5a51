"""The scripts of ``completion``, sourced by the real shells."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ptyprocess import PtyProcess

from tests.cli.command_line import SECONDS, CommandLine

if TYPE_CHECKING:
    from pathlib import Path

BASH = """
source "$1"
COMP_WORDS=({command} {typed}) COMP_CWORD=1
definition=$(complete -p {command})
set -- $definition
while [ "$1" != -F ]; do shift; done
"$2" {command}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def program(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"a test that is not marked so needs {name}"
    return path


@pytest.fixture
def script(cli: CommandLine, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return the completion script of the parametrized shell, with `shellwire` and `sw` on PATH."""
    path = tmp_path / "script"
    path.write_text(cli.ok("completion", request.param))
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("shellwire", "sw"):
        code = f"import sys; sys.argv[0] = '{name}'; from shellwire.cli import main; main()"
        # Through sh, because a path after #! can't contain a space.
        run = shlex.join([sys.executable, "-c", code])
        (commands / name).write_text(f'#!/bin/sh\nexec {run} "$@"\n')
        (commands / name).chmod(0o755)
    cli.environment |= {
        "PATH": f"{commands}:{cli.environment['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    return path


@pytest.mark.parametrize("script", ["bash"], indirect=True)
@pytest.mark.parametrize("command", ["shellwire", "sw"])
@pytest.mark.parametrize(
    ("typed", "offered"), [("sta", ["start", "status"]), ("co", ["config", "completion"])]
)
def test_bash(cli: CommandLine, script: Path, command: str, typed: str, offered: list[str]) -> None:
    done = subprocess.run(
        [program("bash"), "--norc", "-c", BASH.format(command=command, typed=typed), "-", script],
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stderr == ""
    assert sorted(done.stdout.split()) == sorted(offered)


@pytest.mark.needs("fish")
@pytest.mark.parametrize("script", ["fish"], indirect=True)
@pytest.mark.parametrize("command", ["shellwire", "sw"])
def test_fish(cli: CommandLine, script: Path, command: str) -> None:
    code = f"source {script}; complete -C '{command} start --max-q'"
    done = subprocess.run(
        [program("fish"), "-c", code],
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stdout.split()[0] == "--max-queue"


@pytest.mark.needs("zsh")
@pytest.mark.parametrize("script", ["zsh"], indirect=True)
@pytest.mark.parametrize("command", ["shellwire", "sw"])
def test_zsh(cli: CommandLine, script: Path, command: str) -> None:
    environment = {**cli.environment, "TERM": "dumb", "PS1": "ready> "}
    zsh = PtyProcess.spawn([program("zsh"), "-f", "-i"], env=environment)
    try:
        zsh.write(f"autoload -U compinit; compinit -D; source {script}; echo so''urced\n".encode())
        _await(zsh, b"sourced\r\n")
        zsh.write(f"{command} start --max-q\t".encode())
        _await(zsh, b"--max-queue")
    finally:
        zsh.close(force=True)


def _await(terminal: PtyProcess, text: bytes) -> None:
    """Read until ``text`` has arrived; the echo of the keys must not contain it."""
    seen = b""
    while text not in seen:
        seen += terminal.read()  # raises EOFError if the shell ends; the test has a timeout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_damaged_file_is_no_obstacle(cli: CommandLine, shell: str) -> None:
    cli.home.ensure()
    cli.home.config_file.write_text("[")
    environment = {
        "_SHELLWIRE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "shellwire start --max-",
        "COMP_CWORD": "--max-" if shell == "fish" else "2",
    }
    code = "import sys; sys.argv = ['shellwire']; from shellwire.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**cli.environment, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--max-queue" in done.stdout


def test_another_shell_is_a_bad_option(cli: CommandLine) -> None:
    assert cli("completion", "tcsh").returncode == 2
