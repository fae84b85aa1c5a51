"""The home and its files must belong to us or root; files of other users are refused."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import HomeError
from shellwire.home.atomic import read_private
from shellwire.home.config import read_config
from shellwire.home.lock import daemon_lock, write_lock
from shellwire.home.ownership import INSECURE
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.needs("root")

STRANGER = 4242


def given_away(path: Path) -> Path:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return path


def refused(act: Callable[[], object], path: Path) -> None:
    pattern = f"{re.escape(str(path))}: it belongs to uid 4242, not to uid 0 \\(chown -[hR] 0 "
    with pytest.raises(HomeError, match=pattern) as caught:
        act()
    assert "\n" not in str(caught.value)


@pytest.fixture
def located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Home]:
    def locate(*parts: str) -> Home:
        monkeypatch.setenv("SHELLWIRE_HOME", str(tmp_path.joinpath(*parts)))
        return Home.locate()

    return locate


def test_a_home_of_another_user(tmp_path: Path, located: Callable[..., Home]) -> None:
    (tmp_path / "home").mkdir()
    given_away(tmp_path / "home")
    refused(lambda: located("home"), tmp_path / "home")
    refused(Home(tmp_path / "home").ensure, tmp_path / "home")


@pytest.mark.parametrize("target", ["home", "up/../home", "second", "/home"])
def test_a_symlink_of_another_user_on_the_way(
    tmp_path: Path, located: Callable[..., Home], target: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "up").mkdir()
    (tmp_path / "second").symlink_to("home")
    text = f"{tmp_path}/home" if target == "/home" else target
    link = tmp_path / "link"
    link.symlink_to(text)
    assert located("link").root == link
    given_away(link)
    refused(lambda: located("link"), link)
    refused(lambda: located("link", "below"), link)
    os.chown(link, 0, 0, follow_symlinks=False)
    if target == "second":
        given_away(tmp_path / "second")
        refused(lambda: located("link"), tmp_path / "second")


@pytest.mark.parametrize("name", ["auth.token", "daemon.pid", "daemon.log", "daemon.lock", "x"])
def test_a_file_of_another_user_in_it(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "home")
    home.ensure()
    (home.root / name).touch()
    given_away(home.root / name)
    refused(home.ensure, home.root / name)


def test_the_owner_is_checked_when_a_file_is_used(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.ensure()
    for path in (home.token_file, home.config_file, home.lock_file, home.write_lock_file):
        path.touch()
        given_away(path)
    refused(lambda: read_private(home.token_file), home.token_file)
    refused(lambda: read_config(home.config_file), home.config_file)
    refused(lambda: daemon_lock(home).__enter__(), home.lock_file)
    refused(lambda: write_lock(home).__enter__(), home.write_lock_file)


@pytest.mark.parametrize("value", ["1", "true", " On ", "0", "", "false", "no", "off", "maybe"])
def test_the_variable_disables_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(INSECURE, value)
    given_away(tmp_path)
    if value in ("1", "true", " On "):
        Home(tmp_path).ensure()
    else:
        refused(Home(tmp_path).ensure, tmp_path)
