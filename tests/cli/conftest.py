"""Fixtures for tests of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon


@pytest.fixture
def box(daemon: Daemon, tmp_path: Path) -> CommandLine:
    """Return a command line that knows the shared daemon as ``box``."""
    box = CommandLine(tmp_path / "away")
    save_host(box.home, "box", Host(f"{daemon.url}/ws", daemon.token))
    return box


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Return a directory with two files and the path of its copy, for the two sides of a sync."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "sub").mkdir(parents=True)
    (here / "a").write_text("a")
    (here / "sub" / "b").write_text("b")
    (here / "sub" / "b").chmod(0o755)
    return here, there
