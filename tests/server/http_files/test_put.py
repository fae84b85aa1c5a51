"""PUT: atomic, conditional, decoded, and resumed after a lost connection."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from backports import zstd

from tests.live import PATIENCE
from tests.server.http_files.web import Web, is_cut, until
from tests.server.observe import memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon

DATA = os.urandom(5_000_000)
DIGEST = hashlib.sha256(DATA)
REPR = f"sha-256=:{base64.b64encode(DIGEST.digest()).decode()}:"


def test_a_file(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    answer = web.put(path, DATA)
    assert (answer.status, answer.headers["etag"]) == (201, f'"{DIGEST.hexdigest()}"')
    result = json.loads(answer.body)
    assert (result["hash"], result["entry"]["size"]) == (DIGEST.hexdigest(), len(DATA))
    assert path.read_bytes() == DATA
    path.chmod(0o640)
    assert web.put(path, [b"in ", b"chunks"]).status == 200
    assert path.read_bytes() == b"in chunks"
    assert path.stat().st_mode & 0o777 == 0o640
    answer = web.put(path, b"", Shellwire_Mode="0755", Shellwire_Mtime="1234567890.123456789")
    assert answer.status == 200
    found = path.stat()
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o755, 1234567890123456789)
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": '"old"'}, 412),
        ({"If_None_Match": "*"}, 412),
        ({"Repr_Digest": REPR}, 412),
        ({"Repr_Digest": "sha-256=:AAAA:"}, 400),
        ({"Content_Range": "bytes 0-1"}, 400),
        ({"Content_Range": "bytes 1-2/3"}, 409),
        ({"Content_Range": "bytes 0-1/3"}, 400),
        ({"Content_Range": "bytes 0-9/10"}, 400),
        ({"Content_Encoding": "br"}, 400),
        ({"Content_Encoding": "gzip"}, 400),
        ({"Content_Encoding": "zstd"}, 400),
        ({"Shellwire_Mode": "9"}, 400),
        ({"Shellwire_Mtime": "yesterday"}, 400),
    ],
)
def test_what_is_refused(web: Web, tmp_path: Path, headers: dict[str, str], status: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    assert web.put(path, b"new", Shellwire_Client="r", **headers).status == status
    assert path.read_text() == "old"


def test_where_no_file_can_be(web: Web, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "d").mkdir()
    for path, status in ((tmp_path / "fifo", 409), (tmp_path / "d", 409)):
        assert web.put(path, b"x").status == status
    assert web.ask("PUT", web.target(tmp_path / "d") + "/", b"x").status == 409
    assert web.put(b"/proc/new", b"x").status in (404, 500)
    assert sorted(os.listdir(tmp_path)) == ["d", "fifo"]


def test_encoded(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for encoding, encoded in (("gzip", gzip.compress(DATA)), ("zstd", zstd.compress(DATA))):
        answer = web.put(path, encoded, Content_Encoding=encoding, Repr_Digest=REPR)
        assert answer.status in (200, 201)
        assert path.read_bytes() == DATA
    half = gzip.compress(DATA[:1000])
    answer = web.put(path, half, Content_Encoding="gzip", Content_Range="bytes 0-999/5000000")
    assert (answer.status, answer.headers["upload-offset"]) == (308, "1000")
    assert web.put(path, b"", Content_Range="bytes */5000000").headers["range"] == "bytes=0-999"


def test_a_cut_leaves_the_target_and_nothing_else(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    for sent in (0, 1000, 2_000_000):
        sock = web.begin(path, len(DATA))
        sock.sendall(DATA[:sent])
        until(lambda: len(os.listdir(tmp_path)) == 2)
        sock.close()
        until(lambda: os.listdir(tmp_path) == ["file"])
    assert path.read_text() == "old"


def test_an_upload_that_is_cut_ten_times(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    total = len(DATA)
    crossed = 0
    for cut in range(1, 11):
        at = web.offset(path, total, Repr_Digest=REPR)
        span = f"bytes {at}-{total - 1}/{total}"
        sock = web.begin(path, total - at, Content_Range=span, Repr_Digest=REPR)
        end = total * cut // 11
        sock.sendall(DATA[at:end])
        crossed += end - at
        sock.close()
    at = web.offset(path, total, Repr_Digest=REPR)
    span = f"bytes {at}-{total - 1}/{total}"
    answer = web.put(path, DATA[at:], Content_Range=span, Repr_Digest=REPR)
    assert answer.status == 201
    assert crossed + total - at < 1.2 * total
    assert path.read_bytes() == DATA
    assert os.listdir(tmp_path) == ["file"]
    # The answer to the last part may have been lost.
    answer = web.put(path, b"", Content_Range=f"bytes */{total}", Repr_Digest=REPR)
    assert (answer.status, answer.headers["etag"]) == (200, f'"{DIGEST.hexdigest()}"')


def test_a_resumed_upload_cuts_the_stalled_one(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    hanging = web.begin(path, 1000, Content_Range="bytes 0-999/1000")
    hanging.sendall(b"x" * 300)
    until(lambda: os.listdir(tmp_path))
    assert web.offset(path, 1000) == 300
    assert is_cut(hanging)
    assert web.put(path, b"y" * 700, Content_Range="bytes 300-999/1000").status == 201
    assert path.read_bytes() == b"x" * 300 + b"y" * 700


def test_parts(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert web.put(path, b"abc", Content_Range="bytes 0-2/6").status == 308
    answer = web.put(path, b"f", Content_Range="bytes 5-5/6")
    assert (answer.status, answer.headers["range"]) == (409, "bytes=0-2")
    # A different total, client or digest means a different upload.
    assert web.offset(path, 7) == 0
    assert web.offset(path, 6, Shellwire_Client="other") == 0
    assert web.offset(path, 6, Repr_Digest=REPR) == 0
    # A part that begins at 0 restarts the upload.
    assert web.put(path, b"12", Content_Range="bytes 0-1/6").status == 308
    assert web.offset(path, 6) == 2
    assert web.put(path, b"3456", Content_Range="bytes 2-5/6").status == 201
    assert path.read_bytes() == b"123456"
    until(lambda: os.listdir(tmp_path) == ["file"])


def test_partial_uploads_are_limited_and_end_with_the_daemon(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = own_daemon("--max-uploads", "2")
    web = Web(daemon)
    for name in "abc":
        assert web.put(tmp_path / name, b"x", Content_Range="bytes 0-0/2").status == 308
    until(lambda: len([n for n in os.listdir(tmp_path) if n.startswith(".shell")]) == 2)
    assert web.offset(tmp_path / "a", 2) == 0
    assert web.offset(tmp_path / "c", 2) == 1
    daemon.stop()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".shell")]


def test_partial_uploads_are_limited_over_all_clients(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    web = Web(own_daemon())
    for number in range(70):
        path, name = tmp_path / f"{number}", f"client-{number}"
        answer = web.put(path, b"x", Content_Range="bytes 0-0/2", Shellwire_Client=name)
        assert answer.status == 308
    until(lambda: len([n for n in os.listdir(tmp_path) if n.startswith(".shell")]) == 64)
    assert web.offset(tmp_path / "5", 2, Shellwire_Client="client-5") == 0
    assert web.offset(tmp_path / "6", 2, Shellwire_Client="client-6") == 1
    assert web.offset(tmp_path / "69", 2, Shellwire_Client="client-69") == 1


def test_a_killed_daemon_is_swept_after(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon()
    web = Web(daemon)
    root = tmp_path / "root"
    assert web.put(root / "a", b"x", Content_Range="bytes 0-0/2").status == 308
    sock = web.begin(root / "b", 10)
    until(lambda: len(os.listdir(root)) == 2)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(PATIENCE)
    sock.close()
    assert len(os.listdir(root)) == 2
    next_one = type(daemon)(daemon.home)
    try:
        assert os.listdir(root) == []
    finally:
        next_one.stop()


def test_limits(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    web = Web(own_daemon("--max-file", "10"))
    path = tmp_path / "file"
    assert web.put(path, b"x" * 10).status == 201
    bomb = gzip.compress(bytes(10_000_000))
    for body, headers in (
        (b"x" * 11, {}),
        ([b"x" * 5, b"y" * 6], {}),
        (bomb, {"Content_Encoding": "gzip"}),
        (b"x", {"Content_Range": "bytes 0-0/11"}),
    ):
        answer = web.put(path, body, **headers)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "INVALID_ARGUMENT")
    full = Web(own_daemon("--min-free", str(2**49)))
    answer = full.put(path, b"x")
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "FS_OS_ERROR")
    assert path.read_bytes() == b"x" * 10
    until(lambda: [name for name in os.listdir(tmp_path) if "home" not in name] == ["file"])


def test_a_large_file_costs_no_memory(web: Web, tmp_path: Path) -> None:
    block = bytes(1_000_000)
    web.put(tmp_path / "small", block)
    before = memory(web.daemon)
    answer = web.put(tmp_path / "large", (block for _ in range(200)))
    assert answer.status == 201
    assert memory(web.daemon) - before < 24 * 1024 * 1024
    assert (tmp_path / "large").stat().st_size == 200_000_000


def test_a_stop_leaves_nothing(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon()
    web = Web(daemon)
    root = tmp_path / "root"
    socks = [
        web.begin(root / "a", 10),
        web.begin(root / "b", 10, Content_Range="bytes 0-9/10"),
        web.begin(root / "c", 0, Content_Length="", Transfer_Encoding="chunked"),
    ]
    until(lambda: root.exists() and len(os.listdir(root)) == 3)
    daemon.stop()
    assert os.listdir(root) == []
    assert not (daemon.home / "unfinished").exists()
    for sock in socks:
        sock.close()


@pytest.mark.parametrize("rubbish", [b"zz\r\n", b"-1\r\n", b"5\r\nabc", b"\0" * 100])
def test_invalid_chunks(web: Web, tmp_path: Path, rubbish: bytes) -> None:
    sock = web.begin(tmp_path / "new" / "f", 0, Content_Length="", Transfer_Encoding="chunked")
    sock.sendall(rubbish)
    sock.shutdown(socket.SHUT_WR)
    with sock:
        while sock.recv(1000):
            pass
    until(lambda: not (tmp_path / "new").exists() or os.listdir(tmp_path / "new") == [])


def test_many_small_ones_leave_nothing(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    web = Web(own_daemon("--spares", "0"))  # spare shells would change the memory
    file = tmp_path / "new" / "f"
    before = web.daemon.descriptors()
    for number in range(100):
        assert web.put(file, b"%d" % number).status in (200, 201)
        assert web.get(file).body == b"%d" % number
    until(lambda: web.daemon.descriptors() <= before)
    assert os.listdir(tmp_path / "new") == ["f"]
