"""Atomic writes: a file has its old content or its new one; failed writes leave nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import (
    Conflict,
    FileSystemError,
    InvalidArgument,
    IsDirectory,
    QueueFull,
    UploadNotFound,
    WireError,
)
from shellwire.files import change
from shellwire.files.hashes import Hashes
from shellwire.files.limits import FileLimits
from shellwire.files.root import Root
from shellwire.files.uploads import UploadQuota, Uploads
from shellwire.files.write import check_expected, hash_precondition
from tests.files.observe import begin, names

if TYPE_CHECKING:
    from pathlib import Path

    from shellwire.files.write import Replacement

HASHES = Hashes()
OLD = hashlib.sha256(b"old").hexdigest()


def put(root: Root, path: bytes, data: bytes, expected: str | None = None) -> None:
    replacement = begin(root, path)
    replacement.write(data)
    replacement.commit(hash_precondition(expected), HASHES)


def test_mode_and_inode(root: Root, top: Path) -> None:
    put(root, b"a/b/new", b"1")
    umask = os.umask(0)
    os.umask(umask)
    assert (top / "a/b/new").stat().st_mode & 0o777 == 0o666 & ~umask
    for mode in (0o600, 0o755, 0o444):
        (top / "a/b/new").chmod(mode)
        before = (top / "a/b/new").stat()
        put(root, b"a/b/new", b"22")
        after = (top / "a/b/new").stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (
            before.st_mode,
            before.st_uid,
            before.st_gid,
        )
        assert after.st_ino != before.st_ino
    assert names(top / "a/b") == ["new"]


@pytest.mark.needs("root")
def test_the_owner_is_kept(root: Root, top: Path) -> None:
    (top / "theirs").touch()
    os.chown(top / "theirs", 12345, 23456)
    put(root, b"theirs", b"x")
    found = (top / "theirs").stat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)


def test_a_symlink_within_is_written_through(root: Root, top: Path) -> None:
    (top / "real").write_text("old")
    (top / "link").symlink_to("real")
    (top / "dangling").symlink_to("sub/born")
    put(root, b"link", b"new")
    put(root, b"dangling", b"born")
    assert (top / "link").is_symlink()
    assert (top / "real").read_text() == "new"
    assert (top / "sub/born").read_text() == "born"


def test_preconditions(root: Root, top: Path) -> None:
    (top / "file").write_text("old")
    put(root, b"file", b"new", OLD.upper())
    for path in (b"file", b"missing"):
        with pytest.raises(Conflict):
            put(root, path, b"newer", OLD)
        with pytest.raises(Conflict):
            check_expected(root, path, OLD, HASHES)
    assert (top / "file").read_text() == "new"
    assert names(top) == ["file"]


def commit_at_once(replacements: list[Replacement], expected: str) -> list[int]:
    """Commit all of them in threads; return the numbers of those that succeeded."""
    won: list[int] = []
    start = threading.Barrier(len(replacements))

    def race(number: int) -> None:
        start.wait()
        with contextlib.suppress(Conflict):
            replacements[number].commit(hash_precondition(expected), HASHES)
            won.append(number)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(len(replacements))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_one_of_several_equal_preconditions_wins(root: Root, top: Path) -> None:
    for _ in range(30):
        (top / "file").write_text("old")
        begun = [begin(root, b"file") for _ in range(4)]
        for number, each in enumerate(begun):
            each.write(b"new %d" % number)
        (won,) = commit_at_once(begun, OLD)
        assert (top / "file").read_text() == f"new {won}"


def test_failed_writes_leave_nothing(root: Root, top: Path) -> None:
    (top / "directory").mkdir()
    for path in (b"directory", b""):
        with pytest.raises(IsDirectory):
            begin(root, path)
    upload = begin(root, b"directory/file")
    upload.write(b"x")
    assert len(names(top / "directory")) == 1
    upload.discard()
    upload.discard()
    assert names(top / "directory") == []
    upload = begin(root, b"file")
    (top / "file").mkdir()
    with pytest.raises(IsDirectory):
        upload.commit(None, HASHES)
    assert names(top) == ["directory", "file"]


def test_limits(root: Root, top: Path) -> None:
    for limits in (FileLimits(max_file=4), FileLimits(max_upload=4)):
        upload = begin(root, b"file", limits=limits)
        upload.write(b"1234")
        with pytest.raises(InvalidArgument, match="at most 4 bytes"):
            upload.write(b"5")
        # The refused data was not written.
        upload.commit(None, HASHES)
        assert (top / "file").read_bytes() == b"1234"
    with pytest.raises(FileSystemError, match=r"no space left .* kept free \(--min-free\)"):
        begin(root, b"other", limits=FileLimits(min_free=2**60))
    assert names(top) == ["file"]


def test_a_full_disk(tmp_path: Path) -> None:
    """Simulated by a limit on file sizes: mounting a small disk needs root."""
    (tmp_path / "file").write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with Root(os.fsencode(tmp_path)) as root:
            upload = begin(root, b"file")
            upload.write(b"x" * 900)
            with pytest.raises(FileSystemError, match="file too large"):
                upload.write(b"y" * 200)
            upload.write(b"z" * 100)
            upload.commit(None, HASHES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "file").read_bytes() == b"x" * 900 + b"z" * 100
    assert names(tmp_path) == ["file"]


def test_upload_quota() -> None:
    """64 uploads and 16 GiB for all clients together; a single upload may be larger."""
    room = UploadQuota(2)
    for _ in range(64):
        room.open()
    with pytest.raises(QueueFull):
        room.open()
    room.reserve(2**40, 0)  # a single upload may have any size
    room.reserve(5, 2**40)
    with pytest.raises(QueueFull):
        room.reserve(1, 0)
    room.close(2**40 + 5)
    room.open()
    room.reserve(1, 0)
    with pytest.raises(QueueFull):
        room.reserve(2**40, 0)
    room.release(1)
    room.reserve(2**40, 0)
    wide = UploadQuota(100)  # a higher limit for one client raises the total
    for _ in range(100):
        wide.open()


def test_uploads(root: Root, top: Path) -> None:
    uploads = Uploads(2, HASHES, UploadQuota(2))
    first = uploads.add(lambda: begin(root, b"one"), None)
    uploads.add(lambda: begin(root, b"two"), None)
    with pytest.raises(QueueFull):
        uploads.add(lambda: begin(root, b"three"), None)
    assert uploads.append(first, b"ab") == 2
    assert uploads.append(first, b"c") == 3
    entry, digest = uploads.finish(first)
    assert (entry.size, digest) == (3, hashlib.sha256(b"abc").hexdigest())
    for act in (uploads.finish, lambda upload: uploads.append(upload, b"")):
        with pytest.raises(UploadNotFound):
            act(first)
    uploads.close()
    assert names(top) == ["one"]


def test_deleting(root: Root, top: Path) -> None:
    (top / "d/e").mkdir(parents=True)
    (top / "d/e/f").touch()
    (top / "d/out").symlink_to(top.parent / "outside")
    (top / "link").symlink_to("d")
    with pytest.raises(FileSystemError, match="not empty"):
        change.delete(root, b"d", recursive=False)
    assert change.delete(root, b"link", recursive=True)
    assert (top / "d/e/f").exists()
    assert change.delete(root, b"d", recursive=True)
    assert not change.delete(root, b"d", recursive=True)
    assert not change.delete(root, b"d/e/f", recursive=False)
    assert (top.parent / "outside/secret").exists()
    for path in (b"", b".", b"./"):
        with pytest.raises(InvalidArgument):
            change.delete(root, path, recursive=True)
        with pytest.raises(InvalidArgument):
            change.rename(root, path, b"x")
    assert top.exists()


def test_renaming(root: Root, top: Path) -> None:
    (top / "a").write_text("a")
    (top / "b").write_text("b")
    (top / "link").symlink_to("b")
    assert change.rename(root, b"a", b"new/b").path == b"new/b"
    assert change.rename(root, b"link", b"new/link").is_symlink
    change.rename(root, b"new/b", b"b")
    assert (top / "b").read_text() == "a"
    with pytest.raises(WireError):
        change.rename(root, b"missing", b"made/x")
    with pytest.raises(IsDirectory):
        change.rename(root, b"b", b"new")
    assert names(top) == ["b", "new"]


def test_making_directories(root: Root, top: Path) -> None:
    assert change.make_directory(root, b"a/b/c").is_directory
    assert change.make_directory(root, b"a/b/c").path == b"a/b/c"
    (top / "file").touch()
    for path in (b"file", b"file/x"):
        with pytest.raises(WireError) as caught:
            change.make_directory(root, path)
        assert caught.value.code == "NOT_DIRECTORY"


def test_hashes_follow_the_content(root: Root, top: Path) -> None:
    hashes = Hashes()
    for data in (b"one", b"two", b"six"):  # the same size, and quicker than the clock may tick
        (top / "file").write_bytes(data)
        with open(top / "file", "rb") as file:
            assert hashes.of(file.fileno()) == hashlib.sha256(data).hexdigest()
    os.utime(top / "file", (1, 1))
