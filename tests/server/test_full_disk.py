"""A full disk: a small tmpfs in the daemon's mount namespace (mount_namespaces(7))."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.live import Daemon
from tests.server.file_client import FileClient
from tests.server.http_files.web import Web
from tests.server.test_file_uploads import noted
from tests.server.test_files import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1024 * 1024
# Works for root and for any user; the mounts vanish with the namespace's last process.
APART = ["unshare", "--map-root-user", "--mount"]
OLD = b"old content"


def _can_mount() -> bool:
    try:
        tried = subprocess.run(
            [*APART, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True
        )
    except FileNotFoundError:
        return False
    return tried.returncode == 0


@pytest.fixture(scope="module")
def mounting() -> None:
    if not _can_mount():
        pytest.skip("no mount namespace with a tmpfs can be had here")


class Disk:
    """A daemon with the small disk, whose content the test can read."""

    def __init__(self, tmp_path: Path, *flags: str) -> None:
        self.place = tmp_path / "disk"
        self.place.mkdir()
        script = 'mount -t tmpfs -o size=1m,nr_inodes=40 none "$0" && exec "$@"'
        wrapper = [*APART, "sh", "-c", script, str(self.place)]
        self.daemon = Daemon(tmp_path / "home", *flags, wrapper=wrapper)
        self.web = Web(self.daemon)
        self.inside = self.place.relative_to("/")

    @property
    def path(self) -> Path:
        """The disk's directory, as this process reaches it (proc(5), /proc/pid/root)."""
        root = type(self.place)(f"/proc/{self.daemon.pid}/root")
        return root / self.inside

    def holds(self, *names: str) -> bool:
        """Whether the disk has exactly these files, and the first its old content."""
        noted_too = noted(self.daemon, self.place)
        found = sorted(os.listdir(self.path))
        assert (found, noted_too) == (sorted(names), []), (found, noted_too)
        return (self.path / names[0]).read_bytes() == OLD


@pytest.fixture
def full(mounting: None, tmp_path: Path) -> Iterator[Callable[..., Disk]]:
    disks: list[Disk] = []

    def start(*flags: str) -> Disk:
        disks.append(Disk(tmp_path, *flags))
        (disks[-1].path / "f").write_bytes(OLD)
        return disks[-1]

    yield start
    for disk in disks:
        disk.daemon.stop()


@pytest.fixture
def disk(full: Callable[..., Disk]) -> Disk:
    """Return a disk of which all space may be used."""
    return full("--min-free", "0")


async def test_messages(disk: Disk) -> None:
    fs = FileClient(await disk.daemon.client(), disk.place)
    (disk.path / "filler").write_bytes(bytes(MIB // 2))
    assert await fs.code("write", path="f", content_base64=encoded(bytes(MIB))) == "FS_OS_ERROR"
    assert disk.holds("f", "filler")
    # An upload whose pieces fit singly but not together: written ones stay, and it may continue.
    upload = (await fs("write_start", path="f"))["upload_id"]
    piece = encoded(os.urandom(MIB // 4))
    await fs("write_chunk", upload_id=upload, content_base64=piece)
    assert await fs.code("write_chunk", upload_id=upload, content_base64=piece) == "FS_OS_ERROR"
    (disk.path / "filler").unlink()
    grown = await fs("write_chunk", upload_id=upload, content_base64=piece)
    assert grown["bytes_written"] == 2 * (MIB // 4)
    assert (disk.path / "f").read_bytes() == OLD
    written = await fs("write_finish", upload_id=upload)
    assert written["entry"]["size"] == 2 * (MIB // 4)
    await fs.client.close()


def _free_inodes(path: Path) -> int:
    return os.statvfs(path).f_favail


async def test_no_inode_is_left(disk: Disk) -> None:
    fs = FileClient(await disk.daemon.client(), disk.place)
    names = ["f", *(str(number) for number in range(_free_inodes(disk.path)))]
    for name in names[1:]:
        (disk.path / name).touch()
    assert await fs.code("write", path="f", content_base64="") == "FS_OS_ERROR"
    assert await fs.code("write_start", path="f") == "FS_OS_ERROR"
    assert await fs.code("mkdir", path="d") == "FS_OS_ERROR"
    answer = disk.web.put(disk.place / "f", b"new")
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert disk.holds(*names)
    await fs.client.close()


@pytest.mark.parametrize("known", [True, False], ids=["of known length", "chunked"])
async def test_put(disk: Disk, known: bool) -> None:
    content = os.urandom(2 * MIB)
    body = content if known else iter([content[at : at + 65536] for at in range(0, MIB * 2, 65536)])
    answer = disk.web.put(disk.place / "f", body)
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert disk.holds("f")


async def test_put_in_parts(disk: Disk) -> None:
    content = os.urandom(MIB // 2)
    half = len(content) // 2
    first = {"Content_Range": f"bytes 0-{half - 1}/{len(content)}"}
    second = {"Content_Range": f"bytes {half}-{len(content) - 1}/{len(content)}"}
    assert disk.web.put(disk.place / "f", content[:half], **first).status == 308
    (disk.path / "filler").write_bytes(bytes(MIB - half - 64 * 1024))
    answer = disk.web.put(disk.place / "f", content[half:], **second)
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert (disk.path / "f").read_bytes() == OLD
    (disk.path / "filler").unlink()
    at = disk.web.offset(disk.place / "f", len(content))
    rest = {"Content_Range": f"bytes {at}-{len(content) - 1}/{len(content)}"}
    assert disk.web.put(disk.place / "f", content[at:], **rest).status == 200
    assert (disk.path / "f").read_bytes() == content


def _archive(*sizes: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for number, size in enumerate(sizes):
            info = tarfile.TarInfo(f"d/{number}" if number else "f")
            info.size = size
            tar.addfile(info, io.BytesIO(os.urandom(size)))
    return packed.getvalue()


async def test_an_archive_into_an_existing_directory(disk: Disk) -> None:
    # One file that does not fit.
    target = disk.web.target(disk.place) + "?archive=tar.gz"
    answer = disk.web.ask("PUT", target, _archive(2 * MIB))
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert disk.holds("f")


async def test_an_archive_for_a_new_directory(disk: Disk) -> None:
    target = disk.web.target(disk.place / "new") + "?archive=tar.gz"
    answer = disk.web.ask("PUT", target, _archive(10, MIB // 2, MIB // 2, 10))
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert disk.holds("f")
    many = _archive(*[1] * 50)
    answer = disk.web.ask("PUT", target, many)
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert disk.holds("f")


async def test_min_free_space(full: Callable[..., Disk]) -> None:
    disk = full()  # the default reserve of 64 MiB is larger than the disk
    fs = FileClient(await disk.daemon.client(), disk.place)
    assert await fs.code("write", path="f", content_base64="") == "FS_OS_ERROR"
    assert await fs.code("write_start", path="f") == "FS_OS_ERROR"
    assert disk.web.put(disk.place / "f", b"").status == 507
    target = disk.web.target(disk.place / "new") + "?archive=tar.gz"
    assert disk.web.ask("PUT", target, _archive(1)).status == 507
    assert disk.holds("f")
    await fs.client.close()
