"""What all who work with files share: limits, hashes, threads, workers."""

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
from shellwire.files.uploads import UploadQuota

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shellwire.files.limits import FileLimits
    from shellwire.files.workers import WorkerPool
    from shellwire.files.write import TempFileJournal


# Large files are hashed in threads of their own: nobody who wants a few bytes waits for them.
_HASHING = 2


MAX_ARCHIVES = 2
"""Archives that are packed or unpacked at a time, each by a process of its own."""

ARCHIVE_SECONDS = 60.0
"""Seconds that one more waits for its turn."""


class FileService(Threads):
    """What is asked of files is done in threads and workers: the loop never waits for a disk."""

    def __init__(self, limits: FileLimits, tempfiles: TempFileJournal, workers: WorkerPool) -> None:
        super().__init__()
        self.limits = limits
        self.tempfiles = tempfiles
        self.hashes = Hashes()
        self.workers = workers
        self.upload_quota = UploadQuota(limits.max_uploads)
        self.partials = Partials(self, limits.max_uploads)
        self._hashing = Threads(_HASHING)
        self._archives = asyncio.Semaphore(MAX_ARCHIVES)
        self._closing = False

    @contextlib.asynccontextmanager
    async def archive_slot(self) -> AsyncIterator[None]:
        """Wait for one's turn to pack or unpack an archive, and have it while the block runs.

        Raises QueueFull if that takes too long.
        """
        try:
            async with asyncio.timeout(ARCHIVE_SECONDS):
                await self._archives.acquire()
        except TimeoutError:
            raise QueueFull(f"{MAX_ARCHIVES} archives are being worked on already") from None
        try:
            yield
        finally:
            self._archives.release()

    async def hash_of(
        self,
        descriptor: int,
        *,
        anew: bool = False,
        gone: Callable[[], bool] = lambda: False,
    ) -> str:
        """Return the SHA-256 of an open file of any size.

        It is given up if this is cancelled, or who wants it is ``gone``. Raises OSError, and
        Cancelled when it was given up or the daemon stops.
        """
        stop = threading.Event()
        mine = os.dup(descriptor)  # the thread may need it longer than who asks

        def stops() -> bool:
            return self._closing or stop.is_set() or gone()

        def work() -> str:
            try:
                return self.hashes.of(mine, anew=anew, stops=stops)
            finally:
                os.close(mine)

        try:
            return await asyncio.shield(self._hashing.run(work))
        finally:
            stop.set()

    async def close(self) -> None:
        """End the workers and give up what is unfinished."""
        self._closing = True
        await self._hashing.shutdown()
        await self.workers.close()
        self.partials.close()
        await self.shutdown()
