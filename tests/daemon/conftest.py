"""Fixtures for tests of the daemon's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE, Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def again(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Yield a function that kills the home's daemon, if one runs, and starts another."""
    daemons: list[Daemon] = []

    def start(*flags: str) -> Daemon:
        if daemons:
            daemons[-1].process.kill()
            daemons[-1].process.communicate(timeout=PATIENCE)
        daemons.append(Daemon(tmp_path / "home", *flags))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.stop()
