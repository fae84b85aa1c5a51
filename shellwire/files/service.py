"""State shared by all file operations: limits, hash cache, threads and workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING

from shellwire.errors import QueueFull
from shellwire.files.hashes import Hashes
from shellwire.files.partials import Partials
from shellwire.files.threads import Threads
from shellwire.files.uploads import PrincipalQuota, UploadQuota
from shellwire.principals import OWNER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shellwire.files.limits import FileLimits
    from shellwire.files.workers import WorkerPool
    from shellwire.files.write import TempFileJournal


# Large files are hashed in separate threads, so that they don't delay small requests.
_HASHING = 2


MAX_ARCHIVES = 2
"""Archives packed or unpacked at a time, each in a process of its own."""

ARCHIVE_SECONDS = 60.0
"""Seconds that a further archive waits for a slot."""


class FileService(Threads):
    """File operations in threads and worker processes: the event loop never waits for a disk."""

    def __init__(self, limits: FileLimits, tempfiles: TempFileJournal, workers: WorkerPool) -> None:
        super().__init__()
        self.limits = limits
        self.tempfiles = tempfiles
        self.hashes = Hashes()
        self.workers = workers
        self.upload_quota = UploadQuota(limits.max_uploads)
        # Of all principals but the owner: theirs take nothing from the owner's.
        self._others_quota = UploadQuota(limits.max_uploads)
        self.partials = Partials(self, limits.max_uploads, limits.principal_uploads)
        self._principal_quotas: dict[str, PrincipalQuota] = {}
        self._hashing = Threads(_HASHING)
        self._others_hashing = asyncio.Semaphore(_HASHING - 1)
        self._archives = asyncio.Semaphore(MAX_ARCHIVES)
        self._others_archives = asyncio.Semaphore(MAX_ARCHIVES - 1)
        self._closing = False

    def principal_quota(self, principal: str) -> PrincipalQuota | None:
        """Return the limits on the uploads of a principal; None for the owner."""
        if principal == OWNER:
            return None
        quota = self._principal_quotas.get(principal)
        if quota is None:
            quota = PrincipalQuota(principal, self.limits.principal_uploads, self._others_quota)
            self._principal_quotas[principal] = quota
        return quota

    @contextlib.asynccontextmanager
    async def archive_slot(self, principal: str) -> AsyncIterator[None]:
        """Hold a slot for packing or unpacking an archive while the block runs.

        The last slot is always the owner's. Raises QueueFull if none becomes free in time.
        """
        async with contextlib.AsyncExitStack() as held:
            try:
                async with asyncio.timeout(ARCHIVE_SECONDS):
                    if principal != OWNER:
                        await held.enter_async_context(self._others_archives)
                    await held.enter_async_context(self._archives)
            except TimeoutError:
                most = MAX_ARCHIVES - (principal != OWNER)
                raise QueueFull(f"{most} archives are being packed or unpacked already") from None
            yield

    async def hash_of(
        self,
        descriptor: int,
        principal: str,
        *,
        anew: bool = False,
        gone: Callable[[], bool] = lambda: False,
    ) -> str:
        """Return the SHA-256 of an open file of any size, which ``principal`` asks for.

        The last thread is always the owner's.
        Hashing stops when this call is cancelled, or when ``gone`` returns true because its client
        has left. Raises OSError, and Cancelled if hashing was stopped or the daemon stops.
        """
        async with contextlib.nullcontext() if principal == OWNER else self._others_hashing:
            return await self._hash_of(descriptor, anew, gone)

    async def _hash_of(self, descriptor: int, anew: bool, gone: Callable[[], bool]) -> str:
        stop = threading.Event()
        mine = os.dup(descriptor)  # the thread may outlive the caller's descriptor

        def should_stop() -> bool:
            return self._closing or stop.is_set() or gone()

        def work() -> str:
            try:
                return self.hashes.of(mine, anew=anew, should_stop=should_stop)
            finally:
                os.close(mine)

        try:
            return await asyncio.shield(self._hashing.run(work))
        finally:
            stop.set()

    async def close(self) -> None:
        """End the workers and discard unfinished uploads."""
        self._closing = True
        await self._hashing.shutdown()
        await self.workers.close()
        self.partials.close()
        await self.shutdown()
