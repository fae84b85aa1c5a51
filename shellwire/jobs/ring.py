"""Bytes that come at one end and go at the other, in one place that is used round and round."""

from __future__ import annotations

_SMALLEST = 256


class Ring:
    """A queue of bytes. Its store doubles up to ``usual`` bytes, then grows only by what it must.

    A bytearray would be copied whole each time that its front has gone: at a flood eight bytes for
    each that comes, into a second one beside the first.
    """

    def __init__(self, usual: int) -> None:
        self._usual = usual
        self._store = memoryview(b"")
        self._begin = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self._length:
            raise IndexError(index)
        return self._store[(self._begin + index) % len(self._store)]

    def append(self, data: bytes) -> None:
        """Put bytes behind the last one."""
        if not data:
            return
        if self._length + len(data) > len(self._store):
            self._grow(self._length + len(data))
        at = (self._begin + self._length) % len(self._store)
        first = min(len(data), len(self._store) - at)
        self._store[at : at + first] = data[:first]
        self._store[: len(data) - first] = data[first:]
        self._length += len(data)

    def _grow(self, needed: int) -> None:
        size = max(needed, min(self._usual, max(_SMALLEST, 2 * len(self._store))))
        store = memoryview(bytearray(size))
        store[: self._length] = self.read(0, self._length)
        self._store = store
        self._begin = 0

    def read(self, begin: int, stop: int) -> bytes:
        """Return the bytes from one position up to another; both must be there."""
        if begin >= stop:
            return b""
        size = len(self._store)
        at = (self._begin + begin) % size
        end = at + stop - begin
        if end <= size:
            return bytes(self._store[at:end])
        return b"".join((self._store[at:], self._store[: end - size]))

    def drop(self, count: int) -> None:
        """Let the first ones go."""
        self._begin = (self._begin + count) % len(self._store) if self._store else 0
        self._length -= count

    def clear(self) -> None:
        """Let all go, and the store too."""
        self._store = memoryview(b"")
        self._begin = self._length = 0
