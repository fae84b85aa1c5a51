"""Transfers over cut connections, resumed transfers, and files that change meanwhile."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.client.files.relay import relay
from shellwire.errors import (
    Conflict,
    Unreachable,
)
from tests.client.transfers import LARGE, names, random_bytes, sha256
from tests.faults.proxy import Proxy
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.proxy import Ending
    from tests.live import Daemon


BULK = 100_000_000


CUTS = 10


@pytest.mark.parametrize("way", ["up", "down"])
async def test_transfers_survive_ten_cuts(
    daemon: Daemon, proxy: Proxy, tmp_path: Path, way: str
) -> None:
    content = os.urandom(BULK)
    here, there = tmp_path / "here", tmp_path / "there"
    (here if way == "up" else there).write_bytes(content)
    endings: list[Ending] = ["fin", "rst"]
    async with asyncio.timeout(PATIENCE), Client(proxy.url, token=daemon.token) as c:
        for number in range(CUTS):
            proxy.cut_after(BULK // (CUTS + 2), endings[number % 2])
        if way == "up":
            assert await c.upload(here, str(there)) == sha256(content)
        else:
            assert await c.download(str(there), here) == sha256(content)
        assert not proxy.planned, "all cuts have been made"
    await proxy.stop()
    assert here.read_bytes() == there.read_bytes() == content
    assert BULK <= proxy.passed < 1.2 * BULK
    assert names(tmp_path) == ["here", "there"]


@pytest.mark.long
async def test_relay_survives_cuts(
    daemon: Daemon, own_daemon: Callable[..., Daemon], proxy: Proxy, tmp_path: Path
) -> None:
    content = os.urandom(BULK)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    other = own_daemon()
    async with (
        asyncio.timeout(PATIENCE),
        Proxy(other.url) as second,
        Client(proxy.url, token=daemon.token) as c,
        Client(second.url, token=other.token) as d,
    ):
        for _ in range(CUTS // 2):
            proxy.cut_after(BULK // (CUTS // 2 + 2))
            second.cut_after(BULK // (CUTS // 2 + 2), "rst")
        assert await relay(c, str(source), d, str(target)) == sha256(content)
        assert not proxy.planned
        assert not second.planned
    await proxy.stop()
    assert target.read_bytes() == content
    for each in (proxy, second):
        assert BULK <= each.passed < 1.2 * BULK
    assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_relay_of_a_changing_file(
    daemon: Daemon, proxy: Proxy, c: Client, tmp_path: Path
) -> None:
    source, target, other = (tmp_path / name for name in ("source", "target", "other"))
    source.write_bytes(random_bytes(LARGE))
    other.write_bytes(random_bytes(LARGE, seed=2))
    target.write_text("old")

    def change(done: int, total: int) -> None:
        if other.exists() and done < total:
            other.rename(source)

    async with Client(proxy.url, token=daemon.token) as cut:
        proxy.cut_after(LARGE // 2)
        assert await relay(cut, str(source), c, str(target), progress=change) == sha256(
            random_bytes(LARGE, seed=2)
        )
    assert target.read_bytes() == random_bytes(LARGE, seed=2)


@pytest.mark.parametrize("way", ["up", "down", "across"])
async def test_compression_in_transit(
    daemon: Daemon, proxy: Proxy, tmp_path: Path, way: str
) -> None:
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(b"shellwire " * 300_000)
    there.write_bytes(here.read_bytes())
    async with Client(proxy.url, token=daemon.token) as c:
        if way == "up":
            await c.upload(here, str(back), compress=True)
        elif way == "down":
            await c.download(str(there), back, compress=True)
        else:
            await relay(c, str(there), c, str(back), compress=True)
    await proxy.stop()
    assert back.read_bytes() == here.read_bytes()
    assert proxy.passed < LARGE / 20


@pytest.mark.parametrize("way", ["up", "down"])
async def test_another_process_resumes(
    daemon: Daemon, proxy: Proxy, tmp_path: Path, way: str
) -> None:
    content = random_bytes(LARGE)
    here, there = tmp_path / "here", tmp_path / "there"
    (here if way == "up" else there).write_bytes(content)

    async def copy(c: Client) -> None:
        if way == "up":
            await c.upload(here, str(there))
        else:
            await c.download(str(there), here)

    async with Client(proxy.url, token=daemon.token, patience=0) as c:
        proxy.cut_after(LARGE // 2)
        with pytest.raises(Unreachable):
            await copy(c)
    before = proxy.passed
    async with Client(proxy.url, token=daemon.token) as c:
        await copy(c)
    await proxy.stop()
    assert here.read_bytes() == there.read_bytes() == content
    assert proxy.passed - before < LARGE
    assert names(tmp_path) == ["here", "there"]


async def test_a_write_with_a_lost_answer(
    daemon: Daemon, proxy: Proxy, c: Client, tmp_path: Path
) -> None:
    there = tmp_path / "f"
    there.write_text("old")
    async with Client(proxy.url, token=daemon.token) as cut:
        proxy.stall_answers()
        writing = asyncio.create_task(
            cut.write_file(str(there), "new", expected_hash=sha256(b"old"))
        )
        while there.read_text() != "new":
            await c.jobs()
        proxy.cut("rst")
        assert await writing == sha256(b"new")


async def test_download_of_a_changing_file(daemon: Daemon, proxy: Proxy, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    there.write_bytes(random_bytes(LARGE))
    after = random_bytes(LARGE, seed=2)

    def change(done: int, total: int) -> None:
        if there.exists() and done < total:
            (tmp_path / "after").write_bytes(after)
            (tmp_path / "after").rename(there)

    async with Client(proxy.url, token=daemon.token) as c:
        proxy.cut_after(LARGE // 2)
        assert await c.download(str(there), here, progress=change) == sha256(after)
    assert here.read_bytes() == after


async def test_upload_of_a_changing_file_names_it(c: Client, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(random_bytes(LARGE))

    def progress(done: int, _total: int) -> None:
        with source.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(bytes([done % 251]) + b"more")

    with pytest.raises(Conflict, match=f"^{source}: it changed while it was sent$"):
        await c.upload(source, str(tmp_path / "there"), progress=progress)
    assert names(tmp_path) == ["source"]
