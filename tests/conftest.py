"""One daemon for all tests that need no flags of their own, and a client for each of them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli import fork_server
from tests.cli.command_line import CommandLine
from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.live import Client

pytest_plugins = ["tests.components", "tests.leftovers"]

# Users have buffers, which can trip over what is full or closed.
os.environ.pop("PYTHONUNBUFFERED", None)

# Else each of the thousand processes here would compile what it imports anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What nohup or a shell's & ignores, all that the tests start would ignore too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _fork_server(_no_leftovers: None) -> Iterator[None]:
    """End the process that runs commands once all tests are done."""
    yield
    fork_server.SERVER.stop()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield a daemon that all tests share; it admits 100 clients."""
    daemon = Daemon(tmp_path_factory.mktemp("shared") / "home", "--max-clients", "100")
    yield daemon
    daemon.stop()


@pytest.fixture(autouse=True)
def _nothing_runs_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """End what a test has left running in the daemon that all share: it holds slots of others."""
    yield
    if "daemon" in request.fixturenames:
        daemon: Daemon = request.getfixturevalue("daemon")
        if daemon.process.poll() is None and daemon.is_busy():
            # Beside the test's own loop, which may still be there.
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

    With ``home`` it is the next one there, where another was killed.
    """
    daemons: list[Daemon] = []

    def start(*flags: str, env: dict[str, str] | None = None, home: Path | None = None) -> Daemon:
        daemons.append(Daemon(home or tmp_path / f"home-{len(daemons)}", *flags, env=env))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.stop()


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line whose home does not exist yet; its daemon ends with the test."""
    cli = CommandLine(tmp_path / "home")
    yield cli
    cli.end_daemon()


@pytest.fixture
def here(daemon: Daemon) -> CommandLine:
    """Return a command line whose local daemon is the shared one."""
    return CommandLine(daemon.home)
