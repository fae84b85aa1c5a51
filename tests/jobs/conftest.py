"""Daemons for what has to hold with and without pidfds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.live import Client

# Python imports this module at its start, wherever PYTHONPATH leads to it.
_WITHOUT_PIDFD = "import os\nif hasattr(os, 'pidfd_open'):\n    del os.pidfd_open\n"


@pytest.fixture(scope="session", params=["pidfd", "sigchld"])
def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Yield a daemon that learns of a process's end by pidfd, then one that has only SIGCHLD."""
    path = tmp_path_factory.mktemp(request.param)
    env = {}
    if request.param == "sigchld":
        (path / "sitecustomize.py").write_text(_WITHOUT_PIDFD)
        env["PYTHONPATH"] = str(path)
    # No shell waits, so that what is below the daemon is what its jobs have left.
    flags = ("--max-clients", "100", "--max-processes", "16", "--spares", "0")
    daemon = Daemon(path / "home", *flags, env=env)
    yield daemon
    daemon.stop()


@pytest.fixture
async def ender(either: Daemon) -> AsyncIterator[Client]:
    """Yield a client of each of these."""
    client = await either.client()
    yield client
    await client.close()
