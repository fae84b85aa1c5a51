"""File methods: small and large files, pieces, and transfers over cut connections."""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.client.endpoint import Endpoint
from shellwire.client.files.download import parse_metadata
from shellwire.client.files.paths import child
from shellwire.errors import (
    Conflict,
    FileSystemError,
    InvalidArgument,
    InvalidRegex,
    InvalidToken,
    IsDirectory,
    NotFile,
    NotFound,
    PathEscape,
)
from shellwire.home.paths import Home
from tests.client.transfers import LARGE, names, random_bytes, sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.live import Daemon


@pytest.fixture(params=["tcp", "unix"])
async def either(daemon: Daemon, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Yield a client over TCP, and one over the Unix socket."""
    place = Endpoint(daemon.url, daemon.token)
    if request.param == "unix":
        place = Endpoint(home=Home(daemon.home))
    async with Client.at(place, "files") as c:
        yield c


@pytest.mark.parametrize("size", [0, 1, 600_000, LARGE])
async def test_upload_and_download(either: Client, tmp_path: Path, size: int) -> None:
    content = random_bytes(size)
    there, here = tmp_path / "a" / "there é?#%", tmp_path / "here"
    assert await either.write_file(str(there), content) == sha256(content)
    assert there.read_bytes() == content
    assert await either.read_file(str(there)) == content
    assert await either.read_file(str(there), 1, 500_001) == content[1:500_002]
    assert await either.read_file(str(there), size // 2) == content[size // 2 :]
    seen: list[tuple[int, int]] = []
    assert await either.download(
        str(there), here, progress=lambda done, total: seen.append((done, total))
    ) == sha256(content)
    assert here.read_bytes() == content
    assert seen[-1] == (size, size)
    again = tmp_path / "again"
    assert await either.upload(here, str(again), progress=lambda *_: None) == sha256(content)
    assert again.read_bytes() == content
    assert names(tmp_path) == ["a", "again", "here"]


@pytest.mark.parametrize("compress", [False, True])
async def test_modes_times_and_compression(c: Client, tmp_path: Path, compress: bool) -> None:
    here, there, back = (str(tmp_path / name) for name in ("here", "there", "back"))
    content = b"shellwire " * 300_000
    (tmp_path / "here").write_bytes(content)
    os.chmod(here, 0o751)
    os.utime(here, ns=(1, 1_234_567_890_123_456_789))
    await c.upload(here, there, compress=compress)
    assert stat.S_IMODE(os.stat(there).st_mode) == 0o751 & ~0o022
    assert os.stat(there).st_mtime_ns != os.stat(here).st_mtime_ns
    # The content is already in place; mode and time are not.
    await c.upload(here, there, compress=compress, preserve=True)
    await c.download(there, back, compress=compress, preserve=True)
    for each in (there, back):
        found = os.stat(each)
        assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (
            0o751,
            1_234_567_890_123_456_789,
        )
    assert (tmp_path / "back").read_bytes() == content


async def test_names_that_are_not_utf_8(c: Client, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xef\xbe\x80")
    await c.write_file(str(tmp_path / name), "x")
    (info,) = await c.list_dir(str(tmp_path))
    assert (info.name, info.path, info.size) == (name, str(tmp_path / name), 1)
    assert await c.download(info.path, tmp_path / "here") == sha256(b"x")
    assert await c.upload(tmp_path / "here", info.path) == sha256(b"x")
    assert (await c.stat(info.path)).path == info.path
    assert await c.remove(info.path)
    assert not await c.remove(info.path)


async def test_relative_paths_start_at_home(c: Client, daemon: Daemon) -> None:
    home = (await c.run("cd && pwd -P")).stdout.strip()
    assert await c.resolve("~") == home
    assert await c.resolve("~/a") == await c.resolve("a") == f"{home}/a"
    assert await c.resolve("/a") == "/a"


async def test_path_objects(c: Client, tmp_path: Path) -> None:
    await c.write_file(tmp_path / "a", "text")
    assert await c.read_file(PurePosixPath(tmp_path) / "a") == b"text"
    assert await c.straight(tmp_path / "x" / "a") == str(tmp_path / "x" / "a")
    assert [each.name for each in await c.list_dir(tmp_path)] == ["a"]
    assert await c.remove(tmp_path / "a")


async def test_expected_hashes(c: Client, tmp_path: Path) -> None:
    there = str(tmp_path / "f")
    for content in (b"one", random_bytes(LARGE)):
        first = await c.write_file(there, "first")
        with pytest.raises(Conflict):
            await c.write_file(there, content, expected_hash=sha256(b"no"))
        assert await c.write_file(there, content, expected_hash=first) == sha256(content)
        (tmp_path / "new").write_bytes(content)
        with pytest.raises(Conflict):
            await c.upload(tmp_path / "new", there, expected_hash="")
        with pytest.raises(Conflict):
            await c.remove(there, expected_hash=first)
        with pytest.raises(Conflict):
            await c.download(there, tmp_path / "new", unless=lambda: True)
        assert (tmp_path / "new").read_bytes() == content
    assert names(tmp_path) == ["f", "new"]


async def test_search(c: Client, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\nyes = 2\n")
    found = await c.search(r"Y\w+ = [2-9]", str(tmp_path), regex=True)
    ((path, number, line, start, end),) = found.matches
    assert (path, number, line, start, end) == (f"{tmp_path}/a.py", 2, "yes = 2", 0, 7)
    assert not found.truncated
    assert not (await c.search("YES", str(tmp_path), case_sensitive=True)).matches
    with pytest.raises(InvalidRegex):
        await c.search("(", str(tmp_path), regex=True)


async def test_errors(c: Client, daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "d" / "e").mkdir(parents=True)
    os.mkfifo(tmp_path / "fifo")
    f, d, fifo = (str(tmp_path / name) for name in ("f", "d", "fifo"))
    for error, work in (
        (NotFound, c.read_file(f"{f}x")),
        (NotFile, c.read_file(d)),
        (NotFile, c.read_file(fifo)),
        (NotFile, c.download(fifo, f)),
        (NotFile, c.download(d, f)),
        (NotFound, c.download(f"{f}x", f)),
        (IsDirectory, c.download(f, d)),
        (NotFile, c.download(f, fifo)),
        (NotFile, c.upload(fifo, f)),
        (NotFile, c.upload(d, f)),
        (FileNotFoundError, c.upload(f"{f}x", f)),
        (NotFound, c.download(f"{f}x", fifo)),
        (IsDirectory, c.upload(f, d)),
        (PathEscape, c.read_file("/usr/../etc/passwd")),
        (PathEscape, c.upload(f, f"{tmp_path}/d/../g")),
        (InvalidArgument, c.write_file("a\0b", "")),
        (FileSystemError, c.remove(d)),
    ):
        with pytest.raises(error):
            await work
    assert await c.remove(d, recursive=True)
    async with Client(daemon.url, token=daemon.token) as other:
        other._files.http._endpoint = Endpoint(daemon.url, "wrong")
        with pytest.raises(InvalidToken):
            await other.upload(f, f"{f}2")
    assert names(tmp_path) == ["f", "fifo"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc"])
def test_directory_entries_with_unsafe_names(name: str) -> None:
    assert child("/d", "a") == child("/d/", "a") == "/d/a"
    with pytest.raises(FileSystemError):
        child("/d", name)


@pytest.mark.parametrize("tag", ["", "x", "../" * 22, "0" * 63, "0" * 64 + "-gzip"])
def test_invalid_hashes(tag: str) -> None:
    headers = {"Shellwire-Mtime": "1.5", "Shellwire-Mode": "0644", "Content-Length": "1"}
    found = parse_metadata("f", {**headers, "ETag": f'"{"0" * 64}"'})
    assert (found.hash, found.size, found.mtime_ns) == ("0" * 64, 1, 1_500_000_000)
    with pytest.raises(FileSystemError):
        parse_metadata("f", {**headers, "ETag": f'"{tag}"'})
