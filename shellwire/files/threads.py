"""Threads for what waits for a disk: the loop never does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

# Disks, not processors, are what they wait for.
_THREADS = 8


class Threads:
    """A few threads in which acts are done, each as soon as one is free."""

    def __init__(self, most: int = _THREADS) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="files")

    async def run(self, act: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call ``act`` in a thread. Once begun it is done, also if its caller is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(act, *args, **kwargs))

    def submit(self, act: Callable[[], object]) -> None:
        """Call ``act`` in a thread, some time."""
        self._threads.submit(act)

    async def shutdown(self) -> None:
        """Return when what was begun is done; nothing more is taken."""
        await asyncio.to_thread(self._threads.shutdown)
