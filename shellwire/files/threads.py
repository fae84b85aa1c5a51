"""Threads for blocking file operations: the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

# The threads wait for disks, so their number does not depend on the processors.
_THREADS = 8


class Threads:
    """A small thread pool."""

    def __init__(self, most: int = _THREADS) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="files")

    async def run(self, act: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call ``act`` in a thread. Once started it completes, even if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(act, *args, **kwargs))

    def submit(self, act: Callable[[], object]) -> None:
        """Call ``act`` in a thread without waiting for it."""
        self._threads.submit(act)

    async def shutdown(self) -> None:
        """Wait until all started calls are done; refuse new ones."""
        await asyncio.to_thread(self._threads.shutdown)
