"""Resumable uploads: received data is kept after a disconnect until the upload continues."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from shellwire.files.limits import MAX_UNFINISHED, MAX_UNFINISHED_BYTES
from shellwire.principals import OWNER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shellwire.files.threads import Threads
    from shellwire.files.write import Replacement

KEEP_SECONDS = 3600.0
"""Seconds that an inactive upload is kept."""


class PartialKey(NamedTuple):
    """Identifies an upload: client, target path, total size, and digest if known."""

    principal: str
    client_id: str
    path: bytes
    total: int
    digest: str


@dataclass(eq=False)
class Partial:
    """One upload and the data received so far."""

    key: PartialKey
    replacement: Replacement | None = None
    """None before any data has arrived, and after the end."""
    stop: Callable[[], None] | None = None
    """Asks the current owner to stop soon."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the current owner."""
    users: int = 0
    """The owner, and those waiting for the lock."""
    expiry: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Bytes received."""
        return 0 if self.replacement is None else self.replacement.size

    def take(self) -> Replacement:
        """Remove and return the received data; the caller commits or discards it."""
        assert self.replacement is not None, "some bytes have arrived"
        replacement, self.replacement = self.replacement, None
        return replacement


class Partials:
    """All resumable uploads: the newest ``most`` of each client, the newest 64 of the owner's.

    Of a principal other than the owner the newest ``principal_most`` of all its clients, and the
    newest 64 of all such principals: theirs never push out the owner's.
    """

    def __init__(self, threads: Threads, most: int, principal_most: int) -> None:
        self._threads = threads
        self._most = most
        self._principal_most = principal_most
        self._most_of_all = max(most, MAX_UNFINISHED)
        self._all: OrderedDict[PartialKey, Partial] = OrderedDict()

    @contextlib.asynccontextmanager
    async def claim(self, key: PartialKey, stop: Callable[[], None]) -> AsyncIterator[Partial]:
        """Own the upload with this key while the block runs; a new one if none exists.

        The current owner is asked to stop, by its ``stop``: its connection may be dead without
        being noticed. Afterwards the upload is kept for a while if it has data.
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
        owner = partial.key.principal == OWNER
        mine = [
            each
            for each in self._all.values()
            if each.key.principal == partial.key.principal
            and (not owner or each.key.client_id == partial.key.client_id)
        ]
        for each in mine[: -(self._most if owner else self._principal_most)]:
            if not each.users:
                self._drop(each)
        # Keep the newest one whatever its size: it is the one about to be resumed.
        kept = [
            each
            for each in self._all.values()
            if not each.users and (each.key.principal == OWNER) == owner
        ]
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
        """Discard the received data; called by the owner."""
        if partial.replacement is not None:
            await self._threads.run(partial.take().discard)

    def close(self) -> None:
        """Discard all uploads without an owner."""
        for partial in list(self._all.values()):
            if not partial.users:
                self._drop(partial)
