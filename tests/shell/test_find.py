"""Finding the shell: it must run a probe and report its state."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import CommandLine
from tests.shell.shells import SHELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line with a home of its own."""
    cli = CommandLine(tmp_path / "home")
    yield cli
    cli.end_daemon()


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.needs(name)) for name in ("zsh", "fish")),
        *("python3", "cat", "true", "yes"),
    ],
)
def test_an_unsupported_program_is_refused(cli: CommandLine, name: str) -> None:
    path = shutil.which(name)
    assert path is not None
    line = cli.refused("start", "--daemon", "--port", "0", "--shell", path)
    assert line == f"Error: --shell {path}: it does not work as bash, dash or busybox ash do\n"
    assert cli("status").returncode == 3


@pytest.mark.needs("zsh")
def test_a_false_bash_is_skipped_for_sh(cli: CommandLine, tmp_path: Path) -> None:
    false = tmp_path / "bin" / "bash"
    false.parent.mkdir()
    false.symlink_to(shutil.which("zsh") or "")
    path = f"{false.parent}:{os.environ['PATH']}"
    assert cli("start", "--daemon", "--port", "0", env={"PATH": path}).returncode == 0
    assert f"{false} is not used" in cli.home.log_file.read_text()


@pytest.mark.parametrize("name", SHELLS)
def test_working_shells_are_found_by_path(
    cli: CommandLine, shell_path: Callable[[str], str], name: str
) -> None:
    path = shell_path(name)
    started = cli("start", "--daemon", "--port", "0", "--shell", path)
    assert (started.returncode, started.stderr) == (0, "")
