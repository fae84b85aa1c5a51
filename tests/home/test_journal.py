"""The journal of live jobs is read back, whatever happened to the file meanwhile."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import HomeError
from shellwire.home import journal
from shellwire.home.journal import CrashedDaemon, Journal, LiveJob, read_crashed
from shellwire.home.paths import Home
from tests.home.helpers import start_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ABC, DEF = "abc0" * 4, "def0" * 4


def job(number: int) -> LiveJob:
    return LiveJob(f"abc.{number}", "command", "phone", f"é\n{number}", 1.5)


@pytest.fixture
def own(home: Home) -> Iterator[Journal]:
    """Yield an open journal."""
    home.ensure()
    own = Journal(home, ABC, 7.0, [])
    own.begin()
    yield own
    own.close()


def live(home: Home) -> list[LiveJob]:
    left = read_crashed(home)
    assert left is not None
    return list(left.jobs)


def test_no_journal(home: Home) -> None:
    home.ensure()
    assert read_crashed(home) is None


def test_live_jobs_are_read_back(home: Home, own: Journal) -> None:
    assert read_crashed(home) == CrashedDaemon(ABC, 7.0, ())
    for number in range(4):
        own.began(job(number))
    own.ended("abc.1")
    own.ended("abc.9")
    assert read_crashed(home) == CrashedDaemon(ABC, 7.0, (job(0), job(2), job(3)))
    assert home.journal_file.stat().st_mode & 0o777 == 0o600


def test_jobs_of_the_crashed_daemon_stay(home: Home, own: Journal) -> None:
    own.began(job(0))
    later = Journal(home, DEF, 8.0, live(home))
    later.begin()
    assert read_crashed(home) == CrashedDaemon(DEF, 8.0, (job(0),))
    later.close()


def test_torn_and_foreign_lines_spoil_no_other(home: Home, own: Journal) -> None:
    own.began(job(0))
    with home.journal_file.open("ab") as file:
        file.write(b'\n["began","abc.7","comm')
    own.began(job(1))
    with home.journal_file.open("ab") as file:
        file.write(b'\n\xff\n{}\n7\n["began"]\n["began",1,2,3,4,5]\n["ended",7]\n["daemon"]\n[]\n')
        file.write(b'\n["began","abc.8","dance","c","i",1.0]\n[[[[\n' + b"[" * 100_000 + b"")
    own.ended("abc.0")
    assert live(home) == [job(1)]


def test_a_long_journal_is_rewritten(
    home: Home, own: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "REWRITE_AT", 10_000)
    own._rewrite_at = 10_000
    own.began(job(0))
    for number in range(1, 2000):
        own.began(job(number))
        own.ended(f"abc.{number}")
        assert home.journal_file.stat().st_size < 10_500
    assert live(home) == [job(0)]
    assert os.listdir(home.root) == ["jobs.journal"]


@pytest.mark.parametrize("instance", ["", "a", "abc", "ABC0" * 4, "abc0" * 5, "../" + "0" * 13])
def test_a_forged_instance_is_ignored(home: Home, instance: str) -> None:
    home.ensure()
    forged = Journal(home, instance, 7.0, [job(0)])
    forged.begin()
    assert read_crashed(home) is None
    forged.close()


@pytest.mark.needs("/proc")
def test_a_copy_of_a_live_daemons_journal_is_ignored(home: Home, tmp_path: Path) -> None:
    home.ensure()
    code = f"""
from shellwire.home.journal import Journal
home.ensure()
own = Journal(home, {ABC!r}, 7.0, [])
own.begin()
print("begun", flush=True)
sys.stdin.read()
"""
    elsewhere = Home(tmp_path / "elsewhere")
    with start_python(elsewhere, code) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "begun\n"
        home.journal_file.write_bytes(elsewhere.journal_file.read_bytes())
        home.journal_file.chmod(0o600)
        assert read_crashed(home) is None
        daemon.communicate()
    assert read_crashed(home) == CrashedDaemon(ABC, 7.0, ())


def test_a_full_disk(home: Home, own: Journal) -> None:
    own.began(job(0))
    size = home.journal_file.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
    try:
        for number in (1, 2):
            with pytest.raises(HomeError, match=r"jobs\.journal"):
                own.began(job(number))
        assert live(home) == [job(0)]
        later = Journal(home, DEF, 8.0, [job(number) for number in range(9)])
        with pytest.raises(HomeError, match=r"jobs\.journal"):
            later.begin()
        with pytest.raises(HomeError, match=r"jobs\.journal"):
            later.began(job(10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    # The next write adds the records that could not be written.
    own.ended("abc.0")
    assert live(home) == [job(1), job(2)]
    later.began(job(9))
    assert live(home) == [job(number) for number in (*range(9), 10, 9)]
    later.close()
    assert os.listdir(home.root) == ["jobs.journal"]


def test_the_home_was_removed(home: Home, own: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    home.journal_file.unlink()
    home.root.rmdir()
    own.began(job(0))
    monkeypatch.setattr(own, "_rewrite_at", 0)
    for number in (1, 2):
        with pytest.raises(HomeError):
            own.began(job(number))
    own.remove()
    # Another daemon's home is at that path now.
    home.ensure()
    other = Journal(home, DEF, 9.0, [])
    other.begin()
    own.remove()
    assert read_crashed(home) == CrashedDaemon(DEF, 9.0, ())
    other.remove()
    assert not home.journal_file.exists()
    other.close()


@pytest.mark.needs("/proc")
def test_a_fifo_of_the_same_name_does_not_block(home: Home, own: Journal, tmp_path: Path) -> None:
    fifo = tmp_path / "jobs.journal"
    os.mkfifo(fifo)
    own.began(job(0))
    # Another user may do this, if we are root.
    code = f"""
os.open({str(fifo)!r}, os.O_RDONLY | os.O_NONBLOCK)
print("open", flush=True)
sys.stdin.read()
"""
    with start_python(home, f"import os\n{code}") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        assert live(home) == [job(0)]
