"""One daemon per home, one writer at a time, and no lock outlives its holder."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import AlreadyRunning, HomeError
from shellwire.home import lock
from shellwire.home.lock import daemon_lock, daemon_lock_holder, write_lock
from shellwire.home.paths import Home
from tests.home.helpers import lock_held_elsewhere, mode

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_daemon_is_refused(home: Home) -> None:
    with (
        lock_held_elsewhere(home, "daemon_lock"),
        pytest.raises(AlreadyRunning, match=str(home.root)),
        daemon_lock(home),
    ):
        pass
    with daemon_lock(home):
        assert mode(home.lock_file) == 0o600


def test_a_killed_daemon_holds_no_lock(home: Home) -> None:
    with lock_held_elsewhere(home, "daemon_lock") as holder:
        holder.kill()
        holder.wait()
        with daemon_lock(home):
            pass


def test_a_child_does_not_keep_the_lock(home: Home) -> None:
    with daemon_lock(home):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            close_fds=False,
        )
    try:
        with daemon_lock(home):
            pass
    finally:
        child.communicate()


def test_the_holder_is_found_after_the_lock_file_was_removed(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.ensure()
    with (
        lock_held_elsewhere(home, "daemon_lock") as holder,
        lock_held_elsewhere(other, "daemon_lock"),
    ):
        assert daemon_lock_holder(home) == holder.pid
        (tmp_path / "link").symlink_to(home.root)
        assert daemon_lock_holder(Home(tmp_path / "link")) == holder.pid
        home.lock_file.unlink()
        assert daemon_lock_holder(home) == holder.pid
        home.root.rmdir()
        assert daemon_lock_holder(home) == holder.pid
    assert daemon_lock_holder(home) is None


def test_opening_the_lock_file_does_not_hold_it(home: Home) -> None:
    with home.lock_file.open("w"):
        assert daemon_lock_holder(home) is None


def test_no_holder_without_proc_locks(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_PROC_LOCKS", home.root / "no such file")
    with lock_held_elsewhere(home, "daemon_lock"):
        assert daemon_lock_holder(home) is None


def test_a_writer_waits_for_another(home: Home) -> None:
    with lock_held_elsewhere(home, "write_lock") as holder:
        with pytest.raises(HomeError, match="another process has held"), write_lock(home, 0.0):
            pass
        holder.communicate()
        with write_lock(home):
            pass


def test_a_removed_home_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="No such file"), daemon_lock(Home(tmp_path / "gone")):
        pass
