"""Uploads that outlive a connection: what has come of a file is kept for who goes on with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shellwire.files.limits import MAX_UNFINISHED, MAX_UNFINISHED_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shellwire.files.threads import Threads
    from shellwire.files.write import Replacement

KEEP_SECONDS = 3600.0
"""Seconds that an upload with nobody at work on it is kept."""


class PartialKey(NamedTuple):
    """What names an upload: whose it is, where it goes, its size, and its digest if known."""

    client_id: str
    path: bytes
    total: int
    digest: str


@dataclass(eq=False)
class Partial:
    """What has come so far."""

    key: PartialKey
    replacement: Replacement | None = None
    """None before anything has come, and when it is over."""
    stop: Callable[[], None] | None = None
    """Tells who is at work on it to end soon."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who is at work on it."""
    users: int = 0
    """Who is at work on it, or waits for the lock."""
    expiry: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return 0 if self.replacement is None else self.replacement.size

    def take(self) -> Replacement:
        """Take what has come out of it, to be committed or discarded by the caller."""
        assert self.replacement is not None, "something has come"
        replacement, self.replacement = self.replacement, None
        return replacement


class Partials:
    """All of them; of one client the newest ``most``, of all clients the newest 64."""

    def __init__(self, threads: Threads, most: int) -> None:
        self._threads = threads
        self._most = most
        self._most_of_all = max(most, MAX_UNFINISHED)
        self._all: OrderedDict[PartialKey, Partial] = OrderedDict()

    @contextlib.asynccontextmanager
    async def claim(self, key: PartialKey, stop: Callable[[], None]) -> AsyncIterator[Partial]:
        """Work on the upload of this key, a new one if there is none.

        Whoever is at work on it is told to end by its ``stop``: its connection may be dead without
        knowing. It is kept for a while afterwards, if something of it is left.
        """
        partial = self._all.setdefault(key, Partial(key))
        self._all.move_to_end(key)
        partial.users += 1
        if partial.expiry is not None:
            partial.expiry.cancel()
            partial.expiry = None
        if partial.stop is not None:
            partial.stop()
        try:
            async with partial.lock:
                partial.stop = stop
                try:
                    yield partial
                finally:
                    partial.stop = None
        finally:
            partial.users -= 1
            if not partial.users:
                self._release(partial)

    def _release(self, partial: Partial) -> None:
        if partial.replacement is None:
            del self._all[partial.key]
            return
        loop = asyncio.get_running_loop()
        partial.expiry = loop.call_later(KEEP_SECONDS, self._drop, partial)
        self._all.move_to_end(partial.key)
        mine = [each for each in self._all.values() if each.key.client_id == partial.key.client_id]
        for each in mine[: -self._most]:
            if not each.users:
                self._drop(each)
        # The newest one is kept however large it is: it is the one that is gone on with.
        kept = [each for each in self._all.values() if not each.users]
        size = sum(each.size for each in kept)
        for number, each in enumerate(kept[:-1]):
            if len(kept) - number <= self._most_of_all and size <= MAX_UNFINISHED_BYTES:
                break
            size -= each.size
            self._drop(each)

    def _drop(self, partial: Partial) -> None:
        if partial.expiry is not None:
            partial.expiry.cancel()
        del self._all[partial.key]
        self._threads.submit(partial.take().discard)

    async def restart(self, partial: Partial) -> None:
        """Give up what has come, by who is at work on it."""
        if partial.replacement is not None:
            await self._threads.run(partial.take().discard)

    def close(self) -> None:
        """Give up all that nobody is at work on."""
        for partial in list(self._all.values()):
            if not partial.users:
                self._drop(partial)
