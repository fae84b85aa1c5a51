"""A root directory, with a file outside of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shellwire.files.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return an empty directory; ``outside/secret`` lies beside it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def root(top: Path) -> Iterator[Root]:
    """Yield ``top`` as an open root; check that no other descriptor stays open."""
    with Root(os.fsencode(top)) as root:
        before = set(os.listdir("/dev/fd"))
        yield root
        assert set(os.listdir("/dev/fd")) <= before
