"""Hashing a large file delays no other request."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.server.http_files.web import Web

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon
    from tests.server.file_client import FileClient

HUGE = 64 * 1024**3
"""Bytes of a sparse file: hashing takes minutes, reading a range no time."""


@pytest.fixture
def huge(fs: FileClient) -> int:
    """Make a huge file with five bytes at its end; return their offset."""
    with (fs.root / "huge").open("wb") as file:
        file.truncate(HUGE - 5)
        file.seek(0, os.SEEK_END)
        file.write(b"hello")
    return HUGE - 5


async def test_hashing_does_not_delay_other_messages(fs: FileClient, huge: int) -> None:
    client: Client = fs.client
    for number in range(3):
        await client.send(
            {
                "type": "fs_read",
                "id": f"end-{number}",
                "root": str(fs.root),
                "path": "huge",
                "offset": huge,
            }
        )
    assert (await fs("stat", path="huge"))["size"] == HUGE
    written = await fs("write", path="small", content_base64="aGk=")
    small = await fs("read", path="small")
    assert small["hash"] == written["hash"] == hashlib.sha256(b"hi").hexdigest()
    # Without the hash the bytes are sent at once, and are the same.
    read = await fs("read", path="huge", offset=huge, hash=False)
    assert base64.b64decode(read["content_base64"]) == b"hello"
    assert (read["eof"], read["hash"], read["size"]) == (True, "", HUGE)
    read = await fs("read", path="huge", offset=huge - 5, length=5)
    assert (read["eof"], read["hash"]) == (False, "")
    # A cancelled read is answered; the others are cancelled with the connection.
    await client.send({"type": "cancel_command", "id": "end-0"})
    refused = (await client.until("error", id="end-0"))[-1]
    assert refused["code"] == "CANCELLED"


async def test_hashing_does_not_delay_http_requests(
    fs: FileClient, huge: int, daemon: Daemon
) -> None:
    web = Web(daemon)
    heads = [web.begin(fs.root / "huge", 0, method="HEAD") for _ in range(6)]
    ranges = [web.begin(fs.root / "huge", 0, method="GET", Range="bytes=0-4") for _ in range(6)]
    try:
        assert (await fs("stat", path="huge"))["size"] == HUGE
        (fs.root / "small").write_text("x")
        assert web.get(fs.root / "small").body == b"x"
        assert (await fs("read", path="huge", offset=huge, hash=False))["eof"]
    finally:
        for sock in heads + ranges:
            sock.close()


async def test_the_hash_is_of_the_file_that_was_read(fs: FileClient) -> None:
    """The hash is right even if another file takes the name meanwhile."""
    content = os.urandom(1024 * 1024) * 40
    (fs.root / "large").write_bytes(content)
    request = {"type": "fs_read", "root": str(fs.root), "path": "large"}
    await fs.client.send({**request, "id": "r", "offset": len(content) - 5})
    await fs("write", path="large", content_base64="aGk=")
    answer = (await fs.client.until("fs_result", id="r"))[-1]
    assert answer["result"]["hash"] == hashlib.sha256(content).hexdigest()
    assert (await fs("read", path="large"))["hash"] == hashlib.sha256(b"hi").hexdigest()


async def test_a_daemon_stops_while_it_hashes(
    own_daemon: Callable[..., Daemon], huge: int, fs: FileClient
) -> None:
    daemon = own_daemon()
    client = await daemon.client()
    before = daemon.descriptors()
    request = {"type": "fs_read", "root": str(fs.root), "path": "huge", "offset": huge}
    for number in range(20):  # more than may hash at a time
        await client.send({**request, "id": f"{number}"})
    await client.send({"type": "ping"})
    await client.until("pong")
    await client.close()
    other = await daemon.client()
    answer = await other.ask({"type": "fs_stat", "id": "s", "root": str(fs.root), "path": "huge"})
    assert answer["result"]["size"] == HUGE
    while daemon.descriptors() > before:
        await other.ask({"type": "ping"})
    await other.close()
    daemon.stop()


async def test_no_cache_reads_it_again(fs: FileClient, daemon: Daemon) -> None:
    """The hash cache is keyed by time and inode, so only no-cache detects some changes."""
    web, path = Web(daemon), fs.root / "f"
    path.write_bytes(b"x" * 20_000_000)
    wanted = hashlib.sha256(path.read_bytes()).hexdigest()
    for headers in ({}, {"Cache_Control": "no-cache"}, {"Cache_Control": "max-age=0"}):
        answer = web.ask("HEAD", web.target(path), **headers)
        assert answer.headers["etag"] == f'"{wanted}"'
