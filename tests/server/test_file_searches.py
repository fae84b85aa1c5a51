"""Lists, globs and searches in workers, which time out, are cancelled, and are replaced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import TYPE_CHECKING

from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon
    from tests.server.file_client import FileClient

# A pattern with exponential backtracking: it never ends by itself.
ENDLESS = {"query": "(a+)+$", "regex": True}


def endless(root: Path) -> None:
    """Make a file in which searching for ``ENDLESS`` does not end."""
    (root / "a").write_text("needle\n" + "a" * 60 + "b\n")


async def test_an_endless_search_times_out(fs: FileClient) -> None:
    endless(fs.root)
    query = "needle|(a+)+$"
    await fs.client.send(fs.message("search", path="a", query=query, regex=True))
    # The search delays neither other messages nor another client's search.
    assert (await fs("search", query="needle"))["truncated"] is False
    assert (await fs("stat", path="a"))["name"] == "a"
    # Matches found before the timeout are returned.
    (answer,) = await fs.client.until("fs_result")
    found = answer["result"]
    assert [match["line_content"] for match in found["results"]] == ["needle"]
    assert found["truncated"]


async def test_searches_are_cancelled(fs: FileClient, daemon: Daemon) -> None:
    endless(fs.root)
    began = time.monotonic()
    for number in range(5):
        await fs.client.send({**fs.message("search", **ENDLESS), "id": f"s{number}"})
    for number in reversed(range(5)):
        cancel = {"type": "cancel_command", "id": f"s{number}"}
        assert (await fs.client.ask(cancel))["type"] == "ack"
        (error,) = await fs.client.until("error", id=f"s{number}")
        assert (error["code"], error["operation"]) == ("CANCELLED", "fs_search")
    assert (await fs.client.ask({"type": "cancel_command", "id": "s0"}))["code"] == "NOT_FOUND"
    assert (await fs("search", query="needle"))["results"]
    assert time.monotonic() - began < PATIENCE


async def test_a_client_that_leaves_ends_its_searches(daemon: Daemon, fs: FileClient) -> None:
    endless(fs.root)
    for _ in range(3):
        other = await daemon.client()
        for number in range(4):
            await other.send({**fs.message("search", **ENDLESS), "id": f"s{number}"})
        await other.ask({"type": "ping"})
        await other.close()
    assert (await fs("search", query="needle"))["results"]


async def test_a_worker_that_is_killed_costs_one_answer(
    own_daemon: Callable[..., Daemon], fs: FileClient
) -> None:
    endless(fs.root)
    daemon = own_daemon()
    fs.client = await daemon.client()
    await fs("list")
    workers = [pid for pid in daemon.children() if b"server.files.worker" in cmdline(pid)]
    assert len(workers) == 1
    await fs.client.send(fs.message("search", path="a", **ENDLESS))
    await fs("stat")  # the search has begun
    os.kill(workers[0], signal.SIGKILL)
    (answer,) = await fs.client.until("fs_result")
    assert answer["result"]["truncated"]
    assert (await fs("list"))["entries"]
    await fs.client.close()
    daemon.stop()
    assert str(workers[0]) not in os.listdir("/proc")


def cmdline(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


async def test_limits_of_globs_and_searches(fs: FileClient) -> None:
    for number in range(5):
        (fs.root / str(number)).write_text("x x\n")
    for limit, expected in ((0, 1), (3, 3), (5, 5), (10**9, 5)):
        globbed = await fs("glob", limit=limit)
        assert (len(globbed["matches"]), globbed["truncated"]) == (expected, expected < 5)
    searched = await fs("search", query="x", limit=7)
    assert (len(searched["results"]), searched["truncated"]) == (7, True)
    searched = await fs("search", query="x", limit=10)
    assert (len(searched["results"]), searched["truncated"]) == (10, False)


async def test_a_large_directory(fs: FileClient) -> None:
    directory = os.open(fs.root, os.O_RDONLY)
    for number in range(3000):
        os.close(os.open(f"file-{number:04}", os.O_CREAT, dir_fd=directory))
    os.close(directory)
    await fs.client.send(fs.message("list"))
    text = str(await asyncio.wait_for(fs.client.ws.recv(), PATIENCE))
    entries = json.loads(text)["result"]["entries"]
    assert [entry["name"] for entry in entries] == [f"file-{n:04}" for n in range(3000)]
