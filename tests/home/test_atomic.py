"""Private files are replaced completely or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import HomeError
from shellwire.home.atomic import read_private, write_private
from tests.home.helpers import mode, start_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shellwire.home.paths import Home


@pytest.fixture(params=[0o022, 0o000, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_file_is_private_under_every_umask(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"content")
    assert read_private(path) == b"content"
    assert mode(path) == 0o600


def test_the_old_file_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_file_and_leaves_no_other(home: Home) -> None:
    """Use RLIMIT_FSIZE to simulate a full disk: write(2) fails midway (EFBIG, not ENOSPC)."""
    home.token_file.write_bytes(b"old")
    code = """
import resource
from shellwire.errors import HomeError
from shellwire.home.atomic import write_private
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    write_private(home.token_file, b"x" * 100)
except HomeError as error:
    print(error)
"""
    said = start_python(home, code).communicate()[0]
    assert said == f"can't write {home.token_file}: File too large\n"
    assert home.token_file.read_bytes() == b"old"
    assert list(home.root.iterdir()) == [home.token_file]


def test_a_directory_in_its_place_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(HomeError, match="can't write"):
        write_private(path, b"content")
    with pytest.raises(HomeError, match="not a regular file"):
        read_private(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "file"
    with pytest.raises(HomeError, match="No such file"):
        write_private(path, b"content")
    assert read_private(path) is None


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    os.mkfifo(path)
    with pytest.raises(HomeError, match="not a regular file"):
        read_private(path)


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o606, 0o600), (0o400, 0o400)])
def test_reading_tightens_the_mode(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(before)
    assert read_private(path) == b"content"
    assert mode(path) == after


def test_a_path_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="Not a directory"):
        read_private(tmp_path / "file" / "below")
