"""What other principals upload, pack and search leaves room for the owner."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Any

from shellwire.files.limits import MAX_UNFINISHED, MAX_UNFINISHED_BYTES, FileLimits
from shellwire.files.partials import PartialKey, Partials
from shellwire.files.service import MAX_ARCHIVES, FileService
from shellwire.files.workers import MAX_WORKERS, Answer, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class _Received:
    size = MAX_UNFINISHED_BYTES

    def discard(self) -> None:
        pass


class _Threads:
    def submit(self, act: Callable[[], object]) -> None:
        act()


def _service() -> FileService:
    nothing: Any = None
    return FileService(FileLimits(), nothing, nothing)


async def test_the_owner_can_always_upload() -> None:
    files = _service()
    quotas = [files.principal_quota(f"p{number}") for number in range(MAX_UNFINISHED // 4)]
    for quota in quotas:
        assert quota is not None
        for _ in range(4):
            quota.open()
    assert quotas[0] is not None
    quotas[0].reserve(2 * MAX_UNFINISHED_BYTES, 0)
    files.upload_quota.open()
    files.upload_quota.open()
    files.upload_quota.reserve(1, 0)
    files.upload_quota.reserve(1, 0)
    await files.shutdown()


async def test_nobody_pushes_out_the_owners_unfinished_upload() -> None:
    threads: Any = _Threads()
    received: Any = _Received()
    partials = Partials(threads, 16, 4)
    keys = [PartialKey(who, "c", b"f", 2**40, "") for who in ("owner", "ann", "bob")]
    for key in keys:
        async with partials.claim(key, lambda: None) as partial:
            partial.replacement = received
    for key, size in zip(keys, (received.size, 0, received.size), strict=True):
        async with partials.claim(key, lambda: None) as partial:
            assert partial.size == size
            partial.replacement = None


async def test_the_last_archive_is_the_owners() -> None:
    files = _service()
    async with contextlib.AsyncExitStack() as held:
        for _ in range(MAX_ARCHIVES - 1):
            await held.enter_async_context(files.archive_slot("bob"))
        waits = asyncio.create_task(held.enter_async_context(files.archive_slot("ann")))
        await asyncio.sleep(0)
        async with asyncio.timeout(10), files.archive_slot("owner"):
            assert not waits.done()
        waits.cancel()
        await asyncio.wait([waits])
    async with asyncio.timeout(10), files.archive_slot("ann"):
        pass
    await files.shutdown()


async def test_the_last_hash_is_the_owners(tmp_path: Path) -> None:
    files = _service()
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 10**13)
    (tmp_path / "small").write_bytes(b"abc")
    with (tmp_path / "large").open("rb") as large, (tmp_path / "small").open("rb") as small:
        others = [asyncio.create_task(files.hash_of(large.fileno(), "bob")) for _ in range(3)]
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
            assert (
                await files.hash_of(small.fileno(), "owner") == hashlib.sha256(b"abc").hexdigest()
            )
        for each in others:
            assert not each.done()
            each.cancel()
        await asyncio.wait(others)
    await files._hashing.shutdown()
    await files.shutdown()


async def test_the_last_worker_is_the_owners() -> None:
    nothing: Any = None
    pool = WorkerPool([], nothing)
    asked: list[bytes] = []
    forever = asyncio.Event()

    class _Worker:
        alive = True

        async def ask(self, request: bytes) -> Answer:
            asked.append(request)
            if request != b"owner's":
                await forever.wait()
            return Answer([], is_complete=True)

    pool._take = lambda: _Worker()  # type: ignore[assignment, method-assign, return-value]
    others = [
        asyncio.create_task(pool.ask(b"another's", is_owners=False)) for _ in range(MAX_WORKERS)
    ]
    async with asyncio.timeout(10):
        await asyncio.sleep(0)
        await pool.ask(b"owner's")
        assert asked == [b"another's"] * (MAX_WORKERS - 1) + [b"owner's"]
        forever.set()
        await asyncio.wait(others)
    assert len(asked) == MAX_WORKERS + 1
    pool._idle.clear()
    await pool.close()
