"""Daemons with and without the features of Linux, for tests that must pass on any system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.registries import Registries
from tests.jobs.reported import patient, waiter  # noqa: F401 - fixtures
from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.live import Client

_NO_PIDFD = """
import os, signal
for module, name in (os, "pidfd_open"), (signal, "pidfd_send_signal"):
    if hasattr(module, name):
        delattr(module, name)
"""
_NO_FILES = """
for name in "memfd_create", "waitid":
    if hasattr(os, name):
        delattr(os, name)
"""
# Code that removes features which other systems lack. It is put into a sitecustomize module, which
# Python imports at its start from PYTHONPATH. No BSD is available for tests; psutil still asks this
# kernel, as it would ask a BSD's.
_LACKS = {
    "nothing": "",
    "pidfd": _NO_PIDFD,
    "posix_spawn, as Android does": _NO_PIDFD + _NO_FILES + "del os.posix_spawn, os.posix_spawnp",
    "all that only Linux has": _NO_PIDFD
    + _NO_FILES
    + """
from shellwire.process import proc, reap, spawn
proc.PROC = "/nowhere"
reap.become_subreaper = lambda: False
spawn._OPENING_ACQUIRES = False
""",
}


@pytest.fixture(scope="session", params=_LACKS)
def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """Yield a daemon with all features of Linux, then daemons that lack some of them."""
    path = tmp_path_factory.mktemp("either")
    done = f"\nimport pathlib\npathlib.Path({str(path / 'done')!r}).touch()\n"
    (path / "sitecustomize.py").write_text(_LACKS[request.param] + done)
    # No pooled shells, so that all children of the daemon come from jobs.
    flags = ("--max-clients", "100", "--max-processes", "16", "--spares", "0")
    daemon = Daemon(path / "home", *flags, env={"PYTHONPATH": str(path)})
    assert (path / "done").exists()
    yield daemon
    daemon.stop()


@pytest.fixture
async def ender(either: Daemon) -> AsyncIterator[Client]:
    """Yield a client of each of these daemons."""
    client = await either.client()
    yield client
    await client.close()


@pytest.fixture
async def make() -> AsyncIterator[Registries]:
    """Yield a factory of registries, which are stopped at the end."""
    registries = Registries()
    yield registries
    await registries.close()
