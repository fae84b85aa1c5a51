"""README is short, in its order, and its first five minutes can be played."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.docs.document import Document
from tests.live import PATIENCE

if TYPE_CHECKING:
    from tests.cli.command_line import CommandLine

README = Document("README.md")
MOST_LINES = 220


def test_it_is_short() -> None:
    assert len(README.text.splitlines()) <= MOST_LINES


def test_its_order() -> None:
    titles = [section.title for section in README.sections if section.level == 2]
    assert titles == [
        "Why not just ssh + tmux?",
        "Install",
        "First five minutes",
        "Use it from a program",
        "Reach it from elsewhere",
        "What is promised",
        "Security",
        "Read on",
    ]
    assert README.text.index("<picture>") < README.text.index("## Why")


@pytest.mark.long
def test_a_shell_is_left_and_found_again(cli: CommandLine, tmp_path: Path) -> None:
    """The console block, typed into a terminal; the prompt is ``$ `` here and in the shell."""
    (block,) = README.of_kind("console")
    cli.environment |= {"HOME": str(tmp_path), "SHELLWIRE_PORT": "0"}
    (tmp_path / ".bashrc").write_text("PS1='$ '\n")
    assert cli("start", "--daemon").returncode == 0
    terminal = pexpect.spawn(
        "bash",
        ["--rcfile", str(tmp_path / ".bashrc")],
        env={**cli.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        dimensions=(30, 100),
        timeout=PATIENCE,
    )
    try:
        for line in block.text.splitlines():
            if line.startswith("$ "):
                terminal.expect_exact("$ ")
                terminal.sendline(line.removeprefix("$ "))
                terminal.expect_exact("\n")  # behind the echo
            elif line == "~.":
                terminal.send(line)
            elif line != "…":
                terminal.expect_exact(line.removesuffix("…"))
        terminal.expect_exact("$ ")
    finally:
        terminal.close(force=True)
