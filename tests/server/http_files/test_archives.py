"""Directories as archives: contents survive a roundtrip, and no archive escapes its root."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from backports import zstd

from shellwire.files.archive import pack
from shellwire.files.root import Root
from tests.live import PATIENCE, Daemon
from tests.server.file_client import FileClient
from tests.server.http_files.web import Answer, Web, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# Root can read and write everything unless its capabilities are dropped (capabilities(7)).
DROP = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.getuid() == 0 else []
drops = pytest.mark.needs(*DROP[:1])


def archive(*members: tuple[str, dict[str, Any], bytes]) -> bytes:
    """Return a gzipped tar with members of any kind."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, fields, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def unpack(web: Web, path: Path, data: bytes, kind: str = "tar.gz") -> Answer:
    return web.ask("PUT", f"{web.target(path)}?archive={kind}", data)


def facts(top: Path) -> list[tuple[Any, ...]]:
    """Return the attributes of each file that an archive keeps."""
    found: list[tuple[Any, ...]] = []
    for directory, directories, files in os.walk(os.fsencode(top)):
        for name in [*directories, *files]:
            path = os.path.join(directory, name)
            seen = os.lstat(path)
            relative = os.path.relpath(path, os.fsencode(top))
            if os.path.islink(path):
                found.append((relative, os.readlink(path)))
            else:
                content = None
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        content = file.read()
                found.append((relative, seen.st_mode, round(seen.st_mtime, 3), content))
    return sorted(found)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "a/b").mkdir(parents=True)
    (top / "a/run").write_text("#!/bin/sh\n")
    (top / "a/run").chmod(0o751)
    (top / "a/b/large").write_bytes(os.urandom(2_000_000))
    (top / ".hidden").write_text("h")
    (top / "a/link").symlink_to("../.hidden")
    (top / os.fsdecode(b"caf\xe9")).write_text("name")
    (top / ("long" * 50)).write_text("long")
    (top / "empty").mkdir(mode=0o700)
    os.utime(top / "a/run", ns=(10**18, 10**18 + 123_000_000))
    return top


@pytest.mark.parametrize("kind", ["tar.gz", "tar.zst"])
def test_roundtrip(web: Web, tree: Path, tmp_path: Path, kind: str) -> None:
    os.mkfifo(tree / "fifo")
    answer = web.ask("GET", f"{web.target(tree)}?archive={kind}")
    assert answer.status == 200
    (tree / "fifo").unlink()
    back = unpack(web, tmp_path / "back", answer.body, kind)
    assert (back.status, json.loads(back.body)["files"]) == (200, 5)
    assert facts(tmp_path / "back") == facts(tree)


def test_tar_reads_the_archive(web: Web, tree: Path, tmp_path: Path) -> None:
    answer = web.ask("GET", f"{web.target(tree)}?archive=tar.zst")
    (tmp_path / "out").mkdir()
    tar = zstd.decompress(answer.body)
    subprocess.run(["tar", "-C", tmp_path / "out", "-x"], input=tar, check=True, timeout=PATIENCE)
    assert facts(tmp_path / "out") == facts(tree)
    made = subprocess.run(
        ["tar", "-C", tree, "-cz", "."], capture_output=True, check=True, timeout=PATIENCE
    ).stdout
    assert unpack(web, tmp_path / "back", made).status == 200
    assert [fact[0] for fact in facts(tmp_path / "back")] == [fact[0] for fact in facts(tree)]


def test_existing_files_are_replaced_or_kept(web: Web, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "kept").write_text("kept")
    (top / "old").write_text("old")
    (top / "link").symlink_to("kept")
    data = archive(
        ("old", {}, b"new"),
        ("sub/x", {}, b"x"),
        ("link", {"type": tarfile.SYMTYPE, "linkname": "old"}, b""),
    )
    assert unpack(web, top, data).status == 200
    assert (top / "old").read_text() == "new"
    assert (top / "link").read_text() == "new"
    assert sorted(os.listdir(top)) == ["kept", "link", "old", "sub"]


def test_a_new_directory_is_created_atomically(web: Web, tmp_path: Path) -> None:
    good = archive(
        ("d/f", {"mode": 0o640}, b"1"), ("d", {"type": tarfile.DIRTYPE, "mode": 0o750}, b"")
    )
    bad = archive(("d/f", {}, b"1"), ("../out", {}, b"x"))
    for path in (tmp_path / "new", tmp_path / "up" / "new"):
        answer = unpack(web, path, bad)
        assert (answer.status, json.loads(answer.body)["code"]) == (403, "PATH_ESCAPE")
        assert not path.exists()
        assert unpack(web, path, good).status == 200
        assert (path / "d/f").read_text() == "1"
        assert (path / "d").stat().st_mode & 0o777 == 0o750
    assert sorted(os.listdir(tmp_path)) == ["new", "up"]
    assert os.listdir(tmp_path / "up") == ["new"]


def test_a_directory_created_meanwhile_is_kept(web: Web, tmp_path: Path) -> None:
    data = archive(("f", {}, b"1"))
    for there in ("file", "directory"):
        sock = web.begin(tmp_path / "new", len(data), archive="tar.gz")
        until(lambda: len(os.listdir(tmp_path)) == 1)
        if there == "file":
            (tmp_path / "new").write_text("theirs")
        else:
            (tmp_path / "new").mkdir()
            (tmp_path / "new/f").write_text("theirs")
        sock.sendall(data)
        with sock:
            assert b" 409 " in sock.makefile("rb").readline()
        until(lambda: os.listdir(tmp_path) == ["new"])
        found = tmp_path / "new"
        assert (found if there == "file" else found / "f").read_text() == "theirs"
        if there == "file":
            found.unlink()


@drops
def test_directories_that_are_read_only(tmp_path: Path) -> None:
    closed = {"type": tarfile.DIRTYPE, "mode": 0o555}
    good = [("d", closed, b""), ("d/f", {}, b"x"), ("d/e", closed, b""), ("d/e/f", {}, b"x")]
    daemon = Daemon(tmp_path / "home", wrapper=DROP)
    try:
        web = Web(daemon)
        answer = unpack(web, tmp_path / "bad", archive(*good, ("../out", {}, b"")))
        assert (answer.status, json.loads(answer.body)["code"]) == (403, "PATH_ESCAPE")
        assert sorted(os.listdir(tmp_path)) == ["home", "home.stderr"]
        assert unpack(web, tmp_path / "good", archive(*good)).status == 200
        assert (tmp_path / "good/d/e").stat().st_mode & 0o777 == 0o555
        assert (tmp_path / "good/d/e/f").read_text() == "x"
    finally:
        for path in ("good/d", "good/d/e"):
            (tmp_path / path).chmod(0o755)
        daemon.stop()


@drops
async def test_a_directory_that_can_not_be_read_is_not_empty(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    daemon = Daemon(tmp_path / "home", wrapper=DROP)
    try:
        closed.chmod(0)
        web = Web(daemon)
        answer = web.ask("GET", f"{web.target(closed)}?archive=tar.gz")
        assert (answer.status, json.loads(answer.body)["code"]) == (403, "FS_OS_ERROR")
        fs = FileClient(await daemon.client(), closed)
        assert await fs.code("glob") == "FS_OS_ERROR"
        assert await fs.code("search", query="x") == "FS_OS_ERROR"
        # An unreadable directory below the root is skipped.
        fs.root = tmp_path
        assert [entry["path"] for entry in (await fs("glob", pattern="closed*"))["matches"]] == [
            "closed"
        ]
        await fs.client.close()
        assert web.ask("GET", f"{web.target(tmp_path)}?archive=tar.gz").status == 200
    finally:
        closed.chmod(0o700)
        daemon.stop()


def test_a_killed_daemon_is_swept_after(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon()
    web = Web(daemon)
    data = archive(*((f"d/f{number}", {}, os.urandom(10_000)) for number in range(300)))
    (tmp_path / "top").mkdir()
    sock = web.begin(tmp_path / "top" / "new", len(data), archive="tar.gz")
    sock.sendall(data[: len(data) // 2])
    until(lambda: list((tmp_path / "top").glob(".shellwire-*/d/f1")))
    daemon.process.kill()
    daemon.process.wait(PATIENCE)
    sock.close()
    next_one = Daemon(daemon.home)
    try:
        assert os.listdir(tmp_path / "top") == []
    finally:
        next_one.stop()


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    content = os.urandom(2_000_000)
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_text("b")

    class Out(io.BytesIO):
        def write(self, data: Any, /) -> int:
            if self.tell() + len(data) > 600_000:
                os.truncate(tmp_path / "a", 1_000_001)
            return super().write(data)

    out = Out()
    with Root(os.fsencode(tmp_path)) as root:
        pack(root, out, "tar.gz")
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        found = {each.name: tar.extractfile(each) for each in tar}
        assert list(found) == ["a", "b"]
        assert found["a"] is not None
        assert found["a"].read() == content[:1_000_001].ljust(len(content), b"\0")
