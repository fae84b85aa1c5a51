"""Daemons for tests of what is between a shell's report and its exit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live import Daemon
from tests.server.conftest import patched
from tests.server.observe import job_info

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.jobs.held import Held
    from tests.live import Client

# With these nothing but the test itself ends a stopped shell, however loaded the machine is.
PATIENT = """
from shellwire.jobs import leaving
from shellwire.process import kill
leaving.LIMIT = kill.GRACE = 300.0
"""


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon that waits for exits for minutes. Its parent is this process."""
    root = tmp_path_factory.mktemp("patient")
    daemon = start_daemon(root / "home", env=patched(root / "patch", PATIENT))
    yield daemon
    daemon.stop()


@pytest.fixture
async def waiter(patient: Daemon) -> AsyncIterator[Client]:
    client = await patient.client()
    yield client
    await client.close()


def start_daemon(home: Path, *flags: str, env: dict[str, str] | None = None) -> Daemon:
    # Only descendants may be traced on many systems (Yama), so the daemon is no child of another.
    return Daemon(home, "--max-clients", "100", *flags, env=env, forked=False)


async def runs_still(client: Client, held: Held) -> bool:
    """Whether the job has no outcome, though the daemon has seen all that the shell has sent."""
    for _ in range(2):
        # An answer shows that the daemon's loop has run once more.
        await client.ask({"type": "ping"})
    info = await job_info(client, held.job)
    return (info["state"], info["exit_code"]) == ("running", None)
