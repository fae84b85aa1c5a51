"""GET, HEAD and DELETE: whole files and ranges, conditions, compression."""

from __future__ import annotations

import base64
import contextlib
import decimal
import gzip
import hashlib
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from backports import zstd

from shellwire.files.hashes import MAX_QUICK_HASH
from shellwire.files.root import MAX_PATH
from tests.live import PATIENCE
from tests.server.observe import memory

if TYPE_CHECKING:
    from tests.server.http_files.web import Web

DATA = os.urandom(300_000)
TAG = f'"{hashlib.sha256(DATA).hexdigest()}"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data.bin").write_bytes(DATA)
    return tmp_path / "data.bin"


def test_a_file(web: Web, path: Path) -> None:
    answer = web.get(path)
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["etag"] == TAG
    head = web.ask("HEAD", web.target(path))
    assert (head.status, head.body) == (200, b"")
    same = ("content-length", "etag", "last-modified", "content-type", "shellwire-mtime")
    assert [head.headers[name] for name in same] == [answer.headers[name] for name in same]
    seconds, _, nanoseconds = head.headers["shellwire-mtime"].partition(".")
    assert int(seconds) * 10**9 + int(nanoseconds) == path.stat().st_mtime_ns


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc")
def test_a_file_without_a_size_is_not_empty(web: Web) -> None:
    answer = web.get(Path("/proc/self/status"))
    assert answer.status == 200
    assert answer.body.startswith(b"Name:")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert web.get(Path("/proc/self/status"), Range="bytes=0-3").body == b"Name"
    version = Path("/proc/version")
    head = web.ask("HEAD", web.target(version))
    assert head.headers["etag"] == f'"{hashlib.sha256(version.read_bytes()).hexdigest()}"'
    assert head.headers["content-length"] == str(len(version.read_bytes()))
    assert web.get(version).headers["etag"] == head.headers["etag"]
    assert web.get(version, **{"If-None-Match": head.headers["etag"]}).status == 304


@pytest.mark.parametrize(
    ("header", "first", "end"),
    [("bytes=0-0", 0, 1), ("bytes=100-", 100, len(DATA)), ("bytes=-5", len(DATA) - 5, len(DATA))],
)
def test_parts(web: Web, path: Path, header: str, first: int, end: int) -> None:
    answer = web.get(path, Range=header, If_Range=TAG)
    assert (answer.status, answer.body) == (206, DATA[first:end])
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{len(DATA)}"
    assert answer.headers["etag"] == TAG
    modified = answer.headers["last-modified"]
    assert web.get(path, Range=header, If_Range=modified).status == 206
    for old in ('"old"', f"W/{TAG}", "Thu, 01 Jan 1970 00:00:00 GMT"):
        answer = web.get(path, Range=header, If_Range=old)
        assert (answer.status, answer.body) == (200, DATA)


def test_unsatisfiable_ranges(web: Web, path: Path) -> None:
    answer = web.get(path, Range="bytes=300000-")
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */300000")
    assert web.get(path, Range="bytes=0-1,5-6").body == DATA
    path.write_bytes(b"")
    assert web.get(path).body == b""
    assert web.get(path, Range="bytes=0-").status == 416


def test_conditions(web: Web, path: Path) -> None:
    assert web.get(path, If_Match=TAG).status == 200
    assert web.get(path, If_Match='"old"').status == 412
    assert web.get(path, If_None_Match='"old"').status == 200
    answer = web.get(path, If_None_Match=f'"old", {TAG}')
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", TAG)
    target = web.target(path)
    assert web.ask("DELETE", target, If_Match='"old"').status == 412
    assert web.ask("DELETE", target, If_Match=TAG).status == 204
    assert web.ask("DELETE", target, If_Match="*").status == 412
    assert web.ask("DELETE", target).status == 404


def test_compression_is_used_where_it_saves(web: Web, tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100_000))
    (tmp_path / "text").write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    for encoding, decode in (("gzip", gzip.decompress), ("zstd", zstd.decompress)):
        answer = web.get(tmp_path / "text", Accept_Encoding=encoding)
        assert answer.headers["content-encoding"] == encoding
        assert answer.headers["etag"] == f'"{digest}-{encoding}"'
        assert len(answer.body) < len(text) / 2
        assert decode(answer.body) == text
        tag = answer.headers["etag"]
        assert web.get(tmp_path / "text", If_None_Match=tag).status == 304
        assert (
            web.get(tmp_path / "text", Range="bytes=0-4", Accept_Encoding=encoding).body == text[:5]
        )
    (tmp_path / "random").write_bytes(DATA)
    (tmp_path / "short").write_bytes(b"x" * 1000)
    for name in ("random", "short"):
        assert "content-encoding" not in web.get(tmp_path / name, Accept_Encoding="gzip").headers


def test_unknown_query_parameters_are_refused(web: Web, path: Path) -> None:
    for method, query in (
        ("GET", "arhive=tar.gz"),
        ("HEAD", "x"),
        ("PUT", "arhive=tar.gz"),
        ("DELETE", "recursiv=true"),
        ("GET", "recursive=true"),
    ):
        answer = web.ask(method, f"{web.target(path)}?{query}")
        assert answer.status == 400
        if method != "HEAD":
            assert f"?{query.partition('=')[0]}: ".encode() in answer.body
    assert path.read_bytes() == DATA


def test_a_directory_suggests_an_archive(web: Web, tmp_path: Path) -> None:
    assert b"?archive=tar.gz" in web.get(tmp_path).body


def test_not_a_file(web: Web, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    cases = [(tmp_path, 409), (tmp_path / "fifo", 409), (tmp_path / "none", 404)]
    cases += [(tmp_path / "fifo" / "x", 409), (tmp_path / "loop", 409)]
    for path, status in cases:
        assert web.get(path).status == status, path
        assert web.ask("HEAD", web.target(path)).status == status
    assert web.get(b"/dev/zero").status == 409
    for target, status in (
        ("/files", 400),
        ("/files/../etc/passwd", 403),
        ("/files/%2e%2e/etc/passwd", 403),
        ("/files/etc%2f..%2fpasswd", 403),
        ("/files/etc/passwd%00", 400),
        ("/files/" + "x" * 4097, 400),
        ("/filesetc/passwd", 404),
    ):
        assert web.ask("GET", target).status == status, target


def test_names_of_any_bytes(web: Web, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9 \xff?#%\r\n\"'\\"
    assert web.put(path, b"x").status == 201
    assert web.get(path).body == b"x"
    assert os.listdir(os.fsencode(tmp_path)) == [os.path.basename(path)]
    assert web.ask("DELETE", web.target(path)).status == 204


def test_the_longest_path_may_be_encoded_as_a_whole(web: Web, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path)
    while len(path) < MAX_PATH - 256:
        path += b"/" + b"\xe9" * 200
    path += b"/" + b"\xff" * (MAX_PATH - len(path) - 1)
    target = "/files/" + "".join(f"%{byte:02x}" for byte in path.lstrip(b"/"))
    assert web.ask("PUT", target, b"x").status == 201
    assert web.ask("GET", target).body == b"x"
    assert web.ask("GET", target + "%ff%ff").status == 400


@pytest.mark.parametrize("mtime_ns", [-1_500_000_000, 0, 10**18 + 1, 300_000_000_000 * 10**9])
def test_times_of_any_year(web: Web, mtime_ns: int) -> None:
    # tmpfs can store times beyond the year 9999.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        path = Path(directory, "f")
        path.write_bytes(DATA)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        answer = web.get(path)
        assert answer.status == 200
        mtime = decimal.Decimal(answer.headers["shellwire-mtime"])
        assert int(mtime * 10**9) == path.stat().st_mtime_ns
        put = web.put(path, b"x", Shellwire_Mtime=answer.headers["shellwire-mtime"])
        assert put.status == 200
        assert path.stat().st_mtime_ns == mtime_ns


def test_a_file_that_shrinks_is_not_passed_off_as_whole(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    sock = socket.create_connection(("127.0.0.1", web.port), PATIENCE)
    token = web.daemon.token
    request = f"GET {web.target(path)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}"
    sock.sendall(f"{request}\r\n\r\n".encode())
    received = len(sock.recv(65536))
    os.truncate(path, 1000)
    with sock, contextlib.suppress(ConnectionResetError):
        while data := sock.recv(1 << 20):
            received += len(data)
    assert received < 200_000_000


def test_a_large_file_costs_no_memory(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    web.get(path, Range="bytes=0-10")
    before = memory(web.daemon)
    assert len(web.get(path).body) == 200_000_000
    assert memory(web.daemon) - before < 16 * 1024 * 1024


def test_large_files_are_hashed_on_request(web: Web, tmp_path: Path) -> None:
    data = os.urandom(MAX_QUICK_HASH + 1)
    digest = hashlib.sha256(data)
    etag = f'"{digest.hexdigest()}"'
    assert "etag" not in web.put(tmp_path / "plain", data).headers
    wanted = web.put(tmp_path / "wanted", data, Want_Repr_Digest="sha-256=1")
    assert wanted.headers["etag"] == etag
    assert "etag" not in web.get(tmp_path / "plain").headers
    answer = web.get(tmp_path / "plain", Want_Repr_Digest="sha-256=1")
    assert answer.headers["etag"] == etag
    repr_digest = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert answer.headers["repr-digest"] == repr_digest
    assert web.ask("HEAD", web.target(tmp_path / "plain")).headers["etag"] == etag


def test_a_stalled_reader_delays_nobody(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    request = f"GET {web.target(path)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
    socks = []
    for _ in range(20):  # more requests than threads
        sock = socket.create_connection(("127.0.0.1", web.port), PATIENCE)
        sock.sendall(f"{request}{web.daemon.token}\r\n\r\n".encode())
        sock.recv(10)
        socks.append(sock)
    assert len(web.get(path).body) == 50_000_000
    for sock in socks:
        sock.close()
