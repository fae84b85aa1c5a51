"""Fixtures of all tests: a shared daemon, daemons with flags of their own, and clients."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import forked
from tests.cli.command_line import CommandLine
from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.live import Client

pytest_plugins = ["tests.components", "tests.leftovers"]

# No test depends on how fast a machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# As for users, output is buffered, so that writing it to a full or closed file can fail late.
os.environ.pop("PYTHONUNBUFFERED", None)

# Without bytecode files, each of thousands of processes would compile its imports again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# nohup(1) and a shell's & ignore signals, and all processes that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _fork_server(_no_leftovers: None) -> Iterator[None]:
    """End the process that runs commands once all tests are done."""
    yield
    forked.SERVER.stop()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield the daemon that all tests share; it admits 100 clients."""
    daemon = Daemon(
        tmp_path_factory.mktemp("shared") / "home", "--max-clients", "100", forked=False
    )
    yield daemon
    daemon.stop()


@pytest.fixture(autouse=True)
def _end_jobs_of_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """End jobs that the test left running in the shared daemon: they hold its slots."""
    yield
    if "daemon" in request.fixturenames:
        daemon: Daemon = request.getfixturevalue("daemon")
        if daemon.process.poll() is None and daemon.is_busy():
            # In a thread, since the test's own loop may still exist.
            ending = threading.Thread(target=asyncio.run, args=[daemon.end_jobs()])
            ending.start()
            ending.join()


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[Client]:
    """Yield a client with an id and a ``default`` context of its own."""
    client = await daemon.client()
    yield client
    await client.close()


@pytest.fixture
def own_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Yield a function that starts a daemon with the given flags; each ends with the test.

    ``home`` is the home of a daemon that was killed; by default each daemon has a new one.
    """
    daemons: list[Daemon] = []

    def start(*flags: str, env: dict[str, str] | None = None, home: Path | None = None) -> Daemon:
        daemons.append(Daemon(home or tmp_path / f"home-{len(daemons)}", *flags, env=env))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.stop_soon()


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line whose home does not exist yet; its daemon is stopped afterwards."""
    cli = CommandLine(tmp_path / "home")
    yield cli
    cli.end_daemon()


@pytest.fixture
def here(daemon: Daemon) -> CommandLine:
    """Return a command line that finds the shared daemon as the local one."""
    return CommandLine(daemon.home)
