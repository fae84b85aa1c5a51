"""What all who work with files share: limits, hashes, threads, workers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from shellwire.files.hashes import Hashes
from shellwire.files.partials import Partials

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.limits import FileLimits
    from shellwire.files.workers import Workers
    from shellwire.files.write import Litter

_T = TypeVar("_T")

# Disks, not processors, are what they wait for.
_THREADS = 8


class Files:
    """What is asked of files is done in threads and workers: the loop never waits for a disk."""

    def __init__(self, limits: FileLimits, litter: Litter, workers: Workers) -> None:
        self.limits = limits
        self.litter = litter
        self.hashes = Hashes()
        self.workers = workers
        self.partials = Partials(self)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="files")

    async def run(self, act: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call ``act`` in a thread. Once begun it is done, also if its caller is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(act, *args, **kwargs))

    def later(self, act: Callable[[], object]) -> None:
        """Call ``act`` in a thread, some time."""
        self._threads.submit(act)

    async def close(self) -> None:
        """End the workers and give up what is unfinished."""
        await self.workers.close()
        self.partials.close()
        # What they have begun is done.
        await asyncio.to_thread(self._threads.shutdown)
