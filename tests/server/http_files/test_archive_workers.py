"""Archive workers: few at a time, and no hostile header crashes one."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE
from tests.server.http_files.web import Web, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


def workers(daemon: Daemon) -> int:
    """Return the number of the daemon's archive workers."""
    found = 0
    for pid in daemon.children():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                found += b"archive_worker" in file.read()
        except OSError:
            continue
    return found


def nested(kind: bytes, content: bytes) -> bytes:
    """Return an archive of 30,000 headers, each describing the next, and a file."""
    head = tarfile.TarInfo("././@LongLink")
    head.type, head.size = kind, len(content)
    one = head.tobuf(tarfile.USTAR_FORMAT) + content.ljust(512, b"\0")
    return gzip.compress(one * 30_000 + tarfile.TarInfo("f").tobuf() + bytes(1024), 1)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (tarfile.GNUTYPE_LONGNAME, b"a" * 200),
        (tarfile.GNUTYPE_LONGLINK, b"a" * 200),
        (tarfile.XHDTYPE, b"13 path=abcd\n"),
    ],
)
def test_nested_headers(web: Web, tmp_path: Path, kind: bytes, content: bytes) -> None:
    target = f"{web.target(tmp_path / 'new')}?archive=tar.gz"
    answer = web.ask("PUT", target, nested(kind, content))
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "INVALID_ARGUMENT")
    assert b"nested too deep" in answer.body
    assert os.listdir(tmp_path) == []


def test_two_at_a_time(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon()
    web = Web(daemon)
    data = gzip.compress(tarfile.TarInfo("f").tobuf() + bytes(1024))
    begun = [web.begin(tmp_path / f"{n}", len(data), archive="tar.gz") for n in range(6)]
    until(lambda: workers(daemon) == 2)
    (tmp_path / "small").write_text("x")
    assert web.get(tmp_path / "small").body == b"x"
    begun.pop().close()  # a waiting or working client disconnects
    seen = 0
    for sock in begun:  # each is served when others are done
        sock.sendall(data)
        seen = max(seen, workers(daemon))
    for sock in begun:
        with sock:
            sock.settimeout(PATIENCE)
            assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
            seen = max(seen, workers(daemon))
    assert seen <= 2
    until(lambda: workers(daemon) == 0)
    assert sorted(os.listdir(tmp_path / "0")) == ["f"]
