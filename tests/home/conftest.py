"""A home of one's own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.home.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home that exists and is empty."""
    home = Home(tmp_path / "home")
    home.ensure()
    return home
