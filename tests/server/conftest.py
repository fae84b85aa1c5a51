"""Fixtures for the tests of the server."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import shellwire
from tests.server.file_client import FileClient
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.live import Client, Daemon

    Patched = Callable[..., Daemon]


@pytest.fixture(autouse=True)
async def _close_raws() -> AsyncIterator[None]:
    """Close every raw connection that the test has opened."""
    yield
    while Raw.opened:
        await Raw.opened.pop().close()


@pytest.fixture
def patched_daemon(own_daemon: Callable[..., Daemon], tmp_path: Path) -> Patched:
    """Yield a function that starts a daemon after running ``code`` in its process.

    For what is real but takes too long, such as a deadline, or must not happen, such as a defect.
    """

    def start(code: str, *flags: str) -> Daemon:
        return own_daemon(*flags, env=patched(tmp_path / "patch", code))

    return start


def patched(directory: Path, code: str) -> dict[str, str]:
    """Return the environment that makes Python run ``code`` first (site, "sitecustomize")."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(textwrap.dedent(code))
    root = Path(shellwire.__file__).parents[1]
    return {"PYTHONPATH": f"{directory}{os.pathsep}{root}"}


@pytest.fixture
def fs(client: Client, tmp_path: Path) -> FileClient:
    """Return a client for file messages about an empty directory."""
    root = tmp_path / "root"
    root.mkdir()
    return FileClient(client, root)
