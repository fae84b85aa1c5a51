"""Archives that escape their root, exceed the limits, or are invalid; and lost connections."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import PATIENCE, Daemon
from tests.server.http_files.test_archives import archive, unpack
from tests.server.http_files.web import Web, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "members",
    [
        [("../out", {}, b"x")],
        [("/out", {}, b"x")],
        [("a/../../out", {}, b"x")],
        [("l", {"type": tarfile.SYMTYPE, "linkname": "../out"}, b""), ("l/x", {}, b"x")],
        [("l", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, b"")],
        [("d/l", {"type": tarfile.SYMTYPE, "linkname": "../../out"}, b"")],
        [("h", {"type": tarfile.LNKTYPE, "linkname": "../secret"}, b"")],
        [("there/x", {}, b"x")],
        [("device", {"type": tarfile.CHRTYPE}, b"")],
        [("fifo", {"type": tarfile.FIFOTYPE}, b"")],
        [("..", {"type": tarfile.DIRTYPE}, b"")],
        # Checked by name alone, the second stays inside; the kernel would follow it outside.
        [
            ("l", {"type": tarfile.SYMTYPE, "linkname": "."}, b""),
            ("m", {"type": tarfile.SYMTYPE, "linkname": "l/../secret"}, b""),
        ],
    ],
)
def test_archives_that_escape(web: Web, tmp_path: Path, members: list[Any]) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    top.mkdir()
    outside.mkdir()
    (tmp_path / "secret").write_text("secret")
    (top / "there").symlink_to(outside)
    answer = unpack(web, top, archive(("first", {}, b"1"), *members))
    assert answer.status in (400, 403), answer
    assert json.loads(answer.body)["code"] in ("PATH_ESCAPE", "INVALID_ARGUMENT")
    assert sorted(os.listdir(tmp_path)) == ["outside", "secret", "top"]
    assert os.listdir(outside) == []
    # Members before it are unpacked; no temporary file is left.
    assert (top / "first").read_text() == "1"
    assert not [name for name in os.listdir(top) if name.startswith(".shellwire")]


@pytest.mark.long
def test_endless_headers_use_bounded_memory(web: Web, tmp_path: Path) -> None:
    head = tarfile.TarInfo("././@PaxHeader")
    head.type, head.size = tarfile.XHDTYPE, 2**30
    squeezed = zlib.compressobj(1, zlib.DEFLATED, 31)
    data = squeezed.compress(head.tobuf(tarfile.USTAR_FORMAT))
    for _ in range(1024):
        data += squeezed.compress(bytes(2**20))
    answer = unpack(web, tmp_path / "t", data + squeezed.flush())
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "INVALID_ARGUMENT")
    assert b"header" in answer.body
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "record", [b"mtime=nan", b"mtime=-inf", b"size=-1", b"size=99999999999999", b"path=\0"]
)
def test_invalid_headers(web: Web, tmp_path: Path, record: bytes) -> None:
    body = b"%d %b\n" % (len(record) + 4 + (len(record) > 6), record)
    head = tarfile.TarInfo("PaxHeader")
    head.type, head.size = tarfile.XHDTYPE, len(body)
    file = tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT)
    data = head.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0") + file + bytes(1024)
    answer = unpack(web, tmp_path / "t", gzip.compress(data))
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "INVALID_ARGUMENT")
    assert os.listdir(tmp_path) == []


def test_hard_links_within(web: Web, tmp_path: Path) -> None:
    data = archive(("a", {}, b"x"), ("b", {"type": tarfile.LNKTYPE, "linkname": "a"}, b""))
    assert unpack(web, tmp_path / "t", data).status == 200
    assert (tmp_path / "t/a").samefile(tmp_path / "t/b")


def test_not_an_archive(web: Web, tmp_path: Path) -> None:
    for data in (b"", b"rubbish", archive(("a", {}, b"x" * 100_000))[:-300]):
        answer = unpack(web, tmp_path / "t", data)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "INVALID_ARGUMENT")
    (tmp_path / "file").touch()
    assert unpack(web, tmp_path / "file", archive()).status == 409
    target = web.target(tmp_path)
    assert web.ask("GET", f"{target}?archive=zip").status == 400
    assert web.ask("GET", f"{target}/none?archive=tar.gz").status == 404
    assert web.ask("GET", f"{target}/file?archive=tar.gz").status == 409


def test_a_lost_connection_ends_the_worker(web: Web, tmp_path: Path) -> None:
    data = archive(*((f"f{number}", {}, os.urandom(10_000)) for number in range(300)))
    top = tmp_path / "top"
    sock = web.begin(top, len(data))
    sock.close()
    until(lambda: not [p for p in web.daemon.children() if b"archive_worker" in _cmdline(p)])
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=PATIENCE)
    connection.putrequest("PUT", f"{web.target(top)}?archive=tar.gz")
    for name, value in web.headers({"Content-Length": str(len(data))}).items():
        connection.putheader(name, value)
    connection.endheaders(data[: len(data) // 2])
    until(lambda: [name for name in os.listdir(tmp_path) if name.startswith(".shellwire-")])
    connection.close()
    until(lambda: os.listdir(tmp_path) == [])
    until(lambda: not [p for p in web.daemon.children() if b"archive_worker" in _cmdline(p)])


def _cmdline(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_limits(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    web = Web(own_daemon("--max-upload", "10", "--max-file", "8"))
    for sizes, status in (((8, 2), 200), ((9,), 400), ((8, 3), 400)):
        members: list[Any] = [(f"f{n}", {}, b"x" * size) for n, size in enumerate(sizes)]
        assert unpack(web, tmp_path / "t", archive(*members)).status == status
