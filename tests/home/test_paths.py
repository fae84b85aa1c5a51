"""The location of the home, and its privacy."""

from __future__ import annotations

from pathlib import Path

import pytest

from shellwire.errors import HomeError
from shellwire.home.paths import Home
from tests.home.helpers import mode


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHELLWIRE_HOME", str(tmp_path / "elsewhere"))
    assert Home.locate().root == tmp_path / "elsewhere"


@pytest.mark.parametrize("unset", [None, ""])
def test_the_default_is_in_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unset: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SHELLWIRE_HOME", raising=False)
    if unset is not None:
        monkeypatch.setenv("SHELLWIRE_HOME", unset)
    assert Home.locate().root == tmp_path / ".shellwire"


def test_a_relative_path_holds_after_chdir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHELLWIRE_HOME", "here/../there")
    assert Home.locate().root == tmp_path / "there"


def test_a_tilde_is_a_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELLWIRE_HOME", "~/wire")
    assert Home.locate().root == tmp_path / "wire"


def test_an_empty_home_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("SHELLWIRE_HOME", raising=False)
    with pytest.raises(HomeError, match="set HOME or SHELLWIRE_HOME"):
        Home.locate()


def test_an_unknown_user_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLWIRE_HOME", "~no-such-user-here/wire")
    with pytest.raises(HomeError, match="no-such-user-here"):
        Home.locate()


def test_a_relative_path_from_a_removed_directory_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("SHELLWIRE_HOME", "wire")
    with pytest.raises(HomeError, match="gone"):
        Home.locate()


def test_it_is_made_private_with_its_parents(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    home.ensure()
    home.ensure()
    assert mode(home.root) == 0o700


@pytest.mark.parametrize("before", [0o755, 0o777, 0o500, 0o2770])
def test_another_mode_is_corrected(tmp_path: Path, before: int) -> None:
    tmp_path.chmod(before)
    Home(tmp_path).ensure()
    assert mode(tmp_path) == 0o700


def test_a_shared_directory_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    for shared in (tmp_path, Path("/")):
        before = shared.stat().st_mode
        with pytest.raises(HomeError, match="others use it too"):
            Home(shared).ensure()
        assert shared.stat().st_mode == before


@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_file_in_its_place_is_an_error(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(HomeError, match="irectory"):
        Home(file / below).ensure()


def test_every_file_has_its_own_path() -> None:
    home = Home(Path("/h"))
    files = {
        home.token_file,
        home.clients_file,
        home.config_file,
        home.pid_file,
        home.log_file,
        home.socket_file,
        home.lock_file,
        home.write_lock_file,
    }
    assert len(files) == 8
    assert {file.parent for file in files} == {home.root}
