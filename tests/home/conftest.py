"""A separate home for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.home.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an empty home that exists."""
    home = Home(tmp_path / "home")
    home.ensure()
    return home
