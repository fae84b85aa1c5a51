"""A home with a path of any length has an address for its socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import HomeError
from shellwire.home.paths import Home
from shellwire.home.socket import _by_descriptor, _by_symlink, socket_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


@pytest.fixture
def deep(tmp_path: Path) -> Home:
    """Return a home whose path is too long for a socket address."""
    home = Home(tmp_path / ("d" * 100) / ("é" * 100))
    home.ensure()
    return home


def test_a_short_path_is_used_as_it_is() -> None:
    with socket_address(Home(Path("/h"))) as path:
        assert path == "/h/daemon.sock"


def test_a_long_path_can_be_bound_and_connected(deep: Home) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with socket_address(deep) as path:
            server.bind(path)
        assert deep.socket_file.is_socket()
        server.listen()
        with socket_address(deep) as path:
            client.connect(path)
        accepted, _ = server.accept()
        accepted.close()


@pytest.mark.parametrize("shortener", [_by_descriptor, _by_symlink])
def test_each_method_works_and_cleans_up(
    deep: Home, shortener: Callable[[Home], AbstractContextManager[str]]
) -> None:
    descriptors = os.listdir("/dev/fd")
    with shortener(deep) as directory:
        assert len(directory) < 60
        assert os.path.samefile(directory, deep.root)
    assert not os.path.lexists(directory)
    assert os.listdir("/dev/fd") == descriptors


@pytest.mark.parametrize("shortener", [_by_descriptor, _by_symlink])
def test_an_exception_in_the_block_is_not_changed(
    deep: Home, shortener: Callable[[Home], AbstractContextManager[str]]
) -> None:
    with pytest.raises(ConnectionRefusedError), shortener(deep):
        raise ConnectionRefusedError


def test_a_removed_home_is_an_error(deep: Home) -> None:
    deep.root.rmdir()
    with pytest.raises(HomeError, match="can't open"), socket_address(deep):
        pass
