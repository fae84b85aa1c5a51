"""A home of any depth has an address for its socket."""

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
    """Return a home whose path is far too long for a socket."""
    home = Home(tmp_path / ("d" * 100) / ("é" * 100))
    home.ensure()
    return home


def test_a_short_path_is_used_as_it_is() -> None:
    with socket_address(Home(Path("/h"))) as path:
        assert path == "/h/daemon.sock"


def test_a_long_one_can_be_bound_and_connected(deep: Home) -> None:
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
def test_every_way_leads_there_and_leaves_nothing(
    deep: Home, shortener: Callable[[Home], AbstractContextManager[str]]
) -> None:
    descriptors = os.listdir("/dev/fd")
    with shortener(deep) as directory:
        assert len(directory) < 60
        assert os.path.samefile(directory, deep.root)
    assert not os.path.lexists(directory)
    assert os.listdir("/dev/fd") == descriptors


@pytest.mark.parametrize("shortener", [_by_descriptor, _by_symlink])
def test_what_fails_inside_keeps_its_name(
    deep: Home, shortener: Callable[[Home], AbstractContextManager[str]]
) -> None:
    with pytest.raises(ConnectionRefusedError), shortener(deep):
        raise ConnectionRefusedError


def test_a_home_that_is_gone_is_said(deep: Home) -> None:
    deep.root.rmdir()
    with pytest.raises(HomeError, match="can't open"), socket_address(deep):
        pass
