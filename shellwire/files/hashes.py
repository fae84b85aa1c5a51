"""SHA-256 of files, remembered for as long as a file is what it was."""

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
"""Bytes of a file that is hashed where others wait for their turn; a larger one takes seconds."""

_MAX_KNOWN = 4096
_BLOCK = 1024 * 1024

# A change within the kernel's clock tick of the one before leaves no trace in the file's times
# (10 ms where it ticks 100 times a second; FAT has 2 s). So what has just changed is not
# remembered: the problem that git calls "racily clean".
_SETTLED_NS = 2_500_000_000

Version = tuple[int, int, int, int, int]


def version(found: os.stat_result) -> Version:
    """Return what changes when the file does: device, inode, size, and both times."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Hashes:
    """Remembers the hashes of the last 4,096 files. May be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Version, str] = OrderedDict()

    def of(
        self,
        descriptor: int,
        *,
        anew: bool = False,
        stops: Callable[[], bool] = lambda: False,
    ) -> str:
        """Return the hash of an open file, in hexadecimal; ``anew`` means to read it in any case.

        Raises OSError, and Cancelled as soon as it ``stops``.
        """
        before = version(os.fstat(descriptor))
        known = None if anew else self.known(before)
        if known is not None:
            return known
        began = time.time_ns()
        found = _hash(descriptor, stops)
        if version(os.fstat(descriptor)) == before and began - before[4] > _SETTLED_NS:
            with self._lock:
                self._known[before] = found
                while len(self._known) > _MAX_KNOWN:
                    self._known.popitem(last=False)
        return found

    def known(self, which: Version) -> str | None:
        """Return the hash of this version of a file, if it is known."""
        with self._lock:
            found = self._known.get(which)
            if found is not None:
                self._known.move_to_end(which)
            return found


def _hash(descriptor: int, stops: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    block = bytearray(_BLOCK)
    view = memoryview(block)
    offset = 0
    while length := os.preadv(descriptor, [block], offset):
        digest.update(view[:length])
        offset += length
        if stops():
            raise Cancelled("its hash is not wanted any more")
    return digest.hexdigest()
