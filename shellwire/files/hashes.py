"""SHA-256 of files, cached while a file's stat data is unchanged."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from shellwire.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_QUICK_HASH = 16 * 1024 * 1024
"""Largest file, in bytes, that is hashed in the common threads; a larger one takes seconds."""

_MAX_KNOWN = 4096
_BLOCK = 1024 * 1024

# Two changes within one clock tick of the kernel leave the same file times (10 ms at 100 ticks a
# second; 2 s on FAT). So the hash of a file that has just changed is not cached. git calls this
# problem "racily clean".
_SETTLED_NS = 2_500_000_000

Version = tuple[int, int, int, int, int]


def version(found: os.stat_result) -> Version:
    """Return the data that identify a file's version: device, inode, size, mtime and ctime."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Hashes:
    """A cache of the hashes of the last 4,096 files. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Version, str] = OrderedDict()

    def of(
        self,
        descriptor: int,
        *,
        anew: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> str:
        """Return the hash of an open file, in hexadecimal; ``anew`` bypasses the cache.

        Raises OSError, and Cancelled once ``should_stop`` returns true.
        """
        before = version(os.fstat(descriptor))
        known = None if anew else self.known(before)
        if known is not None:
            return known
        began = time.time_ns()
        found = _hash(descriptor, should_stop)
        if version(os.fstat(descriptor)) == before and began - before[4] > _SETTLED_NS:
            with self._lock:
                self._known[before] = found
                while len(self._known) > _MAX_KNOWN:
                    self._known.popitem(last=False)
        return found

    def known(self, which: Version) -> str | None:
        """Return the cached hash of this version of a file, None if there is none."""
        with self._lock:
            found = self._known.get(which)
            if found is not None:
                self._known.move_to_end(which)
            return found


def _hash(descriptor: int, should_stop: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    block = bytearray(_BLOCK)
    view = memoryview(block)
    offset = 0
    while length := os.preadv(descriptor, [block], offset):
        digest.update(view[:length])
        offset += length
        if should_stop():
            raise Cancelled("its hash is not wanted any more")
    return digest.hexdigest()
