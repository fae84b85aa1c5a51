"""A pid file counts only if the process that wrote it still runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.home import pidfile
from shellwire.home.paths import Home
from shellwire.home.pidfile import DaemonRecord
from tests.home.helpers import lock_held_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ours() -> DaemonRecord:
    """Describe this process as if it were a daemon."""
    return DaemonRecord.of_this_process(host="::1", port=7842, version="1.2.3", grace=2.5)


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Run another process."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def put(home: Home, content: object) -> None:
    home.pid_file.write_text(json.dumps(content))


def test_a_running_daemon_is_found(home: Home, ours: DaemonRecord) -> None:
    pidfile.write(home, ours)
    assert pidfile.read_live(home) == ours
    assert ours.url == "ws://[::1]:7842"
    written = json.loads(home.pid_file.read_text())
    assert written["pid"] == os.getpid()
    assert isinstance(written["start_time"], int)


def test_without_a_file_no_daemon(home: Home) -> None:
    assert pidfile.read_live(home) is None


def test_a_reused_pid_is_no_daemon(home: Home, ours: DaemonRecord) -> None:
    put(home, {"pid": ours.pid, "start_time": ours.start_time - 1})
    assert pidfile.read_live(home) is None


def test_an_ended_process_is_no_daemon(other: subprocess.Popen[bytes]) -> None:
    started = pidfile.start_time(other.pid)
    assert started is not None
    record = DaemonRecord(other.pid, started)
    assert pidfile.is_live(record)
    other.kill()
    # Dead and not reaped: a zombie.
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert not pidfile.is_live(record)
    other.wait()
    assert not pidfile.is_live(record)


@pytest.mark.parametrize("more", [{}, {"host": "127.0.0.1", "port": 7842}])
def test_a_forged_file_names_no_daemon(
    home: Home, other: subprocess.Popen[bytes], more: dict[str, Any]
) -> None:
    forged = {"pid": other.pid, "start_time": pidfile.start_time(other.pid), **more}
    put(home, forged)
    assert pidfile.read_live(home) is None
    # A running daemon of this home is still found, by its lock.
    with lock_held_elsewhere(home, "daemon_lock") as holder:
        true = {**forged, "pid": holder.pid, "start_time": pidfile.start_time(holder.pid)}
        put(home, {**true, "host": "127.0.0.1"})
        assert pidfile.read_live(home) is not None
        put(home, forged)
        found = pidfile.find_live(home)
        assert found is not None
        assert found.pid == holder.pid


def test_the_daemon_of_another_home_is_not_ours(home: Home, tmp_path: Path) -> None:
    elsewhere = Home(tmp_path / "elsewhere")
    elsewhere.ensure()
    with lock_held_elsewhere(elsewhere, "daemon_lock") as holder:
        put(home, {"pid": holder.pid, "start_time": pidfile.start_time(holder.pid), "host": "h"})
        assert pidfile.read_live(home) is None


def test_the_file_of_0_1_4_is_understood(home: Home, ours: DaemonRecord) -> None:
    put(home, {"pid": ours.pid, "start_time": ours.start_time})
    record = pidfile.read_live(home)
    assert record is not None
    assert (record.pid, record.host, record.port, record.url) == (ours.pid, None, None, None)


def test_a_bare_pid_proves_nothing(home: Home) -> None:
    home.pid_file.write_text(f"{os.getpid()}\n")
    assert pidfile.read_live(home) is None


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 0},
        {"pid": -1},
        {"pid": 2**31},
        {"pid": 10**400},
        {"pid": True},
        {"pid": "1"},
        {"pid": None},
        {"start_time": None},
        {"start_time": "1"},
        {"start_time": -1},
        {"start_time": [1]},
    ],
    ids=str,
)
def test_a_wrong_value_is_no_daemon(home: Home, ours: DaemonRecord, change: dict[str, Any]) -> None:
    put(home, {"pid": ours.pid, "start_time": ours.start_time, **change})
    assert pidfile.read_live(home) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_garbled_file_is_no_daemon(home: Home, content: bytes) -> None:
    home.pid_file.write_bytes(content)
    assert pidfile.read_live(home) is None


def test_wrong_optional_fields_are_none(home: Home, ours: DaemonRecord) -> None:
    details = {"host": 1, "port": 70000, "version": None, "grace": "long"}
    put(home, {"pid": ours.pid, "start_time": ours.start_time, **details})
    assert pidfile.read_live(home) == DaemonRecord(ours.pid, ours.start_time)


def test_only_its_own_file_is_removed(home: Home, ours: DaemonRecord) -> None:
    newer = DaemonRecord(ours.pid, ours.start_time + 1, "127.0.0.1", 1)
    pidfile.write(home, newer)
    pidfile.remove(home, ours)
    assert home.pid_file.exists()
    pidfile.remove(home, newer)
    assert not home.pid_file.exists()
    pidfile.remove(home, newer)


def test_a_hostile_name_does_not_shift_the_fields(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    strange = tmp_path / "a) Z (b c"
    shutil.copy(sleep, strange)
    with subprocess.Popen([strange, "60"]) as process:
        try:
            by_proc = pidfile._start_by_proc(process.pid)
            assert by_proc is not None
            ours = pidfile._start_by_proc(os.getpid())
            assert ours is not None
            assert by_proc >= ours
        finally:
            process.kill()


def test_psutil_gives_the_same_without_proc(other: subprocess.Popen[bytes]) -> None:
    started = pidfile._start_by_psutil(other.pid)
    assert started is not None
    assert started == pytest.approx(pidfile._start_by_psutil(other.pid))
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert pidfile._start_by_psutil(other.pid) is None
    other.wait()
    assert pidfile._start_by_psutil(other.pid) is None
