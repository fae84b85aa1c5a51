"""A ring buffer of bytes: appended at the end, dropped at the front."""

from __future__ import annotations

_SMALLEST = 256


class Ring:
    """A queue of bytes. Its store doubles up to ``usual`` bytes, then grows only as needed.

    A bytearray would be copied whole into a second one each time that its front is dropped: under a
    flood of output, eight bytes copied for each byte appended.
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
        """Append bytes at the end."""
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
        """Return the bytes from ``begin`` up to ``stop``; both must be within the ring."""
        if begin >= stop:
            return b""
        size = len(self._store)
        at = (self._begin + begin) % size
        end = at + stop - begin
        if end <= size:
            return bytes(self._store[at:end])
        return b"".join((self._store[at:], self._store[: end - size]))

    def drop(self, count: int) -> None:
        """Remove the first ``count`` bytes."""
        self._begin = (self._begin + count) % len(self._store) if self._store else 0
        self._length -= count

    def clear(self) -> None:
        """Remove all bytes and free the store."""
        self._store = memoryview(b"")
        self._begin = self._length = 0
