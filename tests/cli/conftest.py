"""The real command line, in a home of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line whose home does not exist yet; its daemon ends with the test."""
    cli = CommandLine(tmp_path / "home")
    yield cli
    cli.end_daemon()
