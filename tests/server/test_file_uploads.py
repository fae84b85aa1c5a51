"""Uploads by file messages: limited, and removed with their connection or daemon."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from tests.live import PATIENCE, Daemon
from tests.server.file_client import FileClient
from tests.server.test_files import encoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def noted(daemon: Daemon, root: Path) -> list[str]:
    """Return the temporary files below ``root`` that the daemon has recorded."""
    directory = daemon.home / "unfinished"
    names = os.listdir(directory) if directory.exists() else []
    paths = [os.readlink(directory / name) for name in names]
    return [path for path in paths if path.startswith(f"{root}/")]


async def test_uploads_vanish_with_their_connection(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    client = await daemon.client()
    fs = FileClient(client, tmp_path)
    upload = (await fs("write_start", path="f"))["upload_id"]
    await fs("write_chunk", upload_id=upload, content_base64="AAAA")
    assert len(os.listdir(tmp_path)) == 2
    taken_over = await daemon.client(client.id)
    async with asyncio.timeout(PATIENCE):
        while len(os.listdir(tmp_path)) > 1 or noted(daemon, tmp_path):
            await taken_over.ask({"type": "ping"})
    fs.client = taken_over
    assert await fs.code("write_finish", upload_id=upload) == "UPLOAD_NOT_FOUND"
    assert (tmp_path / "f").read_text() == "old"
    await taken_over.close()


async def test_open_uploads_are_bounded(own_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = own_daemon("--max-uploads", "2", "--max-file", "5", "--max-upload", "4")
    fs = FileClient(await daemon.client(), tmp_path)
    limits = fs.client.status["limits"]
    assert (limits["max_uploads"], limits["max_file_bytes"]) == (2, 5)
    assert (limits["max_upload_bytes"], limits["min_free_bytes"]) == (4, 64 * 1024 * 1024)
    upload = (await fs("write_start", path="f"))["upload_id"]
    await fs("write_start", path="f")
    assert await fs.code("write_start", path="f") == "QUEUE_FULL"
    five = encoded(b"12345")
    code = await fs.code("write_chunk", upload_id=upload, content_base64=five)
    assert code == "INVALID_ARGUMENT"
    assert await fs.code("write", path="g", content_base64=five) == "INVALID_ARGUMENT"
    await fs("write_finish", upload_id=upload)
    await fs("write_start", path="f")
    await fs.client.close()


async def test_temporary_files_of_a_killed_daemon_are_removed(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = own_daemon()
    fs = FileClient(await daemon.client(), tmp_path / "root")
    fs.root.mkdir()
    (fs.root / "f").write_text("old")
    upload = (await fs("write_start", path="f"))["upload_id"]
    await fs("write_chunk", upload_id=upload, content_base64="AAAA")
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait(PATIENCE)
    assert len(os.listdir(fs.root)) == 2
    # Files of others are kept.
    os.symlink(fs.root / "f", daemon.home / "unfinished" / ".shellwire-0123456789abcdef")
    os.symlink("/nowhere/.shellwire-0123456789abcdef", daemon.home / "unfinished" / "gone")
    next_one = Daemon(daemon.home)
    try:
        assert os.listdir(fs.root) == ["f"]
        assert (fs.root / "f").read_text() == "old"
        assert noted(daemon, fs.root) == []
    finally:
        next_one.stop()


async def test_file_messages_are_refused_while_the_daemon_stops(
    own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = own_daemon("--grace", "20")
    fs = FileClient(await daemon.client(), tmp_path)
    job = await fs.client.start("echo ready; read x", open_stdin=True)
    await fs.client.output_until(job, "ready")
    daemon.process.send_signal(signal.SIGTERM)
    await fs.client.until("daemon_stopping")
    assert await fs.code("stat") == "DAEMON_STOPPING"
    await fs.client.send({"type": "send_input", "id": job, "data": "x\n"})
    await fs.client.until("result", id=job)
