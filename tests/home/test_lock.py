"""One daemon a home, one writer at a time, and no lock outlives its holder."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import AlreadyRunning, HomeError
from shellwire.home.lock import daemon_lock, write_lock
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


def test_a_killed_daemon_holds_nothing(home: Home) -> None:
    with lock_held_elsewhere(home, "daemon_lock") as holder:
        holder.kill()
        holder.wait()
        with daemon_lock(home):
            pass


def test_a_child_does_not_hold_the_lock_on(home: Home) -> None:
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


def test_a_writer_waits_for_another(home: Home) -> None:
    with lock_held_elsewhere(home, "write_lock") as holder:
        with pytest.raises(HomeError, match="another process has held"), write_lock(home, 0.0):
            pass
        holder.communicate()
        with write_lock(home):
            pass


def test_a_home_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="No such file"), daemon_lock(Home(tmp_path / "gone")):
        pass
