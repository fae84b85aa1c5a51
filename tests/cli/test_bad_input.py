"""Each wrong input in ``bad_input.py`` gives its one line and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.bad_input import ROWS, Row
from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.words))
def test_row(row: Row, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if row.needs_daemon:
        daemon: Daemon = request.getfixturevalue("daemon")
        home = daemon.home
    done = CommandLine(home)(*row.words)
    line = done.stderr.partition(" See `")[0].rstrip("\n")
    assert (line, done.returncode, done.stdout) == (f"Error: {row.line}", row.code, "")
    assert done.stderr.count("\n") == 1
