"""The tested shells, and a state to start them in."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from shellwire.shell.bash import Bash
from shellwire.shell.state import State, Variable
from tests import components
from tests.live import Daemon
from tests.shell.shells import SHELLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.live import Client


@pytest.fixture(scope="session")
def shell_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function that finds the path of a shell; ``ash`` is busybox's."""
    links = tmp_path_factory.mktemp("shells")

    def find(name: str) -> str:
        found = components.find(name)
        assert found is not None, f"a test that is not marked so needs {name}"
        if name != "ash":
            return found
        link = links / name
        if not link.exists():
            link.symlink_to(found)
        return str(link)

    return find


@pytest.fixture(scope="session")
def bash(shell_path: Callable[[str], str]) -> Bash:
    return Bash(shell_path("bash"))


@pytest.fixture(scope="session")
def birth(tmp_path_factory: pytest.TempPathFactory) -> State:
    """Return a small state in a new directory."""
    path = os.fsencode(tmp_path_factory.mktemp("birth"))
    variables = {b"PATH": os.environb[b"PATH"], b"HOME": path, b"LC_ALL": b"C.UTF-8"}
    return State(path, {name: Variable(value) for name, value in variables.items()})


@pytest.fixture(scope="session")
def posix_daemon(
    tmp_path_factory: pytest.TempPathFactory, shell_path: Callable[[str], str]
) -> Iterator[Callable[[str], Daemon]]:
    """Yield a function that returns the daemon of a POSIX shell."""
    daemons: dict[str, Daemon] = {}
    with ExitStack() as started:

        def start(name: str) -> Daemon:
            if name not in daemons:
                home = tmp_path_factory.mktemp(name) / "home"
                daemons[name] = Daemon(home, "--max-clients", "100", "--shell", shell_path(name))
                started.callback(daemons[name].stop)
            return daemons[name]

        yield start


@pytest.fixture(params=SHELLS)
async def any_client(
    request: pytest.FixtureRequest, daemon: Daemon, posix_daemon: Callable[[str], Daemon]
) -> AsyncIterator[Client]:
    """Yield a client of a daemon of each kind of shell."""
    client = await (daemon if request.param == "bash" else posix_daemon(request.param)).client()
    yield client
    await client.close()
